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
# So many of the highest bins hold what half the sample rate folds: it has no phase.
FOLDED = 2
EXCERPTS, EXCERPT_SECONDS = 5, 2.0
# Calm is where the samples around stay below this share of the highest: a clipped wave that was
# resampled swings for a while.
CALM, CALM_SECONDS = 0.5, 0.01
FEWEST_CALM = 20


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
    R = R[:-FOLDED]
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
        What ``dissimilarity`` tells: only what is alike is looked at, but no copies.

    Returns
    -------
    list of (clipped, clean)
        Where it is calm, the clean one has the samples of the clipped one, but for a factor;
        elsewhere that one has less power than the same factor gives.
    """
    alike = (dissimilar < SIMILAR_DB) & (dissimilar > COPY_DB)
    pairs = np.argwhere(np.triu(alike, k=1)).tolist()
    if not pairs:
        return []
    blocks = _blocks(_excerpts(mixture), max(round(CALM_SECONDS * mixture.sample_rate), 2))
    found: dict[int, int] = {}
    for pair in pairs:
        calm = _is_calm(blocks[pair[0]]) & _is_calm(blocks[pair[1]])
        first, second = blocks[pair]
        if calm.sum() < FEWEST_CALM or not _is_proportional(first[calm], second[calm]):
            continue
        ratio = np.sum(first[calm] ** 2) / np.sum(second[calm] ** 2)
        is_first = np.sum(first**2) < ratio * np.sum(second**2)
        hot, clean = pair if is_first else pair[::-1]
        found.setdefault(hot, clean)
    for hot in found:
        while found[hot] in found:  # the clean one may be clipped, too, and have a cleaner one
            found[hot] = found[found[hot]]
    return list(found.items())


def _excerpts(mixture: Mixture) -> Array:
    """Return some seconds from all over a recording, at its own rate, (n_chan, n_samples)."""
    length = round(EXCERPT_SECONDS * mixture.sample_rate)
    last = max(mixture.n_samples - length, 0)
    starts = np.unique(np.linspace(0, last, EXCERPTS).astype(int)).tolist()
    parts = [read_padded(mixture, start, start + length) for start in starts]
    return np.concatenate(parts, axis=1).astype(float)


def _blocks(waveform: Array, length: int) -> Array:
    """Cut a waveform into blocks, (n_chan, n_blocks, length)."""
    n_blocks = waveform.shape[1] // length
    return waveform[:, : n_blocks * length].reshape(len(waveform), n_blocks, length)


def _is_calm(blocks: Array) -> Array:
    """Tell in which blocks of one channel, and beside them, nothing is near the peak."""
    loud = np.abs(blocks).max(axis=1) > CALM * np.abs(blocks).max()
    around = np.pad(loud, 1)
    calm: Array = ~(around[:-2] | loud | around[2:])
    return calm


def _is_proportional(first: Array, second: Array) -> bool:
    """Tell whether two signals are the same but for a factor."""
    powers = np.sum(first**2) * np.sum(second**2)
    return bool(powers > 0 and 1 - np.sum(first * second) ** 2 / powers < 10 ** (COPY_DB / 10))
