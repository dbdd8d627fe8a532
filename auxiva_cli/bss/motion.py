"""Speakers who move: demixing matrices that follow them, and whether there are any.

Who moves changes one thing: the way from his mouth to the microphones, which is his column of the
mixing matrix ``A = W^(-1)``.  All other columns stay.  Then his own row, which nulls the others,
stays as well, and every other row changes along his alone:

    W_s = W − v_s w_k^H,  v_ks = 0

for the source ``k`` in a window ``s`` of time.  That is one step of iterative source steering,
whose minimum is known in closed form, ``v_m = (w_m^H V_m w_k) / (w_k^H V_m w_k)``.  It has
``n_src − 1`` complex numbers to learn per frequency, where whole matrices have as many for each
source: few enough for windows of some seconds.  It cannot swap the sources either.

Whether ``k`` moves is seen before any such step.  In a window the others still carry what the step
would take out, and by the weights of ``m`` correlate with ``k``:

    S_k = mean_sf Σ_(m≠k) |w_m^H V_m w_k|² / (w_m^H V_m w_m · w_k^H V_m w_k) · n_s / (n_out − 1)

with ``V`` that of the window and ``n_s = (Σh)² / Σh²`` the number of its frames.  By that share the
cost of a window falls in the step.  Chance alone makes ``1/n_s`` of each term, so that ``S_k`` is
one where nothing moves and all frames weigh the same, and up to two for speech.  The rows are
rescaled to the window first, for a speaker who is louder there than in all moves nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from auxiva_cli.bss.auxiva import UpdateRule
from auxiva_cli.bss.fold import Map, Statistics, Table, fold
from auxiva_cli.bss.linalg import Array, inner, matvec
from auxiva_cli.bss.source_models import SourceModel

__all__ = [
    "Window",
    "disentangle",
    "displacements",
    "follow",
    "rescale",
    "restlessness",
    "steer",
    "wander",
    "window_shares",
]

# Updates, of the scale alone and of the columns; both have settled then.
N_RESCALE, N_STEER = 3, 6
# A window with fewer frames tells nothing.
FEWEST_FRAMES = 12
# Turns in which matrices are free, then held to a common row, and the updates in each.
N_TURNS, N_FREE, N_HELD = 3, 3, 4
# Updates of whole matrices.
N_WIDE, N_NARROW = 6, 4


@dataclass(frozen=True)
class Window:
    """A window of a recording: some of its frames, and with what weight each counts.

    Attributes
    ----------
    tables : sequence of Table
        Packed blocks of the whitened mixture that the window touches.
    shares : sequence of ndarray of shape (n_frames,)
        The weights of the frames of each block.
    """

    tables: Sequence[Table]
    shares: Sequence[Array]

    @property
    def n_frames(self) -> float:
        """How many frames of equal weight are worth as much, ``(Σh)² / Σh²``."""
        total = sum(float(share.sum()) for share in self.shares)
        squares = sum(float((share**2).sum()) for share in self.shares)
        return total**2 / squares if squares else 0.0

    def fold(self, W: Array, model: SourceModel) -> Statistics:
        """Fold the window into weighted covariances and the cost."""
        return fold(self.tables, W, model, shares=self.shares)


def window_shares(times: Array, centre: float, length: float) -> Array:
    """Return the weights of frames, ``cos²(π (t − centre) / length)`` within the window.

    Parameters
    ----------
    times : ndarray of shape (n_frames,)
        When the frames are.
    centre, length : float
        Of the window, in the same unit.
    """
    phase = np.clip((np.asarray(times) - centre) / length, -0.5, 0.5)
    shares: Array = np.cos(np.pi * phase) ** 2
    return shares


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
    if window.n_frames < FEWEST_FRAMES:
        return W
    for _ in range(N_RESCALE):
        W = rescale(W, window.fold(W, model).V)
    for _ in range(N_STEER if moving else 0):
        W = steer(W, window.fold(W, model).V, moving)
    return W


def disentangle(
    windows: Sequence[Window],
    W: Array,
    model: SourceModel,
    mover: int,
    update: UpdateRule,
    *,
    map: Map = map,
) -> Array:
    """Learn from windows what stays where one source moves: its row, and the others' columns.

    Matrices that were learnt as if nobody moved have to make do for all places at once.  Here each
    window has matrices of its own, in turn free and held to one row of the mover.  That row is the
    minimum ``w = V^(-1) mean_s a_s`` of ``w^H V w − 2 mean_s log|w^H a_s|`` near by, with ``V`` his
    weighted covariance over all windows and ``a_s`` his column in each, ``w^H a_s = 1``.

    Parameters
    ----------
    windows : sequence of Window
        Windows all over the recording.
    W, model
        As for ``follow``.
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

    matrices = list(map(lambda window: follow(window, W, model, [mover]), windows))
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
    wide: Sequence[Callable[[], Window]],
    narrow: Sequence[Callable[[], Window]],
    W: Array,
    model: SourceModel,
    update: UpdateRule,
    *,
    map: Map = map,
) -> list[Array]:
    """Adapt whole demixing matrices, window by window, for several who move.

    Parameters
    ----------
    wide, narrow : sequence of callable
        Give the windows round the same times, in order: first come the wide ones.
    W, model, update, map
        As for ``disentangle``.

    Returns
    -------
    list of ndarray of shape (n_out, n_out, n_freq), complex
        Demixing matrices of each.

    Notes
    -----
    It begins in the middle, and each window starts from its neighbour: that keeps the order of
    the sources.
    """
    middle = len(wide) // 2
    matrices = [W] * len(wide)
    for s in (*range(middle, len(wide)), *range(middle - 1, -1, -1)):
        start = W if s == middle else matrices[s - 1 if s > middle else s + 1]
        matrices[s] = _adapted(wide[s](), start, model, update, N_WIDE)

    def again(pair: tuple[Callable[[], Window], Array]) -> Array:
        return _adapted(pair[0](), pair[1], model, update, N_NARROW)

    return list(map(again, zip(narrow, matrices, strict=True)))


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


def _adapted(window: Window, W: Array, model: SourceModel, update: UpdateRule, n: int) -> Array:
    """Return matrices rescaled and then updated on a window, if it has enough frames."""
    if window.n_frames < FEWEST_FRAMES:
        return W
    W = follow(window, W, model, [])
    for _ in range(n):
        W = update(W, window.fold(W, model).V)
    return W


def _inverse(W: Array) -> Array:
    """Return the inverses of matrices (n, n, n_freq)."""
    inverse: Array = np.linalg.inv(W.transpose(2, 0, 1)).transpose(1, 2, 0)
    return inverse


def _row(V: Array, a: Array) -> Array:
    """Return ``w^H`` of ``w = V^(-1) a`` at ``w^H V w = 1``, for (n, n, n_freq) and (n, n_freq)."""
    w = np.linalg.solve(V.transpose(2, 0, 1), a.T[..., None])[..., 0].T
    row: Array = (w / np.sqrt(inner(w, a).real)).conj()
    return row


def restlessness(window: Window, W: Array, model: SourceModel, n_src: int) -> Array:
    """Return how much each source seems to be elsewhere in a window.

    Parameters
    ----------
    window, W, model
        As for ``follow``.
    n_src : int
        The outputs that are sources, the first.

    Returns
    -------
    ndarray of shape (n_src,)
        The terms of ``S_k`` that belong to the window.
    """
    W = rescale(W, window.fold(W, model).V)
    V = window.fold(W, model).V
    W_H = W.conj()
    terms = np.zeros(n_src)
    for m, w_m in enumerate(W):
        V_w = matvec(V[m], W_H[:, None])  # V_m w_k of all k
        powers = np.sum(W * V_w, axis=1).real
        correlation = np.abs(np.sum(w_m * V_w, axis=1)) ** 2 / (powers * powers[m])
        terms += np.where(np.arange(n_src) == m, 0, correlation[:n_src].mean(axis=-1))
    scores: Array = terms * window.n_frames / (len(W) - 1)
    return scores
