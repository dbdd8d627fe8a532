"""Pairwise iterative projection."""

from __future__ import annotations

from auxiva_cli.bss.linalg import (
    Array,
    hermitian_transpose,
    inverse,
    matmul,
    matvec,
    solve_hermitian,
)
from auxiva_cli.bss.updates.ip import ip
from auxiva_cli.bss.updates.pair import contrasting, neighbours, with_power_one

__all__ = ["ip2"]


def ip2(W: Array, V: Array) -> Array:
    """Sweep once over pairs of sources with pairwise iterative projection.

    The step for sources ``k`` and ``m`` replaces their two rows by the global minimum of the
    surrogate over both.  For two sources that is the minimum over everything.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_src, n_freq), complex
        Demixing matrices, rows ``w_k^H``, invertible.
    V : ndarray of shape (n_src, n_src, n_src, n_freq), complex
        Weighted covariances, one Hermitian positive definite matrix per source and frequency.

    Returns
    -------
    ndarray of shape (n_src, n_src, n_freq), complex
        The demixing matrices after one step for each pair of neighbours.

    Notes
    -----
    The new filters of ``j = k, m`` lie in the span of ``P_j = V_j^(-1) [a_k a_m]``, columns of
    ``A = W^(-1)``, and within it are eigenvectors of ``H_k h = λ H_m h`` with
    ``H_j = P_j^H V_j P_j``; ``k`` takes the larger ``λ``, to which ``|det W|²`` is proportional.

    References
    ----------
    N. Ono, "Fast stereo independent vector analysis and its implementation on mobile phone",
    IWAENC 2012.
    """
    if len(W) == 1:
        return ip(W, V)
    W, A = W.copy(), inverse(W)
    for k, m in neighbours(len(W)):
        _step(W, A, V, [k, m])
    return W


def _step(W: Array, A: Array, V: Array, pair: list[int]) -> None:
    """Update the rows of a pair, and the inverse of ``W`` with them, in place."""
    k, m = pair
    columns = A[:, pair]
    P_k, P_m = solve_hermitian(V[k], columns), solve_hermitian(V[m], columns)
    columns_h = hermitian_transpose(columns)
    H_k, H_m = matmul(columns_h, P_k), matmul(columns_h, P_m)
    most, least = contrasting(H_k, H_m)
    W[k] = matvec(P_k, with_power_one(most, H_k)).conj()
    W[m] = matvec(P_m, with_power_one(least, H_m)).conj()

    gains = matmul(W[pair], A)  # rows k and m of W A, which are to become those of the identity
    A[:, pair] = matmul(columns, _inverse_2x2(gains[:, pair]))
    gains[:, pair] = 0
    A -= matmul(A[:, pair], gains)


def _inverse_2x2(M: Array) -> Array:
    """Invert matrices (2, 2, n_freq)."""
    adjugate = M[::-1, ::-1].swapaxes(0, 1).copy()
    adjugate[[0, 1], [1, 0]] *= -1
    inverted: Array = adjugate / (M[0, 0] * M[1, 1] - M[0, 1] * M[1, 0])
    return inverted
