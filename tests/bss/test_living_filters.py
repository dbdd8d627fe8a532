"""Filters for while some channels are dead: what is left of the sum, and of the images."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import Array
from problems import complex_normal

from auxiva_cli.bss.scaling import living_filters, sum_to_identity

N_FREQ, N_FRAMES = 5, 400
SUBSETS = [[1], [0, 2], [1, 2], [0, 1, 2]]


def draw(n_src: int, n_chan: int, *, noise: float = 0.0, seed: int = 0) -> tuple[Array, Array]:
    """Draw sources' images (n_src, n_frames, n_chan, n_freq) and the mixture of them."""
    rng = np.random.default_rng(seed)
    A = complex_normal(rng, n_src, 1, n_chan, N_FREQ)
    images = A * complex_normal(rng, n_src, N_FRAMES, 1, N_FREQ)
    hiss = noise * complex_normal(rng, N_FRAMES, n_chan, N_FREQ)
    return images, images.sum(axis=0) + hiss


def covariance(X: Array) -> Array:
    return np.einsum("tcf,tdf->cdf", X, X.conj()) / len(X)


def random_filters(n_src: int, n_chan: int) -> Array:
    G = complex_normal(np.random.default_rng(1), n_src, n_chan, n_chan, N_FREQ)
    return sum_to_identity(G)


def mask(n_chan: int, channels: list[int]) -> Array:
    return np.isin(np.arange(n_chan), channels)


@pytest.mark.parametrize("channels", SUBSETS)
def test_they_sum_to_the_identity_and_take_nothing_of_a_dead_channel(channels: list[int]) -> None:
    _, X = draw(2, 4, noise=0.1)
    living = mask(4, channels)
    G = living_filters(random_filters(2, 4), covariance(X), living)
    np.testing.assert_allclose(
        G.sum(axis=0), np.broadcast_to(np.eye(4)[..., None], (4, 4, N_FREQ)), atol=1e-9
    )
    assert np.abs(G[:, living][:, :, ~living]).max(initial=0) < 1e-9
    assert np.abs(G[:, ~living][:, :, living]).max(initial=0) < 1e-9


def test_all_channels_alive_change_nothing() -> None:
    _, X = draw(2, 3, noise=0.1)
    filters = random_filters(2, 3)
    np.testing.assert_allclose(
        living_filters(filters, covariance(X), np.ones(3, bool)), filters, atol=1e-9
    )


def test_a_channel_that_others_tell_all_about_is_not_missed() -> None:
    _, X = draw(2, 3, noise=1e-6)
    filters = random_filters(2, 3)
    whole = np.einsum("kcdf,tdf->ktcf", filters, X)
    G = living_filters(filters, covariance(X), mask(3, [0, 2]))
    dead = X * mask(3, [0, 2])[:, None]
    partial = np.einsum("kcdf,tdf->ktcf", G, dead)
    np.testing.assert_allclose(partial[:, :, [0, 2]], whole[:, :, [0, 2]], atol=1e-2)


@pytest.mark.parametrize("channels", SUBSETS)
def test_no_other_filters_of_the_living_channels_come_closer_to_the_images(
    channels: list[int],
) -> None:
    _, X = draw(3, 4, noise=0.3)
    filters = random_filters(3, 4)
    living = mask(4, channels)
    G = living_filters(filters, covariance(X), living)
    for f in range(N_FREQ):
        for k in range(3):
            images = X[:, :, f] @ filters[k, living, :, f].T
            best = np.linalg.lstsq(X[:, living, f], images, rcond=None)[0].T
            np.testing.assert_allclose(G[k][np.ix_(living, living)][..., f], best, atol=1e-6)


def test_levels_of_channels_do_not_matter() -> None:
    _, X = draw(2, 3, noise=0.1)
    scale = np.array([1.0, 1e-5, 1e4])
    living, filters = mask(3, [0, 1]), random_filters(2, 3)
    plain = living_filters(filters, covariance(X), living)
    ratio = (scale[:, None] / scale)[..., None]
    scaled = living_filters(filters * ratio, covariance(X * scale[:, None]), living)
    np.testing.assert_allclose(scaled, plain * ratio, rtol=1e-5, atol=1e-12)


def test_a_channel_that_was_never_heard_predicts_nothing() -> None:
    _, X = draw(2, 3)
    X[:, 2] = 0
    filters = random_filters(2, 3)
    G = living_filters(filters, covariance(X), mask(3, [2]))
    assert np.isfinite(G).all()
    np.testing.assert_allclose(G[:, 0, 0], 0.5, atol=1e-9)
