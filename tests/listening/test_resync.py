"""Channels brought onto one clock, against what a perfect clock would have recorded."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import Array

from auxiva_cli.listening.mixture import ArrayMixture, Chosen, chosen_channels
from auxiva_cli.listening.resync import Resynced, on_one_clock

RATE = 16000
N_SAMPLES = 4 * RATE


def tone(frequency: float, ppm: float = 0.0) -> Array:
    """Return what a clock that is fast by so much records of a tone."""
    times = np.arange(N_SAMPLES) * (1 + 1e-6 * ppm) / RATE
    return np.sin(2 * np.pi * frequency * times)


@pytest.mark.parametrize("ppm", [-300.0, -20.0, 50.0, 300.0])
@pytest.mark.parametrize(("frequency", "error_db"), [(100, -85), (3000, -85), (7000, -70)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_tone_comes_back_as_a_perfect_clock_records_it(
    ppm: float, frequency: float, error_db: float, dtype: type[np.floating]
) -> None:
    recorded = np.stack([tone(frequency), tone(frequency, ppm)]).astype(dtype)
    found = Resynced(ArrayMixture(recorded, RATE), np.array([0.0, ppm])).read(0, N_SAMPLES)
    assert found.dtype == dtype
    inside = slice(100, -100)
    error = found[1, inside] - recorded[0, inside]
    assert 20 * np.log10(error.std() / recorded[0].std()) < error_db


def test_what_is_read_does_not_depend_on_how_it_is_read() -> None:
    waveform = np.random.default_rng(0).standard_normal((3, 20_000)).astype(np.float32)
    mixture = Resynced(ArrayMixture(waveform, RATE), np.array([-120.0, 0.0, 40.0]))
    whole = mixture.read(0, 20_000)
    np.testing.assert_array_equal(whole[1], waveform[1])
    for start, n_samples in [(0, 1), (777, 9001), (16_000, 4000), (19_999, 500), (20_000, 10)]:
        part = mixture.read(start, n_samples)
        np.testing.assert_array_equal(part, whole[:, start : start + n_samples])
    np.testing.assert_array_equal(waveform, mixture.mixture.read(0, 20_000))


def test_a_channel_that_has_ended_is_silent() -> None:
    mixture = Resynced(ArrayMixture(np.ones((2, 2 * 10**6)), RATE), np.array([0.0, -100.0]))
    end = mixture.read(2 * 10**6 - 1000, 1000)[1]
    assert end[700:-232].tolist() == [pytest.approx(1, abs=1e-6)] * 68
    np.testing.assert_array_equal(end[-160:], 0)


def test_of_one_clock_nothing_is_made_anew() -> None:
    mixture = ArrayMixture(np.ones((2, 8)), RATE)
    assert on_one_clock(mixture, None) is mixture
    assert on_one_clock(mixture, np.zeros(2)) is mixture
    assert isinstance(on_one_clock(mixture, np.array([0.0, 9.0])), Resynced)


def test_channels_that_are_not_chosen_stay_so() -> None:
    chosen = Chosen(ArrayMixture(np.ones((3, 8)), RATE), np.array([0, 2]))
    found = chosen_channels(on_one_clock(chosen, np.array([0.0, 0.0, 9.0])))
    np.testing.assert_array_equal(found, [True, False, True])
