"""Iterative projection with adjustment, the exact update of AuxIVA-IPA."""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array, congruence, inner, matvec
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
    a = np.empty((len(others), W.shape[-1]))
    b = np.empty(a.shape, W.dtype)
    for i, m in enumerate(others):
        V_w = matvec(V[m], w_k)
        a[i] = matvec(W[k], V_w).real
        b[i] = matvec(W[m], V_w).conj()  # w_k^H V_m w_m

    # Of the inverse of T = W V_k W^H, U takes the block of the others.  The inverse of that is the
    # Schur complement of T_kk: S = U^(-1) and z come without inverting any matrix.
    T = congruence(W, V[k])
    t = T[others, k]
    z = 1 / T[k, k].real
    root_a = np.sqrt(a)
    schur = T[np.ix_(others, others)] - t[:, None] * (t.conj() * z)
    S = schur.conj() * (root_a[:, None] * root_a)
    mu, x = solve_secular(S, b / root_a - root_a * t.conj() * z, z)

    q = -mu / root_a * x - b / a
    u = np.empty_like(w_k)
    u[others] = root_a * x.conj()
    u[k] = z * (1 - inner(t, u[others]))
    u *= np.sqrt(mu)
    row = matvec(W.swapaxes(0, 1), u.conj())  # u^H W
    W[others] += q.conj()[:, None] * W[k]
    W[k] = row
