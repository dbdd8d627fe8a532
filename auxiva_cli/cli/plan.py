"""From what was named on the command line to jobs, everything checked before work starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auxiva_cli.audio import (
    MAX_CHANNELS,
    OutputFormat,
    check_distinct,
    check_not_inputs,
    check_targets,
    count_channels,
    exists,
    expand_template,
    prepare_directory,
)
from auxiva_cli.cli.find import STANDARD_INPUT, is_stream
from auxiva_cli.config import Settings
from auxiva_cli.errors import ParameterError
from auxiva_cli.separation import stft_with

__all__ = [
    "Job",
    "OutputChoices",
    "ReadingChoices",
    "check_jobs",
    "make_jobs",
    "prepare_directories",
    "settle_outputs",
    "with_channels",
]

ANY_SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class ReadingChoices:
    """How recordings are read."""

    array: bool = False
    allow_truncated: bool = False
    zero_nonfinite: bool = False
    stdin_name: str = "stdin"


@dataclass(frozen=True)
class OutputChoices:
    """What is written, where and how."""

    directory: Path
    container: str = "WAV"
    subtype: str | None = None
    template: str = "{stem}_src{n}.{ext}"
    all_channels: bool = False
    pick: int | None = None
    overwrite: bool = False
    skip_existing: bool = False
    to_stdout: bool = False

    def paths(self, job: Job, n_src: int) -> list[Path]:
        """Return the files that the sources of a recording go to; none for standard output."""
        if self.to_stdout:
            return []
        numbers = range(1, n_src + 1) if self.pick is None else [self.pick]
        ext = self.container.lower()
        names = [expand_template(self.template, stem=job.stem, n=n, ext=ext) for n in numbers]
        return [job.directory / name for name in names]

    def paths_of(self, job: Job) -> list[Path]:
        """Return the files that a job is expected to write, as far as its sources are known."""
        return self.paths(job, job.n_src or 1)


@dataclass(frozen=True)
class Job:
    """One recording to separate.

    Attributes
    ----------
    name : str
        What it is called in messages.
    files : tuple of Path
        The file, or one per microphone; ``-`` for standard input.
    stem : str
        What its outputs' names are made from.
    directory : Path
        Where they go.
    n_chan : int or None
        How many channels the recording has, as far as its header tells.
    n_src : int or None
        How many sources are asked for, or else expected.
    is_done : bool
        Whether all outputs exist and are to be kept.
    """

    name: str
    files: tuple[Path, ...]
    stem: str
    directory: Path
    n_chan: int | None = None
    n_src: int | None = None
    is_done: bool = False


def make_jobs(
    recordings: Iterable[tuple[Path, Path]],
    settings: Settings,
    reading: ReadingChoices,
    output: OutputChoices,
    *,
    stem: str | None,
) -> list[Job]:
    """Return a job for each recording, or a single one for the microphones of an array."""
    found = list(recordings)
    if reading.array:
        files = tuple(file for file, _ in found)
        name, stem = " + ".join(map(str, files)), stem or _common_stem(files)
        return [with_channels(Job(name, files, stem, output.directory), len(files), settings)]
    jobs = []
    for file, place in found:
        named_after = Path(reading.stdin_name) if file == STANDARD_INPUT else file
        job = Job(str(file), (file,), stem or named_after.stem, output.directory / place)
        n_chan = None if is_stream(file) else count_channels(file)
        jobs.append(with_channels(job, n_chan, settings))
    return jobs


def with_channels(job: Job, n_chan: int | None, settings: Settings) -> Job:
    """Return a job with the number of its channels and sources, as far as they are known."""
    return replace(job, n_chan=n_chan, n_src=settings.n_src or n_chan)


def check_jobs(jobs: Sequence[Job], settings: Settings, output: OutputChoices) -> None:
    """Refuse what can be known to go wrong before work starts.

    Raises
    ------
    ParameterError
        If more is asked for than any recording has channels, or what no recording can get.
    OutputError
        If outputs collide, or are inputs.
    """
    _check_counts(jobs, settings, output)
    if settings.n_fft is not None:
        stft_with(settings.n_fft, settings)
    if output.subtype is not None:
        OutputFormat(ANY_SAMPLE_RATE, 1, 0, output.container, output.subtype)
    if output.to_stdout:
        return
    paths = [path for job in jobs for path in output.paths_of(job)]
    check_distinct(paths)
    check_not_inputs(paths, [file for job in jobs for file in job.files])


def settle_outputs(jobs: Sequence[Job], output: OutputChoices) -> list[Job]:
    """Return the jobs, those marked whose outputs are there; refuse names that are taken.

    Raises
    ------
    OutputError
        ``output-exists``, or ``write-error`` where something cannot be replaced.
    """
    if output.to_stdout:
        return list(jobs)
    settled = [replace(job, is_done=_is_done(job, output)) for job in jobs]
    targets = [path for job in settled if not job.is_done for path in output.paths_of(job)]
    check_targets(targets, overwrite=output.overwrite or output.skip_existing)
    return settled


def prepare_directories(jobs: Iterable[Job]) -> None:
    """Make the directories that outputs go to."""
    for directory in sorted({job.directory for job in jobs if not job.is_done}):
        prepare_directory(directory)


def _common_stem(files: Sequence[Path]) -> str:
    """Return what the names of the microphones of an array have in common."""
    first, *others = sorted(file.stem for file in files)
    length = 0
    while length < len(first) and all(other.startswith(first[: length + 1]) for other in others):
        length += 1
    return first[:length].rstrip(" _-.") or "array"


def _check_counts(jobs: Sequence[Job], settings: Settings, output: OutputChoices) -> None:
    """Refuse numbers of sources and channels that no recording can have."""
    known = [job.n_chan for job in jobs if job.n_chan]
    most = max(known) if len(known) == len(jobs) else MAX_CHANNELS
    channels = f"{most} channel{'s' if most > 1 else ''}"
    n_src = settings.n_src or most
    hint = "Ask for at most as many sources as there are microphones."
    if n_src > most:
        raise ParameterError(f"{n_src} sources cannot be separated from {channels}", hint=hint)
    if output.pick and output.pick > n_src:
        raise ParameterError(f"source {output.pick} was picked, but there are only {n_src}")
    if settings.ref_chan and settings.ref_chan >= most:
        raise ParameterError(
            f"reference channel {settings.ref_chan + 1} does not exist: there is only {channels}"
        )


def _is_done(job: Job, output: OutputChoices) -> bool:
    """Tell whether a recording is to be skipped: all its outputs are there."""
    return output.skip_existing and job.n_src is not None and all(map(exists, output.paths_of(job)))
