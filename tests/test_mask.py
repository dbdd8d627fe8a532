"""The mask on separated signals: their sum, block borders, and what it does."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import Array
from scipy.signal import ShortTimeFFT

from auxiva_cli.filters.mask import Mask, masked

SAMPLE_RATE = 2000  # a window of 128 samples
N_SRC, N_OUT, N_SAMPLES = 3, 2, 5003


def images(seed: int = 0) -> Array:
    """Draw signals, the second and third with a pause."""
    drawn = np.random.default_rng(seed).standard_normal((N_SRC, N_OUT, N_SAMPLES))
    drawn[1:, :, 1000:2000] = 0
    drawn[:, :, 3000:4000] = 0
    return drawn


def whole(signals: Array) -> Array:
    return np.concatenate(list(masked([signals], SAMPLE_RATE)), axis=-1)


def by_formula(signals: Array) -> Array:
    """Mask all at once, with another transform."""
    hop = 32
    transform = ShortTimeFFT(0.54 - 0.46 * np.cos(2 * np.pi * np.arange(128) / 128), hop, fs=1.0)
    Y = transform.stft(signals)  # (n_src, n_out, n_freq, n_frames)
    power = np.pad(np.abs(Y) ** 2, [(0, 0), (0, 0), (1, 1), (1, 1)])
    n_freq, n_frames = Y.shape[2:]
    P = sum(power[..., i : i + n_freq, j : j + n_frames] for i in range(3) for j in range(3))
    total = np.sum(P, axis=0)
    share = np.where(total > 1e-9, P / np.maximum(total, 1e-9), 1 / N_SRC)
    return transform.istft(0.7 * Y + 0.3 * share * Y.sum(axis=0), k1=N_SAMPLES)


def test_a_frame_is_what_the_formula_says() -> None:
    # Frames of both begin at multiples of the hop; where they begin otherwise is the ends.
    ours, theirs = whole(images()), by_formula(images())
    assert not np.allclose(ours, images(), atol=0.1)
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_the_sum_stays_what_it_is() -> None:
    np.testing.assert_allclose(whole(images()).sum(axis=0), images().sum(axis=0), atol=1e-13)


def test_silence_stays_silent_and_whoever_is_alone_gets_more() -> None:
    made = whole(images())
    assert not made[:, :, 3200:3800].any()
    np.testing.assert_allclose(made[0, :, 1200:1800], images()[0, :, 1200:1800], atol=1e-12)
    leaky = images()
    leaky[1] += 0.1 * leaky[0]
    before, after = (np.square(x[1, :, 1200:1800]).sum() for x in (leaky, whole(leaky)))
    assert after < 0.55 * before


@pytest.mark.parametrize("cuts", [[1], [63, 64, 65, 2048, 2049], list(range(7, N_SAMPLES, 333))])
def test_it_does_not_matter_how_signals_are_cut(cuts: list[int]) -> None:
    mask = Mask(N_SRC, N_OUT, SAMPLE_RATE)
    made = [mask.push(part) for part in np.split(images(), cuts, axis=-1)]
    made.append(mask.finish())
    np.testing.assert_array_equal(np.concatenate(made, axis=-1), whole(images()))


@pytest.mark.parametrize("n_samples", [0, 1, 31, 32, 33, 128, 200])
def test_short_signals_come_out_whole(n_samples: int) -> None:
    assert whole(images()[..., :n_samples]).shape == (N_SRC, N_OUT, n_samples)


def test_nothing_is_held_back_for_long() -> None:
    mask = Mask(N_SRC, N_OUT, SAMPLE_RATE)
    n_out = mask.push(images()).shape[-1]
    assert N_SAMPLES - n_out < 128 + 2 * 32
