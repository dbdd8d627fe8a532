"""Turns that are given, as activities of frames, against windows laid over them."""

from __future__ import annotations

import numpy as np
import pytest

from auxiva_cli.config import Settings
from auxiva_cli.errors import ParameterError, RecordingError
from auxiva_cli.listening.stft import Stft
from auxiva_cli.listening.turns import check_turns, frame_activities, settings_for_turns

SAMPLE_RATE = 1000
STFT = Stft(64, 16, "hamming")
N_SAMPLES = 2000
# The second's last turn reaches beyond the end, and the first's overlap.
TURNS = [[(0.0, 0.4), (0.3, 0.7), (1.2, 1.25)], [(0.65, 1.1), (1.9, 2.5)]]


@pytest.mark.parametrize("begin", [0, 333])
def test_an_activity_is_the_share_of_the_window_that_lies_in_turns(begin: int) -> None:
    n_frames = STFT.n_frames(N_SAMPLES - begin)
    kept = np.random.default_rng(0).random(n_frames) < 0.7
    found = frame_activities(TURNS, STFT, SAMPLE_RATE, kept, begin=begin)
    energy = STFT.analysis_window**2 / np.sum(STFT.analysis_window**2)
    for k, own in enumerate(TURNS):
        speaking = np.zeros(4 * N_SAMPLES)
        for start, end in own:
            speaking[N_SAMPLES + round(start * 1000) : N_SAMPLES + round(end * 1000)] = 1
        starts = [N_SAMPLES + begin + STFT.span(t, 1)[0] for t in range(n_frames)]
        share = np.array([energy @ speaking[at : at + STFT.n_fft] for at in starts])[kept]
        np.testing.assert_allclose(found[:, k], np.maximum(share, 0.1), atol=0.5)
        alone = ~np.isclose(found[:, k], 1) | np.isclose(share, 1)
        np.testing.assert_allclose(found[alone, k], np.maximum(share, 0.1)[alone], atol=1e-9)


def test_who_says_nothing_where_it_is_learnt_from_is_told_of() -> None:
    kept = np.ones(STFT.n_frames(500), bool)
    with pytest.raises(RecordingError, match="speaker 2 has no turn"):
        frame_activities(TURNS, STFT, SAMPLE_RATE, kept)


def test_turns_that_tell_nobody_apart_are_told_of() -> None:
    kept = np.ones(STFT.n_frames(N_SAMPLES), bool)
    together = [TURNS[1], TURNS[0], [(0.655, 1.1), (1.9, 2.5)]]
    with pytest.raises(RecordingError, match=r"speakers 1 and 3 .* 0\.0 %"):
        frame_activities(together, STFT, SAMPLE_RATE, kept)


def test_the_turns_tell_the_number_of_sources() -> None:
    assert settings_for_turns(Settings(), TURNS).n_src == 2
    assert settings_for_turns(Settings(n_src=2), TURNS).n_src == 2
    with pytest.raises(ParameterError, match="2 speakers, but 3 sources"):
        settings_for_turns(Settings(n_src=3), TURNS)
    with pytest.raises(ParameterError, match="nobody"):
        settings_for_turns(Settings(), [])


def test_turns_of_another_recording_are_refused() -> None:
    check_turns(TURNS, 2.0)
    with pytest.raises(RecordingError, match=r"speaker 2 begins at 1\.9 s.* ends at 1\.5 s"):
        check_turns(TURNS, 1.5)


@pytest.mark.parametrize("turn", [(2.0, 1.0), (-1.0, 1.0), (0.0, np.inf), (np.nan, 1.0)])
def test_what_is_no_turn_is_refused(turn: tuple[float, float]) -> None:
    with pytest.raises(ParameterError, match="a turn of speaker 1"):
        check_turns([[turn]], 5.0)
