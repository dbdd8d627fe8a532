"""Repair of swaps: blocks of frequencies in which the order of the sources is the wrong one.

An update moves one frequency at a time towards the others, so that a wide block whose sources are
swapped holds itself in place; only swapping the block as a whole gets out of that minimum.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from auxiva_cli.bss.fold import Map, Table, segment_energies
from auxiva_cli.bss.linalg import Array
from auxiva_cli.bss.source_models import FLOOR, SourceModel

__all__ = ["repair"]

MAX_SWEEPS = 5
# Of the cost of a clique's frequency; less is rounding.
LEAST_FALL = 1e-9


def repair(tables: Iterable[Table], W: Array, model: SourceModel, *, map: Map = map) -> Array:
    """Swap sources in blocks of frequencies wherever that lowers the cost.

    Two kinds of block are tried, segment by segment: the segment alone, and all from there up,
    since one break in the order displaces everything above it.  Activities are brought to unit
    power first, which is about where the next updates would bring the scale of each frequency.

    Parameters
    ----------
    tables : iterable of Table
        Packed blocks of the whitened mixture.
    W : ndarray of shape (..., n_src, n_src, n_freq), complex
        Demixing matrices, one set or several.
    model : SourceModel
        Whose cost decides: cliques of several segments, which are what is swapped.
    map : callable, optional
        How a function is mapped over the blocks, in their order.

    Returns
    -------
    ndarray of shape (..., n_src, n_src, n_freq), complex
        The demixing matrices with their rows in the new order.
    """
    sets = W.reshape(-1, *W.shape[-3:])
    energies = segment_energies(tables, W.reshape(-1, *W.shape[-2:]), model, map=map)
    repaired = sets.copy()
    for one, new, own in zip(sets, repaired, np.split(energies, len(sets), -1), strict=True):
        for bins, sources in zip(model.segments, unswap(own, model), strict=True):
            new[:, :, bins] = one[sources, :, bins]
    return repaired.reshape(W.shape)


def unswap(energies: Array, model: SourceModel) -> Array:
    """Find the order of the sources in each segment.

    Parameters
    ----------
    energies : ndarray of shape (n_segments, n_frames, n_src)
        ``Σ_f |y_kf[t]|²`` over the frequencies of each segment.
    model : SourceModel
        Whose cost decides.

    Returns
    -------
    ndarray of shape (n_segments, n_src), int
        The source that belongs at each place.
    """
    n_segments, _, n_src = energies.shape
    power = energies.mean(axis=1, keepdims=True) + np.finfo(energies.dtype).tiny
    energies = (energies / power + FLOOR) * np.diff(model.edges)[:, None, None]
    order = np.tile(np.arange(n_src), (n_segments, 1))
    for _ in range(MAX_SWEEPS):
        swapped = False
        for first in range(n_segments):
            for block in (slice(first, first + 1), slice(first, n_segments)):
                while (pair := _best_swap(energies, block, model)) is not None:
                    for array in (energies[block], order[block, None]):
                        array[..., pair] = array[..., pair[::-1]]
                    swapped = True
        if not swapped:
            break
    return order


def _best_swap(energies: Array, block: slice, model: SourceModel) -> list[int] | None:
    """Return the two sources whose swap in a block of segments lowers the cost most, if any."""
    inside = np.zeros(len(energies), bool)
    inside[block] = True
    across = model.cliques[:, inside].any(axis=1) & model.cliques[:, ~inside].any(axis=1)
    if not across.any():
        return None
    cliques, n = model.cliques[across], model.sizes[across, None, None, None]
    members = cliques.any(axis=0)  # few segments, of the others nothing is needed
    kept, moved = (
        np.tensordot(cliques[:, some], energies[some], axes=1)
        for some in (members & ~inside, members & inside)
    )
    # Entry (i, j): the activities of source j in the block joined to those of source i outside.
    joined = model.contrast.value(kept[..., :, None] + moved[..., None, :], n)
    costs = joined.mean(axis=1).sum(axis=0)
    unmoved = np.diag(costs)
    falls = unmoved[:, None] + unmoved - costs - costs.T
    i, j = np.unravel_index(falls.argmax(), falls.shape)
    return [int(i), int(j)] if falls[i, j] > LEAST_FALL * n.sum() else None
