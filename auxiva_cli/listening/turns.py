"""Who speaks in which frame, from turns that somebody else has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.config import Settings
from auxiva_cli.errors import ParameterError, RecordingError
from auxiva_cli.listening.stft import Stft

__all__ = ["Turns", "check_turns", "frame_activities", "settings_for_turns"]

Array = NDArray[Any]
# Start and end, in seconds, of the turns of each speaker; turns of one may overlap.
Turns = Sequence[Sequence[tuple[float, float]]]
# Of the activity of a source that speaks: what is left of it in the room, and of the others when
# the times are not exact.
SILENCE = 0.1
# The share of the frames in which one of two speakers speaks and the other does not.
LEAST_APART = 0.01


def settings_for_turns(settings: Settings, turns: Turns) -> Settings:
    """Return the settings with as many sources as there are speakers.

    Raises
    ------
    ParameterError
        If another number is asked for, or there is nobody.
    """
    n_src = len(turns)
    people = f"{n_src} speaker{'s' if n_src != 1 else ''}"
    if not n_src:
        raise ParameterError("nobody speaks in the turns that are given", hint="Give some turns.")
    if settings.asked_n_src not in (None, n_src):
        raise ParameterError(
            f"the turns are those of {people}, but {settings.n_src} sources are asked for",
            hint="Leave the number to the turns.",
        )
    return replace(settings, n_src=n_src)


def check_turns(turns: Turns, duration: float) -> None:
    """Refuse turns that are not those of a recording, of so many seconds.

    Raises
    ------
    ParameterError
        If a turn ends before it begins.
    RecordingError
        ``too-short``, if the recording ends before a turn begins.
    """
    for k, own in enumerate(turns):
        for start, end in own:
            if not 0 <= start <= end < np.inf:
                raise ParameterError(
                    f"a turn of speaker {k + 1} from {start:g} to {end:g} s is none: "
                    "0 <= start <= end"
                )
            if start > duration:
                raise RecordingError(
                    f"a turn of speaker {k + 1} begins at {start:g} s, "
                    f"the recording ends at {duration:g} s",
                    hint="Give the turns of this recording.",
                    kind="too-short",
                )


def frame_activities(
    turns: Turns, stft: Stft, sample_rate: int, kept: Array, *, begin: int = 0
) -> Array:
    """Return how active each speaker is in the frames that are learnt from.

    Parameters
    ----------
    turns : sequence of sequences of (float, float)
        Start and end, in seconds, of the turns of each speaker.
    stft : Stft
        The transform.
    sample_rate : int, Hz
        Sample rate.
    kept : ndarray of shape (n_frames,), bool
        Which frames of what is learnt from are used.
    begin : int
        The sample of the recording at which that begins.

    Returns
    -------
    ndarray of shape (n_kept, n_src)
        The share of the window's energy that lies in a speaker's turns, at least ``SILENCE``.

    Raises
    ------
    RecordingError
        ``too-little-signal``, if a speaker never speaks there, or two always do together.
    """
    energy = np.concatenate([[0], np.cumsum(stft.analysis_window**2)])
    energy /= energy[-1]
    starts = begin + stft.span(0, 1)[0] + stft.hop_length * np.arange(len(kept))
    activities = np.zeros((len(kept), len(turns)))
    for k, own in enumerate(turns):
        for turn in own:
            first, last = np.round(np.array(turn) * sample_rate).astype(int)
            reached = slice(*np.searchsorted(starts, [first - stft.n_fft, last]))
            into = np.clip([first - starts[reached], last - starts[reached]], 0, stft.n_fft)
            activities[reached, k] += energy[into[1]] - energy[into[0]]
    activities = activities[kept]
    silent = ~(activities > SILENCE).any(axis=0)
    if silent.any():
        raise RecordingError(
            f"speaker {int(silent.argmax()) + 1} has no turn in what is learnt from",
            hint="Leave out who says nothing, or learn from more of the recording.",
            kind="too-little-signal",
        )
    _check_apart(activities)
    return np.clip(activities, SILENCE, 1)


def _check_apart(activities: Array) -> None:
    """Refuse speakers whom their turns do not tell apart."""
    for j, k in combinations(range(activities.shape[1]), 2):
        apart = np.mean(np.abs(activities[:, j] - activities[:, k]) > 0.5)
        if apart < LEAST_APART:
            raise RecordingError(
                f"speakers {j + 1} and {k + 1} speak at the same times, but for "
                f"{100 * apart:.1f} % of what is learnt from",
                hint="Separate without their turns.",
                kind="too-little-signal",
            )
