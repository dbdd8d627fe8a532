"""Who speaks when, of signals whose turns are known."""

from __future__ import annotations

import numpy as np
import pytest

from auxiva_cli.activity import Listener, detect_activity
from auxiva_cli.evaluation import diarisation_error

SAMPLE_RATE = 8000
TURNS = [[(0.0, 4.0), (7.0, 10.0)], [(3.0, 8.0), (12.0, 15.0)]]
SECONDS = 16
WANTED = 0.12  # what is promised of real speech


def voices(turns, *, leak_db=-12.0, noise_db=-30.0):
    """Return noise that swells like speech in turns, each leaking into the other, with hiss."""
    rng = np.random.default_rng(3)
    n_samples = SECONDS * SAMPLE_RATE
    clean = np.zeros((len(turns), n_samples))
    for own, stretches in zip(clean, turns, strict=True):
        swell = np.repeat(rng.uniform(0.0, 1.0, n_samples // 800 + 1) ** 2, 800)[:n_samples]
        for start, end in stretches:
            inside = slice(int(start * SAMPLE_RATE), int(end * SAMPLE_RATE))
            own[inside] = (rng.standard_normal(n_samples) * swell)[inside]
    leak = np.full((len(turns), len(turns)), 10 ** (leak_db / 20))
    np.fill_diagonal(leak, 1)
    return leak @ clean + 10 ** (noise_db / 20) * rng.standard_normal(clean.shape)


def heard(signals, *, block=None, sample_rate=SAMPLE_RATE):
    listener = Listener(len(signals), sample_rate)
    for start in range(0, signals.shape[1], block or 10**9):
        listener.add(signals[:, start : start + (block or 10**9)])
    return listener.turns()


def by_speaker(turns, n_src=2):
    return [[(turn.start, turn.end) for turn in turns if turn.speaker == k] for k in range(n_src)]


def error_of(signals, turns=TURNS):
    return diarisation_error(turns, by_speaker(heard(signals), len(turns))).rate


@pytest.mark.parametrize("noise_db", [-25.0, -40.0, -400.0])
@pytest.mark.parametrize("leak_db", [-8.0, -15.0, -400.0])
def test_turns_are_found_in_spite_of_leaks_and_hiss(leak_db, noise_db):
    assert error_of(voices(TURNS, leak_db=leak_db, noise_db=noise_db)) < WANTED


def test_a_weak_speaker_is_heard_like_a_loud_one():
    signals = voices(TURNS, leak_db=-25.0, noise_db=-50.0)
    assert error_of(signals * [[1.0], [1e-4]]) < WANTED


def test_blocks_make_no_difference():
    signals = voices(TURNS)
    assert heard(signals, block=997) == heard(signals)


def test_the_level_makes_no_difference():
    signals = voices(TURNS)
    assert heard(0.01 * signals) == heard(signals)


def test_turns_may_begin_with_the_recording_and_end_with_it():
    signals = np.random.default_rng(0).standard_normal((2, SECONDS * SAMPLE_RATE))
    signals[0, 5 * SAMPLE_RATE : 9 * SAMPLE_RATE] = 0
    signals[1, : 7 * SAMPLE_RATE] = 0
    own = by_speaker(heard(signals))[0]
    assert (own[0][0], own[-1][1]) == (0.0, SECONDS)


def test_short_gaps_are_no_pauses_and_clicks_no_turns():
    signals = voices([[(2.0, 5.0), (5.2, 9.0), (12.0, 12.05)], [(9.5, 11.0)]], leak_db=-400.0)
    ((start, end),) = by_speaker(heard(signals))[0]
    assert start == pytest.approx(2.0, abs=0.1)
    assert end == pytest.approx(9.0, abs=0.1)


@pytest.mark.parametrize("n_samples", [0, 1, 100, 5000])
def test_silence_holds_no_turns(n_samples):
    assert heard(np.zeros((2, n_samples))) == []


def test_a_silent_source_beside_a_speaker_says_nothing():
    signals = voices(TURNS, leak_db=-400.0)
    signals[1] = 0
    assert by_speaker(heard(signals))[1] == []


@pytest.mark.parametrize("sample_rate", [100, 44_100])
def test_any_sample_rate_will_do(sample_rate):
    signals = np.random.default_rng(0).standard_normal((2, 3 * sample_rate))
    for turn in heard(signals, sample_rate=sample_rate):
        assert 0 <= turn.start < turn.end <= 3


def test_a_frame_is_decided_by_its_bands_together():
    power = np.full((1, 8, 400), -6.0)
    power[0, :3, 100:200] = -2.0  # 40 dB in three of eight bands: 15 count, 5.6 on average
    power[0, :2, 300:400] = -2.0  # two are 3.75 on average
    (active,) = detect_activity(power)
    assert active[105:195].all()
    assert not active[205:].any()
