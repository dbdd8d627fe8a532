"""What living channels tell of dead ones: as much as any filters of them could."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import Array
from problems import complex_normal

from auxiva_cli.bss.scaling import prediction_filters

N_FREQ, N_FRAMES = 5, 400
SUBSETS = [[1], [0, 2], [1, 2], [0, 1, 2]]


def draw(n_src: int, n_chan: int, noise: float) -> Array:
    """Draw a mixture, (n_frames, n_chan, n_freq)."""
    rng = np.random.default_rng(0)
    A = complex_normal(rng, n_src, 1, n_chan, N_FREQ)
    X = (A * complex_normal(rng, n_src, N_FRAMES, 1, N_FREQ)).sum(axis=0)
    return X + noise * complex_normal(rng, N_FRAMES, n_chan, N_FREQ)


def covariance(X: Array) -> Array:
    return np.einsum("tcf,tdf->cdf", X, X.conj()) / len(X)


def mask(n_chan: int, channels: list[int]) -> Array:
    return np.isin(np.arange(n_chan), channels)


@pytest.mark.parametrize("channels", SUBSETS)
def test_no_other_filters_come_closer(channels: list[int]) -> None:
    X, living = draw(3, 4, noise=0.3), mask(4, channels)
    P = prediction_filters(covariance(X), living)
    assert P.shape == (4 - len(channels), len(channels), N_FREQ)
    for f in range(N_FREQ):
        best = np.linalg.lstsq(X[:, living, f], X[:, ~living, f], rcond=None)[0].T
        np.testing.assert_allclose(P[..., f], best, atol=1e-6)


def test_a_channel_that_others_tell_all_about_is_not_missed() -> None:
    X, living = draw(2, 3, noise=1e-6), mask(3, [0, 2])
    P = prediction_filters(covariance(X), living)
    predicted = np.einsum("dsf,tsf->tdf", P, X[:, living])
    np.testing.assert_allclose(predicted, X[:, ~living], atol=1e-2)


def test_levels_of_channels_do_not_matter() -> None:
    X, living = draw(2, 3, noise=0.1), mask(3, [0, 1])
    scale = np.array([1.0, 1e-5, 1e4])
    ratio = (scale[~living, None] / scale[living])[..., None]
    scaled = prediction_filters(covariance(X * scale[:, None]), living)
    expected = prediction_filters(covariance(X), living) * ratio
    np.testing.assert_allclose(scaled, expected, rtol=1e-5, atol=1e-12)


def test_a_channel_that_was_never_heard_predicts_nothing() -> None:
    X = draw(2, 3, noise=0.0)
    X[:, 2] = 0
    assert not prediction_filters(covariance(X), mask(3, [2])).any()
