"""Sound for listening is the sound: at its time, at its level, whatever its rate and its blocks."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from auxiva_cli.audio import Mp3
from auxiva_cli.audio.mp3 import MP3_RATE, Resampler

RATES = [4000, 8000, 12_345, 16_000, 44_100, 48_000, 192_000]


def tone(rate, seconds, hertz=700.0):
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def in_blocks(take, samples, seed=0):
    rng = np.random.default_rng(seed)
    start = 0
    while start < len(samples):
        stop = start + int(rng.integers(1, 3000))
        yield take(samples[start:stop])
        start = stop


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_stays_the_tone_at_another_rate(rate):
    resampler = Resampler(rate, MP3_RATE)
    made = np.concatenate([*in_blocks(resampler.add, tone(rate, 1.0)), resampler.finish()])
    wanted = tone(MP3_RATE, len(made) / MP3_RATE)
    assert len(made) == MP3_RATE
    inside = slice(300, -300)  # where no edge is near
    assert np.abs(made - wanted)[inside].max() < 1e-3


@pytest.mark.parametrize("rate", RATES)
def test_blocks_make_no_difference(rate):
    samples = np.random.default_rng(1).standard_normal(5001)
    at_once, by_blocks = Resampler(rate, MP3_RATE), Resampler(rate, MP3_RATE)
    whole = np.concatenate([at_once.add(samples), at_once.finish()])
    pieces = np.concatenate([*in_blocks(by_blocks.add, samples), by_blocks.finish()])
    np.testing.assert_array_equal(whole, pieces)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_what_the_new_rate_does_not_hold_is_gone(rate):
    resampler = Resampler(rate, MP3_RATE)
    made = resampler.add(tone(rate, 1.0, hertz=9000.0))
    assert np.abs(made[300:-300]).max() < 0.01  # without a filter it would be a tone of 7 kHz


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_mp3_has_the_sound_at_its_time_and_its_level(rate):
    samples = 0.5 * tone(rate, 2.0)
    samples[: rate // 2] = samples[rate:] = 0
    mp3 = Mp3(rate)
    try:
        list(in_blocks(mp3.add, samples))
        size = mp3.finish()
        content = mp3.read()
    finally:
        mp3.close()
    assert len(content) == size
    heard, found_rate = soundfile.read(io.BytesIO(content))
    assert (found_rate, len(heard)) == (MP3_RATE, 2 * MP3_RATE)
    wanted = 0.5 * tone(MP3_RATE, 2.0)
    wanted[: MP3_RATE // 2] = wanted[MP3_RATE:] = 0
    # One sample late would be 0.27 of its amplitude away.
    assert np.sqrt(np.mean((heard - wanted) ** 2) / np.mean(wanted**2)) < 0.1


def test_what_is_above_full_scale_is_clipped_not_wrapped():
    mp3 = Mp3(MP3_RATE)
    try:
        mp3.add(3 * tone(MP3_RATE, 0.5))
        mp3.finish()
        heard, _ = soundfile.read(io.BytesIO(mp3.read()))
    finally:
        mp3.close()
    assert 0.9 < np.abs(heard).max() < 1.2
    assert np.corrcoef(heard, tone(MP3_RATE, 0.5))[0, 1] > 0.9
