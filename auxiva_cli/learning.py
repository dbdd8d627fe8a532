"""Where the filters of a recording come from: learnt from it, from a part of it, or given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from auxiva_cli.bss.auxiva import StageTrace
from auxiva_cli.config import Settings
from auxiva_cli.errors import FiltersError, RecordingError
from auxiva_cli.filters import Filters
from auxiva_cli.mixture import Excerpt, Mixture
from auxiva_cli.notices import Notice
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads
from auxiva_cli.separation import fit
from auxiva_cli.survey import Survey, survey

__all__ = ["Learnt", "learn", "use"]


@dataclass(frozen=True)
class Learnt:
    """Filters for a recording, and how they came about.

    Attributes
    ----------
    filters : Filters
        What to apply.
    survey : Survey
        What the whole recording is like.
    stages : tuple of StageTrace
        The cost at every iteration.
    n_passes : int
        How often what was learnt from was read.
    notices : tuple of Notice
        What to tell the user.
    """

    filters: Filters
    survey: Survey
    stages: tuple[StageTrace, ...] = ()
    n_passes: int = 0
    notices: tuple[Notice, ...] = ()


def learn(
    mixture: Mixture,
    settings: Settings,
    *,
    learn_from: tuple[float, float] | None,
    threads: Threads,
    observer: Observer,
) -> Learnt:
    """Learn filters from a recording, or from a stretch of it.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    settings : Settings
        How to learn.
    learn_from : tuple of float, s, optional
        Start and end of the stretch; all of the recording when not given.
    threads, observer
        As in ``fit``.

    Raises
    ------
    RecordingError
        If the recording cannot be separated, or ends before the stretch begins.
    """
    if learn_from is None:
        found = fit(mixture, settings, threads=threads, observer=observer)
        seen, notices = found.survey, found.notices
    else:
        seen = _look_through(mixture, threads, observer)
        found = fit(_stretch(mixture, *learn_from), settings, threads=threads, observer=observer)
        notices = found.notices
    return Learnt(
        found.filters,
        seen,
        stages=found.traces,
        n_passes=found.n_passes,
        notices=notices,
    )


def use(filters: Filters, mixture: Mixture, *, threads: Threads, observer: Observer) -> Learnt:
    """Take given filters for a recording.

    Raises
    ------
    FiltersError
        If they do not fit the recording.
    """
    theirs = f"{filters.n_chan} channels at {filters.sample_rate} Hz"
    ours = f"{mixture.n_chan} channels at {mixture.sample_rate} Hz"
    if theirs != ours:
        raise FiltersError(
            f"the filters are for {theirs}, the recording has {ours}",
            hint="Learn filters from a recording of the same microphones.",
        )
    seen = _look_through(mixture, threads, observer)
    return Learnt(filters, seen, notices=seen.notices)


def _look_through(mixture: Mixture, threads: Threads, observer: Observer) -> Survey:
    """Survey a whole recording that is not learnt from, or not from all of it."""
    return survey(mixture, map=threads.map, advanced=partial(observer.advanced, "levels"))


def _stretch(mixture: Mixture, start: float, end: float) -> Excerpt:
    """Return the samples between two times (s)."""
    first = round(start * mixture.sample_rate)
    last = min(round(end * mixture.sample_rate), mixture.n_samples)
    if first >= last:
        raise RecordingError(
            f"the stretch to learn from begins at {start:g} s, "
            f"the recording ends at {mixture.n_samples / mixture.sample_rate:g} s",
            hint="Choose a stretch within the recording.",
            kind="too-short",
        )
    return Excerpt(mixture, first, last)
