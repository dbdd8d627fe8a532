"""Recordings with the faults that people have, made from the samples and from simulated rooms."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from oracle import Array

from auxiva_cli.simulation import Talk, simulate_room

SAMPLES = Path(__file__).parents[1] / "sample_audio"
RATE = 16000


@lru_cache
def sample(word: str) -> Array:
    """Return a sample recording, (n_chan, n_samples)."""
    return soundfile.read(SAMPLES / f"{word}_speakers_mix.wav")[0].T


@lru_cache
def voice(word: str, number: int) -> Array:
    """Return what one speaker is heard as in a sample recording, (n_samples,)."""
    return soundfile.read(SAMPLES / f"{word}_speakers_ref{number}.flac")[0]


def voices(word: str) -> Array:
    """Return what each speaker is heard as in a sample recording, (n_src, n_samples)."""
    n_src = {"two": 2, "three": 3}[word]
    return np.stack([voice(word, k + 1) for k in range(n_src)])


@lru_cache
def room(seed: int, n_mics: int = 2, spacing: float = 0.1, n_src: int = 2) -> Array:
    """Return what microphones in a simulated room hear, (n_mics, n_samples)."""
    voices = [voice("three", k + 1) for k in range(n_src)]
    return simulate_room(
        voices, sample_rate=RATE, n_mics=n_mics, spacing=spacing, seed=seed, snr=40.0
    ).mixture


def conversation(seed: int, kind: str) -> Array:
    """Return what two microphones hear of two people who do not talk all the time."""
    talk = Talk(kind, duration=20.0)
    voices = [voice("three", 1), voice("three", 2)]
    scene = simulate_room(voices, sample_rate=RATE, n_mics=2, seed=seed, snr=40.0, talk=talk)
    return scene.mixture


def late(mixture: Array, channel: int, n_samples: int) -> Array:
    """Have a channel lag behind the others."""
    length = mixture.shape[1] - abs(n_samples)
    starts = np.full(len(mixture), max(n_samples, 0))
    starts[channel] -= n_samples
    return np.stack([each[at : at + length] for each, at in zip(mixture, starts, strict=True)])


def slipped(mixture: Array, channel: int, n_lost: int) -> Array:
    """Have a channel lose samples in the middle."""
    length = mixture.shape[1] - n_lost
    broken = mixture[:, :length].copy()
    broken[channel, length // 2 :] = mixture[channel, length // 2 + n_lost :]
    return broken


def drifting(mixture: Array, channel: int, ppm: float) -> Array:
    """Have the clock of a channel run fast."""
    n = mixture.shape[1]
    spectrum = np.fft.rfft(mixture[channel])
    fine = np.fft.irfft(spectrum, 8 * n) * 8
    at = np.arange(n) * (1 + ppm * 1e-6)
    drifted = mixture.copy()
    drifted[channel] = np.interp(np.minimum(at, n - 1), np.arange(8 * n) / 8, fine)
    return drifted


def louder(mixture: Array, channel: int, decibels: float, start: int) -> Array:
    """Have the gain of a channel step."""
    stepped = mixture.copy()
    stepped[channel, start:] *= 10 ** (decibels / 20)
    return stepped


def inserted(mixture: Array, channel: Array, position: int) -> Array:
    """Put a channel among those of a mixture."""
    return np.insert(mixture, position, channel[: mixture.shape[1]], axis=0)
