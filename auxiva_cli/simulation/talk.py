"""Who talks when: everybody at once, in turns, or each in turns of his own.

A schedule is a boolean for every speaker and sample.  Speech is poured into it: whoever is
silent stops in the middle of the word and goes on with it at his next turn, and begins
again when all has been said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from auxiva_cli.errors import ParameterError

__all__ = ["Talk", "TalkKind", "draw_activity", "pour", "stretches"]

TalkKind = Literal["all", "turns", "streams"]

# All in seconds.
_TURN = (1.5, 5.0)
_BETWEEN_TURNS = (0.1, 1.2)
_BETWEEN_OWN_TURNS = (1.0, 5.0)
_FADE = 0.005

_MOST_OVERLAP = 0.3

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Talk:
    """How people talk.

    Attributes
    ----------
    kind : {"all", "turns", "streams"}, default "all"
        Everybody talks all the time; or takes turns of 1.5 to 5 s with pauses and some
        overlap; or takes turns of such a length regardless of the others, half of the time.
    duration : float, optional
        In seconds; by default the longest speech is said once, and what the others have
        to say is followed by silence if all talk.
    lead : float, default 0
        Seconds in which nobody talks yet, as a part of the duration.
    pauses : tuple of two floats, optional
        By turns, seconds in which there is talk and seconds in which everybody is silent.
    overlap : float, default 0.1
        Share of the time that is talked in which two talk at once, up to 0.3; of "turns"
        only.

    Raises
    ------
    ParameterError
        If one of these is out of range.
    """

    kind: TalkKind = "all"
    duration: float | None = None
    lead: float = 0.0
    pauses: tuple[float, float] | None = None
    overlap: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        if self.kind not in get_args(TalkKind):
            raise ParameterError(f"talk '{self.kind}' must be {', '.join(get_args(TalkKind))}")
        if self.duration is not None and not 0.0 < self.duration < np.inf:
            raise ParameterError(f"duration={self.duration} must be positive")
        if not 0.0 <= self.lead < np.inf:
            raise ParameterError(f"lead={self.lead} must not be negative")
        if self.pauses is not None and not (self.pauses[0] > 0.0 and self.pauses[1] >= 0.0):
            raise ParameterError(f"pauses={self.pauses} must be seconds of talk and of silence")
        if not 0.0 <= self.overlap <= _MOST_OVERLAP:
            raise ParameterError(f"overlap={self.overlap} must be from 0 to {_MOST_OVERLAP}")


def draw_activity(
    talk: Talk, lengths: Sequence[int], sample_rate: int, rng: np.random.Generator
) -> Bools:
    """Return when each of the speakers talks.

    Parameters
    ----------
    talk : Talk
    lengths : sequence of int
        What each speaker has to say, in samples.
    sample_rate : int
        In Hz.
    rng : Generator

    Returns
    -------
    ndarray of bool of shape (n_src, n_samples)

    Raises
    ------
    ParameterError
        If a speaker does not get a word in.
    """
    may_talk = _may_talk(talk, max(lengths), sample_rate)
    n_talk, n_src = int(may_talk.sum()), len(lengths)
    if talk.kind == "turns":
        talked = _turns(n_src, n_talk, talk.overlap, sample_rate, rng)
    elif talk.kind == "streams":
        talked = np.array([_stream(n_talk, sample_rate, rng) for _ in range(n_src)])
    elif talk.duration is None:
        talked = np.arange(n_talk) < np.array(lengths)[:, np.newaxis]
    else:
        talked = np.ones((n_src, n_talk), dtype=bool)
    for n, own in enumerate(talked, start=1):
        if not own.any():
            raise ParameterError(
                f"speaker {n} of {n_src} does not get a word in within "
                f"{len(may_talk) / sample_rate:.1f} s",
                hint="Take a longer duration or fewer speakers.",
            )
    activity = np.zeros((n_src, len(may_talk)), dtype=bool)
    activity[:, may_talk] = talked
    return activity


def pour(speech: Sequence[Array], activity: Bools, sample_rate: int) -> Array:
    """Return what everybody says when he talks.

    Parameters
    ----------
    speech : sequence of ndarray of shape (n_said,)
        Repeated if it does not last.
    activity : ndarray of bool of shape (n_src, n_samples)
    sample_rate : int
        In Hz, for the fades of 5 ms at the ends of turns.

    Returns
    -------
    ndarray of shape (n_src, n_samples)
    """
    said = np.zeros(activity.shape)
    n_fade = 2 * round(_FADE * sample_rate) + 1
    for own, words, talks in zip(said, speech, activity, strict=True):
        own[talks] = np.resize(words, int(talks.sum()))
        around = uniform_filter1d(talks.astype(np.float64), n_fade, mode="nearest")
        own *= np.clip(2.0 * around - 1.0, 0.0, 1.0)
    return said


def stretches(active: Bools) -> list[tuple[int, int]]:
    """Return where each stretch of activity, (n_samples,), begins and ends.

    >>> stretches(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _may_talk(talk: Talk, longest: int, sample_rate: int) -> Bools:
    """Return when anybody may talk, (n_samples,): not in the lead, nor in pauses for all."""
    n_lead = round(talk.lead * sample_rate)
    n_talk, n_pause = (
        (longest, 0) if talk.pauses is None else (round(s * sample_rate) for s in talk.pauses)
    )
    n_pauses = (longest - 1) // max(n_talk, 1)
    n_samples = (
        n_lead + longest + n_pauses * n_pause
        if talk.duration is None
        else round(talk.duration * sample_rate)
    )
    after_lead = np.arange(n_samples) - n_lead
    if talk.pauses is None:
        return after_lead >= 0
    return (after_lead >= 0) & (after_lead % max(n_talk + n_pause, 1) < n_talk)


def _turns(
    n_src: int, n_samples: int, overlap: float, sample_rate: int, rng: np.random.Generator
) -> Bools:
    """Return turns: first everybody once, then whoever did not talk just now.

    The next one begins before the end where there was too little overlap until then, else
    after a pause.
    """
    active = np.zeros((n_src, n_samples), dtype=bool)
    order = list(rng.permutation(n_src))
    start, last, overlapped, talked = 0.0, n_src, 0.0, 0.0
    length = rng.uniform(*_TURN)
    while round(start * sample_rate) < n_samples:
        others = [k for k in range(n_src) if k != last] or [0]
        last = order.pop(0) if order else int(rng.choice(others))
        stop, following = start + length, rng.uniform(*_TURN)
        active[last, round(start * sample_rate) : round(stop * sample_rate)] = True
        talked += length
        if overlapped < overlap * (talked - overlapped) and n_src > 1:
            # At most half of either turn, so that never three talk.
            shared = rng.uniform(0.3, 0.5) * min(length, following)
            overlapped += shared
            start = stop - shared
        else:
            start = stop + rng.uniform(*_BETWEEN_TURNS)
        length = following
    return active


def _stream(n_samples: int, sample_rate: int, rng: np.random.Generator) -> Bools:
    """Return the turns of one who does not mind the others."""
    active = np.zeros(n_samples, dtype=bool)
    position = rng.uniform(0.0, _BETWEEN_OWN_TURNS[1])
    while round(position * sample_rate) < n_samples:
        stop = position + rng.uniform(*_TURN)
        active[round(position * sample_rate) : round(stop * sample_rate)] = True
        position = stop + rng.uniform(*_BETWEEN_OWN_TURNS)
    return active
