"""What there is to do: from names to jobs, everything checked before work starts."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from auxiva_cli.activity import FORMATS
from auxiva_cli.audio import (
    MAX_CHANNELS,
    OutputFormat,
    check_files,
    check_targets,
    count_channels,
    count_tracks,
    exists,
    expand_template,
    prepare_directory,
)
from auxiva_cli.batch.find import BESIDE, STANDARD_INPUT, find_recordings, is_stream
from auxiva_cli.config import LOUDEST, Settings
from auxiva_cli.errors import ParameterError
from auxiva_cli.filters import Filters
from auxiva_cli.listening.checks import check_settings
from auxiva_cli.listening.stft import stft_with
from auxiva_cli.listening.turns import Turns
from auxiva_cli.parallel import available_cpus

__all__ = [
    "Job",
    "OutputChoices",
    "ReadingChoices",
    "Task",
    "plan_jobs",
    "prepare_outputs",
    "settle",
    "with_channels",
]

ANY_SAMPLE_RATE = 16_000
STREAMS = Path("/dev")  # where a standard stream that is a file can be told from others


@dataclass(frozen=True)
class ReadingChoices:
    """How recordings are read."""

    array: bool = False
    allow_truncated: bool = False
    max_duration: float = math.inf
    audio_track: int | str | None = None
    zero_nonfinite: bool = False
    stdin_name: str = "stdin"


@dataclass(frozen=True)
class OutputChoices:
    """What is written, where and how; in a directory beside each recording if none is given."""

    directory: Path | None
    container: str = "WAV"
    subtype: str | None = None
    template: str = "{stem}_src{n}.{ext}"
    all_channels: bool = False
    pick: int | None = None
    mask: bool = False
    overwrite: bool = False
    skip_existing: bool = False
    to_stdout: bool = False
    activity: tuple[str, ...] = ()
    report: Literal["fitting", "embed", "link"] | None = None
    command: str = ""
    references: tuple[Path, ...] = ()

    def paths(self, job: Job, n_src: int) -> list[Path]:
        """Return the files that the sources of a recording go to; none for standard output."""
        if self.to_stdout:
            return []
        numbers = range(1, n_src + 1) if self.pick is None else [self.pick]
        ext = self.container.lower()
        return [self._path(job, self.template, n=n, ext=ext) for n in numbers]

    def activity_paths(self, job: Job) -> list[Path]:
        """Return the files that say who speaks when, in the order in which they were asked for."""
        return [self._beside(job, FORMATS[kind].suffix) for kind in self.activity]

    def page_path(self, job: Job) -> Path:
        """Return the file of the page."""
        return self._beside(job, ".html")

    def sound_paths(self, job: Job, n_src: int) -> list[Path]:
        """Return the files of the page's sound: of the mixture, and of every speaker."""
        endings = ["_mixture.mp3", *(f"_src{n}.mp3" for n in range(1, n_src + 1))]
        return [self._beside(job, ending) for ending in endings]

    def index_path(self, jobs: Sequence[Job]) -> Path | None:
        """Return the page of a batch, if one is wanted and the recordings have a common place."""
        if not self.report or len(jobs) < 2:
            return None
        places = {self.directory or job.directory.parent for job in jobs}
        return places.pop() / "index.html" if len(places) == 1 else None

    def directory_of(self, file: Path, stem: str, place: Path) -> Path:
        """Return where the outputs of a file go, found at a place in a tree that was searched."""
        if self.directory is None:
            return file.parent / f"{stem}{BESIDE}"
        return self.directory / place

    def check_pick(self, n_src: int) -> None:
        """Refuse to pick a source that there is not.

        Raises
        ------
        ParameterError
            With both numbers.
        """
        if self.pick is not None and self.pick > n_src:
            raise ParameterError(
                f"source {self.pick} was picked, but there "
                f"{'are' if n_src > 1 else 'is'} only {n_src}"
            )

    def check_mask(self, is_loudest: bool) -> None:
        """Refuse to mask sources each of which is where it is loudest: they sum to nothing.

        Raises
        ------
        ParameterError
            If they are to be masked.
        """
        if self.mask and is_loudest and not self.all_channels:
            raise ParameterError(
                "outputs at several microphones have no sum that a mask could share out",
                hint="Choose one reference microphone, or all channels.",
            )

    def paths_of(self, job: Job) -> list[Path]:
        """Return the files of the sources that a job is expected to write, as far as known."""
        return self.paths(job, job.n_src or 1)

    def beside(self, job: Job) -> list[Path]:
        """Return the files that a job writes beside its sources."""
        return [*self.activity_paths(job), *([self.page_path(job)] if self.report else [])]

    def all_paths(self, job: Job) -> list[Path]:
        """Return the files without which a job is not done."""
        return [*self.paths_of(job), *self.beside(job)]

    def reserved(self, job: Job) -> list[Path]:
        """Return every file that a job may write."""
        sounds = self.sound_paths(job, job.n_src or 1) if self.report else []
        return [*self.all_paths(job), *sounds]

    def _beside(self, job: Job, ending: str) -> Path:
        """Return a file that is named as the sources are, but for its ending."""
        parent = "{parent}_" if "{parent}" in self.template else ""
        return self._path(job, f"{parent}{{stem}}{ending}")

    def _path(self, job: Job, template: str, *, n: int = 1, ext: str = "") -> Path:
        """Return a file by the template of its name."""
        parent = ""
        if "{parent}" in template:
            parent = Path(os.path.abspath(job.files[0])).parent.name  # noqa: PTH100
        return job.directory / expand_template(template, stem=job.stem, n=n, ext=ext, parent=parent)


@dataclass(frozen=True, slots=True)
class Job:
    """One recording to separate: small, for there may be a million.

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
        How many sources are asked for, or else the most that there can be.
    is_open : bool
        Whether no number is asked for: how many there are is known when they are separated.
    is_done : bool
        Whether all outputs exist and are to be kept.
    """

    name: str
    files: tuple[Path, ...]
    stem: str
    directory: Path
    n_chan: int | None = None
    n_src: int | None = None
    is_open: bool = False
    is_done: bool = False


@dataclass(frozen=True)
class Task:
    """What is the same for all recordings of a run.

    Attributes
    ----------
    settings : Settings
        How filters are learnt.
    reading : ReadingChoices
        How recordings are read.
    output : OutputChoices
        What is written.
    n_threads : int
        Threads for each recording.
    n_sharing : int
        Recordings worked on at a time, which share the memory.
    filters : Filters, optional
        Applied instead of learning any.
    learn_from : tuple of float, s, optional
        The stretch to learn from.
    activity_from : sequence of sequences of (float, float), s, optional
        Start and end of the turns of each speaker of the one recording.
    save_filters : Path, optional
        Where the filters go.
    """

    settings: Settings
    reading: ReadingChoices
    output: OutputChoices
    n_threads: int = 1
    n_sharing: int = 1
    filters: Filters | None = None
    learn_from: tuple[float, float] | None = None
    activity_from: Turns | None = None
    save_filters: Path | None = None

    def shared_by(self, n_workers: int, n_threads: int | None = None) -> Task:
        """Return the task as each of several workers has it: processors and memory are shared.

        Parameters
        ----------
        n_workers : int
            Recordings worked on at a time.
        n_threads : int, optional
            Threads for each; its share of the processors when not given.
        """
        n_threads = n_threads or max(1, available_cpus() // n_workers)
        return replace(self, n_threads=n_threads, n_sharing=n_workers)


def plan_jobs(
    names: Sequence[str],
    task: Task,
    *,
    recursive: bool = False,
    stem: str | None = None,
    reads: Sequence[Path] = (),
    dry_run: bool = False,
) -> list[Job]:
    """Return what there is to do, everything checked and nothing touched.

    Parameters
    ----------
    names : sequence of str
        Files and directories, ``-`` for standard input.
    task : Task
        What is the same for all of them.
    recursive : bool
        Search directories in directories, too.
    stem : str, optional
        What the outputs of a single recording are named after.
    reads : sequence of Path
        What else the run reads.
    dry_run : bool
        Outputs that exist are no error.

    Returns
    -------
    list of Job
        One for each recording, or a single one for the microphones of an array.

    Raises
    ------
    ParameterError
        If a name leads nowhere, more is asked for than any recording has channels, or what no
        recording can get.
    OutputError
        If outputs collide, are inputs, exist already or cannot be written.
    """
    found = find_recordings(names, recursive=recursive, outputs=task.output.directory)
    jobs = _make_jobs(found, task, stem)
    output = task.output
    for_one = (task.save_filters, task.activity_from, stem, output.to_stdout, output.references)
    if len(jobs) > 1 and any(for_one):
        raise ParameterError(
            f"{len(jobs)} recordings were named, where there can be only one",
            hint="Filters, turns, a stem, references and standard output are for a single one.",
        )
    if dry_run:  # which says what exists
        task = replace(task, output=replace(task.output, overwrite=not task.output.skip_existing))
    _check_jobs(jobs, task, reads)
    return settle(jobs, task.output)


def prepare_outputs(jobs: Sequence[Job], task: Task) -> None:
    """Make the directories of what is to be written, and try to write in them.

    Raises
    ------
    OutputError
        ``write-error`` or ``no-space``.
    """
    if not task.output.to_stdout:
        for directory in sorted({job.directory for job in jobs if not job.is_done}):
            prepare_directory(directory)
    if task.save_filters is not None:
        prepare_directory(task.save_filters.parent)


def settle(jobs: Sequence[Job], output: OutputChoices) -> list[Job]:
    """Return the jobs, those marked whose outputs are there and stay; refuse names that are taken.

    Raises
    ------
    OutputError
        ``output-exists``, or ``write-error`` where something cannot be replaced.
    """
    settled = [_settled(job, output) for job in jobs]
    paths = (path for job in settled if not job.is_done for path in output.all_paths(job))
    check_targets(paths, overwrite=output.overwrite or output.skip_existing)
    return settled


def with_channels(job: Job, n_chan: int | None, settings: Settings) -> Job:
    """Return a job with the number of its channels and sources, as far as they are known."""
    asked = settings.asked_n_src
    return replace(job, n_chan=n_chan, n_src=asked or n_chan, is_open=asked is None)


def _make_jobs(found: Iterator[tuple[Path, Path]], task: Task, stem: str | None) -> list[Job]:
    """Return a job for each recording that was found."""
    reading, output, settings = task.reading, task.output, task.settings
    if reading.array:
        files = tuple(file for file, _ in found)
        name, stem = " + ".join(map(str, files)), stem or _common_stem(files)
        job = Job(name, files, stem, output.directory_of(files[0], stem, Path()))
        return [with_channels(job, _count_channels(files), settings)]
    jobs = []
    asked = settings.asked_n_src
    directories: dict[Path, Path] = {}
    for file, place in found:
        named_after = Path(reading.stdin_name) if file == STANDARD_INPUT else file
        own_stem = stem or named_after.stem
        directory = output.directory_of(file, own_stem, place)
        directory = directories.setdefault(directory, directory)  # one for all in it
        n_chan = _count_channels((file,))
        jobs.append(
            Job(str(file), (file,), own_stem, directory, n_chan, asked or n_chan, asked is None)
        )
    return jobs


def _count_channels(files: Sequence[Path]) -> int | None:
    """Return how many channels files have together, as far as their headers tell."""
    counts = [None if is_stream(file) else count_channels(file) for file in files]
    return None if None in counts else sum(count for count in counts if count is not None)


def _check_jobs(jobs: Sequence[Job], task: Task, reads: Sequence[Path]) -> None:
    """Refuse what can be known to go wrong before work starts."""
    settings, output = task.settings, task.output
    known = [job.n_chan for job in jobs if job.n_chan]
    most = max(known) if len(known) == len(jobs) else MAX_CHANNELS
    check_settings(most, settings)
    output.check_pick(settings.asked_n_src or most)
    output.check_mask(settings.ref_chan == LOUDEST)
    if settings.n_fft is not None:
        stft_with(settings.n_fft, settings)
    if output.subtype is not None:
        OutputFormat(ANY_SAMPLE_RATE, 1, 0, output.container, output.subtype)
    if task.save_filters is not None:
        if settings.dereverb:
            raise ParameterError(
                "filters do not hold what is taken away before them, the late reverberation",
                hint="Save filters of the recording as it is.",
            )
        check_targets([task.save_filters], overwrite=output.overwrite)
    if (index := output.index_path(jobs)) is not None:
        check_targets([index], overwrite=output.overwrite or output.skip_existing)
    check_files(
        reads=_Walk(lambda: _read(jobs, task, reads)),
        writes=_Walk(lambda: _written(jobs, task)),
        origins=(job.name for job in jobs for _ in task.output.reserved(job)),
    )


class _Walk:
    """What can be walked through again, and is never held."""

    def __init__(self, walk: Callable[[], Iterator[Path]]) -> None:
        self._walk = walk

    def __iter__(self) -> Iterator[Path]:
        return self._walk()


def _read(jobs: Sequence[Job], task: Task, others: Sequence[Path]) -> Iterator[Path]:
    """Yield every file that a run reads."""
    yield from others
    yield from task.output.references
    for job in jobs:
        yield from map(_stream_or_file, job.files)


def _written(jobs: Sequence[Job], task: Task) -> Iterator[Path]:
    """Yield every file that a run writes."""
    for job in jobs:
        yield from task.output.reserved(job)
    if (index := task.output.index_path(jobs)) is not None:
        yield index
    if task.output.to_stdout:
        yield STREAMS / "stdout"
    if task.save_filters is not None:
        yield task.save_filters


def _stream_or_file(file: Path) -> Path:
    """Return the name under which the system knows a file or standard input."""
    return STREAMS / "stdin" if file == STANDARD_INPUT else file


def _settled(job: Job, output: OutputChoices) -> Job:
    """Return a job, marked if all its outputs are there and stay.

    How many that are an output says itself, where no number is asked for.
    """
    if not output.skip_existing or output.to_stdout or job.n_src is None:
        return replace(job, is_done=False) if job.is_done else job
    likely = job
    if job.is_open:
        said = count_tracks(output.paths(job, 1)[0])
        likely = replace(job, n_src=min(said or job.n_src, job.n_src))
    if all(map(exists, output.all_paths(likely))):
        return replace(likely, is_done=True)
    return replace(job, is_done=False)


def _common_stem(files: Sequence[Path]) -> str:
    """Return what the names of the microphones of an array have in common."""
    first, *others = sorted(file.stem for file in files)
    length = 0
    while length < len(first) and all(other.startswith(first[: length + 1]) for other in others):
        length += 1
    return first[:length].rstrip(" _-.") or "array"
