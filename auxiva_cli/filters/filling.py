"""What a dead channel would have heard, as far as the living ones tell it.

Filters that were learnt with all channels do not hold where one is silent: it drops out, or its
recorder ran later than the others.  There it gets what is best predicted of it from those that
live, sample by sample, so that what is heard before and after is separated as ever.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from auxiva_cli.bss.scaling import prediction_filters
from auxiva_cli.listening.stft import Stft

__all__ = ["Filler"]

Array = NDArray[Any]
# So many predictions are at hand.
AT_HAND = 16


class Filler:
    """Fills dead stretches of channels in the frames of an STFT.

    Parameters
    ----------
    stft : Stft
        The transform.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        How the channels hang together.
    """

    def __init__(self, stft: Stft, R: Array) -> None:
        self._stft = stft

        @lru_cache(AT_HAND)
        def prediction(channel: int, others: tuple[int, ...]) -> Array:
            both = np.array([channel, *others])
            living = np.arange(len(both)) > 0
            rows: Array = prediction_filters(R[both[:, None], both], living)[0]
            return rows.astype(np.complex64)

        self._prediction = prediction

    def fill(self, X: Array, dead: Array) -> Array:
        """Fill the dead stretches of consecutive frames.

        Parameters
        ----------
        X : ndarray of shape (n_frames, n_chan, n_freq), complex
            The frames; written over.
        dead : ndarray of shape (n_chan, n_samples), bool
            Which of the samples that the frames cover are dead.

        Returns
        -------
        ndarray of shape (n_frames, n_chan, n_freq), complex
            The frames; those in which no channel lives throughout as they were.
        """
        n_fft = self._stft.n_fft
        gone = np.lib.stride_tricks.sliding_window_view(dead, n_fft, axis=-1)
        gone = gone[:, :: self._stft.hop_length].swapaxes(0, 1)  # (n_frames, n_chan, n_fft)
        living = ~gone.any(axis=-1)
        for alive in np.unique(living, axis=0):
            frames = np.flatnonzero((living == alive).all(axis=1))
            known, n_gone = np.flatnonzero(alive).tolist(), gone[frames].sum(axis=(0, 2))
            if not known:
                continue
            # What lives longest first: once filled, it tells of the others what it heard itself.
            for c in sorted(np.flatnonzero(~alive).tolist(), key=n_gone.__getitem__):
                P = self._prediction(c, tuple(known))
                predicted = np.einsum("sf,tsf->tf", P, X[frames[:, None], known])
                heard, expected = (scipy.fft.irfft(x, n=n_fft) for x in (X[frames, c], predicted))
                X[frames, c] = scipy.fft.rfft(np.where(gone[frames, c], expected, heard))
                known.append(c)
        return X
