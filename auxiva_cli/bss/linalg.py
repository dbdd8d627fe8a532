"""Tiny-matrix algebra with the frequency axis last.

Separation needs thousands of matrices of two to eight rows, one per frequency.
A LAPACK call on each costs microseconds of overhead; here the entry ``(i, j)`` of
all of them is one contiguous vector, and every operation is elementwise
arithmetic over frequencies.  Matrices are ``(n_rows, n_cols, n_freq)``, vectors
``(n_rows, n_freq)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "apply",
    "congruence",
    "hermitian_transpose",
    "inner",
    "inverse",
    "log_abs_det",
    "matmul",
    "matvec",
    "pivots",
    "solve_hermitian",
]

Array = NDArray[Any]


def hermitian_transpose(A: Array) -> Array:
    """Return the conjugate transpose of matrices ``(n_rows, n_cols, n_freq)``."""
    return A.conj().swapaxes(0, 1)


def matmul(A: Array, B: Array) -> Array:
    """Multiply matrices ``(n, m, n_freq)`` and ``(m, p, n_freq)`` frequency by frequency."""
    product: Array = A[:, 0, None] * B[0]
    for j in range(1, len(B)):
        product += A[:, j, None] * B[j]
    return product


def matvec(A: Array, x: Array) -> Array:
    """Multiply matrices ``(..., n, m, n_freq)`` with vectors ``(m, n_freq)``."""
    product: Array = np.add.reduce(A * x, axis=-2)
    return product


def apply(A: Array, X: Array) -> Array:
    """Multiply matrices ``(n, m, n_freq)`` with the vectors of frames ``(n_frames, m, n_freq)``."""
    Y: Array = A[:, 0] * X[:, 0, None]
    for j in range(1, X.shape[1]):
        Y += A[:, j] * X[:, j, None]
    return Y


def inner(x: Array, y: Array) -> Array:
    """Return ``x^H y`` of vectors ``(n, n_freq)``, one number per frequency."""
    product: Array = np.add.reduce(x.conj() * y, axis=0)
    return product


def congruence(W: Array, A: Array) -> Array:
    """Return ``W A W^H`` of matrices ``(m, n, n_freq)`` and Hermitian ``(n, n, n_freq)``."""
    return _hermitian_product(matmul(W, A), W)


def _hermitian_product(A: Array, B: Array) -> Array:
    """Return ``A B^H``, known to be Hermitian, for half the work."""
    B_conj = B.conj()
    product = np.empty((len(A), len(A), A.shape[-1]), A.dtype)
    for i in range(len(A)):
        product[i, i:] = matvec(B_conj[i:], A[i])
        product[i + 1 :, i] = product[i, i + 1 :].conj()
    return product


def pivots(A: Array) -> Array:
    """Return what elimination without pivoting divides Hermitian matrices by.

    Parameters
    ----------
    A : ndarray of shape (n, n, n_freq)
        Hermitian matrices.

    Returns
    -------
    ndarray of shape (n, n_freq)
        The pivots.  Their product is the determinant, and all are positive exactly where the
        matrix is positive definite.
    """
    met = np.empty((len(A), A.shape[-1]))
    for p in range(len(A)):
        met[p] = A[0, 0].real
        A = A[1:, 1:] - A[1:, 0, None] * (A[0, 1:] * (1 / met[p]))
    return met


def inverse(W: Array) -> Array:
    """Invert square matrices ``(n, n, n_freq)``.

    As ``((W W^H)^(-1) W)^H``, where elimination needs no pivoting.
    """
    return hermitian_transpose(solve_hermitian(_hermitian_product(W, W), W))


def solve_hermitian(A: Array, B: Array) -> Array:
    """Solve ``A X = B`` by elimination without pivoting.

    Parameters
    ----------
    A : ndarray of shape (n, n, n_freq)
        Hermitian positive definite matrices.
    B : ndarray of shape (n, m, n_freq)
        Right-hand sides.

    Returns
    -------
    ndarray of shape (n, m, n_freq)
        The solutions ``X``.
    """
    n = len(A)
    system = np.concatenate([A, B], axis=1)
    for p in range(n - 1):
        factors = system[p + 1 :, p] * (1 / system[p, p].real)
        system[p + 1 :, p + 1 :] -= factors[:, None] * system[p, p + 1 :]
    X: Array = system[:, n:]
    for p in reversed(range(n)):
        X[p] *= 1 / system[p, p].real
        X[:p] -= system[:p, p, None] * X[p]
    return X


def log_abs_det(W: Array) -> Array:
    """Return ``log|det W|`` of square matrices ``(n, n, n_freq)``.

    Half the log-determinant of ``W W^H``, which is positive definite, so that
    elimination needs no pivoting.
    """
    total: Array = np.log(pivots(_hermitian_product(W, W))).sum(axis=0)
    return total / 2
