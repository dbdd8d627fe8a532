"""Late reverberation, predicted from the past."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from auxiva_cli.bss.dereverberation import LEAST_VARIANCE, LOADING, Prediction, learn_prediction

PREDICTION = Prediction(delay=2, n_taps=3)


def noise(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def in_blocks(X, length, prediction=PREDICTION):
    """Return blocks of a spectrum, (n_frames, n_chan, n_freq), each with its past."""
    padded = np.concatenate([np.zeros((prediction.n_past, *X.shape[1:])), X])
    return [
        partial(padded.__getitem__, slice(t, min(t + length, len(X)) + prediction.n_past))
        for t in range(0, len(X), length)
    ]


def slow_filters(X, n_iter):
    """Return the filters straight from the formulas, one frequency and one frame at a time."""
    n_frames, n_chan, n_freq = X.shape
    nearest, n_taps = PREDICTION.delay, PREDICTION.n_taps
    n = n_taps * n_chan
    G = np.zeros((n_freq, n, n_chan), complex)
    for f in range(n_freq):
        floor = LEAST_VARIANCE * np.mean(np.abs(X[:, :, f]) ** 2)
        past = np.zeros((n_frames, n), complex)
        for t in range(n_frames):
            for k, back in enumerate(range(nearest + n_taps - 1, nearest - 1, -1)):
                if t >= back:
                    past[t, k * n_chan : (k + 1) * n_chan] = X[t - back, :, f]
        for _ in range(n_iter):
            R, P = np.zeros((n, n), complex), np.zeros((n, n_chan), complex)
            for t in range(n_frames):
                d = X[t, :, f] - G[f].T @ past[t]
                variance = max(np.mean(np.abs(d) ** 2), floor)
                R += np.outer(past[t].conj(), past[t]) / variance
                P += np.outer(past[t].conj(), X[t, :, f]) / variance
            G[f] = np.linalg.solve(R + LOADING * np.trace(R).real / n * np.eye(n), P)
    return G


@pytest.mark.parametrize("n_iter", [1, 3])
def test_the_filters_are_those_of_the_formulas(n_iter):
    X = noise(40, 2, 3) * np.random.default_rng(1).gamma(0.5, size=(40, 1, 3))
    G = learn_prediction(in_blocks(X, 40), PREDICTION, n_iter=n_iter)
    np.testing.assert_allclose(G, slow_filters(X, n_iter), atol=1e-5)


def test_blocks_and_level_make_no_difference():
    X = noise(50, 2, 4)
    G = learn_prediction(in_blocks(X, 50), PREDICTION, n_iter=2)
    for other in (in_blocks(X, 7), in_blocks(1e-6 * X, 50)):
        np.testing.assert_allclose(learn_prediction(other, PREDICTION, n_iter=2), G, atol=1e-5)


def test_reverberation_that_is_a_filter_of_the_past_is_taken_away():
    rng = np.random.default_rng(3)
    early = noise(3000, 2, 2) * rng.gamma(0.3, size=(3000, 1, 2))
    echo = 0.4 * noise(2, 2, seed=4) / 2
    X = early.copy()
    for t in range(PREDICTION.delay, len(X)):
        X[t] += echo @ X[t - PREDICTION.delay]
    (block,) = in_blocks(X, len(X))
    G = learn_prediction([block], PREDICTION, n_iter=3)
    found = PREDICTION.remove(block(), G)
    before, after = (np.sum(np.abs(Y - early) ** 2) for Y in (X, found))
    assert after < 0.01 * before
    np.testing.assert_allclose(G[:, -2:], np.broadcast_to(echo.T, (2, 2, 2)), atol=0.05)


def test_what_the_nearest_frames_predict_stays():
    X = noise(400, 1, 1)
    X[1:] += 0.9 * X[:-1]  # a frame ago, nearer than the delay
    (block,) = in_blocks(X, len(X))
    kept = PREDICTION.remove(block(), learn_prediction([block], PREDICTION, n_iter=3))
    assert np.sum(np.abs(kept - X) ** 2) < 0.1 * np.sum(np.abs(X) ** 2)


def test_silence_stays_silence():
    X = noise(60, 2, 3)
    X[..., 1] = 0  # a frequency
    X[:, 1] = 0  # a channel
    (block,) = in_blocks(X, len(X))
    G = learn_prediction([block], PREDICTION, n_iter=2)
    assert not G[1].any()
    assert not PREDICTION.remove(block(), G)[:, 1].any()
    assert np.isfinite(G).all()


def test_passes_are_told():
    told = []
    learn_prediction(
        in_blocks(noise(20, 1, 1), 20), PREDICTION, n_iter=2,
        advanced=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
