"""The mixture STFT of a recording, in blocks that are read and transformed when they are called."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
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

    Notes
    -----
    Blocks are complex64 of shape (n_frames, n_chan, n_freq); their length depends only on the
    shape, so that sums over them are the same on every machine.
    """

    mixture: Mixture
    stft: Stft
    offset: Array
    gain: Array

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
        firsts = range(0, self.n_frames, self.block_length)
        return [partial(self._block, t, kept[t : t + self.block_length]) for t in firsts]

    def _block(self, first: int, kept: Array) -> Array:
        """Read and transform the frames from ``first`` on, of which some are kept."""
        if not kept.any():
            return np.zeros((0, self.mixture.n_chan, self.stft.n_freq), np.complex64)
        start, stop = self.stft.span(first, len(kept))
        waveform = read_padded(self.mixture, start, stop)
        waveform = waveform.astype(float)
        inside = slice(max(-start, 0), self.mixture.n_samples - start)
        waveform[:, inside] -= self.offset[:, None]
        waveform *= self.gain[:, None]
        X = self.stft.analyse(waveform.astype(np.float32))
        return X if kept.all() else X[kept]
