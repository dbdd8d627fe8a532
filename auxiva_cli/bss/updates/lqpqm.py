"""Log-quadratically penalised quadratic minimisation, the problem inside an IPA step.

A step minimises the surrogate over the row of source ``k`` and over how far each other row moves
along it.  Everything can be eliminated but one real number per frequency, ``λ``, the largest
root of a secular equation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from auxiva_cli.bss.linalg import Array, inner, inverse_hermitian, matvec

__all__ = ["solve_secular"]

MAX_STEPS = 60
# Of the largest eigenvalue: shorter vectors cannot be divided by their length.
NOTHING = 1e-100
# Of f/λ, which is how far the constraint that fixes the scale of the new row is missed.
TOLERANCE = 1e-10
# Of the norm of U, which is never below its largest eigenvalue, and equal to it for one row.
START = 1.1
# Of the norm of U: what orthogonalisation leaves of a direction that is not there.
BREAKDOWN = 1e-13


def solve_secular(U: Array, v: Array, s: Array) -> tuple[Array, Array]:
    """Find the largest root of the secular equation and the vector that belongs to it.

    With ``y(λ) = (λI − U)^(-1) v`` the equation is ``f(λ) = s + v^H y + λ‖y‖² − λ = 0``, which
    is the paper's ``λ² v^H U^(-1) (λI−U)^(-2) v − λ + z = 0`` for ``s = z + v^H U^(-1) v``,
    without the inverse of ``U``.

    Parameters
    ----------
    U : ndarray of shape (n, n, n_freq), complex
        Hermitian positive definite matrices.
    v : ndarray of shape (n, n_freq), complex
        Right-hand sides.
    s : ndarray of shape (n_freq,)
        Constant terms, positive.

    Returns
    -------
    root : ndarray of shape (n_freq,)
        The largest root ``λ``, never below the largest eigenvalue of ``U``.
    y : ndarray of shape (n, n_freq), complex
        ``(λI − U)^(-1) v``; in the degenerate case, where ``λ`` *is* that eigenvalue, completed
        along its eigenvector so that ``f(λ) = 0`` holds.

    Notes
    -----
    Only the Krylov space of ``v`` matters: Lanczos' method turns ``U`` into a real tridiagonal
    matrix once, after which a step of Newton's method is a short continued fraction.  Where a
    Krylov space is smaller than the whole, an eigenvalue of ``U`` outside of it may lie above
    the root that was found: it is then found again from the eigenvalues.

    References
    ----------
    R. Scheibler, "Independent vector analysis via log-quadratically penalized quadratic
    minimization", IEEE Trans. Signal Process., vol. 69, 2021, arXiv 2008.10048, section IV.
    """
    norm = np.sqrt(np.sum(U.real**2 + U.imag**2, axis=(0, 1)))
    krylov = _lanczos(U, v, norm)
    root, settled = _largest_root(krylov, s, norm)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # where it is doubtful
        y = matvec(krylov.basis, _solve_tridiagonal(krylov, root))
    doubtful = ~settled
    if krylov.is_partial.any():
        doubtful |= krylov.is_partial & ~_lies_above(root, U)
    for f in np.flatnonzero(doubtful):
        root[f], y[:, f] = _root_from_eigenvalues(U[..., f], v[:, f], s[f])
    return root, y


class _Krylov(NamedTuple):
    """``U`` in the orthonormal basis of the Krylov space of ``v``, where it is tridiagonal.

    Attributes
    ----------
    basis : ndarray of shape (n, n, n_freq), complex
        Columns; the first is ``v/‖v‖``, and those beyond the Krylov space are zero.
    length : ndarray of shape (n_freq,)
        ``‖v‖``.
    diagonal : ndarray of shape (n, n_freq)
        Diagonal of the tridiagonal matrix.
    beside : ndarray of shape (n, n_freq)
        Entries beside it, squared; the last is zero.
    is_partial : ndarray of shape (n_freq,), bool
        Whether the Krylov space is smaller than the whole.
    """

    basis: Array
    length: Array
    diagonal: Array
    beside: Array
    is_partial: Array


def _lanczos(U: Array, v: Array, norm: Array) -> _Krylov:
    """Tridiagonalise ``U``, starting with ``v``."""
    n, n_freq = v.shape
    basis = np.zeros((n, n, n_freq), complex)
    diagonal, beside = np.zeros((2, n, n_freq))
    is_partial = np.zeros(n_freq, bool)
    residual = v
    for j in range(n):
        squared = inner(residual, residual).real
        # v is measured against nothing: however short, it has a direction.
        gone = squared <= (BREAKDOWN * norm) ** 2 if j else squared < np.finfo(float).tiny
        is_partial |= gone
        size = np.sqrt(np.where(gone, 1.0, squared))
        column = np.where(gone, 0.0, residual / size)
        if j:
            beside[j - 1] = np.where(gone, 0.0, squared)
        else:
            length = np.sqrt(squared)
        basis[:, j] = column
        image = matvec(U, column)
        diagonal[j] = inner(column, image).real
        for i in range(j + 1):
            image -= inner(basis[:, i], image) * basis[:, i]
        residual = image
    return _Krylov(basis, length, diagonal, beside, is_partial)


def _largest_root(krylov: _Krylov, s: Array, norm: Array) -> tuple[Array, Array]:
    """Return the largest root, and where it is found to tolerance.

    Right of the largest eigenvalue, where all pivots are positive, ``p = f + λ`` falls from a
    double pole towards ``s``; Newton's method on ``p^(-1/2) − λ^(-1/2)``, which has no pole,
    takes two steps from ``s`` once the algorithm has settled, and few from anywhere.  Where a step
    leaves the bracket, that is halved.
    """
    low = np.maximum(s, krylov.diagonal.max(axis=0))
    # Right of twice the norm λ/(λ−φ) ≤ 2, hence f(λ) ≤ s + 3 v^H U^(-1) v − λ ≤ 4 s − λ.
    high = np.maximum(2 * norm, 4 * s)
    root = np.where(low > s, START * norm, s)
    settled = np.zeros(len(s), bool)
    active, lam = np.arange(len(s)), root
    length, diagonal, beside = krylov.length, krylov.diagonal, krylov.beside
    for _ in range(MAX_STEPS):
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            smallest_pivot, value, slope = _evaluate(length, diagonal, beside, s, lam)
            ratio = np.sqrt(lam / (value + lam))
            newton = lam - 2 * lam * (ratio - 1) / (1 - ratio**3 * (slope + 1))
        valid = smallest_pivot > 0
        done = valid & (np.abs(value) <= TOLERANCE * lam)
        root[active], settled[active] = lam, done
        if done.all():
            break
        right = valid & (value < 0)
        low, high = np.where(right, low, lam), np.where(right, lam, high)
        inside = valid & (newton > low) & (newton < high)
        lam = np.where(done, lam, np.where(inside, newton, (low + high) / 2))
        if np.count_nonzero(done) > len(done) / 2:
            keep = ~done
            active, length, s = active[keep], length[keep], s[keep]
            diagonal, beside = diagonal[:, keep], beside[:, keep]
            lam, low, high = lam[keep], low[keep], high[keep]
    return root, settled


def _evaluate(
    length: Array, diagonal: Array, beside: Array, s: Array, lam: Array
) -> tuple[Array, Array, Array]:
    """Return the smallest pivot of ``λI − T``, ``f`` and ``f'``.

    The pivot of the first row is the continued fraction ``λ − t_1 − e_1²/(λ − t_2 − e_2²/…)``;
    ``v^H y`` is ``‖v‖²`` over it, and ``−‖y‖²`` the derivative of that.
    """
    pivot = lam - diagonal[-1]
    smallest = pivot
    first, second = np.ones_like(lam), np.zeros_like(lam)  # derivatives of the pivot
    for i in range(len(diagonal) - 2, -1, -1):
        ratio = beside[i] / pivot
        second = ratio / pivot * (second - 2 * first * first / pivot)
        first = 1 + ratio / pivot * first
        pivot = lam - diagonal[i] - ratio
        smallest = np.minimum(smallest, pivot)
    first = first / pivot
    g = length**2 / pivot
    value = s + g * (1 + lam * first) - lam
    slope = -g * lam * (2 * first * first - second / pivot) - 1
    return smallest, value, slope


def _solve_tridiagonal(krylov: _Krylov, root: Array) -> Array:
    """Return ``‖v‖ (λI − T)^(-1) e_1``, shape (n, n_freq)."""
    n = len(krylov.diagonal)
    pivots = root - krylov.diagonal
    for i in range(n - 2, -1, -1):
        pivots[i] -= krylov.beside[i] / pivots[i + 1]
    y = np.empty_like(pivots)
    y[0] = krylov.length / pivots[0]
    for i in range(1, n):
        y[i] = np.sqrt(krylov.beside[i - 1]) / pivots[i] * y[i - 1]
    return y


def _lies_above(root: Array, U: Array) -> Array:
    """Tell where a root lies right of the largest eigenvalue, shape (n_freq,)."""
    shifted = -U
    diagonal = np.arange(len(U))
    shifted[diagonal, diagonal] += root
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        _, smallest_pivot = inverse_hermitian(shifted)
    above: Array = smallest_pivot > 0
    return above


def _root_from_eigenvalues(U: Array, v: Array, s: float) -> tuple[float, Array]:
    """Solve one frequency in which the root is hard to tell from the top eigenvalue of ``U``.

    The unknown is how far the root lies right of it.  In the degenerate case, without a part
    of ``v`` along the top eigenvector, that is nothing, and the part of ``y`` along the
    eigenvector is free: the equation fixes its length.
    """
    eigenvalues, E = np.linalg.eigh(U)
    top = eigenvalues[-1]
    gaps = top - eigenvalues
    coordinates = E.conj().T @ v
    coordinates[np.abs(coordinates) < NOTHING * top] = 0
    distance = float(np.max(np.abs(coordinates) - gaps))  # f is not negative here
    if distance <= 0:
        y = np.divide(coordinates, gaps, out=np.zeros_like(v), where=gaps > 0)
        missing = top - s - np.vdot(coordinates, y).real - top * np.vdot(y, y).real
        if missing >= 0:
            y[-1] = np.sqrt(missing / top)
            return top, E @ y
        distance = 0.0
    for _ in range(MAX_STEPS):
        y = np.divide(coordinates, gaps + distance, out=np.zeros_like(v), where=coordinates != 0)
        root = top + distance
        value = s + np.vdot(coordinates, y).real + root * (np.vdot(y, y).real - 1)
        if abs(value) <= TOLERANCE * root:
            break
        curvature = np.divide(np.abs(y) ** 2, gaps + distance, out=np.zeros(len(v)), where=y != 0)
        distance += value / (2 * root * curvature.sum() + 1)
    return root, E @ y
