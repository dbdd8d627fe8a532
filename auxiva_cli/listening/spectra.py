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

__all__ = ["Spectra", "sounding_frames"]

Array = NDArray[Any]
# Small enough to stay near the processor, large enough to amortise a call.
BLOCK_BYTES = 4 * 2**20
SHORTEST, LONGEST = 8, 256
# The number of blocks is a multiple of this, so that threads finish together.
SHARES = 2
# What lies 100 dB below the mean power of a recording tells no speakers apart.
SILENCE = 1e-10


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

    def blocks(self) -> list[Block]:
        """Return the blocks, each to be made when it is called."""
        length = self.block_length
        return [
            partial(self._block, first, min(length, self.n_frames - first))
            for first in range(0, self.n_frames, length)
        ]

    def _block(self, first: int, n_frames: int) -> Array:
        """Read and transform the frames ``first … first + n_frames``."""
        start, stop = self.stft.span(first, n_frames)
        waveform = read_padded(self.mixture, start, stop)
        waveform = waveform.astype(float)
        inside = slice(max(-start, 0), self.mixture.n_samples - start)
        waveform[:, inside] -= self.offset[:, None]
        waveform *= self.gain[:, None]
        return self.stft.analyse(waveform.astype(np.float32))


def sounding_frames(block: Block, stft: Stft, heard: Array) -> Array:
    """Make a block without its silent frames.

    A logarithmic contrast counts a frame by what it holds relative to itself: digital silence
    would count as much as speech.

    Parameters
    ----------
    block : Block
        Block of the normalised mixture STFT.
    stft : Stft
        The transform.
    heard : ndarray of shape (n_freq,), bool
        Frequencies by which silence is judged.

    Returns
    -------
    ndarray of shape (n_sounding, n_chan, n_freq), complex
        The other frames.
    """
    X = block()
    power = np.square(np.abs(np.compress(heard, X, axis=-1))).mean(axis=(1, 2))
    mean_power = np.sum(stft.analysis_window**2)  # of white noise of unit power
    sounding: Array = X[power > SILENCE * mean_power]
    return sounding
