"""Speakers who move: demixing matrices that follow them.

Who moves changes one thing: the way from his mouth to the microphones, which is his column of the
mixing matrix ``A = W^(-1)``.  All other columns stay.  Then his own row, which nulls the others,
stays as well, and every other row changes along his alone:

    W_s = W − v_s w_k^H,  v_ks = 0

for the source ``k`` in a window ``s`` of time.  That is one step of iterative source steering,
whose minimum is known in closed form, ``v_m = (w_m^H V_m w_k) / (w_k^H V_m w_k)``.  It has
``n_src − 1`` complex numbers to learn per frequency, where whole matrices have as many for each
source: few enough for windows of some seconds.  It cannot swap the sources either.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auxiva_cli.bss.auxiva import UpdateRule
from auxiva_cli.bss.fold import Map
from auxiva_cli.bss.linalg import Array, inner, matvec
from auxiva_cli.bss.source_models import SourceModel
from auxiva_cli.bss.window import Window

__all__ = [
    "adapted",
    "aligned",
    "disentangle",
    "displacements",
    "follow",
    "rescale",
    "steer",
    "wander",
]

# Updates, of the scale alone and of the columns; both have settled then.
N_RESCALE, N_STEER = 3, 6
# Turns in which matrices are free, then held to a common row, and the updates in each.
N_TURNS, N_FREE, N_HELD = 2, 3, 4
# Updates of whole matrices in wide windows, and once who moves is followed: of windows of 8 s more
# of them learn chance.
N_WIDE, N_LOOSE = 6, 1


def rescale(W: Array, V: Array) -> Array:
    """Scale every row per frequency to ``w_k^H V_k w_k = 1``; directions stay."""
    powers = np.sum(W * matvec(V, W.conj()[:, None]), axis=1).real
    scaled: Array = W / np.sqrt(powers)[:, None]
    return scaled


def steer(W: Array, V: Array, moving: Sequence[int]) -> Array:
    """Move every row along those of some sources: their columns of ``W^(-1)`` change.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_src, n_freq), complex
        Demixing matrices, rows ``w_k^H``.
    V : ndarray of shape (n_src, n_src, n_src, n_freq), complex
        Weighted covariances.
    moving : sequence of int
        The sources.

    Returns
    -------
    ndarray of shape (n_src, n_src, n_freq), complex
        With all sources, what a sweep of iterative source steering gives.

    References
    ----------
    R. Scheibler, N. Ono, "Fast and stable blind source separation with rank-1 updates",
    ICASSP 2020.
    """
    W = W.copy()
    for k in moving:
        w_k = W[k].conj()
        V_w = matvec(V, w_k)
        powers = (w_k.conj() * V_w).sum(axis=1).real
        v = (W * V_w).sum(axis=1) / powers
        v[k] = 1 - 1 / np.sqrt(powers[k])
        W -= v[:, None] * w_k.conj()
    return W


def follow(window: Window, W: Array, model: SourceModel, moving: Sequence[int]) -> Array:
    """Adapt demixing matrices to a window in which some sources are elsewhere.

    Parameters
    ----------
    window : Window
        The window.
    W : ndarray of shape (n_out, n_out, n_freq), complex
        Demixing matrices of the recording.
    model : SourceModel
        The source model.
    moving : sequence of int
        Sources that move; with none the rows are rescaled.

    Returns
    -------
    ndarray of shape (n_out, n_out, n_freq), complex
        Demixing matrices of the window; those of the recording if it has too few frames.
    """
    if not window.is_long_enough:
        return W
    for _ in range(N_RESCALE):
        W = rescale(W, window.fold(W, model).V)
    for _ in range(N_STEER if moving else 0):
        W = steer(W, window.fold(W, model).V, moving)
    return W


def disentangle(
    windows: Sequence[Window],
    matrices: Sequence[Array],
    model: SourceModel,
    mover: int,
    update: UpdateRule,
    *,
    map: Map = map,
) -> Array:
    """Learn from windows what stays where one source moves: its row, and the others' columns.

    Matrices that were learnt as if nobody moved have to make do for all places at once.  Here each
    window has matrices of its own, in turn held to one row of the mover and free.  That row is the
    minimum ``w = V^(-1) mean_s a_s`` of ``w^H V w − 2 mean_s log|w^H a_s|`` near by, with ``V`` his
    weighted covariance over all windows and ``a_s`` his column in each, ``w^H a_s = 1``.

    Parameters
    ----------
    windows : sequence of Window
        Windows all over the recording.
    matrices : sequence of ndarray of shape (n_out, n_out, n_freq), complex
        Demixing matrices of each to start from.
    model : SourceModel
        The source model.
    mover : int
        Who moves.
    update : callable
        The update rule of matrices that are free.
    map : callable, optional
        How a function is mapped over the windows, in their order.

    Returns
    -------
    ndarray of shape (n_out, n_out, n_freq), complex
        Demixing matrices to ``follow`` the mover from.
    """

    def free(pair: tuple[Window, Array]) -> Array:
        window, W = pair
        for _ in range(N_FREE):
            W = update(W, window.fold(W, model).V)
        return W

    def held(pair: tuple[Window, Array]) -> tuple[Array, Array, float]:
        window, W = pair
        V = window.fold(W, model).V
        return steer(W, V, [mover]), V[mover], window.n_frames

    for turn in range(N_TURNS):
        if turn:
            matrices = list(map(free, zip(windows, matrices, strict=True)))
        for _ in range(N_HELD):
            found = list(map(held, zip(windows, matrices, strict=True)))
            matrices = [W for W, _, _ in found]
            V = np.average([V for _, V, _ in found], axis=0, weights=[n for _, _, n in found])
            A = np.mean([_inverse(W) for W in matrices], axis=0)
            row = _row(V, A[:, mover])
            for W in matrices:
                W[mover] = row
    middle = _inverse(A)
    middle[mover] = row
    return middle


def wander(
    windows: Sequence[Window], W: Array, model: SourceModel, update: UpdateRule, first: int
) -> list[Array]:
    """Adapt whole demixing matrices, window by window.

    Parameters
    ----------
    windows : sequence of Window
        Windows along the recording, in order.
    W, model, update
        As for ``disentangle``.
    first : int
        The window with which to begin.  Each other starts from its neighbour: that keeps the order
        of the sources.

    Returns
    -------
    list of ndarray of shape (n_out, n_out, n_freq), complex
        Demixing matrices of each.
    """
    matrices = [W] * len(windows)
    for s in (*range(first, len(windows)), *range(first - 1, -1, -1)):
        start = W if s == first else matrices[s - 1 if s > first else s + 1]
        matrices[s] = adapted(windows[s], start, model, update, N_WIDE)
    return matrices


def adapted(window: Window, W: Array, model: SourceModel, update: UpdateRule, n: int) -> Array:
    """Return whole matrices rescaled and then updated on a window, if it has enough frames."""
    if not window.is_long_enough:
        return W
    window = window.kept
    W = follow(window, W, model, [])
    for _ in range(n):
        W = update(W, window.fold(W, model).V)
    return W


def aligned(W: Array, to: Array) -> Array:
    """Return demixing matrices with their rows in the order of others, as near as can be.

    ``W A`` of the others' mixing matrices ``A`` tells which row is whose.
    """
    gains = np.abs(np.einsum("kcf,clf->klf", W, _inverse(to))) ** 2
    alike = np.mean(gains / gains.sum(axis=1, keepdims=True), axis=-1)
    order = np.zeros(len(W), int)
    for _ in order:
        k, of = np.unravel_index(alike.argmax(), alike.shape)
        order[of] = k
        alike[k], alike[:, of] = -1, -1
    in_order: Array = W[order]
    return in_order


def displacements(matrices: Sequence[Array], source: int) -> Array:
    """Return how far a source is from where it was first.

    Parameters
    ----------
    matrices : sequence of ndarray of shape (n_out, n_out, n_freq), complex
        Demixing matrices along time.
    source : int
        Which source.

    Returns
    -------
    ndarray of shape (n_matrices,)
        ``1 − |cos|²`` between its column of ``W^(-1)`` and the first, mean over frequencies.
    """
    columns = np.array([_inverse(W)[:, source] for W in matrices])
    columns /= np.linalg.norm(columns, axis=1, keepdims=True)
    cosines = np.abs(np.sum(columns * columns[0].conj(), axis=1))
    distances: Array = 1 - np.mean(cosines**2, axis=1)
    return distances


def _inverse(W: Array) -> Array:
    """Return the inverses of matrices (n, n, n_freq)."""
    inverse: Array = np.linalg.inv(W.transpose(2, 0, 1)).transpose(1, 2, 0)
    return inverse


def _row(V: Array, a: Array) -> Array:
    """Return ``w^H`` of ``w = V^(-1) a`` at ``w^H V w = 1``, for (n, n, n_freq) and (n, n_freq)."""
    w = np.linalg.solve(V.transpose(2, 0, 1), a.T[..., None])[..., 0].T
    row: Array = (w / np.sqrt(inner(w, a).real)).conj()
    return row
