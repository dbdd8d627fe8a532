"""Convolution of long signals with responses, block by block (overlap-add)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

__all__ = ["convolve_sum"]

# A block holds this many times the length of a response: of 2 to 16 the fastest.
_BLOCK = 3

Array = NDArray[np.float64]


def convolve_sum(signals: Array, responses: Array) -> Array:
    """Return the sum of signals, each through its responses.

    Parameters
    ----------
    signals : ndarray of shape (n_src, n_samples)
    responses : ndarray of shape (n_src, n_chan, n_taps)

    Returns
    -------
    ndarray of shape (n_chan, n_samples)
        What comes after the end of the signals is left out.
    """
    n_samples, n_taps = signals.shape[1], responses.shape[2]
    n_fft = next_fast_len(_BLOCK * n_taps, real=True)
    step = n_fft - n_taps + 1
    transfer = rfft(responses, n_fft)
    heard = np.zeros((responses.shape[1], n_samples + n_fft))
    for start in range(0, n_samples, step):
        spectra = rfft(signals[:, start : start + step], n_fft)
        summed = np.zeros(transfer.shape[1:], transfer.dtype)
        for spectrum, to_microphones in zip(spectra, transfer, strict=True):
            summed += spectrum * to_microphones
        heard[:, start : start + n_fft] += irfft(summed, n_fft)
    return heard[:, :n_samples]
