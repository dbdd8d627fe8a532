"""Two sources at a time: which pairs a sweep visits, and the problem that a pair poses."""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array, inner, matvec

__all__ = ["contrasting", "neighbours", "with_power_one"]


def neighbours(n_src: int) -> list[tuple[int, int]]:
    """Return the pairs of a sweep: each source with the next, round the circle.

    >>> neighbours(4)
    [(0, 1), (1, 2), (2, 3), (3, 0)]
    >>> neighbours(2)
    [(0, 1)]
    """
    return [(0, 1)] if n_src == 2 else [(k, (k + 1) % n_src) for k in range(n_src)]


def contrasting(G: Array, H: Array) -> tuple[Array, Array]:
    """Find the vectors to which ``G`` gives most, and least, power relative to ``H``.

    Parameters
    ----------
    G, H : ndarray of shape (2, 2, n_freq), complex
        Hermitian positive definite matrices.

    Returns
    -------
    most, least : ndarray of shape (2, n_freq), complex
        Eigenvectors of ``G x = λ H x`` for the larger and the smaller ``λ``, of any length;
        never parallel, for they are orthogonal in ``G``.
    """
    # H^(-1) G but for the determinant of H, which changes no eigenvector.
    M = np.empty_like(G)
    M[0] = H[1, 1] * G[0] - H[0, 1] * G[1]
    M[1] = H[0, 0] * G[1] - H[1, 0] * G[0]
    half_gap = (M[0, 0] - M[1, 1]) / 2
    half_spread = np.sqrt(np.maximum((half_gap**2 + M[0, 1] * M[1, 0]).real, 0))
    smaller = (M[0, 0] + M[1, 1]).real / 2 - half_spread
    # Each column of M − λ_smaller I is an eigenvector for the larger λ; one of them may vanish.
    M[0, 0] -= smaller
    M[1, 1] -= smaller
    first, second = np.sum(np.abs(M) ** 2, axis=0)
    most = np.where(first >= second, M[:, 0], M[:, 1])
    most[0] += (first == 0) & (second == 0)  # all vectors are alike there
    G_most = matvec(G, most)
    least = np.stack([G_most[1].conj(), -G_most[0].conj()])
    return most, least


def with_power_one(x: Array, V: Array) -> Array:
    """Scale vectors ``(n, n_freq)`` so that ``x^H V x = 1``."""
    scaled: Array = x * (1 / np.sqrt(inner(x, matvec(V, x)).real))
    return scaled
