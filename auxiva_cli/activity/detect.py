"""Who speaks when, from separated signals.

Of a separated signal ``k``, what is heard in frame ``t`` and band ``b`` has the power ``P_kbt``.
A part of it leaks in from the other speakers, and a part is noise that is always there.  While
``k`` is silent, its power is no more than

    floor_kbt = noise_kb + Σ_{j ≠ k} leak_kjb P_jbt.

Noise is what the weakest frames hold.  The leak from ``j`` is the lowest ratio of the powers of
``k`` and ``j`` while ``j`` is loud: then ``k`` was probably silent.  How far the power is above the
floor, in dB, averaged over bands, tells whether ``k`` speaks.  Bands matter: one who speaks weakly
is heard where the others happen to have nothing to say.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Listener", "Turn", "detect_activity"]

Array = NDArray[Any]
# A frame of 32 ms every 20 ms.
FRAME_SECONDS, HOP_SECONDS = 0.032, 0.02
N_BANDS, LOWEST_HZ, HIGHEST_HZ = 8, 100.0, 8000.0
# Frames over which the power is averaged.
SMOOTHED_FRAMES = 3
NOISE_QUANTILE, LEAK_QUANTILE = 0.1, 0.05
# j is loud within so many dB of what it is at its loudest, which is this quantile.
LOUD_DB, LOUDEST_QUANTILE = 15.0, 0.95
# What is so far below a source's loudest frames is nothing, in perfect silence too.
FAINT_DB = 40.0
# Above the floor, in dB: where a turn is sure, how far it reaches, and what one band may add.
SURE_DB, REACH_DB, MOST_DB = 4.5, 2.0, 15.0
MEDIAN_SECONDS, GAP_SECONDS = 0.3, 0.3
SILENCE = 1e-20


class Turn(NamedTuple):
    """A stretch in which one speaks: from start to end, in seconds; the speaker from 0."""

    start: float
    end: float
    speaker: int


class Listener:
    """Takes in separated signals, block by block, and remembers the powers of short frames.

    Parameters
    ----------
    n_src : int
        Number of signals.
    sample_rate : int
        In Hz.
    """

    def __init__(self, n_src: int, sample_rate: int) -> None:
        self._hop = max(1, round(HOP_SECONDS * sample_rate))
        self._length = max(self._hop, round(FRAME_SECONDS * sample_rate), 4)
        self._window = np.hanning(self._length + 2)[1:-1].astype(np.float32)
        self._bands = _bands(self._length, sample_rate)
        self._rest = np.zeros((n_src, 0), np.float32)
        self._logs: list[Array] = []
        self._sample_rate = sample_rate
        self._n_samples = 0

    def add(self, block: Array) -> None:
        """Take in the next samples, (n_src, n_samples)."""
        self._n_samples += block.shape[1]
        self._look(np.concatenate([self._rest, block], axis=1, dtype=np.float32))

    def turns(self) -> list[Turn]:
        """Return who spoke when, by their beginnings; everything has been heard."""
        missing = self._length - self._rest.shape[1]
        self._look(np.pad(self._rest, ((0, 0), (0, max(missing, 0)))))
        if not self._logs:
            return []
        active = detect_activity(np.concatenate(self._logs, axis=-1))
        return _turns(active, self._hop / self._sample_rate, self._n_samples / self._sample_rate)

    def _look(self, samples: Array) -> None:
        """Note the frames that are complete, and keep what begins the next ones."""
        n_frames = max(0, (samples.shape[1] - self._length) // self._hop + 1)
        self._rest = samples[:, n_frames * self._hop :]
        if not n_frames:
            return
        frames = np.lib.stride_tricks.sliding_window_view(samples, self._length, axis=1)
        spectra = np.fft.rfft(frames[:, : n_frames * self._hop : self._hop] * self._window)
        power = (spectra.real**2 + spectra.imag**2) @ self._bands  # (n_src, n_frames, n_bands)
        # Half precision is 0.03 dB of a logarithm, and a tenth of the memory of an hour of sound.
        self._logs.append(np.log10(power + SILENCE).transpose(0, 2, 1).astype(np.float16))


def detect_activity(log_power: Array) -> Array:
    """Tell in which frames each source speaks.

    Parameters
    ----------
    log_power : ndarray of shape (n_src, n_bands, n_frames)
        Logarithm to base 10 of the power of each separated signal.

    Returns
    -------
    ndarray of bool of shape (n_src, n_frames)
    """
    n_src, n_bands, n_frames = log_power.shape
    height = np.zeros((n_src, n_frames), np.float32)
    for b in range(n_bands):
        height += _height(10.0 ** log_power[:, b].astype(np.float32)) / n_bands
    return np.array([_decide(own) for own in height])


def _height(power: Array) -> Array:
    """Return how far the power in one band, (n_src, n_frames), is above its floor, in dB."""
    power = np.array([_smooth(own) for own in power]) + SILENCE
    loudest = np.quantile(power, LOUDEST_QUANTILE, axis=1)
    floor = np.repeat(np.quantile(power, NOISE_QUANTILE, axis=1)[:, None], power.shape[1], axis=1)
    for j, theirs in enumerate(power):
        loud = theirs >= loudest[j] * 10 ** (-LOUD_DB / 10)
        leaks = np.quantile(power[:, loud] / theirs[loud], LEAK_QUANTILE, axis=1)
        leaks[j] = 0
        floor += leaks[:, None] * theirs
    floor = np.maximum(floor, loudest[:, None] * 10 ** (-FAINT_DB / 10))
    height: Array = np.clip(10 * np.log10(power / floor), 0, MOST_DB)
    return height


def _smooth(power: Array) -> Array:
    """Return the mean over neighbouring frames."""
    n = min(SMOOTHED_FRAMES, len(power))
    mean: Array = np.convolve(power, np.full(n, 1 / n, power.dtype), mode="same")
    return mean


def _decide(height: Array) -> Array:
    """Tell in which frames one source speaks, from how far it is above its floor, in dB."""
    within = height > REACH_DB
    for start, end in _stretches(within):
        if height[start:end].max() <= SURE_DB:
            within[start:end] = False
    n = round(MEDIAN_SECONDS / HOP_SECONDS) // 2
    counted = np.cumsum(np.pad(within.astype(np.int64), (n + 1, n)))
    active: Array = counted[2 * n + 1 :] - counted[: len(within)] > n
    for start, end in _stretches(~active):
        if start > 0 and end < len(active) and end - start < GAP_SECONDS / HOP_SECONDS:
            active[start:end] = True
    return active


def _stretches(active: Array) -> list[tuple[int, int]]:
    """Return where each stretch of true values begins and ends.

    >>> _stretches(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _turns(active: Array, hop: float, duration: float) -> list[Turn]:
    """Return the turns of the frames in which each speaks, a hop (s) apart."""
    # A frame is longer than a hop: it stands for what is around its middle.
    shift = (FRAME_SECONDS - HOP_SECONDS) / 2
    turns = []
    for speaker, own in enumerate(active):
        for first, last in _stretches(own):
            start = first * hop + shift if first else 0.0
            end = min(last * hop + shift, duration) if last < len(own) else duration
            if start < end:
                turns.append(Turn(round(start, 3), round(end, 3), speaker))
    return sorted(turns)


def _bands(length: int, sample_rate: int) -> Array:
    """Return which frequencies of a spectrum belong to which band of the mel scale."""
    frequencies = np.fft.rfftfreq(length, 1 / sample_rate)
    highest = min(HIGHEST_HZ, sample_rate / 2)
    borders = np.linspace(_mel(LOWEST_HZ), _mel(highest), N_BANDS + 1)
    band = np.digitize(_mel(frequencies), borders) - 1
    chosen: Array = (band[:, None] == np.arange(N_BANDS)).astype(np.float32)
    return chosen


def _mel(frequency: Any) -> Any:
    """Return a frequency (Hz) on the mel scale."""
    return 2595 * np.log10(1 + frequency / 700)
