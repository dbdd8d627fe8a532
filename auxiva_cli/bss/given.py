"""Separation by given weights: it is known when each source speaks.

With the variances known the weights are too, and what is left of the surrogate is the cost itself:
``J(W) = Σ_f (Σ_k w_k^H V_k w_k − 2 log|det W|)`` with ``V_kf = mean_t φ_kf[t] x x^H``, one fold
for any number of updates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from auxiva_cli.bss.auxiva import Iteration, StageTrace, UpdateRule, descend
from auxiva_cli.bss.fold import Map, Statistics, Table, weighted_covariances
from auxiva_cli.bss.linalg import Array, congruence, log_abs_det

__all__ = ["Surrogate", "by_activities", "identity"]


@dataclass(frozen=True)
class Surrogate:
    """The cost of weights that are fixed.

    Attributes
    ----------
    V : ndarray of shape (n_src, n_src, n_src, n_freq), complex
        Weighted covariances of the whitened mixture.
    start : ndarray of shape (n_src, n_src, n_freq), complex
        Demixing matrices to start from.
    """

    V: Array
    start: Array

    def statistics(self, W: Array) -> Statistics:
        """Return the cost ``Σ_f (Σ_k w_k^H V_k w_k − 2 log|det W|)``, and ``V``."""
        powers = [congruence(W[k, None], self.V[k]).real.sum() for k in range(len(W))]
        return Statistics(self.V, sum(powers) - 2 * log_abs_det(W).sum())

    def placed(self, W: Array) -> Array:
        """Return matrices of all frequencies, of which ``W`` are those of the surrogate."""
        return W

    def minimise(
        self,
        update: UpdateRule,
        *,
        name: str,
        max_iter: int,
        tol: float,
        report: Callable[[Iteration, Array], None],
    ) -> tuple[Array, StageTrace]:
        """Update until the cost has settled, or iterations have run out.

        Parameters
        ----------
        update : callable
            The update rule.
        name, max_iter, tol
            As of a ``Stage``.
        report : callable
            Called with an ``Iteration`` and the matrices of all frequencies whenever the cost is
            known.

        Returns
        -------
        W : ndarray of shape (n_src, n_src, n_freq), complex
            The last demixing matrices, of all frequencies.
        trace : StageTrace
            How the cost went.
        """
        W, trace = descend(
            self.start,
            self.statistics,
            update,
            name=name,
            max_iter=max_iter,
            tol=tol,
            report=lambda iteration, W: report(iteration, self.placed(W)),
        )
        return self.placed(W), trace


def by_activities(
    tables: Iterable[Table], activities: Sequence[Array], *, map: Map = map
) -> Surrogate:
    """Return the cost of sources of which it is known when they speak, ``φ_k[t] = 1 / g_k[t]``.

    Parameters
    ----------
    tables : iterable of Table
        Packed blocks of the whitened mixture.
    activities : sequence of ndarray of shape (n_frames, n_src)
        The power of each source in each frame of each block, positive, up to a factor.
    map : callable, optional
        How the fold is mapped over the blocks, in their order.

    Returns
    -------
    Surrogate
        The sources in the order of the activities, which are brought to unit mean; to start from
        the identity.
    """
    mean = np.concatenate(list(activities)).mean(axis=0)
    weights = [(mean / each)[None] for each in activities]
    V = weighted_covariances(tables, weights, [slice(None)], map=map)
    return Surrogate(V, identity(len(V), V.shape[-1]))


def identity(n_src: int, n_freq: int) -> Array:
    """Return identity matrices (n_src, n_src, n_freq)."""
    return np.repeat(np.eye(n_src, dtype=complex)[..., None], n_freq, axis=-1)
