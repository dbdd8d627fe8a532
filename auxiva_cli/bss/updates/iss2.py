"""Iterative source steering along two sources at a time."""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array, hermitian_transpose, matmul, matvec, solve_hermitian
from auxiva_cli.bss.updates.iss import iss
from auxiva_cli.bss.updates.pair import contrasting, neighbours, with_power_one

__all__ = ["iss2"]


def iss2(W: Array, V: Array) -> Array:
    """Sweep once over pairs of sources with pairwise iterative source steering.

    The step for sources ``k`` and ``m`` moves every other row along their two, and replaces
    these by combinations of themselves; it is the global minimum of the surrogate over all of
    that.

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

    References
    ----------
    R. Ikeshita, T. Nakatani, "ISS2: an extension of iterative source steering algorithm for
    majorization-minimization-based independent vector analysis", EUSIPCO 2022.
    """
    if len(W) == 1:
        return iss(W, V)
    W = W.copy()
    for k, m in neighbours(len(W)):
        _step(W, V, [k, m])
    return W


def _step(W: Array, V: Array, pair: list[int]) -> None:
    """Steer all rows along those of a pair, in place."""
    k, m = pair
    rows = W[pair]
    rows_h = hermitian_transpose(rows)

    def seen(j: int) -> Array:
        """Return the covariance that source j gives to the outputs of the pair, (2, 2, n_freq)."""
        return matmul(matmul(rows, V[j]), rows_h)

    for j in range(len(W)):
        if j not in pair:
            cross = matmul(rows, matvec(V[j], W[j].conj())[:, None])
            v = solve_hermitian(seen(j), cross)[:, 0]
            W[j] -= matvec(rows.swapaxes(0, 1), v.conj())
    V_k, V_m = seen(k), seen(m)
    most, least = contrasting(V_k, V_m)
    p = np.stack([with_power_one(least, V_k), with_power_one(most, V_m)])
    W[pair] = matmul(p.conj(), rows)
