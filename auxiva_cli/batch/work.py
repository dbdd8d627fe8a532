"""One recording, from its file to the files of its sources.  Says nothing; returns an outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.audio import (
    OutputFormat,
    OutputSet,
    Recording,
    exists,
    open_array,
    open_outputs,
    open_recording,
    open_standard_output,
    output_subtype,
)
from auxiva_cli.batch.beside import Beside
from auxiva_cli.batch.jobs import Job, OutputChoices, ReadingChoices, Task
from auxiva_cli.batch.plan import settle, with_channels
from auxiva_cli.batch.scoring import check_references
from auxiva_cli.bss.auxiva import StageTrace
from auxiva_cli.bss.scaling import relative_levels
from auxiva_cli.config import LOUDEST, Settings
from auxiva_cli.doubt import Likeness
from auxiva_cli.errors import AuxivaError, Notice, as_error, is_debugging
from auxiva_cli.filters import Filters, apply_filters
from auxiva_cli.filters.mask import masked
from auxiva_cli.listening.checks import check_channels, check_settings
from auxiva_cli.listening.counting import Count
from auxiva_cli.listening.findings import Findings
from auxiva_cli.listening.mixture import FiniteMixture, Mixture
from auxiva_cli.listening.observation import FrameCount
from auxiva_cli.listening.preparation import as_heard
from auxiva_cli.listening.survey import count_nonfinite
from auxiva_cli.motion import Motion
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads
from auxiva_cli.separation import Learnt, learn, use

__all__ = ["Outcome", "as_used", "failed", "separate_recording", "unworked"]


@dataclass(frozen=True)
class Outcome:
    """What became of a recording.

    ``settings`` are complete once it is separated; ``size`` is that of the last stage: sources
    times frequencies, over which its costs are sums.
    """

    job: Job
    settings: Settings
    status: str
    seconds: float = 0.0
    error: AuxivaError | None = None
    notices: tuple[Notice, ...] = ()
    outputs: tuple[Path, ...] = ()
    beside: tuple[Path, ...] = ()
    digests: tuple[str, ...] = ()
    sample_rate: int = 0
    n_chan: int = 0
    n_samples: int = 0
    levels: tuple[float, ...] = ()
    stages: tuple[StageTrace, ...] = ()
    size: int = 0
    n_passes: int = 0
    frames: FrameCount | None = None
    gain: float = 1.0
    findings: Findings | None = None
    count: Count | None = None
    motion: Motion | None = None
    out_chans: tuple[int, ...] = ()

    @property
    def n_written(self) -> int:
        """How many sources are written."""
        return len(self.levels) - self.settings.rest

    @property
    def rest(self) -> Path | None:
        """The file of what belongs to no source, if it is one of the outputs: the last."""
        return self.outputs[-1] if self.outputs and self.settings.rest else None

    @property
    def duration(self) -> float:
        """Length of the recording in seconds."""
        return self.n_samples / self.sample_rate if self.sample_rate else 0.0


def unworked(job: Job, task: Task, status: str) -> Outcome:
    """Return the outcome of a job that nothing is done about."""
    outputs, beside = task.output.paths_of(job), task.output.beside(job)
    return Outcome(job, task.settings, status, outputs=tuple(outputs), beside=tuple(beside))


def separate_recording(job: Job, task: Task, observer: Observer) -> Outcome:
    """Separate one recording and write its sources; failures are outcomes, too."""
    begin = time.perf_counter()
    try:
        outcome = _separate(job, task, observer)
    except Exception as error:
        if is_debugging() and not isinstance(error, AuxivaError):
            raise
        outcome = failed(job, task, error)
    return replace(outcome, seconds=time.perf_counter() - begin)


def failed(job: Job, task: Task, error: Exception) -> Outcome:
    """Return the outcome of a recording that could not be separated."""
    return Outcome(job, task.settings, "failed", error=as_error(error))


def _separate(job: Job, task: Task, observer: Observer) -> Outcome:
    """Separate one recording."""
    output = task.output
    with _open(job, task.reading, observer) as recording, Threads(task.n_threads) as threads:
        check_channels(recording.n_chan)
        check_settings(recording.n_chan, task.settings)
        (job,) = settle([with_channels(job, recording.n_chan, task.settings)], output)
        if job.is_done:
            return unworked(job, task, "skipped")
        check_references(output.references, recording)
        finite, notices = _finite(recording, task.reading)
        mixture = as_heard(finite, task.settings, map=threads.map, advanced=observer.advanced)
        chosen = _chosen(recording, task)
        output_format = _output_format(recording, output, len(chosen))

        learnt = _filters(mixture, task, threads, observer)
        filters = learnt.filters
        output.check_pick(filters.n_src)
        output.check_mask(filters.out_chans is not None)
        picked = output.numbers(filters.n_src)
        numbers = [*picked, *range(filters.n_src, filters.n_out)]
        everywhere = chosen if output.all_channels else None
        on_one_clock = filters.on_one_clock(mixture)
        sources = _Sources(learnt, on_one_clock, numbers, everywhere, output.mask)
        paths = output.paths(job, filters.n_src)
        tracks = [f"{n + 1}/{filters.n_src}" for n in picked] + [""] * filters.has_rest
        with (
            _open_outputs(paths, output_format, tracks, output) as files,
            Beside(output, mixture, filters) as beside,
        ):
            likeness, gain = sources.write_fitting(files, beside, threads, observer)
            recording.check_unchanged()
            files.finish()
            outcome = replace(
                sources.outcome(job, task.settings, recording, likeness),
                notices=(
                    *notices,
                    *learnt.notices,
                    *likeness.notices(learnt.count),
                    *_gain_notices(gain),
                    *_left_notices(job, filters.n_src, output),
                ),
                outputs=tuple(paths),
                digests=tuple(files.digests),
                n_passes=learnt.n_passes + (1 if gain == 1 else 2),
                gain=gain,
            )
            made = beside.made(outcome, files.drafts)
            for path, content in made.items():
                files.add(path, content)
            if output.save_filters is not None:
                files.add(output.save_filters, filters.to_bytes())
            files.commit()
            return replace(outcome, beside=tuple(made))


@dataclass(frozen=True)
class _Sources:
    """The sources of a recording, on their way into files.

    Attributes
    ----------
    learnt : Learnt
        The filters, and what they are applied to.
    mixture : Mixture
        What they must sum to.
    numbers : list of int
        Outputs that are written, from 0.
    everywhere : ndarray of shape (n_wanted,), int, optional
        Channels at which the images are wanted; each output at its own when not given.
    is_masked : bool
        Whether they are masked.
    """

    learnt: Learnt
    mixture: Mixture
    numbers: list[int]
    everywhere: NDArray[Any] | None
    is_masked: bool

    def outcome(
        self, job: Job, settings: Settings, recording: Recording, likeness: Likeness
    ) -> Outcome:
        """Return what is known of the sources, without how they were written."""
        filters = self.learnt.filters
        return Outcome(
            job,
            as_used(settings, filters),
            "separated",
            sample_rate=recording.sample_rate,
            n_chan=recording.n_chan,
            n_samples=recording.n_samples,
            levels=tuple(map(float, relative_levels(likeness.energies)[self.numbers])),
            stages=self.learnt.stages,
            size=int(np.count_nonzero(self.learnt.demixing_matrices.any(axis=1))),
            frames=self.learnt.frames,
            findings=self.learnt.findings,
            count=self.learnt.count,
            motion=self.learnt.motion,
            out_chans=tuple(filters.outputs[self.numbers, 0].tolist()),
        )

    def write_fitting(
        self, files: OutputSet, beside: Beside, threads: Threads, observer: Observer
    ) -> tuple[Likeness, float]:
        """Write the sources, and once more with the gain that they need not to clip, if any."""
        likeness = self.write(files, beside, threads, partial(observer.advanced, "write"))
        if (gain := files.fitting_gain) != 1:
            self.write(files, beside, threads, partial(observer.advanced, "lower"), gain)
        return likeness, gain

    def write(
        self,
        files: OutputSet,
        beside: Beside,
        threads: Threads,
        advanced: Callable[[int, int], None],
        gain: float = 1.0,
    ) -> Likeness:
        """Write the sources from their beginning, and return how much they are alike."""
        files.rewind()
        beside.rewind()
        filters, seen = self.learnt.filters, self.learnt.survey
        channels, own = filters.outputs, np.zeros_like(filters.outputs)
        summed = None if filters.out_chans is not None else [filters.ref_chan]
        if self.everywhere is not None:
            own, channels = np.searchsorted(self.everywhere, filters.outputs), self.everywhere
            summed = list(self.everywhere)
        likeness = Likeness(filters, seen.levels)
        stretches = apply_filters(filters, self.learnt.mixture, channels, seen, threads=threads)
        if self.is_masked:
            stretches = masked(stretches, filters.sample_rate)
        for images in stretches:
            separated = images[np.arange(len(images)), own[:, 0]]
            likeness.update(separated)
            heard = self.mixture.read(files.n_written, images.shape[-1])
            beside.add(heard[filters.ref_chan] * gain, separated * gain)
            unwritten = np.delete(images, self.numbers, axis=0).sum(axis=0)
            files.write(
                images[self.numbers] * gain,
                None if summed is None else heard[summed] * gain,
                unwritten * gain,
            )
            advanced(files.n_written, self.mixture.n_samples)
        return likeness


def as_used(settings: Settings, filters: Filters) -> Settings:
    """Return settings with everything that was left to the program as it was chosen."""
    return replace(
        settings,
        n_src=filters.n_src,
        rest=filters.has_rest,
        n_fft=filters.stft.n_fft,
        hop_length=filters.stft.hop_length,
        window=filters.stft.window,
        ref_chan=filters.ref_chan if settings.ref_chan != LOUDEST else LOUDEST,
    )


def _filters(mixture: Mixture, task: Task, threads: Threads, observer: Observer) -> Learnt:
    """Return the filters for a recording: those that are given, or what it teaches."""
    if task.filters is not None:
        channels = task.settings.channels
        return use(task.filters, mixture, channels=channels, threads=threads, observer=observer)
    return learn(
        mixture,
        task.settings,
        learn_from=task.learn_from,
        activity_from=task.activity_from,
        n_sharing=task.n_sharing,
        threads=threads,
        observer=observer,
    )


def _open(job: Job, reading: ReadingChoices, observer: Observer) -> Recording:
    """Open the recording of a job."""
    truncated, longest = reading.allow_truncated, reading.max_duration
    if reading.array:
        return open_array(job.files, allow_truncated=truncated, max_duration=longest)
    return open_recording(
        job.files[0],
        allow_truncated=truncated,
        max_duration=longest,
        audio_track=reading.audio_track,
        received=observer.received,
    )


def _finite(recording: Recording, reading: ReadingChoices) -> tuple[Mixture, list[Notice]]:
    """Return the recording with zeros in place of NaN, if that is asked for, and its notices."""
    notices = list(recording.warnings)
    if not reading.zero_nonfinite:
        return recording, notices
    count, channel, seconds = count_nonfinite(recording)
    if count:
        text = (
            f"{count} NaN or infinite samples are taken as zero, "
            f"the first in channel {channel + 1} at {seconds:.3f} s"
        )
        notices.append(Notice("nonfinite-zeroed", text))
    return FiniteMixture(recording), notices


def _chosen(recording: Recording, task: Task) -> NDArray[Any]:
    """Return the channels that are used, in order."""
    return np.unique(task.settings.channels or range(recording.n_chan))


def _output_format(recording: Recording, output: OutputChoices, n_chan: int) -> OutputFormat:
    """Return what one output file is to be; known before anything is computed."""
    return OutputFormat(
        sample_rate=recording.sample_rate,
        n_chan=n_chan if output.all_channels else 1,
        n_samples=recording.n_samples,
        container=output.container,
        subtype=output.subtype or output_subtype(recording.subtype, output.container),
    )


def _open_outputs(
    paths: list[Path], output_format: OutputFormat, tracks: list[str], output: OutputChoices
) -> OutputSet:
    """Begin the outputs of a recording."""
    overwrite = output.may_overwrite
    if output.to_stdout:
        n_chan = len(tracks) * output_format.n_chan
        return open_standard_output(replace(output_format, n_chan=n_chan), overwrite=overwrite)
    return open_outputs(paths, output_format, overwrite=overwrite, tracks=tracks)


def _left_notices(job: Job, n_src: int, output: OutputChoices) -> list[Notice]:
    """Name outputs of higher numbers, and of the rest, which an earlier run has left."""
    if output.to_stdout or output.pick is not None or job.n_chan is None:
        return []
    others = output.source_paths(job, job.n_chan)[n_src:]
    others += [] if job.has_rest else [output.rest_path(job)]
    left = [path for path in others if exists(path)]
    if not left:
        return []
    names = ", ".join(repr(str(path)) for path in left)
    text = f"{names} {'are' if len(left) > 1 else 'is'} of an earlier run, and no speaker of this"
    return [Notice("outputs-left", text)]


def _gain_notices(gain: float) -> list[Notice]:
    """Say by how much the outputs were lowered, if they were."""
    if gain == 1:
        return []
    text = f"all outputs are {-20 * np.log10(gain):.1f} dB lower, to keep them from clipping"
    return [Notice("gain-applied", text)]
