"""Speakers who move: demixing matrices that follow them, and whether there are any.

Who moves changes one thing: the way from his mouth to the microphones, which is his column of the
mixing matrix ``A = W^(-1)``.  All other columns stay.  Then his own row, which nulls the others,
stays as well, and every other row changes along his alone:

    W_s = W − v_s w_k^H,  v_ks = 0

for the source ``k`` in a window ``s`` of time.  That is one step of iterative source steering,
whose minimum is known in closed form, ``v_m = (w_m^H V_m w_k) / (w_k^H V_m w_k)``.  It has
``n_src − 1`` complex numbers to learn per frequency, where whole matrices have as many for each
source: few enough for windows of some seconds.  It cannot swap the sources either.

Whether ``k`` moves is seen before any such step.  In a stretch ``s`` of a few seconds the others
carry what the step would take out, and by the weights of ``m`` correlate with ``k``:

    z_mks = √n_s w_m^H V_m w_k / √(w_m^H V_m w_m · w_k^H V_m w_k)

with ``V`` that of the stretch and ``n_s`` the number of its frames.  Chance makes ``|z|²`` one, or
two where frames overlap as they do; turns and echoes make more, anew in each stretch.  Of one who
walks it goes with his place, slowly.  So what tells is how much of it lies along slow cosines
``b_js = cos(π j (s + ½) / S)``, beyond what each stretch has by itself, in all who carry it:

    T_k = min_(m≠k) Σ_j max(T_jmk, 0),
    T_jmk = mean_f [ |Σ_s b_js z_mks|² − Σ_s |b_js z_mks|² ] / Σ_s b_js²

with ``T_jmk`` zero on average where nobody moves.  Only stretches in which both talk count: who is
silent carries echoes of the other, by turns more and less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations

import numpy as np

from auxiva_cli.bss.auxiva import UpdateRule
from auxiva_cli.bss.fold import Map, Statistics, Table, fold, in_memory, pack_coefficients
from auxiva_cli.bss.linalg import Array, inner, matvec
from auxiva_cli.bss.source_models import SourceModel

__all__ = [
    "Look",
    "Window",
    "adapted",
    "aligned",
    "disentangle",
    "displacements",
    "follow",
    "look_at",
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
N_TURNS, N_FREE, N_HELD = 2, 3, 4
# Cosines along which motion is looked for: from one end to the other, and there and back.
N_SLOW = 2
# A look takes so many frames, and so many looks at two who both talk tell: who is at most so far
# below how loud he is now and then.
FEWEST_TOLD, FEWEST_LOOKS = 3, 5
ACTIVE_DB, LOUD_QUANTILE = 8.7, 0.9
# The mean |z|² that chance, turns and echoes hardly reach while both talk.
MOST_BY_CHANCE = 2.1
# Updates of whole matrices in wide windows, in narrow ones, and once who moves is followed.
N_WIDE, N_NARROW, N_LOOSE = 6, 4, 2


@dataclass(frozen=True)
class Window:
    """A window of a recording: some of its frames, and with what weight each counts.

    Attributes
    ----------
    tables : sequence of Table
        Packed blocks of the whitened mixture that the window touches.
    shares : sequence of ndarray of shape (n_frames,)
        The weights of the frames of each block.

    Notes
    -----
    Blocks are made whenever they are called for; ``kept`` has them made once.
    """

    tables: Sequence[Table]
    shares: Sequence[Array]

    @property
    def n_frames(self) -> float:
        """How many frames of equal weight are worth as much, ``(Σh)² / Σh²``."""
        total = sum(float(share.sum()) for share in self.shares)
        squares = sum(float((share**2).sum()) for share in self.shares)
        return total**2 / squares if squares else 0.0

    def powers(self, W: Array) -> Array:
        """Return the mean power of outputs, (n_src, n_freq)."""
        packed = pack_coefficients(W)[: len(W)]
        total: Array = np.zeros(())
        for table, share in zip(self.tables, self.shares, strict=True):
            total = total + np.einsum("kpf,pf->kf", packed, np.tensordot(share, table(), axes=1))
        powers: Array = total / sum(float(share.sum()) for share in self.shares)
        return powers

    @property
    def kept(self) -> Window:
        """The same with its blocks in memory."""
        return replace(self, tables=[partial(in_memory, table()) for table in self.tables])

    @property
    def is_long_enough(self) -> bool:
        """Whether there are enough frames to learn from."""
        return self.n_frames >= FEWEST_FRAMES

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


@dataclass(frozen=True)
class Look:
    """What a stretch of a recording tells of whether somebody moves.

    Attributes
    ----------
    z : ndarray of shape (n_src, n_src, n_freq), complex
        How much of each source (the second axis) the others carry, against chance.
    loudness : ndarray of shape (n_src,), dB
        How loud each source is.
    """

    z: Array
    loudness: Array


def look_at(
    stretch: Window, W: Array, model: SourceModel, n_src: int, shares: Array
) -> Look | None:
    """Look at a stretch.

    Parameters
    ----------
    stretch, W, model
        As for ``follow``.
    n_src : int
        The outputs that are sources, the first.
    shares : ndarray of shape (n_freq,)
        With what weight each frequency counts; those that do not are left out.

    Returns
    -------
    Look, optional
        None of too few frames.
    """
    if stretch.n_frames < FEWEST_TOLD:
        return None
    V = stretch.fold(W, model).V
    counts, W = np.flatnonzero(shares), W[:n_src]
    z = np.zeros((n_src, n_src, len(counts)), np.complex64)
    for m, w_m in enumerate(W):
        V_w = matvec(V[m], W.conj()[:, None])  # V_m w_k of all k
        powers = np.sum(W * V_w, axis=1).real
        correlation = np.sum(w_m * V_w, axis=1) / np.sqrt(powers * powers[m])
        z[m] = np.sqrt(stretch.n_frames) * correlation[:, counts]
    loudness = np.average(np.log10(stretch.powers(W)[:, counts]), axis=1, weights=shares[counts])
    return Look(z, 10 * loudness)


def restlessness(looks: Sequence[Look | None], n_src: int, shares: Array) -> Array:
    """Return how much of what others carry of each source goes slowly.

    Parameters
    ----------
    looks : sequence of Look
        At stretches all over the recording, in order.
    n_src, shares
        As for ``look_at``.

    Returns
    -------
    ndarray of shape (n_src,)
        ``T_k``; zero where it is too little to tell, or no more in all than chance makes.
    """
    there = np.array([look is not None for look in looks])
    told = [look for look in looks if look is not None]
    if len(told) < FEWEST_LOOKS:
        return np.zeros(n_src)
    loudness = np.array([look.loudness for look in told])
    talks = loudness > np.quantile(loudness, LOUD_QUANTILE, axis=0) - ACTIVE_DB
    where = (np.flatnonzero(there) + 0.5) / len(looks)
    slow = np.cos(np.pi * np.arange(1, N_SLOW + 1)[:, None] * where)
    weights = np.sqrt(shares[shares > 0] / shares.sum()).astype(np.float32)
    drift, energy = np.full((2, n_src, n_src), np.nan)
    for m, k in permutations(range(n_src), 2):
        both = talks[:, m] & talks[:, k]
        if both.sum() < FEWEST_LOOKS:
            drift[m, k] = 0
            continue
        z = np.array([look.z[m, k] for look, talk in zip(told, both, strict=True) if talk])
        z *= weights
        gram = (z @ z.conj().T).real
        energy[m, k] = np.trace(gram) / len(gram)
        np.fill_diagonal(gram, 0)
        b = slow[:, both] - slow[:, both].mean(axis=1, keepdims=True)
        along = np.sum(b * (b @ gram), axis=1) / np.sum(b**2, axis=1)
        drift[m, k] = np.maximum(along, 0).sum()
    beyond = np.nan_to_num(energy).sum(axis=0) > MOST_BY_CHANCE * (n_src - 1)
    scores: Array = np.where(beyond, np.nanmin(drift, axis=0), 0)
    return scores
