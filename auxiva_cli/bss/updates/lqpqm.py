"""Log-quadratically penalised quadratic minimisation, the problem inside an IPA step.

A step minimises the surrogate over the row of source ``k`` and over how far each other row moves
along it.  Everything can be eliminated but one real number per frequency, the largest root ``λ``
of a secular equation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from auxiva_cli.bss.linalg import Array, inner, matvec, pivots

__all__ = ["solve_secular"]

MAX_STEPS = 60
# Of the largest eigenvalue: shorter vectors cannot be divided by their length.
NOTHING = 1e-100
# Of f/λ, which is how far the constraint that fixes the scale of the new row is missed.
TOLERANCE = 1e-10
# Of f/λ: beyond, the point that we are at is no start for where to go.
FAR = 0.1
N_POLISH = 2
EPS, SMALLEST = float(np.finfo(float).eps), float(np.finfo(float).tiny)
# Of the trace of S: what orthogonalisation leaves of a direction that is not there.
BREAKDOWN = 1e-13


def solve_secular(S: Array, h: Array, z: Array) -> tuple[Array, Array]:
    """Find the largest root of the secular equation and the vector that belongs to it.

    The paper's equation ``λ² v^H U^(-1) (λI − U)^(-2) v − λ + z = 0`` in terms of the inverses
    ``S = U^(-1)``, ``μ = 1/λ``, with ``h = −S v``: ``p(μ) = z + x^H S x = 1/μ``, where
    ``x = (S − μI)^(-1) h`` is ``−λ`` times the paper's ``(λI − U)^(-1) v``.

    Parameters
    ----------
    S : ndarray of shape (n, n, n_freq), complex
        Hermitian positive definite matrices.
    h : ndarray of shape (n, n_freq), complex
        Right-hand sides.
    z : ndarray of shape (n_freq,)
        Constant terms, positive.

    Returns
    -------
    mu : ndarray of shape (n_freq,)
        ``μ``, one over the largest root; never above the smallest eigenvalue of ``S``.
    x : ndarray of shape (n, n_freq), complex
        ``(S − μI)^(-1) h``; in the degenerate case, where ``μ`` *is* that eigenvalue, completed
        along its eigenvector so that the equation holds.

    Notes
    -----
    Only the Krylov space of ``h`` matters: Lanczos' method turns ``S`` into a real tridiagonal
    matrix once, after which a step of Newton's method is a short continued fraction.  Where a
    Krylov space is smaller than the whole, an eigenvalue of ``S`` outside of it may lie below
    what was found: it is then found again from the eigenvalues.

    References
    ----------
    R. Scheibler, "Independent vector analysis via log-quadratically penalized quadratic
    minimization", IEEE Trans. Signal Process., vol. 69, 2021, arXiv 2008.10048, section IV.
    """
    krylov = _lanczos(S, h)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # where it is doubtful
        mu, settled = _largest_root(krylov, z)
        x = matvec(krylov.basis, _solve_tridiagonal(krylov, mu))
        doubtful = ~settled
        if krylov.is_partial.any():
            doubtful |= krylov.is_partial & ~_lies_below(mu, S)
    for f in np.flatnonzero(doubtful):
        mu[f], x[:, f] = _solve_by_eigenvalues(S[..., f], h[:, f], z[f])
    return mu, x


class _Krylov(NamedTuple):
    """``S`` in the orthonormal basis of the Krylov space of ``h``, where it is tridiagonal.

    Attributes
    ----------
    basis : ndarray of shape (n, n, n_freq), complex
        Columns; the first is ``h/‖h‖``, and those beyond the Krylov space are zero.
    length : ndarray of shape (n_freq,)
        ``‖h‖``.
    diagonal : ndarray of shape (n, n_freq)
        Diagonal of the tridiagonal matrix; the trace of ``S`` beyond the Krylov space.
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


def _lanczos(S: Array, h: Array) -> _Krylov:
    """Tridiagonalise ``S``, starting with ``h``."""
    n, n_freq = h.shape
    trace = np.trace(S).real
    basis = np.empty((n, n, n_freq), complex)
    diagonal, beside = np.zeros((2, n, n_freq))
    is_partial = np.zeros(n_freq, bool)
    residual = h
    for j in range(n):
        squared = inner(residual, residual).real
        # h is measured against nothing: however short, it has a direction.
        gone = squared <= (BREAKDOWN * trace) ** 2 if j else squared < SMALLEST
        is_partial |= gone
        column = residual * np.where(gone, 0.0, 1 / np.sqrt(np.maximum(squared, SMALLEST)))
        if j:
            beside[j - 1] = np.where(gone, 0.0, squared)
        else:
            length = np.sqrt(squared)
        basis[:, j] = column
        residual = matvec(S, column)
        projection = inner(column, residual).real
        diagonal[j] = np.where(gone, trace, projection)
        if j < n - 1:
            residual -= projection * column
            for i in range(j):
                residual -= inner(basis[:, i], residual) * basis[:, i]
    return _Krylov(basis, length, diagonal, beside, is_partial)


def _largest_root(krylov: _Krylov, z: Array) -> tuple[Array, Array]:
    """Return ``μ`` of the largest root, and where it is found to tolerance.

    Left of the smallest eigenvalue of ``S``, where all pivots are positive, ``p`` rises towards a
    double pole, and meets ``1/μ`` once.  A step goes to where a curve ``c + k/(bound − μ)²`` does,
    which has the value and the slope of ``p``, and for a pole a lower bound of that eigenvalue:
    no step ends beyond it.  Where one leaves the bracket all the same, that is halved.
    """
    mu, settled = np.zeros(len(z)), np.zeros(len(z), bool)
    length, diagonal, beside = krylov.length, krylov.diagonal, krylov.beside
    active, low, high = np.arange(len(z)), np.zeros(len(z)), 1 / z  # p is above z
    point = np.where(diagonal.min(axis=0) > high, high, low)
    for _ in range(MAX_STEPS):
        pivot, p, slope, bound = _evaluate(length, diagonal, beside, z, point)
        excess = p * point - 1
        valid = pivot > 0
        done = valid & (np.abs(excess) <= TOLERANCE)
        mu[active], settled[active] = point, done
        if done.all():
            break
        is_left = valid & (excess < 0)
        low, high = np.where(is_left, point, low), np.where(is_left, high, point)
        step = bound * (1 - _meeting(p, slope, bound, point, excess))
        inside = valid & (step > low) & (step < high)
        point = np.where(done, point, np.where(inside, step, (low + high) / 2))
        if np.count_nonzero(done) > len(done) / 2:
            keep = ~done
            active, length, z = active[keep], length[keep], z[keep]
            diagonal, beside = diagonal[:, keep], beside[:, keep]
            point, low, high = point[keep], low[keep], high[keep]
    return mu, settled


def _meeting(p: Array, slope: Array, bound: Array, mu: Array, excess: Array) -> Array:
    """Return the ``s = 1 − μ/bound`` at which that curve meets ``1/μ``.

    With ``A = c bound`` and ``B = k/bound`` it is the root of ``A s³ + (1 − A) s² + B s − B``
    between 0 and 1, found by Newton's method: from where we are, or from an upper bound.
    """
    ahead = bound - mu
    pole = slope * ahead / 2  # k/ahead²
    A, B = (p - pole) * bound, pole * ahead * ahead / bound
    s: Array = ahead / bound
    far = np.flatnonzero(np.abs(excess) > FAR)
    ratio = 1 / A[far]
    third = np.maximum(1 - ratio, 0) + np.cbrt(np.abs(B[far] * ratio))
    s[far] = np.fmin(np.fmin(third, np.sqrt(B[far] / (1 - A[far]))), 1)
    for _ in range(N_POLISH):
        tilted = A * s
        s -= (s * s * (1 - A + tilted) - B * (1 - s)) / (s * (2 - 2 * A + 3 * tilted) + B)
    return s


def _evaluate(
    length: Array, diagonal: Array, beside: Array, z: Array, mu: Array
) -> tuple[Array, Array, Array, Array]:
    """Return the smallest pivot of ``T − μI``, ``p``, ``p'``, and a bound of its eigenvalues.

    The pivot of the first row is the continued fraction ``t_1 − μ − e_1²/(t_2 − μ − e_2²/…)``;
    ``h^H x`` is ``‖h‖²`` over it, ``‖x‖²`` the derivative of that, and ``x^H S x`` is
    ``h^H x + μ‖x‖²``.  The product of the pivots is the characteristic polynomial, and the bound
    is a step of Laguerre's method, which never passes the smallest eigenvalue.
    """
    n = len(diagonal)
    shifted = diagonal - mu
    smallest = shifted[-1]
    inverse = 1 / smallest
    # The pivot's first two derivatives over itself, negated, and their sums: the first two
    # derivatives of the logarithm of the product, negated.
    first, second = inverse, 0.0
    total, change = first, first * first
    for i in range(n - 2, -1, -1):
        ratio = beside[i] * inverse
        pivot = shifted[i] - ratio
        smallest = np.minimum(smallest, pivot)
        inverse = 1 / pivot
        second = ratio * (second + 2 * first * first) * inverse
        first = (1 + ratio * first) * inverse
        total = total + first
        change = change + (first * first + second)
    g = length**2 * inverse
    squared = g * first  # ‖x‖²
    slope = 2 * squared + 2 * (mu * squared) * first + (mu * g) * second
    spread = np.sqrt(np.maximum((n - 1) * (n * change - total**2), 0))
    bound = mu + n / (total + spread)
    return smallest, z + g + mu * squared, slope, bound


def _solve_tridiagonal(krylov: _Krylov, mu: Array) -> Array:
    """Return ``‖h‖ (T − μI)^(-1) e_1``, shape (n, n_freq)."""
    n = len(krylov.diagonal)
    pivot = krylov.diagonal - mu
    for i in range(n - 2, -1, -1):
        pivot[i] -= krylov.beside[i] / pivot[i + 1]
    x = np.empty_like(pivot)
    x[0] = krylov.length / pivot[0]
    for i in range(1, n):
        x[i] = -np.sqrt(krylov.beside[i - 1]) / pivot[i] * x[i - 1]
    return x


def _lies_below(mu: Array, S: Array) -> Array:
    """Tell where ``μ`` lies left of the smallest eigenvalue, shape (n_freq,)."""
    shifted = S.copy()
    diagonal = np.arange(len(S))
    shifted[diagonal, diagonal] -= mu
    below: Array = pivots(shifted).min(axis=0) > 0
    return below


def _solve_by_eigenvalues(S: Array, h: Array, z: float) -> tuple[float, Array]:
    """Solve one frequency in which ``μ`` is hard to tell from the smallest eigenvalue of ``S``.

    The unknown is how far ``λ`` lies right of the largest eigenvalue of ``U = S^(-1)``.  In the
    degenerate case, without a part of ``h`` along that eigenvector, that is nothing, and the
    part of ``y = (λI − U)^(-1) v`` along the eigenvector is free: the equation
    ``z + λ² y^H S y = λ`` fixes its length.
    """
    eigenvalues, E = np.linalg.eigh(S)
    phi = 1 / np.maximum(eigenvalues, EPS * eigenvalues[-1])  # falling
    top = phi[0]
    gaps = top - phi
    v = -phi * (E.conj().T @ h)
    v[np.abs(v) < NOTHING * top] = 0
    s = z + np.sum(np.abs(v) ** 2 / phi)
    distance = float(np.max(np.abs(v) - gaps))  # f = s + v^H y + λ‖y‖² − λ is not negative here
    if distance <= 0:
        y = np.divide(v, gaps, out=np.zeros_like(v), where=gaps > 0)
        missing = top - s - np.vdot(v, y).real - top * np.vdot(y, y).real
        if missing >= 0:
            y[0] = np.sqrt(missing / top)
            return 1 / top, E @ (-top * y)
        distance = 0.0
    for _ in range(MAX_STEPS):
        y = np.divide(v, gaps + distance, out=np.zeros_like(v), where=v != 0)
        root = top + distance
        value = s + np.vdot(v, y).real + root * (np.vdot(y, y).real - 1)
        if abs(value) <= TOLERANCE * root:
            break
        curvature = np.divide(np.abs(y) ** 2, gaps + distance, out=np.zeros(len(v)), where=y != 0)
        distance += value / (2 * root * curvature.sum() + 1)
    return 1 / root, E @ (-root * y)
