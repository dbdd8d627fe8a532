"""The story: from a recording to what is learnt from it.  No printing, no command line.

A recording is put right first: channels that are no microphones of the room, delays, steps of gain.
Frames in which a channel is dead, and quiet ones, teach nothing.  Then the sources are counted, if
that is asked for, the filters learnt from what is left, and the sources put in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.auxiva import StageTrace
from auxiva_cli.bss.fold import Block
from auxiva_cli.bss.residual import residual_filters
from auxiva_cli.bss.scaling import (
    energies,
    projection_filters,
    relative_levels,
    source_filters,
    sum_to_identity,
)
from auxiva_cli.config import AUTO, LOUDEST, Settings
from auxiva_cli.demixing import demix
from auxiva_cli.errors import Notice, ParameterError
from auxiva_cli.filters import Course, Filters
from auxiva_cli.listening.checks import (
    check_channels,
    check_settings,
    choose_n_src,
    count_independent,
)
from auxiva_cli.listening.checkup import check_fit
from auxiva_cli.listening.counting import Count
from auxiva_cli.listening.crowd import crowd_notices
from auxiva_cli.listening.findings import Findings
from auxiva_cli.listening.mixture import Chosen, Mixture
from auxiva_cli.listening.observation import FrameCount, Observation, observe
from auxiva_cli.listening.preparation import Prepared, prepare
from auxiva_cli.listening.stft import stft_for
from auxiva_cli.listening.survey import Survey, survey
from auxiva_cli.listening.turns import Turns, check_turns, frame_activities, settings_for_turns
from auxiva_cli.motion import WINDOW_SECONDS, Motion
from auxiva_cli.observer import Observer, Plan
from auxiva_cli.parallel import Threads, counted
from auxiva_cli.planning import outputs_to_separate, plan_outputs
from auxiva_cli.trial import count_sources

__all__ = ["Learnt", "learn", "use", "weak_output_notices"]

Array = NDArray[Any]
WEAK_OUTPUT_DB = -25.0
# So far below the strongest at another channel, a source is one.
STRONG_DB = -10.0


@dataclass(frozen=True)
class Learnt:
    """Filters for a recording, and how they came about.

    Attributes
    ----------
    filters : Filters
        Filters to the images of the sources, in order of falling energy at the reference channel
        in what was learnt from.
    demixing_matrices : ndarray of shape (n_src, n_chan, n_freq), complex
        ``W`` in the same order, up to a scale per source and frequency; zero where a frequency
        carries nothing to separate, and everywhere if the filters were given.  Of the channels
        on one axis, at the gains of the beginning.
    stages : tuple of StageTrace
        The cost at every iteration of every stage.
    n_passes : int
        How often the recording, or the stretch to learn from, was read.
    mixture : Mixture
        The recording as the filters are applied to it: on one clock, with steps of gain undone.
    frames : FrameCount, optional
        How much of the recording, or of the stretch to learn from, was learnt from; none if the
        filters were given.
    survey : Survey
        What the whole recording is like.
    notices : tuple of Notice
        What to tell the user.
    findings : Findings, optional
        What was found in the recording and done to it; none if the filters were given.
    count : Count, optional
        How many speak, if they were counted.
    motion : Motion, optional
        Whether sources move, in the same order, if that was looked for.
    """

    filters: Filters
    demixing_matrices: Array
    stages: tuple[StageTrace, ...]
    n_passes: int
    mixture: Mixture
    frames: FrameCount | None
    survey: Survey
    notices: tuple[Notice, ...]
    findings: Findings | None = None
    count: Count | None = None
    motion: Motion | None = None


def learn(
    mixture: Mixture,
    settings: Settings,
    *,
    learn_from: tuple[float, float] | None = None,
    activity_from: Turns | None = None,
    n_sharing: int = 1,
    threads: Threads,
    observer: Observer,
) -> Learnt:
    """Learn the filters that separate the sources of a recording, from all or a stretch of it.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    settings : Settings
        What is asked.
    learn_from : tuple of float, s, optional
        Start and end of the stretch; all of the recording when not given.
    activity_from : sequence of sequences of (float, float), s, optional
        Start and end of the turns of each speaker; this takes the place of all stages but
        the last.
    n_sharing : int
        Recordings worked on at a time, which share the memory.
    threads : Threads
        Works on several blocks at a time.
    observer : Observer
        Is told how the work goes.

    Raises
    ------
    ParameterError
        If the settings do not fit the recording.
    RecordingError
        If the recording cannot be separated, or ends before the stretch begins.
    """
    check_channels(mixture.n_chan)
    if learn_from is not None:
        settings = replace(settings, motion=_motion_of_stretch(settings))
    if activity_from is not None:
        settings = settings_for_turns(settings, activity_from)
        check_turns(activity_from, mixture.n_samples / mixture.sample_rate)
    check_settings(mixture.n_chan, settings)
    observer.opened(mixture)
    ready = prepare(mixture, settings, learn_from, map=threads.map, advanced=observer.advanced)
    findings, teaching, seen = ready.findings, ready.teaching, ready.seen
    count = _count(ready, settings, threads, observer)
    if count is not None:
        settings = replace(settings, n_src=count.n_src)
    sounding = seen.levels.sounding_share(teaching.sample_rate, np.flatnonzero(seen.live))
    stft = stft_for(teaching, settings, sounding)
    heard = observe(teaching, seen, stft, threads, partial(observer.advanced, "covariance"))
    rank = count_independent(heard.R)
    if count is not None:  # in all of the recording there may be fewer
        settings = replace(settings, n_src=min(count.n_src, rank) if rank > 1 else None)
    n_src, rank_notices = choose_n_src(heard.R, rank, heard.channels, settings)
    n_out = n_src
    if activity_from is None:
        n_out = outputs_to_separate(heard, n_src, rank, settings, threads, n_sharing)
    fitting = stft
    if n_out > n_src:
        fitting = stft_for(teaching, replace(settings, n_src=n_out), sounding)
    is_too_long = fitting != stft  # the window, for so many
    if is_too_long:
        stft = fitting
        heard = observe(teaching, seen, stft, threads, lambda done, total: None)
    plan = plan_outputs(heard, n_src, n_out, rank, findings.ref_chan, settings, threads, n_sharing)
    activities = None
    if activity_from is not None:
        activities = frame_activities(
            activity_from, stft, teaching.sample_rate, heard.kept, begin=ready.begin
        )
    observer.started(plan)
    W, stages, motion, n_read = demix(heard, plan, settings, threads, observer, activities)
    has_rest = settings.rest
    images = partial(_image_filters, rank=rank, has_rest=has_rest, threads=threads)
    G = images(heard, W, advanced=partial(observer.advanced, "filters"))
    order, out_chans, weak = _in_order(G, heard, plan.ref_chan, settings)

    def of_recording(G: Array) -> Array:
        G = heard.filters_of_recording(G, has_rest=has_rest)
        return findings.with_copies(G, has_rest=has_rest).astype(np.complex64)

    begin = ready.begin / teaching.sample_rate
    motion = motion and motion.in_order(order[:n_src], begin)
    return Learnt(
        filters=Filters(
            G=of_recording(G[order]),
            stft=stft,
            sample_rate=teaching.sample_rate,
            ref_chan=plan.ref_chan,
            lags=findings.lags,
            drifts=findings.undone_ppm,
            out_chans=out_chans,
            R=heard.covariance_of_recording().astype(np.complex64),
            course=_course(motion, ready, heard, rank, images, of_recording),
            has_rest=has_rest,
        ),
        demixing_matrices=heard.of_recording(W[order[:n_src]]),
        stages=stages,
        n_passes=_n_passes(
            stages, plan, heard.count.learnt_from, is_shared=1 < n_src < rank and not has_rest
        )
        + is_too_long
        + (n_read + _n_read_around(heard, motion, begin, rank, has_rest=has_rest))
        // heard.count.learnt_from
        + (findings.undone_ppm is not None),
        mixture=ready.mixture,
        frames=heard.count,
        survey=ready.everything,
        findings=findings,
        count=count,
        motion=motion and motion.told,
        notices=(
            *seen.notices,
            *findings.notices,
            *heard.notices,
            *rank_notices,
            *crowd_notices(n_src, n_out),
            *_rise_notices(stages, settings),
            *(motion.notices() if motion is not None else ()),
            *weak,
        ),
    )


def _count(
    ready: Prepared, settings: Settings, threads: Threads, observer: Observer
) -> Count | None:
    """Count the speakers, if that is asked for."""
    if settings.n_src != AUTO:
        return None
    ref_chan, allowed = ready.findings.ref_chan, settings.max_memory
    return count_sources(ready.teaching, ready.seen, ref_chan, allowed, threads, observer)


def _in_order(
    G: Array, heard: Observation, ref_chan: int, settings: Settings
) -> tuple[Array, Array | None, list[Notice]]:
    """Return the outputs in their order, the channels of each, and remarks.

    Sources come in order of falling energy, and the rest last, at the reference channel.
    """
    ref = int(np.searchsorted(heard.channels, ref_chan))
    # Level of each output at each channel, relative to all that is heard there.
    energy = np.stack([energies(G, heard.R, c) for c in range(len(heard.channels))], axis=1)
    strength = energy[:, ref] if settings.ref_chan != LOUDEST else energy.max(axis=1)
    n_src = len(G) - settings.rest
    order = np.append(np.argsort(-strength[:n_src], kind="stable"), np.arange(n_src, len(G)))
    if settings.ref_chan != LOUDEST:
        return order, None, weak_output_notices(energy[order[:n_src]], ref, heard.channels)
    out_chans = heard.channels[energy[order].argmax(axis=1)]
    out_chans[n_src:] = ref_chan
    return order, out_chans, []


def use(
    filters: Filters,
    mixture: Mixture,
    *,
    channels: Sequence[int] | None = None,
    threads: Threads,
    observer: Observer,
) -> Learnt:
    """Take given filters for a recording, or for those channels (from 0) of it that are chosen.

    Raises
    ------
    FiltersError
        If they do not fit the recording.
    """
    if channels is not None:
        chosen = np.unique(channels)
        filters = filters.among(chosen, mixture.n_chan)
        mixture = Chosen(mixture, chosen)
    filters.check_fit(mixture.n_chan, mixture.sample_rate)
    mixture = filters.on_one_clock(mixture)
    seen = survey(mixture, map=threads.map, advanced=partial(observer.advanced, "levels"))
    lags = np.zeros(filters.n_chan, int) if filters.lags is None else filters.lags
    used = np.isin(np.arange(filters.n_chan), filters.used)
    elsewhere = _course_notices(filters, mixture, seen)
    misfits = check_fit(mixture, seen, lags, filters.ref_chan, used, map=threads.map)
    W = np.zeros((filters.n_src, filters.n_chan, filters.stft.n_freq), complex)
    return Learnt(
        filters, W, (), 1, mixture, None, seen, notices=(*seen.notices, *misfits, *elsewhere)
    )


def _course_notices(filters: Filters, mixture: Mixture, seen: Survey) -> list[Notice]:
    """Remark on filters that follow speakers of another recording."""
    course = filters.course
    if course is None or course.is_of(mixture.n_samples, seen.rms):
        return []
    text = (
        "the filters follow speakers who moved in the recording they were learnt from; "
        "here their one set for all of that is used"
    )
    return [Notice("motion-elsewhere", text)]


def _motion_of_stretch(settings: Settings) -> Literal["off"]:
    """Return that nobody is followed where a stretch tells of the whole; refuse if that is asked.

    Raises
    ------
    ParameterError
        If speakers are to be followed.
    """
    if settings.motion == "on":
        raise ParameterError(
            "motion='on' does not go with learn_from: who moves is followed all along",
            hint="Learn from the whole recording.",
        )
    return "off"


def _course(
    motion: Motion | None,
    ready: Prepared,
    heard: Observation,
    rank: int,
    images: Callable[..., Array],
    of_recording: Callable[[Array], Array],
) -> Course | None:
    """Return the filters along the way of who moves, if anybody does."""
    if motion is None or not motion.moving:
        return None
    rate = ready.teaching.sample_rate
    local = _local_filters(heard, motion, ready.begin / rate, rank, images)
    return Course(
        centres=np.round(motion.centres * rate).astype(int),
        G=np.stack([of_recording(G) for G in local]),
        n_samples=ready.mixture.n_samples,
        rms=ready.everything.rms,
    )


def _local_filters(
    heard: Observation, motion: Motion, begin: float, rank: int, images: Callable[..., Array]
) -> Iterator[Array]:
    """Yield the filters at all times for which there are demixing matrices."""
    for start, stop, W in zip(*_around(motion, begin), motion.W, strict=True):
        around = heard if len(W) == rank else heard.between(start, stop)
        yield images(around, W, advanced=lambda done, total: None)


def _around(motion: Motion, begin: float) -> tuple[Array, Array]:
    """Return from when to when (s) of what was listened to filters are learnt, for each time."""
    half = max(WINDOW_SECONDS, 2 * float(np.diff(motion.centres).min(initial=0))) / 2
    return motion.centres - begin - half, motion.centres - begin + half


def _n_read_around(
    heard: Observation, motion: Motion | None, begin: float, rank: int, *, has_rest: bool
) -> int:
    """Return how many frames are read for filters along the way of who moves."""
    if motion is None or not motion.W or len(motion.W[0]) == rank:
        return 0
    starts, stops = _around(motion, begin)
    within = np.searchsorted(heard.times, stops) - np.searchsorted(heard.times, starts)
    return (2 - has_rest) * int(within.sum())  # for the covariance; for sharing out the residual


def _image_filters(
    heard: Observation,
    W: Array,
    *,
    rank: int,
    has_rest: bool,
    threads: Threads,
    advanced: Callable[[int, int], None],
) -> Array:
    """Return the filters to the images at the channels that carry sound, for all frequencies.

    What belongs to no source is shared out among them, or is the last image.
    """
    separable = np.any(W != 0, axis=(0, 1))
    R = heard.R[..., separable]
    if len(W) == rank:
        separated = projection_filters(W[..., separable])
    elif has_rest:
        separated = source_filters(W[..., separable], R)
    else:
        bins = np.flatnonzero(separable)
        blocks = [partial(_some_bins, block, bins) for block in heard.spread]
        separated = residual_filters(
            blocks,
            W[..., bins],
            R,
            map=lambda function, some: threads.map(function, counted(list(some), advanced)),
        )
    G = np.zeros((len(W) + has_rest, *separated.shape[1:-1], len(separable)), complex)
    G[: len(W), ..., separable] = separated
    return sum_to_identity(G, has_rest=has_rest)


def _some_bins(block: Block, bins: Array) -> Array:
    """Make a block, of the frequencies that take part."""
    X = block()
    if bins[-1] - bins[0] < len(bins):
        return X[..., bins[0] : bins[-1] + 1]  # no copy
    return X[..., bins]


def _n_passes(stages: Sequence[StageTrace], plan: Plan, n_frames: int, *, is_shared: bool) -> int:
    """Return how often a recording was read.

    Survey, covariance; tables, unless of a sample, and tables of more outputs; the fold of given
    activities, filters from the residual.
    """
    given = any(stage.name == "given" for stage in stages)
    tables = 1 + (plan.n_extra > 0) if plan.memory.n_sample == n_frames else 0
    return 2 + tables + given + is_shared


def _rise_notices(stages: Sequence[StageTrace], settings: Settings) -> list[Notice]:
    """Remark on the first rise of the cost."""
    cause = "the step size is too big" if settings.algorithm == "gradient" else "rounding won"
    n_updates = 0
    for stage in stages:
        n_updates += len(stage.costs) - 1
        if stage.rose:
            text = (
                f"the cost rose at iteration {n_updates}: {cause}; "
                "the matrices of the lowest cost are kept"
            )
            return [Notice("cost-rose", text)]
    return []


def weak_output_notices(energy: Array, ref: int, channels: Array) -> list[Notice]:
    """Remark on outputs so weak that there were fewer sources, or that belong to other microphones.

    Parameters
    ----------
    energy : ndarray of shape (n_src, n_chan)
        Of each source at each channel, relative to all that is heard there.
    ref : int
        Which of them is the reference channel.
    channels : ndarray of shape (n_chan,)
        Which channels of the recording these are, from 0.
    """
    at_reference = relative_levels(energy[:, ref])
    for k in np.flatnonzero(at_reference < WEAK_OUTPUT_DB).tolist():
        best = int(energy[k].argmax())
        level = relative_levels(energy[:, best])[k]
        if level > STRONG_DB:
            text = (
                f"source {k + 1} is {level - at_reference[k]:.0f} dB louder at channel "
                f"{channels[best] + 1} than at the reference, channel {channels[ref] + 1}: "
                "have each source at the microphone where it is loudest"
            )
            return [Notice("louder-elsewhere", text)]
        text = (
            f"source {k + 1} is {-at_reference[k]:.0f} dB below the strongest: "
            f"there {'were' if k > 1 else 'was'} probably only {k} speaker{'s' if k > 1 else ''}"
        )
        return [Notice("weak-output", text)]
    return []
