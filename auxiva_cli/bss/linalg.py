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
    "hermitian_transpose",
    "inner",
    "inverse",
    "inverse_hermitian",
    "log_abs_det",
    "matmul",
    "matvec",
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
    product: Array = A[..., 0, :] * x[0]
    for j in range(1, len(x)):
        product += A[..., j, :] * x[j]
    return product


def inner(x: Array, y: Array) -> Array:
    """Return ``x^H y`` of vectors ``(n, n_freq)``, one number per frequency."""
    product: Array = x[0].conj() * y[0]
    for j in range(1, len(x)):
        product += x[j].conj() * y[j]
    return product


def inverse_hermitian(A: Array) -> tuple[Array, Array]:
    """Invert Hermitian matrices by Gauss-Jordan elimination without pivoting.

    Parameters
    ----------
    A : ndarray of shape (n, n, n_freq)
        Hermitian matrices.

    Returns
    -------
    inverse : ndarray of shape (n, n, n_freq)
        Their inverses, accurate where the matrix is positive definite (there elimination on
        the diagonal is stable).
    smallest_pivot : ndarray of shape (n_freq,)
        The smallest pivot met; it is positive exactly where the matrix is positive definite.
    """
    inverse = A.copy()
    smallest_pivot = np.full(A.shape[-1], np.inf)
    for p in range(len(A)):
        pivot = inverse[p, p].real.copy()
        np.minimum(smallest_pivot, pivot, out=smallest_pivot)
        column = inverse[:, p].copy()
        row = inverse[p] / pivot
        inverse -= column[:, None] * row
        inverse[p] = row
        inverse[:, p] = -column / pivot
        inverse[p, p] = 1 / pivot
    return inverse, smallest_pivot


def inverse(W: Array) -> Array:
    """Invert square matrices ``(n, n, n_freq)``.

    As ``W^H (W W^H)^(-1)``, where elimination needs no pivoting.
    """
    W_h = hermitian_transpose(W)
    gram_inverse, _ = inverse_hermitian(matmul(W, W_h))
    return matmul(W_h, gram_inverse)


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
        factors = system[p + 1 :, p] / system[p, p].real
        system[p + 1 :, p + 1 :] -= factors[:, None] * system[p, p + 1 :]
    X: Array = system[:, n:]
    for p in reversed(range(n)):
        X[p] /= system[p, p].real
        X[:p] -= system[:p, p, None] * X[p]
    return X


def log_abs_det(W: Array) -> Array:
    """Return ``log|det W|`` of square matrices ``(n, n, n_freq)``.

    Half the log-determinant of ``W W^H``, which is positive definite, so that
    elimination needs no pivoting.
    """
    gram = matmul(W, hermitian_transpose(W))
    total = np.zeros(W.shape[-1])
    for p in range(len(gram)):
        pivot = gram[p, p].real
        total += np.log(pivot)
        gram = gram[:, :] - gram[:, p, None] * (gram[p] / pivot)
    return total / 2
