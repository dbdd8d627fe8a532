"""The fold: from blocks of frames and demixing matrices to weighted covariances and the cost.

Nothing else of a recording is ever needed by an update, and both are sums over frames: a block
may come from memory, be read again from disk or be computed by another thread.

A Hermitian outer product ``x x^H`` holds only ``n_chan²`` real numbers: the diagonal, and the real
and imaginary parts above it.  A block packed that way is a real *table*
``(n_frames, n_chan², n_freq)``; with the demixing rows packed to match, activities and weighted
covariances are two real matrix products per segment, without complex arithmetic and without ever
forming the separated signals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auxiva_cli.bss.linalg import Array, log_abs_det
from auxiva_cli.bss.source_models import SourceModel

__all__ = [
    "Block",
    "Map",
    "Statistics",
    "Table",
    "fold",
    "in_memory",
    "pack",
    "pack_coefficients",
    "pack_with_noise",
    "segment_energies",
    "unpack",
    "weighted_covariances",
]

# A block of the mixture STFT (n_frames, n_chan, n_freq), made when it is called for.
Block = Callable[[], Array]
# The packed table (n_frames, n_chan², n_freq) of a block, made or fetched when it is called for.
Table = Callable[[], Array]
# The built-in ``map``, or one that works on several blocks at a time and keeps their order.
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]

# Noise that each frame is taken to carry in every channel, relative to its power in all: above the
# rounding of sums in single precision, far below what separation of sound in a room reaches.
NOISE_SHARE = 1e-6


@dataclass(frozen=True)
class Statistics:
    """What one fold over the recording returns.

    Attributes
    ----------
    V : ndarray of shape (..., n_src, n_chan, n_chan, n_freq), complex
        Weighted covariances ``mean_t φ_kf[t] x x^H``.
    cost : ndarray of shape (...)
        ``J(W) = mean_t Σ_k G(y_k[t]) − 2 Σ_f log|det W_f|``.
    """

    V: Array
    cost: Array


def fold(
    tables: Iterable[Table],
    W: Array,
    model: SourceModel,
    *,
    shares: Iterable[Array] | None = None,
    map: Map = map,
) -> Statistics:
    """Fold a recording into weighted covariances and the cost.

    Parameters
    ----------
    tables : iterable of Table
        The packed blocks.
    W : ndarray of shape (..., n_src, n_chan, n_freq), complex
        Demixing matrices, square; several sets of them cost less together than one by one.
    model : SourceModel
        The source model, over the same ``n_freq`` frequencies.
    shares : iterable of ndarray of shape (n_frames,), optional
        With what weight each frame of each block counts in the means over frames; all the same
        when not given.
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
    *sets, n_src, n_chan, n_freq = W.shape
    rows = W.reshape(-1, n_chan, n_freq)
    coefficients = pack_coefficients(rows)
    V = np.zeros((len(rows), n_chan**2, n_freq))
    contrast, n_frames = np.zeros(len(rows)), 0.0

    def partial(pair: tuple[Table, Array | None]) -> tuple[Array, Array, float]:
        return _fold_block(pair[0](), coefficients, len(rows), model, pair[1])

    pairs: Iterable[tuple[Table, Array | None]] = ((table, None) for table in tables)
    if shares is not None:
        pairs = zip(tables, shares, strict=True)
    for V_block, contrast_block, n_frames_block in map(partial, pairs):
        V += V_block
        contrast += contrast_block
        n_frames += n_frames_block
    volume = [log_abs_det(one).sum() for one in W.reshape(-1, n_src, n_chan, n_freq)]
    cost = contrast.reshape(-1, n_src).sum(axis=-1) / n_frames - 2 * np.array(volume)
    V = unpack(V / n_frames, n_chan)
    return Statistics(V.reshape(*W.shape[:-1], n_chan, n_freq), cost.reshape(sets))


def weighted_covariances(
    tables: Iterable[Table],
    weights: Iterable[Array],
    segments: Sequence[slice],
    *,
    map: Map = map,
) -> Array:
    """Return ``V_kf = mean_t φ_kf[t] x x^H`` for weights that are known before.

    Parameters
    ----------
    tables : iterable of Table
        The packed blocks.
    weights : iterable of ndarray of shape (n_segments, n_frames, n_src)
        The weights ``φ`` of the frames of each block, in the order of the blocks.
    segments : sequence of slice
        The frequencies in which a weight is the same; together all of them, in order.
    map : callable, optional
        How a function is mapped over the blocks, in their order.

    Returns
    -------
    ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        The weighted covariances; zero without a frame.
    """

    def partial(pair: tuple[Table, Array]) -> tuple[Array, int]:
        table, weight = pair[0](), pair[1]
        return _weigh(table, weight, segments), len(table)

    total: Array = np.zeros(())
    n_frames = 0
    for share, n_frames_block in map(partial, zip(tables, weights, strict=True)):
        total = total + share.astype(float)
        n_frames += n_frames_block
    return unpack(total / max(n_frames, 1), math.isqrt(total.shape[1]))


def segment_energies(
    tables: Iterable[Table], W: Array, model: SourceModel, *, map: Map = map
) -> Array:
    """Return the energies of the sources in the segments of a model.

    Parameters
    ----------
    tables : iterable of Table
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
    coefficients = pack_coefficients(W)

    def partial(table: Table) -> Array:
        return _segment_energies(table(), coefficients, len(W), model)

    energies: Array = np.concatenate(list(map(partial, tables)), axis=1)
    return np.maximum(energies, 0, out=energies)


def in_memory(array: Array) -> Array:
    """Give a table that is in memory."""
    return array


def pack(X: Array) -> Array:
    """Pack the outer products ``x x^H`` of a block into a real table.

    Parameters
    ----------
    X : ndarray of shape (n_frames, n_chan, n_freq), complex
        Block of the (whitened) mixture STFT.

    Returns
    -------
    ndarray of shape (n_frames, n_chan², n_freq)
        Diagonal first, then the real and the imaginary parts of the entries above it; in the
        precision of ``X``.
    """
    n_frames, n_chan, n_freq = X.shape
    table = np.empty((n_frames, n_chan**2, n_freq), X.real.dtype)
    diagonal = table[:, :n_chan]
    np.multiply(X.real, X.real, out=diagonal)
    diagonal += X.imag * X.imag
    for p, (i, j) in enumerate(_pairs(n_chan)):
        product = X[:, i] * X[:, j].conj()
        table[:, n_chan + 2 * p] = product.real
        table[:, n_chan + 2 * p + 1] = product.imag
    return table


def pack_with_noise(X: Array) -> Array:
    """Pack a whitened block as if every frame carried white noise 60 dB below itself.

    A source model that puts no bound on likelihood (Gauss, bands) weighs a frame the more the
    deeper it is nulled.  Frames that *can* be nulled exactly, such as those in which all but
    one microphone have dropped out, would outweigh all others, and leave weighted covariances
    that single precision cannot tell from singular ones.

    Parameters
    ----------
    X : ndarray of shape (n_frames, n_chan, n_freq), complex
        Block of the whitened mixture STFT.

    Returns
    -------
    ndarray of shape (n_frames, n_chan², n_freq)
        The table of ``x x^H + NOISE_SHARE ‖x‖² I``.
    """
    table = pack(X)
    powers = table[:, : X.shape[1]]
    powers += NOISE_SHARE * powers.sum(axis=1, keepdims=True)
    return table


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
    table: Array, coefficients: Array, n_src: int, model: SourceModel, share: Array | None
) -> tuple[Array, Array, float]:
    """Return sums over the frames of one block: packed weighted covariances, contrasts, count."""
    contrast, weights = model.evaluate(_segment_energies(table, coefficients, n_src, model))
    if share is not None:
        contrast, weights = contrast * share[:, None], weights * share[:, None]
    n_frames = len(table) if share is None else float(share.sum())
    return _weigh(table, weights, model.segments), contrast.sum(axis=0), n_frames


def _weigh(table: Array, weights: Array, segments: Sequence[slice]) -> Array:
    """Return ``Σ_t φ_kf[t] x x^H`` of one block, packed."""
    V = np.empty((weights.shape[-1], *table.shape[1:]), table.dtype)
    for bins, weight in zip(segments, weights, strict=True):
        weight = np.ascontiguousarray(weight.T, table.dtype)  # (n_src, n_frames)
        np.matmul(weight, table[:, :, bins].swapaxes(0, 1), out=V[:, :, bins].swapaxes(0, 1))
    return V


def _pairs(n_chan: int) -> list[tuple[int, int]]:
    """Return the entries above the diagonal, in the order in which tables hold them."""
    return [(i, j) for i in range(n_chan) for j in range(i + 1, n_chan)]


def pack_coefficients(W: Array) -> Array:
    """Return what the table is multiplied with to give ``|w_k^H x|²``: (n_src, n_chan², n_freq).

    Sources of zeros fill up five to seven to eight, with which common BLAS are a third quicker.
    """
    n_src, n_chan, n_freq = W.shape
    packed = np.zeros((n_src + (-n_src % 8 if n_src > 4 else 0), n_chan**2, n_freq))
    packed[:n_src, :n_chan] = W.real**2 + W.imag**2
    for p, (i, j) in enumerate(_pairs(n_chan)):
        product = W[:, i] * W[:, j].conj()
        packed[:n_src, n_chan + 2 * p] = 2 * product.real
        packed[:n_src, n_chan + 2 * p + 1] = -2 * product.imag
    return packed


def unpack(packed: Array, n_chan: int) -> Array:
    """Return Hermitian matrices (n, n_chan, n_chan, n_freq) of packed ones (n, n_chan², n_freq)."""
    n, _, n_freq = packed.shape
    matrices = np.empty((n, n_chan, n_chan, n_freq), complex)
    for i in range(n_chan):
        matrices[:, i, i] = packed[:, i]
    for p, (i, j) in enumerate(_pairs(n_chan)):
        entry = packed[:, n_chan + 2 * p] + 1j * packed[:, n_chan + 2 * p + 1]
        matrices[:, i, j] = entry
        matrices[:, j, i] = entry.conj()
    return matrices
