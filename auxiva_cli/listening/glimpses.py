"""An even sample of a recording, small enough to look at all at once.

What a device does to its channel shows everywhere: a minute of ten tells it, at a low sample rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from auxiva_cli.bss.fold import Map
from auxiva_cli.listening.mixture import Mixture, read_padded

__all__ = ["Glimpses", "glimpse"]

Array = NDArray[Any]
# Long enough for delays of two seconds, and short enough to lie close in a short recording.
GLIMPSE_SECONDS = 5
MOST_SECONDS = 60.0
# Voices are known by what lies below 4 kHz.
SAMPLE_RATE = 8000
# What decimation leaves of an impulse.
SILENCE = 1e-6
# With more channels the sample is shorter.
LARGEST = 2**24


@dataclass(frozen=True)
class Glimpses:
    """Short excerpts of a recording, spread evenly over it.

    Attributes
    ----------
    waveform : ndarray of shape (n_glimpses, n_chan, n_samples), float32
        The excerpts, zero beyond the end of the recording.
    starts : ndarray of shape (n_glimpses,), s
        Where they begin.
    sample_rate : int, Hz
        Theirs, 8000 or that of the recording.
    seconds : float
        Length of the recording.
    """

    waveform: Array
    starts: Array
    sample_rate: int
    seconds: float

    @property
    def n_chan(self) -> int:
        """Number of channels."""
        n_chan: int = self.waveform.shape[1]
        return n_chan

    @property
    def sounding_seconds(self) -> float:
        """For how long any channel is not silent."""
        loudest = np.abs(self.waveform).max(axis=1)
        return float(np.count_nonzero(loudest > SILENCE * loudest.max()) / self.sample_rate)

    def spectra(self, seconds: float) -> tuple[Array, Array]:
        """Return the spectra of half-overlapping Hann windows.

        Returns
        -------
        X : ndarray of shape (n_chan, n_windows, n_freq), complex64
            Windows in the order of time, none across two excerpts.
        frequencies : ndarray of shape (n_freq,), Hz
            Centres of the bins.
        """
        size = 2 * round(seconds * self.sample_rate / 2)
        views = np.lib.stride_tricks.sliding_window_view(self.waveform, size, axis=-1)
        window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
        X = scipy.fft.rfft(views[:, :, :: size // 2] * window).transpose(1, 0, 2, 3)
        return X.reshape(self.n_chan, -1, X.shape[-1]), scipy.fft.rfftfreq(
            size, 1 / self.sample_rate
        )


def glimpse(mixture: Mixture, *, map: Map = map) -> Glimpses:
    """Take an even sample of a mixture: all of it, up to a minute."""
    length = GLIMPSE_SECONDS * mixture.sample_rate
    rate = min(SAMPLE_RATE, mixture.sample_rate)
    most = min(MOST_SECONDS / GLIMPSE_SECONDS, LARGEST / (mixture.n_chan * GLIMPSE_SECONDS * rate))
    n_glimpses = min(-(-mixture.n_samples // length), max(int(most), 1))
    last = (n_glimpses - 1) * length  # where the last one starts that the others lead up to
    spread = max(last, mixture.n_samples - length) if n_glimpses == int(most) else last
    # Steps of half a second lie on one grid all over the recording.
    grid = np.round(2 / mixture.sample_rate * np.linspace(0, spread, n_glimpses))
    starts = np.floor(grid * mixture.sample_rate / 2).astype(int)

    def look(start: int) -> Array:
        waveform = read_padded(mixture, start, start + length)
        return decimated(waveform.astype(np.float32), GLIMPSE_SECONDS * rate)

    waveform = np.stack(list(map(look, starts.tolist())))
    return Glimpses(waveform, grid / 2, rate, mixture.n_samples / mixture.sample_rate)


def decimated(waveform: Array, n_samples: int) -> Array:
    """Return a waveform at a lower sample rate, by cutting its spectrum."""
    n = waveform.shape[-1]
    if n == n_samples:
        return waveform
    spectrum = scipy.fft.rfft(waveform)[..., : n_samples // 2 + 1]
    shorter: Array = scipy.fft.irfft(spectrum, n_samples)
    return shorter * np.float32(n_samples / n)
