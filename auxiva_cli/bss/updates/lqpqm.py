"""Log-quadratically penalised quadratic minimisation, the problem inside an IPA step.

The problem is ``min ‖p‖² − log((p + U⁻¹v)^H U (p + U⁻¹v) + z)`` over vectors ``p``, one for each
frequency.  Its minimum is ``p = (λI − U)⁻¹ v``, where ``λ`` is the largest root of the secular
equation ``λ² v^H U⁻¹ (λI − U)⁻² v − λ + z = 0`` and never below ``φ_max``, the largest eigenvalue
of ``U``.  It says that ``λ`` is the argument of the logarithm, ``Q`` from here on.

Near ``φ_max`` the equation has a double pole, and ``λI − U`` no digits left.  So it is solved in
``μ = 1/λ`` and the inverse ``U⁻¹``, which an IPA step has at hand without inverting anything:

* ``y = (U⁻¹ − μI)⁻¹ U⁻¹v`` is ``λp``, and ``Q(μ) = z + y^H U⁻¹ y``;
* the root is where ``Q(μ) = 1/μ``, the only one between 0 and the smallest eigenvalue of ``U⁻¹``;
* Newton's method meets it on ``1/√Q − √μ``: towards a double pole ``1/√Q`` is a straight line.

Lanczos' method makes ``U⁻¹`` tridiagonal once, after which a step is a short continued fraction.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from auxiva_cli.bss.linalg import Array, inner, matvec, pivots

__all__ = ["solve_lqpqm"]

MAX_STEPS = 60
# Of Q/λ − 1, which is how far the constraint that fixes the scale of the new row is missed.
TOLERANCE = 1e-10
# Of the smallest entry on the diagonal of U⁻¹, above which the pole lies never: where Newton's
# method starts.
START = 0.9
# Of the largest eigenvalue: shorter vectors cannot be divided by their length.
NOTHING = 1e-100
# Of the trace of U⁻¹: what orthogonalisation leaves of a direction that is not there.
BREAKDOWN = 1e-13
EPS, SMALLEST = float(np.finfo(float).eps), float(np.finfo(float).tiny)


def solve_lqpqm(U_inv: Array, U_inv_v: Array, z: Array) -> tuple[Array, Array]:
    """Minimise ``‖p‖² − log((p + U⁻¹v)^H U (p + U⁻¹v) + z)``.

    Parameters
    ----------
    U_inv : ndarray of shape (n, n, n_freq), complex
        ``U⁻¹``, Hermitian positive definite.
    U_inv_v : ndarray of shape (n, n_freq), complex
        ``U⁻¹v``.
    z : ndarray of shape (n_freq,)
        Constant terms, positive.

    Returns
    -------
    p : ndarray of shape (n, n_freq), complex
        Where the minimum is.  If ``v`` has no part along the eigenvector of ``φ_max``, there may
        be no root above ``φ_max``: then ``p`` is completed along it so that ``λ = Q = φ_max``.
    root : ndarray of shape (n_freq,)
        ``λ``, the argument of the logarithm there.

    Notes
    -----
    Only the Krylov space of ``U⁻¹v`` matters to the equation.  Where it is smaller than the whole,
    an eigenvalue of ``U⁻¹`` outside of it may lie below what was found; those frequencies, and
    the few in which the root and the pole are too close to be told apart, are solved one by one
    from the eigenvalues.

    References
    ----------
    R. Scheibler, "Independent vector analysis via log-quadratically penalized quadratic
    minimization", IEEE Trans. Signal Process., vol. 69, 2021, arXiv 2008.10048, section IV.
    """
    basis, T, is_partial = _lanczos(U_inv, U_inv_v)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # where it is doubtful
        mu, is_doubtful = _find_root(T, z)
        p = mu * matvec(basis, _solve_tridiagonal(T, mu))
        root = 1 / mu
        if is_partial.any():
            is_doubtful |= is_partial & ~_is_below_eigenvalues(mu, U_inv)
    for f in np.flatnonzero(is_doubtful):
        p[:, f], root[f] = _solve_by_eigenvalues(U_inv[..., f], U_inv_v[:, f], z[f])
    return p, root


class _Tridiagonal(NamedTuple):
    """``U⁻¹`` in an orthonormal basis of the Krylov space, the first vector being ``U⁻¹v``.

    Attributes
    ----------
    length : ndarray of shape (n_freq,)
        ``‖U⁻¹v‖``.
    diagonal : ndarray of shape (n, n_freq)
        The diagonal; the trace of ``U⁻¹`` beyond the Krylov space.
    beside : ndarray of shape (n, n_freq)
        Entries beside it, squared; the last is zero.
    """

    length: Array
    diagonal: Array
    beside: Array


def _lanczos(U_inv: Array, U_inv_v: Array) -> tuple[Array, _Tridiagonal, Array]:
    """Tridiagonalise ``U⁻¹``, starting with ``U⁻¹v``.

    Returns
    -------
    basis : ndarray of shape (n, n, n_freq), complex
        Columns; those beyond the Krylov space are zero.
    T : _Tridiagonal
        The matrix in that basis.
    is_partial : ndarray of shape (n_freq,), bool
        Whether the Krylov space is smaller than the whole.
    """
    n, n_freq = U_inv_v.shape
    trace = np.trace(U_inv).real
    basis = np.empty((n, n, n_freq), complex)
    diagonal, beside = np.zeros((2, n, n_freq))
    is_partial = np.zeros(n_freq, bool)
    residual = U_inv_v
    for j in range(n):
        squared = inner(residual, residual).real
        # The first is measured against nothing: however short, it has a direction.
        gone = squared <= (BREAKDOWN * trace) ** 2 if j else squared < SMALLEST
        is_partial |= gone
        column = residual * np.where(gone, 0.0, 1 / np.sqrt(np.maximum(squared, SMALLEST)))
        if j:
            beside[j - 1] = np.where(gone, 0.0, squared)
        else:
            length = np.sqrt(squared)
        basis[:, j] = column
        residual = matvec(U_inv, column)
        projection = inner(column, residual).real
        diagonal[j] = np.where(gone, trace, projection)
        if j < n - 1:
            residual -= projection * column
            for i in range(j):
                residual -= inner(basis[:, i], residual) * basis[:, i]
    return basis, _Tridiagonal(length, diagonal, beside), is_partial


def _find_root(T: _Tridiagonal, z: Array) -> tuple[Array, Array]:
    """Return ``μ`` where ``Q(μ) = 1/μ``, and where that was not found to tolerance.

    Newton's method on ``1/√Q − √μ``, in a bracket that is halved where a step leaves it.
    """
    mu, is_doubtful = np.zeros(len(z)), np.ones(len(z), bool)
    active, low, high = np.arange(len(z)), np.zeros(len(z)), 1 / z  # Q is above z
    point = np.minimum(high, START * T.diagonal.min(axis=0))
    for _ in range(MAX_STEPS):
        smallest_pivot, Q, slope = _evaluate(T, z, point)
        product, is_below_pole = Q * point, smallest_pivot > 0
        done = is_below_pole & (np.abs(product - 1) <= TOLERANCE)
        mu[active], is_doubtful[active] = point, ~done
        if done.all():
            break
        is_left = is_below_pole & (product < 1)
        low, high = np.where(is_left, point, low), np.where(is_left, high, point)
        root = np.sqrt(product)
        step = point * (1 + 2 * (1 - root) / (point * slope / Q + root))
        is_inside = is_below_pole & (step > low) & (step < high)
        point = np.where(done, point, np.where(is_inside, step, (low + high) / 2))
        if np.count_nonzero(done) > len(done) / 2:
            keep = ~done
            T = _Tridiagonal(*(values[..., keep] for values in T))
            active, z = active[keep], z[keep]
            point, low, high = point[keep], low[keep], high[keep]
    return mu, is_doubtful


def _evaluate(T: _Tridiagonal, z: Array, mu: Array) -> tuple[Array, Array, Array]:
    """Return the smallest pivot of ``T − μI``, ``Q(μ)`` and ``Q'(μ)``.

    The pivot of the first row is the continued fraction ``t_1 − μ − e_1²/(t_2 − μ − e_2²/…)``;
    ``v^H U⁻¹ y`` is ``‖U⁻¹v‖²`` over it, ``‖y‖²`` the derivative of that, and ``y^H U⁻¹ y`` is
    ``v^H U⁻¹ y + μ‖y‖²``.
    """
    shifted = T.diagonal - mu
    smallest = shifted[-1]
    inverse = 1 / smallest
    # The pivot's first two derivatives over itself, negated.
    first, second = inverse, 0.0
    for i in range(len(shifted) - 2, -1, -1):
        ratio = T.beside[i] * inverse
        pivot = shifted[i] - ratio
        smallest = np.minimum(smallest, pivot)
        inverse = 1 / pivot
        second = ratio * (second + 2 * first * first) * inverse
        first = (1 + ratio * first) * inverse
    across = T.length**2 * inverse  # v^H U⁻¹ y
    squared = across * first  # ‖y‖²
    slope = 2 * squared + 2 * (mu * squared) * first + (mu * across) * second
    return smallest, z + across + mu * squared, slope


def _solve_tridiagonal(T: _Tridiagonal, mu: Array) -> Array:
    """Return ``y = ‖U⁻¹v‖ (T − μI)⁻¹ e_1``, shape (n, n_freq)."""
    n = len(T.diagonal)
    pivot = T.diagonal - mu
    for i in range(n - 2, -1, -1):
        pivot[i] -= T.beside[i] / pivot[i + 1]
    y = np.empty_like(pivot)
    y[0] = T.length / pivot[0]
    for i in range(1, n):
        y[i] = -np.sqrt(T.beside[i - 1]) / pivot[i] * y[i - 1]
    return y


def _is_below_eigenvalues(mu: Array, U_inv: Array) -> Array:
    """Tell where ``μ`` lies below the smallest eigenvalue of ``U⁻¹``, shape (n_freq,)."""
    shifted = U_inv.copy()
    diagonal = np.arange(len(U_inv))
    shifted[diagonal, diagonal] -= mu
    below: Array = pivots(shifted).min(axis=0) > 0
    return below


def _solve_by_eigenvalues(U_inv: Array, U_inv_v: Array, z: float) -> tuple[Array, float]:
    """Solve one frequency, however close ``λ`` comes to ``φ_max``.

    The unknown is how far ``λ`` lies above it.  There the left side ``f`` of the paper's equation
    falls and is convex, so that Newton's method from the left never passes the root and always
    converges.  Without a part of ``v`` along the eigenvector, ``f`` may be negative from the
    start: then ``λ = φ_max``, and the part of ``p`` along it makes up for ``f``.
    """
    eigenvalues, E = np.linalg.eigh(U_inv)
    phi = 1 / np.maximum(eigenvalues, EPS * eigenvalues[-1])  # falling
    gaps = phi[0] - phi
    v = phi * (E.conj().T @ U_inv_v)
    v[np.abs(v) < NOTHING * phi[0]] = 0
    distance, step = 0.0, max(0.0, float(np.max(np.abs(v) - gaps)))  # f is positive there
    while True:
        distance += step
        root = phi[0] + distance
        p = np.divide(v, gaps + distance, out=np.zeros_like(v), where=v != 0)
        squared = np.abs(p) ** 2
        f = root * (root * np.sum(squared / phi) - 1) + z
        if not f > TOLERANCE * root:  # NaN ends it too
            break
        curvature = np.divide(squared, gaps + distance, out=np.zeros(len(v)), where=v != 0)
        step = f / (2 * root * curvature.sum() + 1)
    if distance == 0:
        p[0] = np.sqrt(max(-f, 0.0) / root)
    return E @ p, root
