"""Speakers who move: whether there are any, and demixing matrices along their way.

First a look at some windows of the recording, at some of the frequencies, tells whether anybody
moves: that is all that happens to a recording in which nobody does.  Then the matrices follow who
moves, window by window, each from those of the whole recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.auxiva import UpdateRule
from auxiva_cli.bss.fold import in_memory
from auxiva_cli.bss.linalg import Array
from auxiva_cli.bss.motion import (
    N_LOOSE,
    adapted,
    disentangle,
    displacements,
    follow,
    wander,
)
from auxiva_cli.bss.restlessness import Look, look_at, restlessness
from auxiva_cli.bss.source_models import SourceModel
from auxiva_cli.bss.window import Window, window_shares
from auxiva_cli.errors import Notice
from auxiva_cli.parallel import Threads

__all__ = [
    "Motion",
    "Segment",
    "Start",
    "Timeline",
    "look",
    "most_centres",
    "segments",
    "track",
]

# Windows, and from one to the next, in seconds.
WINDOW_SECONDS, STEP_SECONDS = 8.0, 2.0
# The look: from stretch to stretch at least, in seconds and in lengths of a frame; how many of them
# there are at most; and every which frequency.
LOOK_SECONDS, LOOK_FRAMES, MOST_LOOKS, LOOK_STRIDE = 2.0, 4, 60, 4
# Below and above which there is little speech to tell by, or to separate.
LOWEST_HZ, HIGHEST_HZ = 200.0, 4000.0
# Above which T_k tells motion, and above which share of the highest T_k others may move, too.
MOVING, ALSO_MOVING_SHARE = 0.4, 0.85
# What stays where one moves is learnt from so many windows at most.
MOST_WINDOWS = 24
# So many windows at most are followed, fewer where filters take much memory; they grow longer then.
MOST_CENTRES, MOST_BYTES, LONGEST_WINDOW_SECONDS = 150, 2**29, 16.0
# Windows are first so much wider where whole matrices adapt, and of so many it is tried at most
# whether it is they who move.
WIDE, MOST_CANDIDATES = 1.5, 3


class Segment(NamedTuple):
    """A stretch of time (s) in which a source, from 0, is nearer to its farthest place."""

    source: int
    start: float
    end: float


@dataclass(frozen=True)
class Motion:
    """Whether sources move, and what separates them along their way.

    Attributes
    ----------
    scores : ndarray of shape (n_src,)
        ``T_k``: about zero where nobody moves.
    moving : tuple of int
        Sources that move, from 0; the first is followed.
    segments : tuple of Segment
        When they are elsewhere than at first.
    centres : ndarray of shape (n_centres,), s
        The middles of windows of time; none if nobody moves.
    W : tuple of ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices of each.
    """

    scores: NDArray[Any]
    moving: tuple[int, ...] = ()
    segments: tuple[Segment, ...] = ()
    centres: NDArray[Any] = field(default_factory=lambda: np.zeros(0))
    W: tuple[Array, ...] = ()

    def in_order(self, order: NDArray[Any], begin: float) -> Motion:
        """Return the same, the sources in another order, the times counted from ``begin`` (s)."""
        place = np.argsort(order).tolist()
        segments = (Segment(place[k], begin + a, begin + b) for k, a, b in self.segments)
        return replace(
            self,
            scores=self.scores[order],
            moving=tuple(place[k] for k in self.moving),
            segments=tuple(segments),
            centres=self.centres + begin,
            W=tuple(W[order] for W in self.W),
        )

    @property
    def told(self) -> Motion:
        """The same without its matrices, which take memory."""
        return replace(self, W=())

    def notices(self) -> list[Notice]:
        """Return remarks: where motion could not be followed well."""
        if len(self.moving) > 1:
            text = f"{len(self.moving)} speakers seem to move at once: filters follow roughly"
            return [Notice("motion-rough", text)]
        step = float(np.diff(self.centres).min(initial=np.inf))
        if step <= 1.5 * STEP_SECONDS or not self.moving:
            return []
        text = f"the filters follow who moves in steps of {step:.0f} s only"
        return [Notice("motion-rough", text)]

    def as_dict(self) -> dict[str, Any]:
        """Return the record for JSON, sources from 1."""
        return {
            "score": round(float(self.scores.max(initial=0)), 3),
            "moving": bool(self.moving),
            "sources": [k + 1 for k in self.moving],
            "segments": [
                {"source": k + 1, "start": round(start, 1), "end": round(end, 1)}
                for k, start, end in self.segments
            ],
        }


@dataclass(frozen=True)
class Timeline:
    """The whitened mixture by time.

    Attributes
    ----------
    table : callable
        Makes the packed table of some frames, counted from 0 and rising.
    times : ndarray of shape (n_frames,), s
        The middle of every frame.
    duration : float, s
        Of all.
    frame : float, s
        Of a frame.
    """

    table: Callable[[NDArray[Any]], NDArray[Any]]
    times: NDArray[Any]
    duration: float
    frame: float

    def centres(self, step: float) -> NDArray[Any]:
        """Return the middles of equal stretches of about so many seconds."""
        n = max(round(self.duration / step), 1)
        return (np.arange(n) + 0.5) * (self.duration / n)

    def window(self, centre: float, length: float) -> Window:
        """Return the window round a time."""
        inside = np.flatnonzero(np.abs(self.times - centre) < length / 2)
        shares = window_shares(self.times[inside], centre, length)
        return Window([partial(self.table, inside)], [shares])

    def windows(self, step: float, n_kept: int) -> list[Window]:
        """Return windows all over the recording, so far (s) apart.

        Those with too little sound to tell anything are left out; of the others as many are kept
        in memory as have so many frames together.
        """
        windows = []
        for centre in self.centres(step):
            window = self.window(centre, WINDOW_SECONDS)
            if not window.is_long_enough:
                continue
            n_kept -= len(window.shares[0])
            windows.append(window.kept if n_kept >= 0 else window)
        return windows

    def stretch(self, start: float, stop: float, stride: int) -> Window:
        """Return the window in which all frames between two times count the same.

        It has every so many frequencies alone, in memory.
        """
        inside = np.flatnonzero((start <= self.times) & (self.times < stop))
        if not len(inside):
            return Window([], [])
        table = np.ascontiguousarray(self.table(inside)[:, :, ::stride])
        return Window([partial(in_memory, table)], [np.ones(len(inside))])


def look(
    timeline: Timeline,
    W: Array,
    model: SourceModel,
    frequencies: Array,
    n_src: int,
    threads: Threads,
) -> Array:
    """Look at stretches all over a recording: how much do sources seem to move?

    Parameters
    ----------
    timeline : Timeline
        The recording.
    W : ndarray of shape (n_out, n_out, n_freq), complex
        Demixing matrices of the whitened mixture, at every ``LOOK_STRIDE``-th frequency.
    model : SourceModel
        The source model of these frequencies.
    frequencies : ndarray of shape (n_freq,), Hz
        What they are.
    n_src : int
        The outputs that are sources, the first.
    threads : Threads
        Works on several stretches at a time.

    Returns
    -------
    ndarray of shape (n_src,)
        ``T_k``; zero where there is too little to tell.
    """
    shortest = max(LOOK_SECONDS, LOOK_FRAMES * timeline.frame)
    centres = timeline.centres(max(shortest, timeline.duration / MOST_LOOKS))
    spoken = (frequencies >= LOWEST_HZ) & (frequencies <= HIGHEST_HZ)
    if n_src < 2 or not spoken.any():
        return np.zeros(n_src)
    # Frames of neighbouring stretches have no sample in common, or chance would pass from one on to
    # the next.
    half = (min(shortest, timeline.duration / len(centres)) - timeline.frame) / 2
    mel_shares = spoken / (700.0 + frequencies)

    def tell(centre: float) -> Look | None:
        stretch = timeline.stretch(centre - half, centre + half, LOOK_STRIDE)
        return look_at(stretch, W, model, n_src, mel_shares)

    return restlessness(list(threads.map(tell, centres)), n_src, mel_shares)


def most_centres(n_src: int, n_chan: int, n_freq: int, n_bytes: int) -> int:
    """Return how many sets of filters may be kept in so many bytes of memory."""
    # Matrices of at most as many outputs as channels, filters, and both once more on their way.
    each = (2 * 16 * n_chan**2 + 2 * 8 * n_src * n_chan**2) * n_freq
    return int(np.clip(min(n_bytes, MOST_BYTES) // each, 2, MOST_CENTRES))


@dataclass(frozen=True)
class Start:
    """Demixing matrices to begin with, and where (s) they fit best."""

    W: Array
    time: float


def track(
    timeline: Timeline,
    starts: Sequence[Start],
    model: SourceModel,
    scores: Array,
    most: int,
    n_kept: int,
    update: UpdateRule,
    threads: Threads,
) -> tuple[NDArray[Any], list[Array], tuple[int, ...]]:
    """Follow who moves.

    Parameters
    ----------
    timeline, threads
        As for ``look``.
    starts : sequence of Start
        Of several that is taken from which windows come to the lowest cost.
    model : SourceModel
        The source model, of all frequencies.
    scores : ndarray of shape (n_src,)
        How much they seem to move.
    most : int
        Windows at most.
    n_kept : int
        Frames that may be kept in memory.
    update : callable
        The update rule.

    Returns
    -------
    centres : ndarray of shape (n_centres,), s
        The middles of windows.
    matrices : list of ndarray of shape (n_out, n_out, n_freq), complex
        Demixing matrices of each.
    moving : tuple of int
        Who moves: first, and followed, by whose column alone windows come to the lowest cost, then
        who does as well and seems to as much.
    """
    step = max(STEP_SECONDS, timeline.duration / most)
    centres = timeline.centres(step)
    length = float(np.clip(2 * step, WINDOW_SECONDS, LONGEST_WINDOW_SECONDS))
    narrow = [timeline.window(centre, length) for centre in centres]
    if len(starts) == 1:
        few = timeline.windows(max(STEP_SECONDS, timeline.duration / MOST_WINDOWS), n_kept)
        beginnings = [starts[0].W] * len(few)
    else:
        wide = [timeline.window(centre, WIDE * length) for centre in centres]

        def wander_from(start: Start) -> list[Array]:
            first = int(np.abs(centres - start.time).argmin())
            return wander(wide, start.W, model, update, first)

        ways = list(threads.map(wander_from, starts))
        best = min(ways, key=partial(_cost, wide, model))
        usable = [(w, W) for w, W in zip(narrow, best, strict=True) if w.is_long_enough]
        few, beginnings = [w for w, _ in usable], [W for _, W in usable]
    trials: list[tuple[float, int, Array]] = []
    for k in np.argsort(-scores, kind="stable")[:MOST_CANDIDATES].tolist():
        W = disentangle(few, beginnings, model, k, update, map=threads.map)
        steered = list(threads.map(partial(_steered, W, model, k), few))
        trials.append((_cost(few, model, steered), k, W))
    trials.sort(key=lambda trial: trial[0])
    lowest, mover, W = trials[0]
    n_frames = float(np.mean([window.n_frames for window in few]))
    # Within one nat per frequency of a window.
    alike = lowest + W.shape[-1] / n_frames
    seeming = scores > ALSO_MOVING_SHARE * scores.max()
    others = [k for cost, k, _ in trials if k != mover and cost < alike and seeming[k]]
    matrices = list(threads.map(partial(_followed, W, model, mover, update), narrow))
    return centres, matrices, (mover, *others)


def _cost(windows: Sequence[Window], model: SourceModel, matrices: Sequence[Array]) -> float:
    """Return the mean cost of windows, each with its matrices."""
    pairs = zip(windows, matrices, strict=True)
    return float(np.mean([w.fold(W, model).cost for w, W in pairs if w.is_long_enough]))


def segments(
    centres: NDArray[Any], matrices: Sequence[Array], moving: Sequence[int], duration: float
) -> tuple[Segment, ...]:
    """Return when sources are elsewhere, nearer to their farthest place than to their first."""
    borders = np.concatenate([[0.0], (centres[1:] + centres[:-1]) / 2, [duration]])
    found = []
    for k in moving:
        distances = displacements(matrices, k)
        away = np.concatenate([[False], 2 * distances > distances.max(), [False]])
        changes = borders[np.flatnonzero(away[1:] != away[:-1])].tolist()
        found += [Segment(k, *pair) for pair in zip(changes[::2], changes[1::2], strict=True)]
    return tuple(found)


def _steered(W: Array, model: SourceModel, mover: int, window: Window) -> Array:
    """Return demixing matrices of a window in which one is elsewhere."""
    return follow(window.kept, W, model, [mover])


def _followed(
    W: Array, model: SourceModel, mover: int, update: UpdateRule, window: Window
) -> Array:
    """Return the same, and let all of them adapt a little."""
    if not window.is_long_enough:
        return W
    window = window.kept
    return adapted(window, follow(window, W, model, [mover]), model, update, N_LOOSE)
