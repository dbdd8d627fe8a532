"""A soft mask on separated signals: less of what fits no speaker, for a little more of the others.

In a frame and frequency of a short window mostly one speaks.  Of the outputs ``Y_k`` at one
microphone, with the powers ``P_k = |Y_k|²`` added up over three frames and three frequencies,

    Z_k = (1 − a) Y_k + a (P_k / Σ_j P_j) Σ_j Y_j,  a = 0.3,

has the same sum.  Where nothing sounds each has an equal share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.listening.stft import Stft, fast_n_fft

__all__ = ["Mask", "masked"]

Array = NDArray[Any]
WINDOW_SECONDS = 0.064
STRENGTH = 0.3
# Frames that are worked on at a time.
PIECE = 32


class Mask:
    """Masks a stream of separated signals; what comes out does not depend on how it is cut.

    Parameters
    ----------
    n_src : int
        Number of sources.
    n_out : int
        Number of microphones at which they are heard; their images sum to each.
    sample_rate : int, Hz
        Sample rate.
    """

    def __init__(self, n_src: int, n_out: int, sample_rate: int) -> None:
        n_fft = fast_n_fft(WINDOW_SECONDS, sample_rate)
        self._stft = Stft(n_fft, n_fft // 4, "hamming")
        # The first frames begin before the signals do, and silence is what is before them.
        self._n_before = n_fft - self._stft.hop_length
        self._waiting = np.zeros((n_src, n_out, self._n_before))
        self._frames = np.zeros((1, n_src, n_out, self._stft.n_freq), complex)
        self._images = np.zeros((n_src, n_out, 0))
        self._tail: Array | None = None
        self._n_in = self._n_out = 0

    def push(self, images: Array) -> Array:
        """Take in samples, and return those that are now complete.

        Parameters
        ----------
        images : ndarray of shape (n_src, n_out, n_samples)
            The next samples, any number of them.

        Returns
        -------
        ndarray of shape (n_src, n_out, n_complete)
            The next samples, masked; there may be none.
        """
        self._n_in += images.shape[-1]
        return self._masked(images)

    def finish(self) -> Array:
        """Return the samples that were still to come, as in ``push``, after the last is in."""
        hop_length = self._stft.hop_length
        n_rest = (self._stft.n_frames(self._n_in) + 1) * hop_length - self._n_in
        n_missing = self._n_in - self._n_out
        return self._masked(np.zeros((*self._images.shape[:2], n_rest)))[..., :n_missing]

    def _masked(self, images: Array) -> Array:
        """Mask all frames that are complete, and followed by another."""
        self._images = np.concatenate([self._images, images], axis=-1)
        length = PIECE * self._stft.hop_length
        changes = [
            self._change(images[..., first : first + length])
            for first in range(0, images.shape[-1], length)
        ]
        change = np.concatenate([self._images[..., :0], *changes], axis=-1)
        n_complete = change.shape[-1]
        complete, self._images = np.split(self._images, [n_complete], axis=-1)
        self._n_out += n_complete
        made: Array = complete + change
        return made

    def _change(self, images: Array) -> Array:
        """Return what is added to the next samples, as far as it is complete."""
        stft = self._stft
        self._waiting = np.concatenate([self._waiting, images], axis=-1)
        n_src, n_out, n_waiting = self._waiting.shape
        n_frames = (n_waiting - stft.n_fft) // stft.hop_length + 1
        if n_frames < 1:
            return images[..., :0]
        start, stop = stft.span(0, n_frames)
        X = stft.analyse(self._waiting[..., : stop - start].reshape(n_src * n_out, -1))
        self._waiting = self._waiting[..., n_frames * stft.hop_length :]
        Y = np.concatenate([self._frames, X.reshape(n_frames, n_src, n_out, -1)])
        self._frames = Y[-2:]
        difference = _difference(Y).reshape(len(Y) - 2, n_src * n_out, stft.n_freq)
        change, self._tail = stft.synthesise(difference, self._tail)
        n_skipped = min(self._n_before, change.shape[-1])
        self._n_before -= n_skipped
        return change[:, n_skipped:].reshape(n_src, n_out, -1)


def masked(stretches: Iterable[Array], sample_rate: int) -> Iterator[Array]:
    """Mask images that come in stretches (n_src, n_out, n_stretch), and yield them as they do."""
    mask: Mask | None = None
    for stretch in stretches:
        if mask is None:
            n_src, n_out, _ = stretch.shape
            mask = Mask(n_src, n_out, sample_rate)
        complete = mask.push(stretch)
        if complete.shape[-1]:
            yield complete
    if mask is not None:
        yield mask.finish()


def _difference(Y: Array) -> Array:
    """Return ``Z − Y`` of all frames (n_frames, n_src, n_out, n_freq) but the first and last."""
    power = Y.real**2 + Y.imag**2
    P = power[:-2] + power[1:-1] + power[2:]
    around = P.copy()
    around[..., 1:] += P[..., :-1]
    around[..., :-1] += P[..., 1:]
    total = around.sum(axis=1, keepdims=True)
    share = np.full_like(around, 1 / around.shape[1])
    np.divide(around, total, out=share, where=total > 0)
    Y = Y[1:-1]
    difference: Array = STRENGTH * (share * Y.sum(axis=1, keepdims=True) - Y)
    return difference
