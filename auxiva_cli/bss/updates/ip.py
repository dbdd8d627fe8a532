"""Iterative projection, the update of AuxIVA."""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array, inner, inverse, matvec, solve_hermitian

__all__ = ["ip"]


def ip(W: Array, V: Array) -> Array:
    """Sweep once over the sources with iterative projection.

    The step for source ``k`` replaces the row ``w_k^H`` by the global minimum of the surrogate
    over this row alone, ``w_k ∝ (W V_k)^(-1) e_k`` with ``w_k^H V_k w_k = 1``.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_src, n_freq), complex
        Demixing matrices, rows ``w_k^H``, invertible.
    V : ndarray of shape (n_src, n_src, n_src, n_freq), complex
        Weighted covariances, one Hermitian positive definite matrix per source and frequency.

    Returns
    -------
    ndarray of shape (n_src, n_src, n_freq), complex
        The demixing matrices after one step for each source.

    Notes
    -----
    ``(W V_k)^(-1) e_k = V_k^(-1) a_k`` with the column ``a_k`` of ``A = W^(-1)``, which follows a
    new row by a change of rank one: a step takes one Hermitian solve and no inverse.

    References
    ----------
    N. Ono, "Stable and fast update rules for independent vector analysis based on auxiliary
    function technique", WASPAA 2011.
    """
    W, A = W.copy(), inverse(W)
    for k in range(len(W)):
        w_k = solve_hermitian(V[k], A[:, k, None])[:, 0]
        w_k *= 1 / np.sqrt(inner(A[:, k], w_k).real)
        W[k] = w_k.conj()
        gains = matvec(A.swapaxes(0, 1), W[k])  # w_k^H A, which is to become e_k^H
        A[:, k] /= gains[k]
        gains[k] = 0
        A -= A[:, k, None] * gains
    return W
