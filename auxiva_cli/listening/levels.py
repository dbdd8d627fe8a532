"""How loud a recording is: channel by channel in short cells, and in the frames of an STFT.

A look at the waveform measures the cells, so that before anything is transformed it is known which
frames teach something.  A logarithmic contrast gives every frame the same vote, however quiet: in
a dialogue with pauses, hiss far below the speech would outvote it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from auxiva_cli.bss.linalg import Array
from auxiva_cli.listening.dropouts import dead_cells, runs
from auxiva_cli.listening.stft import Stft, default_n_fft

__all__ = ["DeadStretch", "Levels", "cell_length", "cell_powers", "noise_level", "quiet_level"]

CELL_SECONDS = 0.02
# A squared window is taken as so many steps.
STEPS = 32
# Frames a channel that are enough to learn from.
ENOUGH = 15
# In dB of the mean power of a recording: below lies what no one meant to record.
SILENCE = -100.0
LEAST = 1e-30
# Louder than this share of its frames is speech at its loudest.  Quiet begins between these levels
# (dB) below that, and this far above noise.
LOUD = 0.98
NEAREST, FARTHEST = 12.0, 35.0
ABOVE_NOISE = 10.0
SPEECH_SHARE = 0.01
# Steady noise is where this share of all frames lies within 3 dB, and 4 dB beside few of them.
CROWD_SHARE, BESIDE, BESIDE_SHARE = 0.05, 4, 0.25


def cell_length(sample_rate: float) -> int:
    """Return the samples of one cell."""
    return max(2, round(CELL_SECONDS * sample_rate))


def cell_powers(waveform: Array, length: int) -> Array:
    """Return the power of each channel in consecutive cells, about its mean in each.

    What is slower than a cell, an offset or a drift, does not count: it cannot be heard.

    Parameters
    ----------
    waveform : ndarray of shape (n_chan, n_samples)
        A stretch of a recording, from where a cell starts.
    length : int
        Samples of a cell; the last may have fewer.

    Returns
    -------
    ndarray of shape (n_cells, n_chan)
        Never negative.
    """
    starts = np.arange(0, waveform.shape[1], length)
    counts = np.diff(starts, append=waveform.shape[1])
    sums = np.add.reduceat(waveform, starts, axis=1)
    squares = np.add.reduceat(waveform**2, starts, axis=1)
    powers: Array = np.maximum(squares - sums**2 / counts, 0).T / counts[:, None]
    return powers


class DeadStretch(NamedTuple):
    """Between two times (s), a channel (from 0) is dead."""

    channel: int
    start: float
    stop: float


@dataclass(frozen=True)
class Levels:
    """How loud the channels of a recording are, cell by cell.

    Attributes
    ----------
    powers : ndarray of shape (n_cells, n_chan)
        Power of each channel in consecutive cells.
    length : int
        Samples of a cell.
    n_samples : int
        Samples of the recording.
    spans : ndarray of shape (n_chan, 2), int, optional
        The first sample of each channel, and the one behind its last; all are there throughout
        when not given.
    """

    powers: Array
    length: int
    n_samples: int
    spans: Array | None = None

    @cached_property
    def dead(self) -> Array:
        """In which cells which channels are dead while others sound, or not there for a part.

        Of shape (n_cells, n_chan), bool.
        """
        return self._dropped | ~self._inside

    def dead_samples(self, start: int, stop: int) -> Array:
        """Tell which samples are dead, or not there while others are: (n_chan, n_samples), bool."""
        if not self.drops_out.any():
            return np.zeros((self.powers.shape[1], stop - start), bool)
        at = np.arange(start, stop)
        within = (at >= 0) & (at < self.n_samples)
        dead: Array = self._dropped.T[:, np.clip(at // self.length, 0, len(self.powers) - 1)]
        if self.spans is not None:
            dead = dead | (at < self.spans[:, :1]) | (at >= self.spans[:, 1:])
        return dead & within

    @cached_property
    def drops_out(self) -> Array:
        """Which channels are dead for a while: (n_chan,), bool."""
        drops_out: Array = np.asarray(self.dead.any(axis=0))
        return drops_out

    def dead_stretches(self, sample_rate: int) -> tuple[DeadStretch, ...]:
        """Return where which channels are dead, to the nearest cell, channel by channel."""
        seconds = self.length / sample_rate
        return tuple(
            DeadStretch(c, round(first * seconds, 3), round(last * seconds, 3))
            for c in np.flatnonzero(self.drops_out).tolist()
            for first, last in runs(self.dead[:, c]).tolist()
        )

    def moved(self, starts: Array, n_samples: int) -> Levels:
        """Return the levels with each channel moved in time, to the nearest cell.

        Parameters
        ----------
        starts : ndarray of shape (n_chan,), int
            Which sample of each channel comes first; before 0 and beyond the end there is nothing.
        n_samples : int
            Samples from there on.
        """
        cells = np.arange(-(-n_samples // self.length))[:, None] + np.round(
            starts / self.length
        ).astype(int)
        inside = (cells >= 0) & (cells < len(self.powers))
        powers = self.powers[np.where(inside, cells, 0), np.arange(len(starts))]
        spans = np.stack([-starts, self.n_samples - starts], axis=1)
        return Levels(np.where(inside, powers, 0), self.length, n_samples, spans)

    def living_frames(self, stft: Stft) -> Array:
        """Tell in which frames no sample of which channels is dead: (n_frames, n_chan), bool."""
        n_frames = stft.n_frames(self.n_samples)
        starts = np.arange(n_frames) * stft.hop_length - (stft.n_fft - stft.hop_length)
        # A frame beyond an end is judged by the cell there.
        first = np.clip(starts // self.length, 0, len(self.powers) - 1)
        last = np.clip(-(-(starts + stft.n_fft) // self.length), 1, len(self.powers))
        n_dead = np.cumsum(np.pad(self.dead, ((1, 0), (0, 0))), axis=0)
        living: Array = n_dead[last] == n_dead[np.minimum(first, last)]
        return living

    def sounding_frames(self, stft: Stft, channels: Array) -> Array:
        """Tell which frames teach something.

        Parameters
        ----------
        stft : Stft
            The transform.
        channels : ndarray of int
            Channels that are learnt from, from 0; all have power.

        Returns
        -------
        ndarray of shape (n_frames,), bool
            Frames that are not quiet, and in which all of these channels live, if there are
            enough such frames.
        """
        living = np.asarray(self.living_frames(stft)[:, channels].all(axis=1))
        if living.sum() < ENOUGH * len(channels):
            living = np.ones_like(living)
        levels = self._frame_levels(stft, channels)
        sounding: Array = living & (levels > quiet_level(levels[living]))
        return sounding

    def sounding_share(self, sample_rate: float, channels: Array) -> float:
        """Return the share of the recording that teaches something, in windows of usual length."""
        n_fft = default_n_fft(sample_rate)
        frames = self.sounding_frames(Stft(n_fft, n_fft // 4, "hamming"), channels)
        return float(frames.mean())

    def sounding_cells(self) -> Array:
        """Tell which cells are not quiet: (n_cells,), bool."""
        power = _mean_power(self.powers[:, self.powers.any(axis=0)])
        levels = 10 * np.log10(np.maximum(power, LEAST))
        sounding: Array = levels > quiet_level(levels)
        return sounding

    @cached_property
    def _dropped(self) -> Array:
        """In which cells channels that are there are dead, (n_cells, n_chan), bool."""
        return dead_cells(self.powers, self._inside)

    @property
    def _inside(self) -> Array:
        """Which cells lie within which channels, (n_cells, n_chan), bool."""
        if self.spans is None:
            return np.ones(self.powers.shape, bool)
        first = np.arange(len(self.powers))[:, None] * self.length
        last = np.minimum(first + self.length, self.n_samples)
        inside: Array = (first >= self.spans[:, 0]) & (last <= self.spans[:, 1])
        return inside

    def _frame_levels(self, stft: Stft, channels: Array) -> Array:
        """Return the level of each frame in dB, the mean over channels brought to equal power."""
        power = _mean_power(self.powers[:, channels])
        edges = np.minimum(np.arange(len(power) + 1) * self.length, self.n_samples)
        reached = np.concatenate([[0], np.cumsum(power * np.diff(edges))])
        borders = np.arange(STEPS + 1) * stft.n_fft // STEPS
        weights = np.add.reduceat(stft.analysis_window**2, borders[:-1]) / np.diff(borders)
        starts = np.arange(stft.n_frames(self.n_samples)) * stft.hop_length
        starts -= stft.n_fft - stft.hop_length
        energy = np.zeros(len(starts))
        before = np.interp(starts, edges, reached)
        for border, weight in zip(borders[1:], weights, strict=True):  # at a time, to save memory
            behind = np.interp(starts + border, edges, reached)
            energy += weight * (behind - before)
            before = behind
        levels: Array = 10 * np.log10(np.maximum(energy / np.sum(stft.analysis_window**2), LEAST))
        return levels


def _mean_power(powers: Array) -> Array:
    """Return the power of cells, the mean over channels brought to equal power."""
    power: Array = (powers / powers.mean(axis=0)).mean(axis=1)
    return power


def quiet_level(levels: Array) -> float:
    """Return the level below which frames are quiet.

    Parameters
    ----------
    levels : ndarray of shape (n_frames,), dB
        Of frames of a recording.

    Returns
    -------
    float, dB
        What noise between the sentences seldom reaches, if there is any: a voice far away may be
        little louder.  Far below loud speech otherwise, and never close to it.
    """
    levels = levels[levels > SILENCE]
    if not len(levels):
        return SILENCE
    limit = noise_level(levels) + ABOVE_NOISE
    if np.mean(levels > limit) < SPEECH_SHARE:  # what is steady is all there is
        limit = SILENCE
    loud = float(np.quantile(levels[levels > limit], LOUD))
    return float(np.clip(limit, loud - FARTHEST, loud - NEAREST))


def noise_level(levels: Array) -> float:
    """Return the level at which frames crowd as only steady noise does.

    Parameters
    ----------
    levels : ndarray of shape (n_frames,), dB
        All above ``SILENCE``.

    Returns
    -------
    float, dB
        ``SILENCE`` where there is no noise by itself, or too little to matter.
    """
    counts = np.bincount((levels - SILENCE).astype(int), minlength=1)
    crowd = np.convolve(np.pad(counts, BESIDE), np.ones(3), "same")  # within 3 dB
    padded = np.pad(crowd, BESIDE)
    beside = np.maximum(padded[: len(crowd)], padded[2 * BESIDE :])
    is_noise = (crowd >= CROWD_SHARE * len(levels)) & (beside < BESIDE_SHARE * crowd)
    if not is_noise.any():
        return SILENCE
    return float(SILENCE + np.where(is_noise, crowd, 0).argmax() - BESIDE + 0.5)
