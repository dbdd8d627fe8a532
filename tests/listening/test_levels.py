"""How loud a recording is when, which frames are quiet, and where channels are dead."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from signals import SAMPLE_RATE, make_images

from auxiva_cli.listening.dropouts import dead_cells, runs
from auxiva_cli.listening.levels import Levels, cell_length, cell_powers, noise_level, quiet_level
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.listening.stft import Stft
from auxiva_cli.listening.survey import survey

STFT = Stft(2048, 512, "hamming")
CELL = cell_length(SAMPLE_RATE)
SPEECH = make_images(2, 3, seconds=8, seed=5).sum(axis=0)


def levels_of(waveform: Array) -> Levels:
    return survey(ArrayMixture(waveform, SAMPLE_RATE)).levels


def with_pauses(noise_db: float, n_chan: int = 3, seed: int = 0) -> tuple[Array, Array]:
    """Speech and noise by turns of a second, and which samples are speech."""
    rng = np.random.default_rng(seed)
    is_speech = np.arange(SPEECH.shape[1]) // SAMPLE_RATE % 2 == 0
    noise = 10 ** (noise_db / 20) * SPEECH.std() * rng.standard_normal(SPEECH.shape)
    return (SPEECH * is_speech + noise)[:n_chan], is_speech


def shares(stft: Stft, marked: Array) -> Array:
    """Return which share of each frame is marked."""
    before, after = stft.n_fft - stft.hop_length, stft.n_fft
    n_frames = stft.n_frames(len(marked))
    padded = np.pad(marked.astype(float), (before, after))
    return np.array([padded[t * stft.hop_length :][: stft.n_fft].mean() for t in range(n_frames)])


@given(st.integers(2, 500), st.integers(2, 50))
def test_the_power_of_a_cell_is_that_about_its_mean(n_samples: int, length: int) -> None:
    waveform = np.random.default_rng(n_samples).standard_normal((2, n_samples)) + 3
    cells = [waveform[:, i : i + length] for i in range(0, n_samples, length)]
    expected = [cell.var(axis=1) for cell in cells]
    np.testing.assert_allclose(cell_powers(waveform, length), expected, atol=1e-12)


@pytest.mark.parametrize("noise_db", [-50, -40, -30, -20])
@pytest.mark.parametrize("n_chan", [2, 3])
def test_frames_of_noise_are_quiet_and_those_of_speech_are_not(
    noise_db: float, n_chan: int
) -> None:
    waveform, is_speech = with_pauses(noise_db, n_chan)
    sounding = levels_of(waveform).sounding_frames(STFT, np.arange(n_chan))
    share = shares(STFT, is_speech)
    assert not sounding[share == 0].any()
    assert sounding[share == 1].mean() > (0.95 if noise_db < -20 else 0.8)


def test_speech_without_pauses_is_hardly_quiet() -> None:
    rng = np.random.default_rng(0)
    noisy = SPEECH + 0.1 * SPEECH.std() * rng.standard_normal(SPEECH.shape)
    assert levels_of(noisy).sounding_frames(STFT, np.arange(3)).mean() > 0.95


@pytest.mark.parametrize("n_fft", [256, 2048, 8192])
def test_what_is_steady_throughout_is_not_quiet(n_fft: int) -> None:
    noise = np.random.default_rng(0).standard_normal((2, 40_000))
    noise[:, 20_000] = 30.0  # but for a click
    stft = Stft(n_fft, n_fft // 4, "hann")
    sounding = levels_of(noise).sounding_frames(stft, np.arange(2))
    assert sounding.mean() > 0.9


@pytest.mark.parametrize("noise_db", [-60, -50, -40])
def test_a_voice_far_from_the_microphones_is_no_noise(noise_db: float) -> None:
    rng = np.random.default_rng(0)
    near, far, noise = rng.normal(0, 3, 200), rng.normal(-15, 3, 150), rng.normal(noise_db, 0.5, 90)
    limit = quiet_level(np.concatenate([near, far, noise]))
    assert noise.max() < limit < far.min()
    assert quiet_level(np.concatenate([near, far])) < far.min()


def test_digital_silence_is_quiet_however_much_of_it_there_is() -> None:
    waveform = np.pad(SPEECH, ((0, 0), (0, 50 * SPEECH.shape[1])))
    sounding = levels_of(waveform).sounding_frames(STFT, np.arange(3))
    n_frames = STFT.n_frames(SPEECH.shape[1])
    assert not sounding[n_frames + 1 :].any()
    assert sounding[:n_frames].mean() > 0.9


def test_the_level_of_a_steady_sound_is_where_frames_crowd() -> None:
    rng = np.random.default_rng(0)
    speech, noise = rng.normal(0, 5, 300), rng.normal(-32, 0.5, 100)
    found = noise_level(np.concatenate([speech, noise]))
    assert found == pytest.approx(-32, abs=1.5)
    assert noise_level(speech) == noise_level(speech[:50]) == -100
    assert -32 + 5 < quiet_level(np.concatenate([speech, noise])) < -32 + 15


def test_scale_order_and_offset_change_nothing() -> None:
    waveform, _ = with_pauses(-30)
    expected = levels_of(waveform).sounding_frames(STFT, np.arange(3))
    scaled = waveform * 2.0 ** np.array([[100], [-100], [7]])
    shifted = waveform + np.array([[0.5], [0], [0]])
    for same in (scaled, waveform[[2, 0, 1]], shifted, waveform.astype(np.float32)):
        np.testing.assert_array_equal(levels_of(same).sounding_frames(STFT, np.arange(3)), expected)


def test_a_channel_that_is_not_learnt_from_does_not_decide() -> None:
    waveform, _ = with_pauses(-30)
    hum = np.sin(np.arange(waveform.shape[1]))
    np.testing.assert_array_equal(
        levels_of(np.vstack([waveform, hum])).sounding_frames(STFT, np.arange(3)),
        levels_of(waveform).sounding_frames(STFT, np.arange(3)),
    )


def test_runs_are_where_marks_begin_and_end() -> None:
    marked = np.array([1, 1, 0, 0, 1, 0, 1], bool)
    np.testing.assert_array_equal(runs(marked), [[0, 2], [4, 5], [6, 7]])
    assert runs(np.zeros(5, bool)).shape == (0, 2)


@pytest.mark.parametrize("value", [0.0, 0.25, -1.0])
@pytest.mark.parametrize(("start", "stop"), [(0, 20_000), (20_100, 20_900), (50_000, 64_000)])
def test_a_channel_that_stands_still_while_others_sound_is_dead(
    start: int, stop: int, value: float
) -> None:
    waveform = SPEECH.copy()
    waveform[1, start:stop] = value
    dead = levels_of(waveform).dead
    assert not dead[:, [0, 2]].any()
    ((first, last),) = runs(dead[:, 1]) * CELL
    assert start - 2 * CELL <= first <= start
    assert stop <= last <= stop + 2 * CELL or last >= waveform.shape[1]


@pytest.mark.parametrize("stop", [8000, 64_000])
def test_silence_of_all_channels_is_no_death(stop: int) -> None:
    waveform = SPEECH.copy()
    waveform[:, 4000:stop] = 0
    assert not levels_of(waveform).dead.any()


def test_a_pause_and_a_gap_too_short_to_matter_are_no_death() -> None:
    waveform, _ = with_pauses(-60)
    waveform[0, 10_000 : 10_000 + 3 * CELL] = 0
    assert not levels_of(waveform).dead.any()


def test_a_channel_that_never_sounds_is_not_dead_for_a_while() -> None:
    powers = np.ones((20, 2))
    powers[:, 1] = 0
    assert not dead_cells(powers).any()


def test_channels_live_in_the_frames_that_touch_no_dead_cell() -> None:
    waveform = SPEECH.copy()
    waveform[1, 20_000:24_000] = 0
    levels = levels_of(waveform)
    touched = shares(STFT, np.repeat(levels.dead[:, 1], CELL)[: waveform.shape[1]]) > 0
    np.testing.assert_array_equal(levels.living_frames(STFT)[:, 1], ~touched)
    assert levels.living_frames(STFT)[:, [0, 2]].all()
    assert not levels.sounding_frames(STFT, np.arange(3))[touched].any()


def test_a_channel_that_hardly_ever_lives_does_not_stop_the_others() -> None:
    waveform = SPEECH.copy()
    waveform[1, 5000:] = 0
    sounding = levels_of(waveform).sounding_frames(STFT, np.arange(3))
    assert sounding.mean() > 0.9


def test_a_channel_that_was_moved_is_not_there_before_it_begins_and_after_it_has_ended() -> None:
    starts, n_samples = np.array([0, 250, -790]), SPEECH.shape[1]
    moved = levels_of(SPEECH).moved(starts, n_samples)
    at = np.arange(n_samples)
    expected = (at + starts[:, None] < 0) | (at + starts[:, None] >= n_samples)
    np.testing.assert_array_equal(moved.dead_samples(0, n_samples), expected)
    np.testing.assert_array_equal(moved.dead_samples(-100, 900)[:, 100:], expected[:, :900])
    assert not moved.dead_samples(-100, 0).any()
    cells = np.array([expected[:, i : i + CELL].any(axis=1) for i in range(0, n_samples, CELL)])
    np.testing.assert_array_equal(moved.dead, cells)


def test_hours_take_little_memory() -> None:
    n_samples = 3600 * SAMPLE_RATE
    powers = np.random.default_rng(0).random((n_samples // CELL, 2))
    levels = Levels(powers, CELL, n_samples)
    tracemalloc.start()
    try:
        sounding = levels.sounding_frames(STFT, np.arange(2))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * 8 * len(sounding)  # a few numbers for each frame
