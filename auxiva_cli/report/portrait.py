"""What signals look like, whatever their length: waveforms and spectrograms of so many columns."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Portrait"]

Array = NDArray[Any]
N_COLUMNS, N_ROWS = 1400, 128
FRAME_SECONDS, HOP_SECONDS, HIGHEST_HZ = 0.032, 0.016, 8000.0
# Colours span so many dB below the loudest cells, all but this share.
RANGE_DB, LOUDEST_QUANTILE = 65.0, 0.999
COLOURS = "magma"


class Portrait:
    """Takes in signals side by side, block by block.

    Parameters
    ----------
    n_lanes : int
        Number of signals.
    n_samples : int
        Of each, in all.
    sample_rate : int
        In Hz.
    """

    def __init__(self, n_lanes: int, n_samples: int, sample_rate: int) -> None:
        self._length = max(4, round(FRAME_SECONDS * sample_rate))
        self._hop = max(1, round(HOP_SECONDS * sample_rate))
        self._window = np.hanning(self._length + 2)[1:-1].astype(np.float32)
        self._rows = _rows(self._length, sample_rate)
        self._n_samples, self._n_frames = n_samples, -(-n_samples // self._hop)
        self._peaks = np.zeros((n_lanes, min(N_COLUMNS, n_samples)), np.float32)
        n_columns = min(N_COLUMNS, self._n_frames)
        self._power = np.zeros((n_lanes, n_columns, self._rows.shape[1]), np.float32)
        self._counts = np.zeros(n_columns, int)
        # Frames are centred: the first ones begin before the signals do.
        self._rest = np.zeros((n_lanes, self._length // 2), np.float32)
        self._seen = self._framed = 0

    def add(self, block: Array) -> None:
        """Take in the next samples, (n_lanes, n_samples)."""
        n_new = block.shape[1]
        if not n_new:
            return
        n_columns = self._peaks.shape[1]
        columns = (self._seen + np.arange(n_new)) * n_columns // self._n_samples
        begins = np.flatnonzero(np.diff(columns, prepend=-1))
        highest = np.maximum.reduceat(np.abs(block), begins, axis=1)
        at = columns[begins]
        self._peaks[:, at] = np.maximum(self._peaks[:, at], highest)
        self._seen += n_new
        self._frame(np.concatenate([self._rest, block], axis=1, dtype=np.float32))

    def finish(self) -> None:
        """Look at what is left: everything has been added."""
        missing = (self._n_frames - self._framed - 1) * self._hop + self._length
        n_zeros = max(0, missing - self._rest.shape[1])
        self._frame(np.pad(self._rest, ((0, 0), (0, n_zeros))))

    @property
    def peaks(self) -> Array:
        """Highest magnitude in each column, (n_lanes, n_columns)."""
        return self._peaks

    def spectrograms(self) -> list[bytes]:
        """Return a PNG image of each signal, all with one scale of colours."""
        power = self._power / np.maximum(self._counts, 1)[:, None]
        loudest = float(np.quantile(power[0], LOUDEST_QUANTILE)) or 1.0
        with np.errstate(divide="ignore"):
            decibels = 10 * np.log10(power / loudest)
        levels = np.clip(1 + decibels / RANGE_DB, 0, 1) * 255
        return [_png(np.round(own).astype(np.uint8).T[::-1]) for own in levels]

    def _frame(self, samples: Array) -> None:
        """Look at the frames that are complete, and keep what begins the next ones."""
        n_left = self._n_frames - self._framed
        n_ready = min(n_left, max(0, (samples.shape[1] - self._length) // self._hop + 1))
        self._rest = samples[:, n_ready * self._hop :]
        if not n_ready:
            return
        frames = np.lib.stride_tricks.sliding_window_view(samples, self._length, axis=1)
        spectra = np.fft.rfft(frames[:, : n_ready * self._hop : self._hop] * self._window)
        power = (spectra.real**2 + spectra.imag**2) @ self._rows
        columns = (self._framed + np.arange(n_ready)) * len(self._counts) // self._n_frames
        begins = np.flatnonzero(np.diff(columns, prepend=-1))
        self._power[:, columns[begins]] += np.add.reduceat(power, begins, axis=1)
        self._counts += np.bincount(columns, minlength=len(self._counts))
        self._framed += n_ready


def _rows(length: int, sample_rate: int) -> Array:
    """Return which frequencies of a spectrum belong to which row of a picture, lowest first."""
    frequencies = np.fft.rfftfreq(length, 1 / sample_rate)
    shown = (frequencies > 0) & (frequencies <= min(HIGHEST_HZ, sample_rate / 2))
    n_rows = min(N_ROWS, int(shown.sum()))
    row = (np.cumsum(shown) - 1) * n_rows // int(shown.sum())
    chosen: Array = ((row[:, None] == np.arange(n_rows)) & shown[:, None]).astype(np.float32)
    return chosen


def _png(levels: Array) -> bytes:
    """Return an image of levels from 0 to 255, the first row on top."""
    from matplotlib import colormaps
    from PIL import Image

    image = Image.fromarray(levels)
    palette = (255 * colormaps[COLOURS](np.arange(256))[:, :3]).astype(np.uint8)
    image.putpalette(palette.tobytes())
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return content.getvalue()
