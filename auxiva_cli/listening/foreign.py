"""Channels that are no microphones of this room: open inputs, corrupted frames, a subwoofer's.

What a microphone hears, the others hear too.  A channel that shares nothing with them costs every
source 20 dB, as there is one dimension more to explain.  A headset that hears nobody else shares
nothing either, and has to stay: whatever speaks is no noise of a device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.listening.glimpses import Glimpses

__all__ = ["UNRELATED", "multiple_coherence", "speaks", "spectral_covariance"]

Array = NDArray[Any]
LOWEST_HZ, HIGHEST_HZ = 200.0, 4000.0
# Multiple coherence: microphones of 141 rooms at least 0.25, unrelated channels at most 0.014.
UNRELATED = 0.06
# Regularises what is singular: copies, and bands without power.
SMALLEST_SHARE = 1e-9
N_BANDS = 8
# Deviation (nepers) of a band's level from all bands' mean, the median over bands.  68 voices:
# 1.16-1.93, the channels of 130 rooms: 0.71-1.97, a voice in noise of its own level: 0.67.  Hiss,
# hum, clicks, rumble, wind, and bursts of noise: at most 0.34.
SHAPE_VARIES = 0.5
DEEPEST = 1e-5
# Of the power above 200 Hz, what speech has above 1 kHz at least; a subwoofer's channel -55 dB.
HIGH_HZ, HIGH_DB = 1000.0, -35.0
# Of a window's power, in its weight: bursts then outweigh what a corrupted channel still hears.
EMPHASIS = 1.5


def spectral_covariance(seen: Glimpses) -> tuple[Array, Array, Array]:
    """Return what the channels hold in windows of 64 ms.

    Returns
    -------
    R : ndarray of shape (n_freq, n_chan, n_chan), complex
        Mean of ``x x^H`` over the windows.
    power : ndarray of shape (n_chan, n_windows, n_freq)
        ``|x|²`` in each window.
    frequencies : ndarray of shape (n_freq,), Hz
        Centres of the bins.
    """
    X, frequencies = seen.spectra(0.064)
    by_frequency = X.transpose(2, 0, 1)  # (n_freq, n_chan, n_windows)
    R = by_frequency @ by_frequency.conj().transpose(0, 2, 1) / X.shape[1]
    return R, np.square(np.abs(X)), frequencies


def multiple_coherence(R: Array, frequencies: Array, n_windows: int) -> Array:
    """Return which share of each channel's power the others explain, the median over frequencies.

    Parameters
    ----------
    R : ndarray of shape (n_freq, n_chan, n_chan), complex
        Spatial covariance.
    frequencies : ndarray of shape (n_freq,), Hz
        Centres of the bins.
    n_windows : int
        How many windows it was estimated from, half of them independent: by chance, ``n_chan - 1``
        channels explain as many parts of that.

    Returns
    -------
    ndarray of shape (n_chan,)
        ``1 - 1 / (R_cc [R^{-1}]_cc)``, without what chance explains.
    """
    n_chan = R.shape[-1]
    bins = R[(frequencies >= LOWEST_HZ) & (frequencies <= HIGHEST_HZ)].astype(complex)
    scale = 1 / np.sqrt(np.maximum(np.einsum("fcc->fc", bins).real, np.finfo(np.float32).tiny))
    normed = bins * scale[:, :, None] * scale[:, None] + SMALLEST_SHARE * np.eye(n_chan)
    unexplained = 1 / np.einsum("fcc->fc", np.linalg.inv(normed)).real
    by_chance = min((n_chan - 1) / max(n_windows / 2, 1), 0.9)
    explained = np.median(1 - unexplained, axis=0)
    coherence: Array = np.clip((explained - by_chance) / (1 - by_chance), 0, 1)
    return coherence


def speaks(power: Array, frequencies: Array) -> bool:
    """Tell whether one channel carries speech, or music: nothing that a device makes by itself.

    Parameters
    ----------
    power : ndarray of shape (n_windows, n_freq)
        ``|x|²`` of windows of 64 ms.
    frequencies : ndarray of shape (n_freq,), Hz
        Centres of the bins.

    Notes
    -----
    The spectrum of speech changes all the time; hiss and hum keep theirs, and so do bursts of
    noise.  What a subwoofer plays of speech has no high frequencies.
    """
    heard = power[:, (frequencies >= LOWEST_HZ) & (frequencies <= HIGHEST_HZ)].sum()
    high = power[:, (frequencies >= HIGH_HZ) & (frequencies <= HIGHEST_HZ)].sum()
    if high < 10 ** (HIGH_DB / 10) * heard:
        return False
    edges = np.linspace(LOWEST_HZ, HIGHEST_HZ, N_BANDS + 1)
    bands = np.add.reduceat(power, np.searchsorted(frequencies, edges[:-1]), axis=1)
    bands = bands[bands.all(axis=1)]
    if not len(bands):
        return False
    levels = np.log(np.maximum(bands, DEEPEST * bands.mean(axis=0)))
    weights = bands.sum(axis=1) ** EMPHASIS
    weights /= weights.sum()
    shape = levels - levels.mean(axis=1, keepdims=True)
    shape -= weights @ shape
    return bool(np.median(np.sqrt(weights @ shape**2)) >= SHAPE_VARIES)
