"""Conversations are separated by ties between bands, and talk without a pause is none the worse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
import soundfile
from oracle import Array
from scipy.optimize import linear_sum_assignment
from scipy.signal import fftconvolve

from auxiva_cli import config, separate
from auxiva_cli.simulation import simulate_room

SAMPLES = Path(__file__).parents[1] / "sample_audio"
SAMPLE_RATE = 16_000
SECONDS, TURN, OVERLAP = 40, 2.3, 0.4
NOISE_DB = -30


def voice(name: str, seconds: int) -> Array:
    """Read a voice at unit power, gone round for as long as it takes."""
    samples, _ = soundfile.read(SAMPLES / f"{name}.flac")
    return np.resize(samples / samples.std(), seconds * SAMPLE_RATE)


def conversation(*names: str, seconds: int = SECONDS) -> tuple[Array, Array]:
    """Let speakers take turns that overlap a little; return the mixture and the references."""
    speech = np.stack([voice(name, seconds) for name in names])
    n_src, n_samples = speech.shape
    speaking = np.zeros_like(speech)
    length, step = round(TURN * SAMPLE_RATE), round((TURN - OVERLAP) * SAMPLE_RATE)
    for turn, start in enumerate(range(0, n_samples, step)):
        speaking[turn % n_src, start : start + length] = 1
    rng = np.random.default_rng(0)
    anything = list(rng.standard_normal((n_src, SAMPLE_RATE)))
    room = simulate_room(anything, sample_rate=SAMPLE_RATE, rt60=0.3, seed=2)
    images = fftconvolve((speech * speaking)[:, None], room.responses, axes=-1)[..., :n_samples]
    mixture = images.sum(axis=0)
    noise = mixture.std() * 10 ** (NOISE_DB / 20) * rng.standard_normal(mixture.shape)
    return mixture + noise, images[:, 0]


def score(mixture: Array, references: Array, **options: Any) -> float:
    """Separate, and return the SI-SDR (dB), mean over the speakers in the best order."""
    sources = separate(mixture, SAMPLE_RATE, n_threads=1, **options).sources
    each = np.array([[oracle.si_sdr(a, b) for b in sources] for a in references])
    return float(each[linear_sum_assignment(-each)].mean())


@pytest.fixture
def untied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the ties out of the stages."""
    plans = tuple(replace(plan, tie=False) for plan in config.SCHEDULES["auto"])
    monkeypatch.setitem(config.SCHEDULES, "auto", plans)


def test_a_conversation_is_separated_better_with_ties(request: pytest.FixtureRequest) -> None:
    voices = (*(f"three_speakers_ref{k}" for k in (1, 2, 3)), "two_speakers_ref1")
    heard = conversation(*voices)
    tied = score(*heard)
    request.getfixturevalue("untied")
    assert tied > score(*heard) + 2


@pytest.mark.parametrize(("name", "n_src"), [("two_speakers", 2), ("three_speakers", 3)])
def test_talk_without_a_pause_is_none_the_worse(
    request: pytest.FixtureRequest, name: str, n_src: int
) -> None:
    mixture = soundfile.read(SAMPLES / f"{name}_mix.wav")[0].T
    paths = [SAMPLES / f"{name}_ref{k}.flac" for k in range(1, n_src + 1)]
    references = np.stack([soundfile.read(path)[0] for path in paths])
    tied = score(mixture, references)
    request.getfixturevalue("untied")
    assert tied > score(mixture, references) - 0.2


def test_known_turns_separate_what_is_short_for_the_model_alone() -> None:
    voices = (*(f"three_speakers_ref{k}" for k in (1, 2, 3)), "two_speakers_ref1")
    heard = conversation(*voices, seconds=12)
    starts = np.arange(0, 12, TURN - OVERLAP)
    turns = [[(start, start + TURN) for start in starts[k::4]] for k in range(4)]
    assert score(*heard, activity_from=turns, max_iter=6) > score(*heard) + 1


def test_known_turns_do_no_harm_where_the_model_alone_finds_them() -> None:
    heard = conversation(*(f"three_speakers_ref{k}" for k in (1, 2, 3)))
    starts = np.arange(0, SECONDS, TURN - OVERLAP)
    turns = [[(start, start + TURN) for start in starts[k::3]] for k in range(3)]
    assert score(*heard, activity_from=turns) > score(*heard) - 0.1
