"""A recording put right before anything is learnt from it, in the order in which it is done.

Channels that are chosen, late reverberation, channels that are no microphones of the room, clocks,
steps of gain, delays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.fold import Map
from auxiva_cli.config import Settings
from auxiva_cli.errors import ParameterError, RecordingError
from auxiva_cli.listening.checks import check_settings
from auxiva_cli.listening.checkup import check_up, common_levels
from auxiva_cli.listening.dereverberation import dereverberate
from auxiva_cli.listening.findings import Findings
from auxiva_cli.listening.mixture import Chosen, Mixture
from auxiva_cli.listening.resync import on_one_clock
from auxiva_cli.listening.survey import Survey, survey

__all__ = ["Prepared", "as_heard", "prepare"]

Array = NDArray[Any]
# What the first correction of clocks leaves, the second undoes.
MOST_RESYNCS = 2


def as_heard(
    mixture: Mixture,
    settings: Settings,
    *,
    map: Map = map,
    advanced: Callable[[str, int, int], None],
) -> Mixture:
    """Return a recording as it is to be separated, and as its sources sum to it.

    Without late reverberation, if that is asked for.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    settings : Settings
        What is asked.
    map : callable
        How a function is mapped over blocks.
    advanced : callable
        Is told of a step how many of how many parts are done.
    """
    if not settings.dereverb:
        return mixture
    if settings.channels is not None:
        check_settings(mixture.n_chan, settings)
        mixture = Chosen(mixture, np.array(settings.channels))
    return dereverberate(mixture, map=map, advanced=partial(advanced, "dereverb"))


class Prepared(NamedTuple):
    """A recording put right, and what it is like.

    Attributes
    ----------
    mixture : Mixture
        All of it, drifts of clocks and steps of gain undone.
    teaching : Mixture
        What is learnt from, all channels on one axis.
    everything, seen : Survey
        What either is like.
    findings : Findings
        What was found, and done.
    begin : int
        The sample of the reference channel at which begins what is learnt from.
    """

    mixture: Mixture
    teaching: Mixture
    everything: Survey
    seen: Survey
    findings: Findings
    begin: int


def prepare(
    mixture: Mixture,
    settings: Settings,
    learn_from: tuple[float, float] | None = None,
    *,
    map: Map = map,
    advanced: Callable[[str, int, int], None],
) -> Prepared:
    """Look through a recording, and undo what can be undone: channels, clocks, delays, gains.

    Parameters
    ----------
    mixture, settings, map, advanced
        As for ``as_heard``.
    learn_from : tuple of float, s, optional
        Start and end of the stretch to learn from; all of the recording when not given.

    Raises
    ------
    ParameterError
        If the stretch has no length.
    RecordingError
        If the recording ends before the stretch begins, or cannot be separated.
    """
    if settings.channels is not None:
        mixture = Chosen(mixture, np.array(settings.channels))
    stretch = None if learn_from is None else _stretch(mixture, *learn_from)
    step = "levels" if stretch else "survey"
    everything = survey(mixture, map=map, advanced=partial(advanced, step))
    findings = check_up(mixture, everything, ref_chan=settings.asked_ref_chan, map=map)
    if settings.resync:
        mixture, everything, findings = _resynced(mixture, everything, findings, map)
    mixture = findings.levelled(mixture)
    teaching = findings.common(mixture, stretch)
    if stretch is not None:
        seen = survey(teaching, map=map, advanced=partial(advanced, "survey"))
    else:
        seen = replace(everything, levels=common_levels(everything.levels, findings.lags))
    seen = replace(seen, live=findings.used(seen.live))
    return Prepared(mixture, teaching, everything, seen, findings, findings.begin(stretch))


def _resynced(
    mixture: Mixture, seen: Survey, findings: Findings, map: Map
) -> tuple[Mixture, Survey, Findings]:
    """Bring a recording onto one clock, and look again: a drift hides what else there is.

    What is left after the first time, where clocks had come far apart, is found by the second.
    """
    original, ref_chan, ppm = mixture, findings.ref_chan, np.zeros(mixture.n_chan)
    for _ in range(MOST_RESYNCS):
        if not findings.drifts:
            break
        ppm = ppm + findings.clock_ppm()
        mixture = on_one_clock(original, ppm)
        seen = survey(mixture, map=map)
        findings = check_up(mixture, seen, ref_chan=ref_chan, map=map)
    return mixture, seen, findings.with_clocks(ppm)


def _stretch(mixture: Mixture, start: float, end: float) -> tuple[int, int]:
    """Return the first of the samples between two times (s), and the one behind the last."""
    if not 0 <= start < end:
        raise ParameterError(f"learn_from=({start!r}, {end!r}) must be two times, 0 <= start < end")
    first = round(start * mixture.sample_rate)
    last = min(round(end * mixture.sample_rate), mixture.n_samples)
    if first >= last:
        raise RecordingError(
            f"the stretch to learn from begins at {start:g} s, "
            f"the recording ends at {mixture.n_samples / mixture.sample_rate:g} s",
            hint="Choose a stretch within the recording.",
            kind="too-short",
        )
    return first, last
