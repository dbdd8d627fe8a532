"""Filters against the oracle's projection back, and the laws that they obey."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import complex_normal, random_bins

from auxiva_cli.bss.scaling import (
    energies,
    image_powers,
    projection_filters,
    relative_levels,
    source_filters,
    sum_to_identity,
)

N_FREQ = 5


def draw(n_chan: int, seed: int = 0) -> Array:
    """Draw a block."""
    return complex_normal(np.random.default_rng(seed), 40, n_chan, N_FREQ)


def identities(n_chan: int) -> Array:
    return np.repeat(np.eye(n_chan)[..., None], N_FREQ, axis=-1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_projection_filters_sum_to_the_identity(seed: int, n: int) -> None:
    W, _ = random_bins(n, N_FREQ, seed)
    bound = 100 * np.finfo(float).eps * np.linalg.cond(W.transpose(2, 0, 1)).max()
    np.testing.assert_allclose(projection_filters(W).sum(axis=0), identities(n), atol=bound)


@pytest.mark.parametrize("ref_chan", [0, 2])
def test_projection_filters_give_the_images_at_each_microphone(ref_chan: int) -> None:
    X = draw(3)
    W, _ = random_bins(3, N_FREQ, seed=1)
    images = np.einsum("kcf,tcf->tkf", projection_filters(W)[:, ref_chan], X)
    expected = oracle.projection_back(X, W, ref_chan)
    np.testing.assert_allclose(images, expected, rtol=1e-9, atol=1e-10)


def test_projection_filters_of_dependent_channels_give_the_images_all_the_same() -> None:
    X = draw(4)
    X[:, 2:] = np.einsum("cd,tdf->tcf", [[1, -2], [0.5j, 0]], X[:, :2])
    U, _ = random_bins(2, N_FREQ, seed=1)
    W = np.einsum("kmf,mcf->kcf", U, oracle.whitening(X, 2))
    images = np.einsum("kcf,tcf->tkf", projection_filters(W)[:, 3], X)
    np.testing.assert_allclose(images, oracle.projection_back(X, W, 3), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(images.sum(axis=1), X[:, 3], atol=1e-9)


def test_projection_filters_do_not_depend_on_the_scale_of_the_demixing_matrices() -> None:
    W, _ = random_bins(3, N_FREQ, seed=1)
    scale = complex_normal(np.random.default_rng(2), 3, 1, N_FREQ)
    np.testing.assert_allclose(
        projection_filters(scale * W), projection_filters(W), rtol=1e-9, atol=1e-12
    )


def test_frequencies_without_filters_are_shared_out_equally() -> None:
    W, _ = random_bins(3, N_FREQ, seed=1)
    filters = projection_filters(W)
    filters[..., 2] = 0
    complete = sum_to_identity(filters)
    np.testing.assert_allclose(complete.sum(axis=0), identities(3), atol=1e-12)
    np.testing.assert_array_equal(complete[..., 2], np.tile(np.eye(3) / 3, (3, 1, 1)))
    np.testing.assert_allclose(complete[..., [0, 1, 3, 4]], filters[..., [0, 1, 3, 4]], atol=1e-9)


def test_source_filters_leave_what_is_unrelated_to_every_source() -> None:
    X, R = draw(4), oracle.covariance(draw(4))
    W = complex_normal(np.random.default_rng(1), 2, 4, N_FREQ)
    G = source_filters(W, R)
    left = X - np.einsum("kcdf,tdf->tcf", G, X)
    demixed = np.einsum("kdf,tdf->tkf", W, X)
    np.testing.assert_allclose(np.einsum("tcf,tkf->ckf", left, demixed.conj()), 0, atol=1e-10)
    assert (np.linalg.matrix_rank(G.transpose(0, 3, 1, 2)) == 1).all()


def test_the_rest_gets_what_filters_lack_of_the_identity_and_nothing_else_changes() -> None:
    filters = complex_normal(np.random.default_rng(0), 3, 2, 2, N_FREQ)
    complete = sum_to_identity(filters, has_rest=True)
    np.testing.assert_allclose(complete.sum(axis=0), identities(2), atol=1e-12)
    np.testing.assert_array_equal(complete[:2], filters[:2])


@pytest.mark.parametrize("ref_chan", [0, 1])
def test_energies_are_those_of_the_images_over_both_sides_of_the_spectrum(ref_chan: int) -> None:
    X = draw(2)
    W, _ = random_bins(2, N_FREQ, seed=1)
    power = np.mean(np.abs(oracle.projection_back(X, W, ref_chan)) ** 2, axis=0)
    expected = power @ [1, 2, 2, 2, 1]
    found = energies(projection_filters(W), oracle.covariance(X), ref_chan)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_powers_are_those_of_the_images_at_every_channel() -> None:
    X = draw(4)
    W = random_bins(4, N_FREQ, seed=1)[0][:2]
    R = oracle.covariance(X)
    images = np.einsum("kmcf,tcf->tkmf", source_filters(W, R), X)
    expected = np.sum(np.mean(np.abs(images) ** 2, axis=0), axis=-1)
    np.testing.assert_allclose(image_powers(W, R), expected, rtol=1e-9)


def test_levels_are_decibels_below_the_highest_and_never_infinite() -> None:
    assert relative_levels(np.array([2.0, 200.0, 0.0])) == pytest.approx([-20, 0, -300])
    assert relative_levels(np.zeros(2)) == pytest.approx([-300, -300])
