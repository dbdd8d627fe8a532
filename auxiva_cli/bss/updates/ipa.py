"""Iterative projection with adjustment, the exact update of AuxIVA-IPA."""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import (
    Array,
    hermitian_transpose,
    inner,
    inverse_hermitian,
    matmul,
    matvec,
)
from auxiva_cli.bss.updates.lqpqm import solve_secular

__all__ = ["ipa"]


def ipa(W: Array, V: Array) -> Array:
    """Sweep once over the sources with iterative projection with adjustment.

    The step for source ``k`` replaces the row ``w_k^H`` and moves every other row along the
    old one, ``w_m^H + q_m^* w_k^H``; it is the global minimum of the surrogate over all of these
    together, so the cost never rises and there is no step size.

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

    References
    ----------
    R. Scheibler, "Independent vector analysis via log-quadratically penalized quadratic
    minimization", IEEE Trans. Signal Process., vol. 69, 2021, arXiv 2008.10048.
    """
    W = W.copy()
    if len(W) == 1:
        W /= np.sqrt(inner(W[0].conj(), matvec(V[0], W[0].conj())).real)
        return W
    for k in range(len(W)):
        _step(W, V, k)
    return W


def _step(W: Array, V: Array, k: int) -> None:
    """Update source ``k`` and adjust the others, in place."""
    others = [m for m in range(len(W)) if m != k]
    w_k = W[k].conj()  # (n_src, n_freq)

    B, _ = inverse_hermitian(matmul(matmul(W, V[k]), hermitian_transpose(W)))
    a = np.empty((len(others), W.shape[-1]))
    b = np.empty(a.shape, W.dtype)
    for i, m in enumerate(others):
        V_w = matvec(V[m], w_k)
        a[i] = inner(w_k, V_w).real
        b[i] = inner(V_w, W[m].conj())  # w_k^H V_m w_m

    # The quadratic in q in the coordinates in which its own matrix is the identity.
    d = 1 / np.sqrt(a)
    U = B[np.ix_(others, others)].conj() * (d[:, None] * d)
    g = B[others, k].conj() * d
    Db = d * b
    UDb = matvec(U, Db)
    s = B[k, k].real + inner(Db, UDb + 2 * g).real
    root, y = solve_secular(U, -UDb - g, s)

    q = d * y - b / a
    u = B[:, k] - matvec(B[:, others], q.conj())
    u /= np.sqrt(root)
    row = matvec(W.swapaxes(0, 1), u.conj())  # u^H W
    W[others] += q.conj()[:, None] * W[k]
    W[k] = row
