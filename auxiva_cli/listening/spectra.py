"""The mixture STFT of a recording, in blocks that are read and transformed when they are called."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.fold import Block
from auxiva_cli.listening.mixture import Mixture, read_padded
from auxiva_cli.listening.stft import Stft

__all__ = ["Spectra"]

Array = NDArray[Any]
# Small enough to stay near the processor, large enough to amortise a call.
BLOCK_BYTES = 4 * 2**20
SHORTEST, LONGEST = 8, 256
# The number of blocks is a multiple of this, so that threads finish together.
SHARES = 2


@dataclass(frozen=True)
class Spectra:
    """The normalised mixture STFT of a recording, block by block.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    stft : Stft
        The transform.
    offset : ndarray of shape (n_chan,)
        Taken from each channel.
    gain : ndarray of shape (n_chan,)
        What each channel is then multiplied with; powers of two round nothing.
    bins : ndarray of shape (n_bins,), int, optional
        Frequencies that are kept; all when not given.

    Notes
    -----
    Blocks are complex64 of shape (n_frames, n_chan, n_freq); their length depends only on the
    shape, so that sums over them are the same on every machine.
    """

    mixture: Mixture
    stft: Stft
    offset: Array
    gain: Array
    bins: Array | None = None

    @property
    def n_frames(self) -> int:
        """Number of frames of the recording."""
        return self.stft.n_frames(self.mixture.n_samples)

    @property
    def block_length(self) -> int:
        """Number of frames of each block but the last."""
        frame_bytes = 8 * self.mixture.n_chan * self.stft.n_freq
        most = int(np.clip(BLOCK_BYTES // frame_bytes, SHORTEST, LONGEST))
        n_blocks = SHARES * math.ceil(self.n_frames / (SHARES * most))
        return max(math.ceil(self.n_frames / n_blocks), SHORTEST)

    def blocks(self, kept: Array | None = None) -> list[Block]:
        """Return the blocks, each to be made when it is called.

        Parameters
        ----------
        kept : ndarray of shape (n_frames,), bool, optional
            Frames that blocks hold; all when not given.
        """
        if kept is None:
            kept = np.ones(self.n_frames, bool)
        borders = range(self.block_length, self.n_frames, self.block_length)
        return [
            partial(self.frames, first + np.flatnonzero(some))
            for first, some in zip((0, *borders), np.split(kept, borders), strict=True)
        ]

    def sample(self, chosen: Array) -> list[Block]:
        """Return some frames (rising) in blocks as long as the others, to be made when called."""
        length = self.block_length
        return [partial(self.frames, chosen[i : i + length]) for i in range(0, len(chosen), length)]

    def frames(self, chosen: Array) -> Array:
        """Read and transform some frames.

        Parameters
        ----------
        chosen : ndarray of shape (n_chosen,), int
            Which, rising.

        Returns
        -------
        ndarray of shape (n_chosen, n_chan, n_freq), complex64
            The frames.  What lies between those that do not overlap is not read.
        """
        n_freq = self.stft.n_freq if self.bins is None else len(self.bins)
        X = np.empty((len(chosen), self.mixture.n_chan, n_freq), np.complex64)
        apart = np.flatnonzero(np.diff(chosen) * self.stft.hop_length >= self.stft.n_fft) + 1
        for first, last in pairwise([0, *apart.tolist(), len(chosen)]):
            if last > first:
                X[first:last] = self._together(chosen[first:last])
        return X

    def _together(self, chosen: Array) -> Array:
        """Read and transform frames of one stretch."""
        start, stop = self.stft.span(int(chosen[0]), int(chosen[-1] - chosen[0]) + 1)
        waveform = read_padded(self.mixture, start, stop)
        if self.offset.any():
            waveform = waveform.astype(float)
            inside = slice(max(-start, 0), self.mixture.n_samples - start)
            waveform[:, inside] -= self.offset[:, None]
        waveform = (waveform * self.gain[:, None]).astype(np.float32)
        X = self.stft.analyse(waveform, chosen - chosen[0])
        return X if self.bins is None else np.take(X, self.bins, axis=-1)
