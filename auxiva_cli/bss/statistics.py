"""The fold: from blocks of frames and demixing matrices to weighted covariances and the cost.

Nothing else of a recording is ever needed by an update, and both are sums over frames: a block
may come from memory, be read again from disk or be computed by another thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from auxiva_cli.bss.linalg import Array, log_abs_det
from auxiva_cli.bss.packing import pack, pack_coefficients, unpack
from auxiva_cli.bss.source_models import SourceModel

__all__ = [
    "Block",
    "Map",
    "Statistics",
    "fold",
    "segment_energies",
    "spatial_covariance",
    "weighted_outer_products",
]


# A block, or its table, which is made or fetched when it is called for.
Block = Callable[[], Array]
# The built-in ``map``, or one that works on several blocks at a time and keeps their order.
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Statistics:
    """What one fold over the recording returns.

    Attributes
    ----------
    V : ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        Weighted covariances ``mean_t φ_kf[t] x x^H``.
    cost : float
        ``J(W) = mean_t Σ_k G(y_k[t]) − 2 Σ_f log|det W_f|``.
    """

    V: Array
    cost: float


def fold(tables: Iterable[Block], W: Array, model: SourceModel, *, map: Map = map) -> Statistics:
    """Fold a recording into weighted covariances and the cost.

    Parameters
    ----------
    tables : iterable of Block
        The packed blocks.
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices, square.
    model : SourceModel
        The source model, over the same ``n_freq`` frequencies.
    map : callable, optional
        How a function is mapped over the blocks, in their order: the built-in ``map``, or one
        that works on several at a time.

    Returns
    -------
    Statistics
        The weighted covariances and the cost at ``W``.

    Notes
    -----
    Tables stay in single precision, sums over blocks are in double.
    """
    n_src, n_chan, n_freq = W.shape
    coefficients = _padded(pack_coefficients(W))
    V = np.zeros((n_src, n_chan**2, n_freq))
    contrast, n_frames = 0.0, 0

    def partial(table: Block) -> tuple[Array, float, int]:
        return _fold_block(table(), coefficients, n_src, model)

    for V_block, contrast_block, n_frames_block in map(partial, tables):
        V += V_block
        contrast += contrast_block
        n_frames += n_frames_block
    cost = contrast / n_frames - 2 * float(log_abs_det(W).sum())
    return Statistics(unpack(V / n_frames, n_chan), cost)


def segment_energies(
    tables: Iterable[Block], W: Array, model: SourceModel, *, map: Map = map
) -> Array:
    """Return the energies of the sources in the segments of a model.

    Parameters
    ----------
    tables : iterable of Block
        The packed blocks.
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices.
    model : SourceModel
        Has the segments.
    map : callable, optional
        How a function is mapped over the blocks, in their order.

    Returns
    -------
    ndarray of shape (n_segments, n_frames, n_src)
        ``Σ_f |y_kf[t]|²`` over the frequencies of each segment, never negative.
    """
    coefficients = _padded(pack_coefficients(W))

    def partial(table: Block) -> Array:
        return _segment_energies(table(), coefficients, len(W), model)

    energies: Array = np.concatenate(list(map(partial, tables)), axis=1)
    return np.maximum(energies, 0, out=energies)


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
        return pack(X).sum(axis=0, dtype=float), len(X)

    total: Array = np.zeros(())
    n_frames: list[int] = []
    for share, n_frames_block in map(partial, blocks):
        total = total + share
        n_frames.append(n_frames_block)
    n_chan = math.isqrt(len(total))
    return unpack(total[None] / max(sum(n_frames), 1), n_chan)[0], n_frames


def weighted_outer_products(
    blocks: Iterable[Block],
    weigh: Callable[[Array], Array],
    n_src: int,
    n_chan: int,
    n_freq: int,
    *,
    map: Map = map,
) -> Array:
    """Return ``Σ_t m_kf[t] x x^H`` for weights that differ between frequencies.

    Parameters
    ----------
    blocks : iterable of Block
        The mixture STFT, (n_frames, n_chan, n_freq) each.
    weigh : callable
        Gives the weights (n_frames, n_src, n_freq) of a block.
    n_src, n_chan, n_freq : int
        Shape of the result.
    map : callable, optional
        How a function is mapped over the blocks, in their order.

    Returns
    -------
    ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        The weighted sums.
    """

    def partial(block: Block) -> Array:
        X = block()
        share: Array = np.einsum("tkf,tpf->kpf", weigh(X), pack(X))
        return share

    total = np.zeros((n_src, n_chan**2, n_freq))
    for share in map(partial, blocks):
        total += share
    return unpack(total, n_chan)


def _padded(coefficients: Array) -> Array:
    """Fill up with sources of zeros: common BLAS are a third quicker with 8 than with 5 to 7."""
    n_src = len(coefficients)
    return np.pad(coefficients, ((0, -n_src % 8 if n_src > 4 else 0), (0, 0), (0, 0)))


def _segment_energies(table: Array, coefficients: Array, n_src: int, model: SourceModel) -> Array:
    """Return ``Σ_f |y_kf[t]|²`` of one block, (n_segments, n_frames, n_src)."""
    coefficients = coefficients.astype(table.dtype)
    energies = [
        np.matmul(
            table[:, :, bins].swapaxes(0, 1), coefficients[:, :, bins].transpose(1, 2, 0)
        ).sum(axis=0)
        for bins in model.segments
    ]
    return np.stack(energies)[..., :n_src].astype(float)


def _fold_block(
    table: Array, coefficients: Array, n_src: int, model: SourceModel
) -> tuple[Array, float, int]:
    """Return sums over the frames of one block: packed weighted covariances, contrast, count."""
    contrast, weights = model.evaluate(_segment_energies(table, coefficients, n_src, model))
    V = np.empty((n_src, *table.shape[1:]), table.dtype)
    for bins, weight in zip(model.segments, weights, strict=True):
        weight = np.ascontiguousarray(weight.T, table.dtype)  # (n_src, n_frames)
        np.matmul(weight, table[:, :, bins].swapaxes(0, 1), out=V[:, :, bins].swapaxes(0, 1))
    return V, float(contrast.sum()), len(table)
