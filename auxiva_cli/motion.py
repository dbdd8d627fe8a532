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
    FEWEST_FRAMES,
    Window,
    disentangle,
    displacements,
    follow,
    restlessness,
    wander,
    window_shares,
)
from auxiva_cli.bss.source_models import SourceModel
from auxiva_cli.errors import Notice
from auxiva_cli.parallel import Threads

__all__ = [
    "Motion",
    "Segment",
    "Timeline",
    "look",
    "most_centres",
    "movers",
    "score",
    "segments",
    "track",
]

# Windows, and from one to the next, in seconds.
WINDOW_SECONDS, STEP_SECONDS = 8.0, 2.0
# The look: from window to window, how many at most, and every which frequency.
LOOK_STEP_SECONDS, MOST_LOOKS, LOOK_STRIDE = 4.0, 24, 4
# Above which the score tells motion, and above which share of the highest S_k others move, too.
MOVING, ALSO_MOVING_SHARE = 2.8, 0.85
# So many windows at most are followed, fewer where filters take much memory; they grow longer then.
MOST_CENTRES, MOST_BYTES, LONGEST_WINDOW_SECONDS = 150, 2**28, 16.0
# Where several move, windows are first so much wider.
WIDE = 1.5


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
        ``S_k``: about 1 where nobody moves.
    moving : tuple of int
        Sources that move, from 0.
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
        text = f"of so long a recording the filters follow who moves in steps of {step:.0f} s"
        return [Notice("motion-rough", text)]

    def as_dict(self) -> dict[str, Any]:
        """Return the record for JSON, sources from 1."""
        return {
            "score": round(score(self.scores), 3),
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
    """

    table: Callable[[NDArray[Any]], NDArray[Any]]
    times: NDArray[Any]
    duration: float

    def centres(self, step: float) -> NDArray[Any]:
        """Return the middles of equal stretches of about so many seconds."""
        n = max(round(self.duration / step), 1)
        return (np.arange(n) + 0.5) * (self.duration / n)

    def windows(self, step: float, stride: int = 1) -> list[Window]:
        """Return windows all over the recording, so far (s) apart, of every so many frequencies.

        Those with too little sound to tell anything are left out.
        """
        windows = [self.window(c, WINDOW_SECONDS, stride) for c in self.centres(step)]
        return [window for window in windows if window.n_frames >= FEWEST_FRAMES]

    def window(self, centre: float, length: float, stride: int = 1) -> Window:
        """Return the window round a time, of every so many frequencies; its blocks are made."""
        inside = np.flatnonzero(np.abs(self.times - centre) < length / 2)
        if not len(inside):
            return Window([], [])
        table = np.ascontiguousarray(self.table(inside)[:, :, ::stride])
        return Window(
            [partial(in_memory, table)], [window_shares(self.times[inside], centre, length)]
        )


def look(timeline: Timeline, W: Array, model: SourceModel, n_src: int, threads: Threads) -> Array:
    """Look at some windows of a recording: how much do sources seem to move?

    Parameters
    ----------
    timeline : Timeline
        The recording.
    W : ndarray of shape (n_out, n_out, n_freq), complex
        Demixing matrices of the whitened mixture, at every ``LOOK_STRIDE``-th frequency.
    model : SourceModel
        The source model of these frequencies.
    n_src : int
        The outputs that are sources, the first.
    threads : Threads
        Works on several windows at a time.

    Returns
    -------
    ndarray of shape (n_src,)
        ``S_k``; zero where windows are too few or too quiet to tell.
    """
    step = max(LOOK_STEP_SECONDS, timeline.duration / MOST_LOOKS)
    windows = timeline.windows(step, LOOK_STRIDE)
    if len(windows) < 2:
        return np.zeros(n_src)
    terms = threads.map(partial(_restlessness, W, model, n_src), windows)
    scores: Array = np.mean(list(terms), axis=0)
    return scores


def score(scores: Array) -> float:
    """Return how much the highest ``S_k`` tells of motion: ``√(max³ / min)``.

    Turns and echoes raise all of them alike, who moves raises his own most.
    """
    highest, lowest = float(scores.max(initial=0)), float(scores.min(initial=np.inf))
    return highest * np.sqrt(highest / lowest) if highest > 0 else 0.0


def movers(scores: Array) -> tuple[int, ...]:
    """Return who moves, as the scores of a look tell: first who moves most.

    Who sits seems to move as well where somebody does, for the filters of all suffer from it.
    """
    if score(scores) <= MOVING:
        return ()
    order = np.argsort(-scores, kind="stable")
    least = ALSO_MOVING_SHARE * float(scores.max())
    return tuple(int(k) for k in order if scores[k] > least)


def most_centres(n_src: int, n_chan: int, n_freq: int) -> int:
    """Return how many sets of filters may be kept."""
    return int(np.clip(MOST_BYTES // (8 * n_src * n_chan**2 * n_freq), 2, MOST_CENTRES))


def track(
    timeline: Timeline,
    W: Array,
    model: SourceModel,
    moving: Sequence[int],
    most: int,
    update: UpdateRule,
    threads: Threads,
) -> tuple[NDArray[Any], list[Array]]:
    """Follow who moves.

    Parameters
    ----------
    timeline, threads
        As for ``look``.
    W, model
        The same, of all frequencies.
    moving : sequence of int
        Who moves.
    most : int
        Windows at most.
    update : callable
        The update rule.

    Returns
    -------
    centres : ndarray of shape (n_centres,), s
        The middles of windows.
    matrices : list of ndarray of shape (n_out, n_out, n_freq), complex
        Demixing matrices of each.
    """
    if len(moving) == 1:
        looks = timeline.windows(max(STEP_SECONDS, timeline.duration / MOST_LOOKS))
        W = disentangle(looks, W, model, moving[0], update, map=threads.map)
    step = max(STEP_SECONDS, timeline.duration / most)
    centres = timeline.centres(step)
    length = float(np.clip(2 * step, WINDOW_SECONDS, LONGEST_WINDOW_SECONDS))
    narrow = [partial(timeline.window, centre, length) for centre in centres]
    if len(moving) == 1:
        return centres, list(threads.map(partial(_followed, W, model, moving), narrow))
    wide = [partial(timeline.window, centre, WIDE * length) for centre in centres]
    return centres, wander(wide, narrow, W, model, update, map=threads.map)


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


def _restlessness(W: Array, model: SourceModel, n_src: int, window: Window) -> Array:
    """Return the terms of ``S_k`` of a window."""
    return restlessness(window, W, model, n_src)


def _followed(
    W: Array, model: SourceModel, moving: Sequence[int], window: Callable[[], Window]
) -> Array:
    """Return demixing matrices of a window."""
    return follow(window(), W, model, moving)
