"""Filters that change over time: sets of them at some times, and what lies between.

In between they are interpolated linearly, frame by frame, and before the first and after the last
they stay what those are.  Each set sums to the identity, and so does what lies between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.linalg import apply
from auxiva_cli.bss.scaling import sum_to_identity

__all__ = ["Course", "among"]

Array = NDArray[Any]
# Levels of the same samples differ by rounding, those of other recordings by more.
LEVEL_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Course:
    """Sets of filters along a recording.

    Attributes
    ----------
    centres : ndarray of shape (n_centres,), int
        The times that the sets are for, in samples of the reference channel, rising.
    G : ndarray of shape (n_centres, n_src, n_chan, n_chan, n_freq), complex64
        The sets, each as ``Filters`` has one.
    n_samples : int
        Length of the recording that they were learnt from.
    rms : ndarray of shape (n_chan,)
        Level of each of its channels: by both it is known again.
    """

    centres: Array
    G: Array
    n_samples: int
    rms: Array

    def is_of(self, n_samples: int, rms: Array) -> bool:
        """Tell whether a recording, of so many samples and such levels, is the one they are of.

        A channel at level zero is one that was not chosen, then or now, and tells nothing.
        """
        heard = (rms > 0) & (self.rms > 0)
        alike = np.allclose(rms[heard], self.rms[heard], rtol=LEVEL_TOLERANCE)
        return n_samples == self.n_samples and alike and bool(heard.any())

    def among(self, channels: Array, n_chan: int, *, has_rest: bool) -> Course:
        """Return the same for a recording that has other channels besides, ``n_chan`` in all."""
        rms = np.zeros(n_chan)
        rms[channels] = self.rms
        sets = [among(G, channels, n_chan, has_rest=has_rest) for G in self.G]
        return replace(self, G=np.stack(sets), rms=rms)

    def product(self, sources: Array, channels: Array, X: Array, times: Array) -> Array:
        """Return the images of sources at channels in some frames.

        Parameters
        ----------
        sources, channels : ndarray of shape (n_out,), int
            Which image is wanted at which channel.
        X : ndarray of shape (n_frames, n_chan, n_freq), complex
            The mixture.
        times : ndarray of shape (n_frames,)
            The middles of the frames, in samples.

        Returns
        -------
        ndarray of shape (n_frames, n_out, n_freq), complex
            The images.
        """
        position = np.interp(times, self.centres, np.arange(len(self.centres)))
        before = np.minimum(position.astype(int), max(len(self.centres) - 2, 0))
        Y = np.empty((len(X), len(sources), X.shape[-1]), np.result_type(X, self.G))
        for s in np.unique(before):
            frames = np.flatnonzero(before == s)
            Y[frames] = apply(self.G[s][sources, channels], X[frames])
            share = (position[frames] - s).astype(np.float32)[:, None, None]
            if share.any():
                after = apply(self.G[s + 1][sources, channels], X[frames])
                Y[frames] += share * (after - Y[frames])
        return Y


def among(G: Array, channels: Array, n_chan: int, *, has_rest: bool) -> Array:
    """Return filters (n_out, n_chan, n_chan, n_freq) of some channels for all there are.

    They sum to the identity: of the other channels each source has an equal share, or the rest,
    the last output, has all.
    """
    everywhere = np.zeros((len(G), n_chan, n_chan, G.shape[-1]), G.dtype)
    everywhere[np.ix_(np.arange(len(G)), channels, channels)] = G
    summed: Array = sum_to_identity(everywhere, has_rest=has_rest).astype(G.dtype)
    return summed
