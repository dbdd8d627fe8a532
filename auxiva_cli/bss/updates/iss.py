"""Iterative source steering: AuxIVA without a matrix inverse."""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array, matvec

__all__ = ["iss"]


def iss(W: Array, V: Array) -> Array:
    """Sweep once over the sources with iterative source steering.

    The step for source ``k`` moves every row along one, ``w_m^H − v_m w_k^H``, and takes the
    global minimum of the surrogate over all ``v_m``; for the row itself that is a new scale.

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
    R. Scheibler, N. Ono, "Fast and stable blind source separation with rank-1 updates",
    ICASSP 2020.
    """
    W = W.copy()
    for k in range(len(W)):
        w_k = W[k].conj()
        V_w = matvec(V, w_k)  # (n_src, n_src, n_freq)
        powers = (w_k.conj() * V_w).sum(axis=1).real  # w_k^H V_m w_k
        v = (W * V_w).sum(axis=1) * (1 / powers)
        v[k] = 1 - 1 / np.sqrt(powers[k])
        W -= v[:, None] * w_k.conj()
    return W
