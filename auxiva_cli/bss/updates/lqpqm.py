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


def solve_secular(U: Array, v: Array, s: Array) -> tuple[Array, Array]:
    """Find the largest root of the secular equation and the vector that belongs to it.

    With ``y(λ) = (λI − U)^(-1) v`` the equation is
    ``f(λ) = s + v^H y + λ‖y‖² − λ = 0``, which is the paper's
    ``λ² v^H U^(-1) (λI−U)^(-2) v − λ + z = 0`` for ``s = z + v^H U^(-1) v``,
    without the inverse of ``U``.  Right of the largest eigenvalue of ``U`` (where
    ``λI − U`` is positive definite, as the pivots of its elimination tell) ``f`` is convex and
    decreasing, and ``f(s) ≥ 0``: Newton's method from ``s`` climbs to the root, in two steps
    once the algorithm has settled.  Where ``s`` lies left of the largest eigenvalue, and where a
    step overshoots, a bracket keeps the iterate in.

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
        newton = lam - np.divide(value, slope, out=np.zeros_like(lam), where=valid)
        lam = np.where(valid & (newton > low) & (newton < high), newton, (low + high) / 2)
        keep = ~settled
        active, U, v, s = active[keep], U[..., keep], v[:, keep], s[keep]
        lam, low, high = lam[keep], low[keep], high[keep]
    for i, f in enumerate(active):
        root[f], y[:, f] = _degenerate_root(U[..., i], v[:, i], s[i])
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


def _degenerate_root(U: Array, v: Array, s: float) -> tuple[float, Array]:
    """Solve one frequency where ``v`` has no part along the top eigenvector of ``U``.

    The root is then the top eigenvalue itself, and the part of ``y`` along its eigenvector is
    free: the equation fixes its length.
    """
    eigenvalues, E = np.linalg.eigh(U)
    top = eigenvalues[-1]
    below = eigenvalues < top * (1 - 1e-12)
    coordinates = E.conj().T @ v
    y = E[:, below] @ (coordinates[below] / (top - eigenvalues[below]))
    missing = top - s - np.vdot(v, y).real - top * np.vdot(y, y).real
    return top, y + E[:, -1] * np.sqrt(max(missing, 0.0) / top)
