"""Names become jobs: what there is to do, everything checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from auxiva_cli.audio import (
    MAX_CHANNELS,
    OutputFormat,
    check_files,
    check_targets,
    count_channels,
    count_tracks,
    exists,
    prepare_directory,
)
from auxiva_cli.batch.find import STANDARD_INPUT, find_recordings, is_stream
from auxiva_cli.batch.jobs import Job, OutputChoices, Task
from auxiva_cli.config import LOUDEST, Settings
from auxiva_cli.errors import ParameterError
from auxiva_cli.listening.checks import check_settings
from auxiva_cli.listening.stft import stft_with

__all__ = ["plan_jobs", "prepare_outputs", "settle", "with_channels"]

ANY_SAMPLE_RATE = 16_000
STREAMS = Path("/dev")  # where a standard stream that is a file can be told from others


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
    for_one = (output.save_filters, task.activity_from, stem, output.to_stdout, output.references)
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
    if task.output.save_filters is not None:
        prepare_directory(task.output.save_filters.parent)


def settle(jobs: Sequence[Job], output: OutputChoices) -> list[Job]:
    """Return the jobs, those marked whose outputs are there and stay; refuse names that are taken.

    Raises
    ------
    OutputError
        ``output-exists``, or ``write-error`` where something cannot be replaced.
    """
    settled = [_settled(job, output) for job in jobs]
    undone = [job for job in settled if not job.is_done]
    paths = (path for job in undone for path in output.named_after(job))
    check_targets(paths, overwrite=output.may_overwrite)
    if undone and output.save_filters is not None:  # which may be of another recording
        check_targets([output.save_filters], overwrite=output.overwrite)
    return settled


def with_channels(job: Job, n_chan: int | None, settings: Settings) -> Job:
    """Return a job with what its outputs depend on, as far as that is known."""
    asked, has_rest = settings.asked_n_src, settings.rest
    return replace(
        job, n_chan=n_chan, n_src=asked or n_chan, is_open=asked is None, has_rest=has_rest
    )


def _make_jobs(found: Iterator[tuple[Path, Path]], task: Task, stem: str | None) -> list[Job]:
    """Return a job for each recording that was found."""
    reading, output, settings = task.reading, task.output, task.settings
    if reading.array:
        files = tuple(file for file, _ in found)
        name, stem = " + ".join(map(str, files)), stem or _common_stem(files)
        job = Job(name, files, stem, output.directory_of(files[0], stem, Path()))
        return [with_channels(job, _count_channels(files), settings)]
    jobs = []
    directories: dict[Path, Path] = {}
    for file, place in found:
        named_after = Path(reading.stdin_name) if file == STANDARD_INPUT else file
        own_stem = stem or named_after.stem
        directory = output.directory_of(file, own_stem, place)
        directory = directories.setdefault(directory, directory)  # one for all in it
        job = Job(str(file), (file,), own_stem, directory)
        jobs.append(with_channels(job, _count_channels(job.files), settings))
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
    if output.save_filters is not None and settings.dereverb:
        raise ParameterError(
            "filters do not hold what is taken away before them, the late reverberation",
            hint="Save filters of the recording as it is.",
        )
    if (index := output.index_path(jobs)) is not None:
        check_targets([index], overwrite=output.may_overwrite)
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
    if task.output.save_filters is not None:
        yield task.output.save_filters


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
    if all(map(exists, output.needed(likely))):
        return replace(likely, is_done=True)
    return replace(job, is_done=False)


def _common_stem(files: Sequence[Path]) -> str:
    """Return what the names of the microphones of an array have in common."""
    first, *others = sorted(file.stem for file in files)
    length = 0
    while length < len(first) and all(other.startswith(first[: length + 1]) for other in others):
        length += 1
    return first[:length].rstrip(" _-.") or "array"
