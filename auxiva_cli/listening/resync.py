"""Channels of several clocks on the clock of one: each is read between its samples.

Sample ``n`` of a channel that drifts by ``ε`` holds what the reference hears at its sample
``n (1 + ε)``.  So at sample ``m`` of the reference the channel is to be read at ``m / (1 + ε)``,
between two of its samples: by a windowed sinc.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.listening.mixture import Mixture, View, read_padded

__all__ = ["Resynced", "on_one_clock"]

Array = NDArray[Any]
# Of either side.  With Kaiser's window of this shape all up to 0.93 of half the sample rate passes
# within 0.01 dB, and what is not the channel stays 80 dB below it.
N_TAPS, KAISER_BETA = 32, 8.0
# The next of so many places between two samples is taken: 90 dB for the highest frequencies.
N_PHASES = 2**14
# So many samples at a time: what they take fits into the cache of a processor.
PIECE = 2**12


@dataclass(frozen=True)
class Resynced(View):
    """A mixture all of whose channels run on one clock, with zeros where one has ended.

    Attributes
    ----------
    ppm : ndarray of shape (n_chan,), parts per million
        By how much each clock drifts.  Channels of 0 are left as they are, bit for bit.
    """

    ppm: Array

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples`` of the common clock."""
        n_samples = max(min(n_samples, self.n_samples - start), 0)
        waveform = self.mixture.read(start, n_samples).copy()
        for ppm in np.unique(self.ppm[self.ppm != 0]).tolist():
            channels = np.flatnonzero(self.ppm == ppm)
            for first in range(0, n_samples, PIECE):
                last = min(first + PIECE, n_samples)
                times = np.arange(start + first, start + last) / (1 + 1e-6 * ppm)
                waveform[channels, first:last] = self._at(times, channels)
        return waveform

    def _at(self, times: Array, channels: Array) -> Array:
        """Return some channels at times (samples) in rising order."""
        phases = np.round(times * N_PHASES).astype(np.int64)
        before, phases = np.divmod(phases, N_PHASES)
        first = int(before[0]) - N_TAPS + 1
        held = read_padded(self.mixture, first, int(before[-1]) + N_TAPS + 1)[channels]
        windows = np.lib.stride_tricks.sliding_window_view(held, 2 * N_TAPS, axis=-1)
        nearby = windows[:, before - before[0]]
        interpolated: Array = np.einsum("cnj,nj->cn", nearby, _weights()[phases])
        return interpolated


def on_one_clock(mixture: Mixture, ppm: Array | None) -> Mixture:
    """Return a mixture on one clock, given by how much that of each channel drifts."""
    return mixture if ppm is None or not np.any(ppm) else Resynced(mixture, ppm)


@cache
def _weights() -> Array:
    """Return the weights of the samples around each place between two, (N_PHASES, 2 N_TAPS)."""
    distance = np.arange(1 - N_TAPS, N_TAPS + 1) - np.arange(N_PHASES)[:, None] / N_PHASES
    inside = np.sqrt(np.maximum(1 - np.square(distance / N_TAPS), 0))
    weights = np.sinc(distance) * np.i0(KAISER_BETA * inside) / np.i0(KAISER_BETA)
    # What is constant stays so.
    normalised: Array = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised
