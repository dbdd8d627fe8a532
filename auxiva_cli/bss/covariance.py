"""Spatial covariance: what the channels of a mixture have in common, frequency by frequency."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from auxiva_cli.bss.fold import Block, Map
from auxiva_cli.bss.linalg import Array

__all__ = ["hermitian", "outer_sums", "spatial_covariance"]


def spatial_covariance(blocks: Iterable[Block], *, map: Map = map) -> tuple[Array, list[int]]:
    """Return the spatial covariance ``R = mean_t x x^H`` and the number of frames it is of.

    Parameters
    ----------
    blocks : iterable of Block
        The mixture STFT, (n_frames, n_chan, n_freq) each.
    map : callable, optional
        How a function is mapped over the blocks, in their order.

    Returns
    -------
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        The spatial covariance; zero without a frame.
    n_frames : list of int
        Number of frames of each block.
    """

    def partial(block: Block) -> tuple[Array, int]:
        X = block()
        return outer_sums(X, X), len(X)

    total: Array = np.zeros(())
    n_frames: list[int] = []
    for share, n_frames_block in map(partial, blocks):
        total = total + share.astype(complex)
        n_frames.append(n_frames_block)
    return hermitian(total / max(sum(n_frames), 1)), n_frames


def outer_sums(X: Array, Y: Array) -> Array:
    """Return what is on and above the diagonals of ``Σ_t x y^H``.

    Parameters
    ----------
    X, Y : ndarray of shape (n_frames, n_chan, n_freq), complex
        Blocks of which the sums are Hermitian: the same, or one weighted frame by frame.

    Returns
    -------
    ndarray of shape (n_chan · (n_chan + 1) / 2, n_freq), complex
        Row by row, in the precision of the blocks; ``hermitian`` makes matrices of them.
    """
    conjugated = Y.conj()
    pairs = [(i, j) for i in range(X.shape[1]) for j in range(i, X.shape[1])]
    sums = np.empty((len(pairs), X.shape[2]), X.dtype)
    for (i, j), row in zip(pairs, sums, strict=True):  # one at a time, so that it stays in cache
        np.sum(X[:, i] * conjugated[:, j], axis=0, out=row)
    return sums


def hermitian(upper: Array) -> Array:
    """Return Hermitian matrices of what is on and above their diagonals.

    Parameters
    ----------
    upper : ndarray of shape (..., n_chan · (n_chan + 1) / 2, n_freq), complex
        Row by row.

    Returns
    -------
    ndarray of shape (..., n_chan, n_chan, n_freq), complex
        The matrices; what rounding left on a diagonal as imaginary part is gone.
    """
    n_chan = math.isqrt(2 * upper.shape[-2])
    rows, columns = np.triu_indices(n_chan)
    matrices = np.empty((*upper.shape[:-2], n_chan, n_chan, upper.shape[-1]), complex)
    matrices[..., columns, rows, :] = upper.conj()
    matrices[..., rows, columns, :] = np.where((rows == columns)[:, None], upper.real, upper)
    return matrices
