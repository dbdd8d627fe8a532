"""Separation by given activities: somebody else knows when each source speaks.

With the variances known the weights are too, and what is left of the surrogate is the cost itself:
``J(W) = Σ_f (Σ_k w_k^H V_k w_k − 2 log|det W|)`` with ``V_kf = mean_t x x^H / g_k[t]``, one fold
for any number of updates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auxiva_cli.bss.auxiva import UpdateRule
from auxiva_cli.bss.fold import Map, Table, weighted_covariances
from auxiva_cli.bss.linalg import Array, inner, log_abs_det, matvec

__all__ = ["demix_by_activities"]

# Of the activity of a source that speaks: what is left of it in the room, and of the others when
# the times are not exact.
SILENCE = 0.1


def demix_by_activities(
    tables: Sequence[Table],
    activities: Sequence[Array],
    update: UpdateRule,
    *,
    max_iter: int,
    map: Map = map,
) -> tuple[Array, tuple[float, ...]]:
    """Separate sources of which it is known when they speak.

    Parameters
    ----------
    tables : sequence of Table
        Packed blocks of the whitened mixture.
    activities : sequence of ndarray of shape (n_frames, n_src)
        For each frame of each block 1 where a source speaks and 0 where it is silent, or a power in
        between.  Each source speaks somewhere.
    update : callable
        The update rule, ``(W, V) → W``.
    max_iter : int
        Number of updates.
    map : callable, optional
        How the fold is mapped over the blocks, in their order.

    Returns
    -------
    W : ndarray of shape (n_src, n_src, n_freq), complex
        The demixing matrices of the whitened mixture, in the order of the activities.
    costs : tuple of float
        The cost at the start and after each update.
    """
    floored = [each + SILENCE for each in activities]
    mean = np.concatenate(floored).mean(axis=0)
    weights = [(mean / each)[None] for each in floored]
    V = weighted_covariances(tables, weights, [slice(None)], map=map)
    n_src, n_freq = len(V), V.shape[-1]
    W = np.repeat(np.eye(n_src, dtype=complex)[..., None], n_freq, axis=-1)
    costs = [_cost(W, V)]
    for _ in range(max_iter):
        W = update(W, V)
        costs.append(_cost(W, V))
    return W, tuple(costs)


def _cost(W: Array, V: Array) -> float:
    """Return ``Σ_f (Σ_k w_k^H V_k w_k − 2 log|det W|)``."""
    rows = W.conj()
    quadratic = sum(
        float(inner(w, matvec(V_k, w)).real.sum()) for w, V_k in zip(rows, V, strict=True)
    )
    return quadratic - 2 * float(log_abs_det(W).sum())
