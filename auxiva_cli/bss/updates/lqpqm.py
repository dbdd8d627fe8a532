"""Log-quadratically penalised quadratic minimisation, the problem inside an IPA step.

Minimise over the vector ``q`` and the row ``u`` the surrogate of IVA in which source ``k`` is
demixed anew and every other source is adjusted along it.  Everything is eliminated but one
real number per frequency, ``λ``, the largest root of a secular equation.
"""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array, inner, inverse_hermitian, matvec

__all__ = ["solve_secular"]

MAX_STEPS = 40
# Of f/λ, which is how far the constraint that fixes the scale of the new row is missed.
TOLERANCE = 1e-10
# Distance of the root from the top eigenvalue, relative to it, below which it counts as zero, and
# the halvings of its logarithm that determine it.
NEAREST, BISECTIONS = 1e-30, 55


def solve_secular(U: Array, v: Array, s: Array) -> tuple[Array, Array]:
    """Find the largest root of the secular equation and the vector that belongs to it.

    With ``y(λ) = (λI − U)^(-1) v`` the equation is
    ``f(λ) = s + v^H y + λ‖y‖² − λ = 0``, which is the paper's
    ``λ² v^H U^(-1) (λI−U)^(-2) v − λ + z = 0`` for ``s = z + v^H U^(-1) v``,
    without the inverse of ``U``.  Right of the largest eigenvalue of ``U`` (where
    ``λI − U`` is positive definite, as the pivots of its elimination tell) ``f`` is convex and
    decreasing, and ``f(s) ≥ 0``: Newton's method from ``s`` climbs to the root, in two steps
    once the algorithm has settled.  Where ``s`` lies left of the largest eigenvalue, and where a
    step overshoots, a bracket keeps the iterate in.  Close to the eigenvalue ``f`` is steep and
    Newton slow; there it is faster on ``((λ − s) / (f(λ) + λ − s))^(1/3) = 1``, whose left side
    is almost linear in ``λ``.

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

    References
    ----------
    R. Scheibler, "Independent vector analysis via log-quadratically penalized quadratic
    minimization", IEEE Trans. Signal Process., vol. 69, 2021, arXiv 2008.10048, section IV.
    """
    n, n_freq = v.shape
    diagonal = np.arange(n)
    root, y = np.empty(n_freq), np.empty_like(v)
    active = np.arange(n_freq)
    # The largest eigenvalue lies between the largest entry of the diagonal and the Frobenius norm.
    low = np.maximum(s, U[diagonal, diagonal].real.max(axis=0))
    norm = np.sqrt(np.sum(np.abs(U) ** 2, axis=(0, 1)))
    # Right of twice the norm λ/(λ−φ) ≤ 2, hence f(λ) ≤ s + 3 v^H U^(-1) v − λ ≤ 4 s − λ.
    high = np.maximum(2 * norm, 4 * s)
    lam = np.where(low > s, (low + norm) / 2, s)
    for _ in range(MAX_STEPS):
        y_lam, value, slope, valid = _evaluate(U, v, s, lam)
        settled = valid & (np.abs(value) <= TOLERANCE * lam)
        root[active[settled]] = lam[settled]
        y[:, active[settled]] = y_lam[:, settled]
        if settled.all():
            return root, y
        right = valid & (value < 0)
        low, high = np.where(right, low, lam), np.where(right, lam, high)
        newton = lam + _newton_step(lam - s, value, slope)
        lam = np.where(valid & (newton > low) & (newton < high), newton, (low + high) / 2)
        keep = ~settled
        active, U, v, s = active[keep], U[..., keep], v[:, keep], s[keep]
        lam, low, high = lam[keep], low[keep], high[keep]
    root[active], y[:, active] = _solve_by_eigenvalues(U, v, s)
    return root, y


def _evaluate(U: Array, v: Array, s: Array, lam: Array) -> tuple[Array, Array, Array, Array]:
    """Return ``y``, ``f`` and ``f'`` at ``lam``, and where ``λI − U`` is positive definite."""
    shifted = -U
    diagonal = np.arange(len(v))
    shifted[diagonal, diagonal] += lam
    # Elsewhere the numbers mean nothing and are not used.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        resolvent, smallest_pivot = inverse_hermitian(shifted)
        y = matvec(resolvent, v)
        value = s + inner(v, y).real + lam * (inner(y, y).real - 1)
        slope = -2 * lam * inner(y, matvec(resolvent, y)).real - 1
    valid = (smallest_pivot > 0) & np.isfinite(value)
    return y, value, slope, valid


def _newton_step(beyond: Array, value: Array, slope: Array) -> Array:
    """Return the larger of Newton's steps for ``f`` and for its cube root, ``beyond = λ − s``."""
    pole = value + beyond
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.cbrt(beyond / pole)
        cube_root_step = 3 * (1 / ratio - 1) / (1 / beyond - (slope + 1) / pole)
        # Both stay left of the root from the left of it, where only the first is sure to exist.
        step: Array = np.fmax(-value / slope, np.where(value > 0, cube_root_step, -np.inf))
    return step


def _solve_by_eigenvalues(U: Array, v: Array, s: Array) -> tuple[Array, Array]:
    """Solve the frequencies whose root lies too close to the top eigenvalue of ``U`` for Newton.

    The unknown is their distance, as the root itself has no digits left for it.  Where ``v`` has
    no part along the top eigenvector the distance may be zero; the part of ``y`` along that
    eigenvector is then free, and the equation fixes its length.
    """
    eigenvalues, E = np.linalg.eigh(U.transpose(2, 0, 1))
    top = eigenvalues[:, -1]
    gaps = (top[:, None] - eigenvalues).T
    c = np.einsum("fij,if->jf", E.conj(), v)

    def equation(distance: Array) -> Array:
        y = np.abs(c) / (distance + gaps)
        root = top + distance
        value: Array = s + np.sum(np.abs(c) * y + root * y**2, axis=0) - root
        return value

    low, high = NEAREST * top, 4 * (s + top * len(v))
    degenerate = equation(low) <= 0
    for _ in range(BISECTIONS):
        middle = np.sqrt(low * high)
        left = equation(middle) > 0
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    distance = np.where(degenerate, 0.0, high)
    apart = distance + gaps > 1e-12 * top * degenerate
    coordinates = np.divide(c, distance + gaps, out=np.zeros_like(c), where=apart)
    missing = top - s - np.sum(np.abs(coordinates) ** 2 * (top + gaps), axis=0)
    free = np.sqrt(np.maximum(missing, 0) / top)
    coordinates[-1] = np.where(degenerate, free, coordinates[-1])
    return top + distance, np.einsum("fij,jf->if", E, coordinates)
