"""The order of the sources first: on a comb of the frequencies, from several starts.

Which output of a frequency is whose is told by what wide bands of frequencies have in common.  A
few hundred frequencies, evenly out of all, tell it as well as thousands do, and the cost has
several minima: with three speakers and more one start in ten ends in one where two share their
outputs.  So the first stages take a comb of the frequencies, and several starts for the time of a
part of one; the cost, which is that of the same frequencies, tells the best of them.

When its outputs speak is then known in every band, and with these weights fixed,
``V_kf = mean_t φ_kb[t] x x^H``, all other frequencies follow in a few updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from auxiva_cli.bss.fold import Map, Table, fold, segment_energies, weighted_covariances
from auxiva_cli.bss.given import Surrogate, identity
from auxiva_cli.bss.linalg import Array
from auxiva_cli.bss.source_models import SourceModel

__all__ = ["best", "comb", "spread", "starts"]

# Frequencies of a comb, at least; below twice as many all are taken.
COMB = 512


def comb(n_freq: int) -> slice:
    """Return which of so many frequencies order the sources: evenly out of all, or all."""
    return slice(None, None, max(round(n_freq / COMB), 1))


def starts(n_src: int, n_freq: int, n_starts: int) -> Array:
    """Return demixing matrices of a whitened mixture to start from.

    The identity, whose rows are the principal components, and rows in which all of these weigh
    alike: ``exp(iπ(2mn + s n(n + n_src % 2)) / n_src) / √n_src``, ``s = 0, 1, …``  For a prime
    ``n_src`` any row of one has the same angle to all rows of another.

    Parameters
    ----------
    n_src : int
        Number of sources.
    n_freq : int
        Number of frequencies.
    n_starts : int
        How many there are at most: of one source there is one, of ``n_src`` no more than
        ``n_src + 1`` that differ.

    Returns
    -------
    ndarray of shape (n_starts, n_src, n_src, n_freq), complex
        Unitary matrices, the same in all frequencies.
    """
    n = np.arange(n_src)
    n_starts = 1 if n_src == 1 else min(n_starts, n_src + 1)
    bases = [np.eye(n_src, dtype=complex)]
    for s in range(n_starts - 1):
        turns = 2 * np.outer(n, n) + s * n * (n + n_src % 2)
        bases.append(np.exp(1j * np.pi / n_src * turns) / np.sqrt(n_src))
    return np.repeat(np.stack(bases)[..., None], n_freq, axis=-1)


def best(tables: Sequence[Table], W: Array, model: SourceModel, *, map: Map = map) -> Array:
    """Return the demixing matrices of the lowest cost.

    Parameters
    ----------
    tables : sequence of Table
        Packed blocks of the whitened mixture.
    W : ndarray of shape (n_starts, n_src, n_src, n_freq), complex
        Demixing matrices from several starts.
    model : SourceModel
        Whose cost decides.
    map : callable, optional
        How a function is mapped over the blocks.

    Returns
    -------
    ndarray of shape (n_src, n_src, n_freq), complex
        The first of those that cost the same.
    """
    which = np.argmin(fold(tables, W, model, map=map).cost) if len(W) > 1 else 0
    cheapest: Array = W[which]
    return cheapest


def spread(
    tables: Sequence[Table],
    length: int,
    coarse: Sequence[Table],
    W: Array,
    chosen: slice,
    n_freq: int,
    model: SourceModel,
    *,
    map: Map = map,
) -> Surrogate:
    """Return the cost of all frequencies, by when and in which bands sources speak in a comb.

    Parameters
    ----------
    tables : sequence of Table
        Packed blocks of the whitened mixture.
    length : int
        Frames of each but the last.
    coarse : sequence of Table
        The same frames, of the frequencies of the comb.
    W : ndarray of shape (n_src, n_src, n_comb), complex
        Demixing matrices of these.
    chosen : slice
        Which of all frequencies they are.
    n_freq : int
        Number of all.
    model : SourceModel
        The bands, over the comb.
    map : callable, optional
        How a function is mapped over the blocks, in their order.

    Returns
    -------
    Surrogate
        To start from ``W`` in the comb, and from the identity elsewhere.
    """
    edges = (*(chosen.step * edge for edge in model.edges[:-1]), n_freq)
    everywhere = replace(model, edges=edges)
    # The mixture is white: a row of unit norm has unit power.
    W = W / np.linalg.norm(W, axis=1, keepdims=True)
    energies = segment_energies(coarse, W, model, map=map)
    energies *= (np.diff(everywhere.edges) / np.diff(model.edges))[:, None, None]
    _, weights = everywhere.evaluate(energies)
    by_block = np.split(weights, range(length, weights.shape[1], length), axis=1)
    V = weighted_covariances(tables, by_block, everywhere.segments, map=map)
    start = identity(len(W), n_freq)
    start[..., chosen] = W
    return Surrogate(V, start)
