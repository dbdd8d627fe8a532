"""From what was named on the command line to jobs, everything checked before work starts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auxiva_cli.audio import (
    check_absent,
    check_distinct,
    check_not_inputs,
    count_channels,
    exists,
    expand_template,
    prepare_directory,
)
from auxiva_cli.config import Settings
from auxiva_cli.errors import ParameterError

__all__ = [
    "Job",
    "OutputChoices",
    "ReadingChoices",
    "find_recordings",
    "plan_jobs",
    "prepare_directories",
    "read_list",
]

STANDARD_INPUT = "-"
# What is taken from a directory; anything may be named by itself.
SUFFIXES = {
    ".wav", ".wave", ".flac", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64",
    ".ogg", ".oga", ".opus", ".mp3",
}  # fmt: skip


@dataclass(frozen=True)
class ReadingChoices:
    """How recordings are read."""

    array: bool = False
    allow_truncated: bool = False
    zero_nonfinite: bool = False


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

    def paths(self, directory: Path, stem: str, n_src: int) -> list[Path]:
        """Return the files that the sources of a recording go to."""
        ext = self.container.lower()
        numbers = range(1, n_src + 1) if self.pick is None else [self.pick]
        return [
            directory / expand_template(self.template, stem=stem, n=n, ext=ext) for n in numbers
        ]


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
    overwrite : bool
        Whether outputs that exist are replaced.
    """

    name: str
    files: tuple[Path, ...]
    stem: str
    directory: Path
    n_chan: int | None
    n_src: int | None
    is_done: bool = False
    overwrite: bool = False


def read_list(names: bytes, separator: bytes) -> list[str]:
    """Return the names in a list of files, one a line, or separated by NUL."""
    lines = names.split(separator)
    return [os.fsdecode(line.removesuffix(b"\r")) for line in lines if line.strip()]


def find_recordings(inputs: Sequence[str], *, recursive: bool) -> Iterator[tuple[Path, Path]]:
    """Yield the recordings among files and directories, each with its place in the output tree.

    Yields
    ------
    file : Path
        The recording.
    subdirectory : Path
        Of the output directory; for the files of a directory that is searched recursively, where
        they were found in it.

    Raises
    ------
    ParameterError
        If something that is named does not exist, or a directory holds no recording.
    """
    for name in inputs:
        path = Path(name)
        if name == STANDARD_INPUT or not path.is_dir():
            if name != STANDARD_INPUT and not os.path.lexists(name):
                raise ParameterError(
                    f"{name!r} does not exist",
                    hint="Check the spelling of the name.",
                    kind="input-missing",
                )
            yield path, Path()
            continue
        found = path.rglob("*") if recursive else path.glob("*")
        files = sorted(
            file for file in found if file.suffix.lower() in SUFFIXES and not file.is_dir()
        )
        if not files:
            hint = "" if recursive else "Search the directories in it with --recursive."
            raise ParameterError(
                f"no recording in the directory {name!r}", hint=hint, kind="input-missing"
            )
        for file in files:
            yield file, file.parent.relative_to(path)


def plan_jobs(
    recordings: Iterable[tuple[Path, Path]],
    settings: Settings,
    reading: ReadingChoices,
    output: OutputChoices,
    *,
    stem: str | None,
) -> list[Job]:
    """Make the jobs of a run and check all that can be known before work starts.

    Raises
    ------
    ParameterError
        If more sources are asked for than any recording has channels.
    OutputError
        If outputs exist, collide, or are inputs, or cannot be written.
    """
    found = list(recordings)
    if reading.array:
        jobs = [_array_job([file for file, _ in found], settings, output, stem)]
    else:
        jobs = [_file_job(file, place, settings, output, stem) for file, place in found]
    _check_n_src(jobs, settings)
    if output.to_stdout:
        return jobs

    jobs = [_with_existing(job, output) for job in jobs]
    targets = [(job, output.paths(job.directory, job.stem, job.n_src or 1)) for job in jobs]
    check_distinct([path for _, paths in targets for path in paths])
    check_not_inputs(
        [path for _, paths in targets for path in paths],
        [file for job in jobs for file in job.files],
    )
    check_absent(
        path for job, paths in targets if not (job.is_done or job.overwrite) for path in paths
    )
    return jobs


def prepare_directories(jobs: Iterable[Job]) -> None:
    """Make the directories that outputs go to."""
    for directory in sorted({job.directory for job in jobs if not job.is_done}):
        prepare_directory(directory)


def _file_job(
    file: Path, place: Path, settings: Settings, output: OutputChoices, stem: str | None
) -> Job:
    """Return the job of a recording in one file, or on standard input."""
    n_chan = None if str(file) == STANDARD_INPUT else count_channels(file)
    return Job(
        name=str(file),
        files=(file,),
        stem=stem or file.stem,
        directory=output.directory / place,
        n_chan=n_chan,
        n_src=settings.n_src or n_chan,
    )


def _array_job(
    files: Sequence[Path], settings: Settings, output: OutputChoices, stem: str | None
) -> Job:
    """Return the job of a recording with one file per microphone."""
    return Job(
        name=" + ".join(map(str, files)),
        files=tuple(files),
        stem=stem or _common_stem(files),
        directory=output.directory,
        n_chan=len(files),
        n_src=settings.n_src or len(files),
    )


def _common_stem(files: Sequence[Path]) -> str:
    """Return what the names of the microphones of an array have in common."""
    first, *others = sorted(file.stem for file in files)
    length = 0
    while length < len(first) and all(other.startswith(first[: length + 1]) for other in others):
        length += 1
    return first[:length].rstrip(" _-.") or "array"


def _check_n_src(jobs: Sequence[Job], settings: Settings) -> None:
    """Refuse a number of sources that no recording can have."""
    most = max((job.n_chan or 0 for job in jobs), default=0)
    if settings.n_src and all(job.n_chan for job in jobs) and settings.n_src > most:
        raise ParameterError(
            f"{settings.n_src} sources cannot be separated from {most} "
            f"channel{'s' if most > 1 else ''}",
            hint="Ask for at most as many sources as there are microphones.",
        )


def _with_existing(job: Job, output: OutputChoices) -> Job:
    """Mark a job whose outputs are all there, and one whose outputs are to be replaced."""
    paths = output.paths(job.directory, job.stem, job.n_src or 1)
    if output.skip_existing:
        is_done = job.n_src is not None and all(map(exists, paths))
        return replace(job, is_done=is_done, overwrite=not is_done)
    return replace(job, overwrite=output.overwrite)
