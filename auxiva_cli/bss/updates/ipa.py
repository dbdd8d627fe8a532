"""Iterative projection with adjustment, the exact update of AuxIVA-IPA."""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array, congruence, inner, matvec
from auxiva_cli.bss.updates.lqpqm import solve_lqpqm

__all__ = ["ipa", "ipa_step"]


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
        ipa_step(W, V, k)
    return W


def ipa_step(W: Array, V: Array, k: int) -> None:
    """Update source ``k`` and adjust the others, in place.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_src, n_freq), complex
        Demixing matrices of at least two sources, which are changed.
    V : ndarray of shape (n_src, n_src, n_src, n_freq), complex
        Weighted covariances.
    k : int
        The source, from 0.
    """
    others = [m for m in range(len(W)) if m != k]
    w_k = W[k].conj()  # (n_src, n_freq)
    a = np.empty((len(others), W.shape[-1]))
    b = np.empty(a.shape, W.dtype)
    for i, m in enumerate(others):
        V_w = matvec(V[m], w_k)
        a[i] = matvec(W[k], V_w).real
        b[i] = matvec(W[m], V_w).conj()  # w_k^H V_m w_m

    # With q = D p − b/a, D = diag(a)^(-1/2), this is the paper's problem in p.  With the others'
    # rows scaled by D^(-1), its U is the conjugate of their block of the inverse of T, and U^(-1) a
    # Schur complement: neither that, nor U^(-1) v, nor z takes an inverse of a matrix.
    scale = np.sqrt(a)
    d = 1 / scale
    d_b = d * b
    rows = W[[*others, k]]
    rows[:-1] *= scale[:, None]
    T = congruence(rows, V[k])
    t, z = T[:-1, -1], 1 / T[-1, -1].real
    U_inv = (T[:-1, :-1] - t[:, None] * (z * t.conj())).conj()
    p, root = solve_lqpqm(U_inv, z * t.conj() - d_b, z)

    q = d * (p - d_b)
    for m, q_m in zip(others, q.conj(), strict=True):
        W[m] += q_m * W[k]
    u = np.concatenate([-p, [z * (1 / root + matvec(t, p))]])  # (n_src, n_freq), conjugate
    W[k] = matvec(rows.swapaxes(0, 1), np.sqrt(root) * u)
