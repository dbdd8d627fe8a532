"""Filters applied to samples as they come: memory and delay do not grow with what came before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.linalg import apply
from auxiva_cli.filters import Filters

__all__ = ["LiveFilters"]

Array = NDArray[Any]


class LiveFilters:
    """Separates a stream of samples with given filters.

    What comes out is what ``apply_filters`` gives for the whole recording, up to rounding: the
    frames are the same, and each sample is handed out with the last frame that it lies under.
    That is one window after it came in at the latest, if it comes in by hops or less.  An offset
    is left in, for a mean cannot be known beforehand.

    Parameters
    ----------
    filters : Filters
        What to apply; they must have no ``lags`` and no ``drifts``.
    channels : ndarray of shape (n_wanted,) or (n_out, n_wanted), int
        Microphones, from 0, at which the images of the outputs are wanted, the same for all or
        those of each.
    """

    def __init__(self, filters: Filters, channels: Array) -> None:
        self._stft = filters.stft
        self._channels = np.broadcast_to(channels, (filters.n_out, np.shape(channels)[-1]))
        G = filters.G[np.arange(filters.n_out)[:, None], self._channels]
        self._G = G.reshape(-1, *G.shape[2:])
        # The first frames begin before the recording does.
        n_before = self._stft.n_fft - self._stft.hop_length
        self._waiting = np.zeros((filters.n_chan, n_before), np.float32)
        self._tail: Array | None = None
        self._n_in = self._n_out = 0
        self._n_before = n_before

    def push(self, block: Array) -> Array:
        """Take in samples, and return those that are now complete.

        Parameters
        ----------
        block : ndarray of shape (n_chan, n_samples)
            The next samples, any number of them.

        Returns
        -------
        ndarray of shape (n_out, n_wanted, n_complete)
            The next samples of each image; there may be none.
        """
        self._n_in += block.shape[-1]
        return self._separated(block)

    def finish(self) -> Array:
        """Return the samples that were still to come, as in ``push``, after the last is in."""
        n_rest = self._stft.n_frames(self._n_in) * self._stft.hop_length - self._n_in
        silence = np.zeros((len(self._waiting), max(n_rest, 0)), np.float32)
        n_missing = self._n_in - self._n_out
        return self._separated(silence)[..., :n_missing]

    def _separated(self, block: Array) -> Array:
        """Separate all frames that are complete with a block."""
        stft, shape = self._stft, self._channels.shape
        self._waiting = np.concatenate([self._waiting, block.astype(np.float32)], axis=-1)
        n_frames = (self._waiting.shape[-1] - stft.n_fft) // stft.hop_length + 1
        if n_frames < 1:
            return np.zeros((*shape, 0))
        start, stop = stft.span(0, n_frames)
        X = stft.analyse(self._waiting[:, : stop - start])
        self._waiting = self._waiting[:, n_frames * stft.hop_length :]
        Y = apply(self._G, X)
        waveform, self._tail = stft.synthesise(Y, self._tail)
        n_skipped = min(self._n_before, waveform.shape[-1])
        self._n_before -= n_skipped
        images = waveform[:, n_skipped:].reshape(*shape, -1).astype(float)
        self._n_out += images.shape[-1]
        return images
