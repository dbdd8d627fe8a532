"""One microphone in two channels: copies with dither, hiss or a loss, and safety tracks.

Two copies hold one signal and some noise, and what is separated from them is noise.  No threshold
tells a lossy copy from microphones 5 mm apart: in between both are possible.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.listening.mixture import Mixture, read_padded

__all__ = [
    "COPY_DB",
    "DOUBTFUL_DB",
    "STANDS_OUT_DB",
    "dissimilarity",
    "is_clipped",
    "safety_tracks",
]

Array = NDArray[Any]
# Copies with dither, hiss or a sample's delay: -77 to -41 dB, with a lossy codec: -28; two
# microphones 5 mm apart: -32, those of ten rooms: -2 to -17.
COPY_DB, DOUBTFUL_DB = -41.0, -25.0
# How much less alike all other channels are than two that may be copies: in a small array all are.
STANDS_OUT_DB = 10.0
# Of safety tracks, what clipping leaves alike.
SIMILAR_DB = -10.0
EXCERPTS, EXCERPT_SECONDS = 5, 2.0
NEAR_PEAK, SMALL = 0.99, 0.4
CLIPPED_SHARE = 5e-4


def dissimilarity(R: Array) -> Array:
    """Return what two channels do not share, in dB of their power.

    Parameters
    ----------
    R : ndarray of shape (n_freq, n_chan, n_chan), complex
        Spatial covariance of channels whose delays are undone.

    Returns
    -------
    ndarray of shape (n_chan, n_chan)
        ``1 - coherence``, weighted with the geometric mean of the powers.
    """
    power = np.einsum("fcc->fc", R).real.astype(float)
    weight = np.sqrt(power[:, :, None] * power[:, None])
    shared = np.abs(R) ** 2 / np.maximum(weight, np.finfo(float).tiny)
    share = 1 - shared.sum(axis=0) / np.maximum(weight.sum(axis=0), np.finfo(float).tiny)
    dissimilar: Array = 10 * np.log10(np.maximum(share, 1e-12))
    return dissimilar


def safety_tracks(mixture: Mixture, dissimilar: Array) -> list[tuple[int, int]]:
    """Find clipped channels of which another is a clean copy.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    dissimilar : ndarray of shape (n_chan, n_chan), dB
        What ``dissimilarity`` tells: only what is alike is looked at.

    Returns
    -------
    list of (clipped, clean)
        The clean one has the samples of the clipped one, but for a factor, wherever that one is
        not near its peak.
    """
    alike = np.argwhere((dissimilar < SIMILAR_DB) & ~np.eye(len(dissimilar), dtype=bool))
    if not len(alike):
        return []
    waveform = _excerpts(mixture)
    clipped = is_clipped(waveform)
    found: dict[int, int] = {}
    for hot, clean in alike.tolist():
        if not clipped[hot] or clipped[clean] or hot in found:
            continue
        small = np.abs(waveform[hot]) < SMALL * np.abs(waveform[hot]).max()
        if _is_proportional(waveform[hot, small], waveform[clean, small]):
            found[hot] = clean
    return list(found.items())


def is_clipped(waveform: Array) -> Array:
    """Tell of which channels more samples lie at the peak than lie there by chance."""
    size = np.abs(waveform)
    near: Array = np.mean(size >= NEAR_PEAK * size.max(axis=1, keepdims=True), axis=1)
    clipped: Array = near > CLIPPED_SHARE
    return clipped


def _excerpts(mixture: Mixture) -> Array:
    """Return some seconds from all over a recording, at its own rate, (n_chan, n_samples)."""
    length = round(EXCERPT_SECONDS * mixture.sample_rate)
    last = max(mixture.n_samples - length, 0)
    starts = np.unique(np.linspace(0, last, EXCERPTS).astype(int)).tolist()
    parts = [read_padded(mixture, start, start + length) for start in starts]
    return np.concatenate(parts, axis=1).astype(float)


def _is_proportional(first: Array, second: Array) -> bool:
    """Tell whether two signals are the same but for a factor."""
    powers = (first @ first) * (second @ second)
    return bool(powers > 0 and 1 - (first @ second) ** 2 / powers < 10 ** (COPY_DB / 10))
