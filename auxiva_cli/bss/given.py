"""Separation by given activities: it is known when each source speaks.

With the variances known the weights are too, and what is left of the surrogate is the cost itself:
``J(W) = Σ_f (Σ_k w_k^H V_k w_k − 2 log|det W|)`` with ``V_kf = mean_t x x^H / g_k[t]``, one fold
for any number of updates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from auxiva_cli.bss.auxiva import Iteration, StageTrace, UpdateRule, descend
from auxiva_cli.bss.fold import Map, Statistics, Table, weighted_covariances
from auxiva_cli.bss.linalg import Array, congruence, log_abs_det

__all__ = ["demix_by_activities", "surrogate"]


def demix_by_activities(
    tables: Iterable[Table],
    activities: Sequence[Array],
    update: UpdateRule,
    *,
    name: str,
    max_iter: int,
    tol: float,
    report: Callable[[Iteration, Array], None],
    map: Map = map,
) -> tuple[Array, StageTrace]:
    """Separate sources of which it is known when they speak.

    Parameters
    ----------
    tables : iterable of Table
        Packed blocks of the whitened mixture.
    activities : sequence of ndarray of shape (n_frames, n_src)
        The power of each source in each frame of each block, positive, up to a factor.
    update : callable
        The update rule.
    name, max_iter, tol
        As of a ``Stage``.
    report : callable
        Called with an ``Iteration`` and the matrices whenever the cost is known.
    map : callable, optional
        How the fold is mapped over the blocks, in their order.

    Returns
    -------
    W : ndarray of shape (n_src, n_src, n_freq), complex
        The demixing matrices of the whitened mixture, in the order of the activities.
    trace : StageTrace
        The cost ``Σ_f (Σ_k w_k^H V_k w_k − 2 log|det W|)``, the activities at unit mean.
    """
    mean = np.concatenate(list(activities)).mean(axis=0)
    weights = [(mean / each)[None] for each in activities]
    V = weighted_covariances(tables, weights, [slice(None)], map=map)
    return descend(
        np.repeat(np.eye(len(V), dtype=complex)[..., None], V.shape[-1], axis=-1),
        lambda W: surrogate(W, V),
        update,
        name=name,
        max_iter=max_iter,
        tol=tol,
        report=report,
    )


def surrogate(W: Array, V: Array) -> Statistics:
    """Return the cost ``Σ_f (Σ_k w_k^H V_k w_k − 2 log|det W|)`` of weights that are fixed."""
    powers = [congruence(W[k, None], V[k]).real.sum() for k in range(len(W))]
    return Statistics(V, sum(powers) - 2 * log_abs_det(W).sum())
