"""What there is to do: a recording, how all are read and written, what is the same for all."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from auxiva_cli.activity import FORMATS
from auxiva_cli.audio import (
    expand_template,
)
from auxiva_cli.batch.find import BESIDE
from auxiva_cli.config import Settings
from auxiva_cli.errors import ParameterError
from auxiva_cli.filters import Filters
from auxiva_cli.listening.turns import Turns
from auxiva_cli.parallel import available_cpus

__all__ = [
    "Job",
    "OutputChoices",
    "ReadingChoices",
    "Task",
]


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
    """What is written, where and how; in a directory beside each recording if none is given.

    ``save_filters``: where the filters of a single recording go, too.
    """

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
    save_filters: Path | None = None

    @property
    def may_overwrite(self) -> bool:
        """Whether what is there of a recording that is not done is replaced."""
        return self.overwrite or self.skip_existing

    def paths(self, job: Job, n_src: int) -> list[Path]:
        """Return the files that the outputs of a recording go to; none for standard output."""
        if self.to_stdout:
            return []
        rest = [self.rest_path(job)] if job.has_rest else []
        return [*self.source_paths(job, n_src), *rest]

    def source_paths(self, job: Job, n_src: int) -> list[Path]:
        """Return the files that the sources of a recording go to."""
        ext = self.container.lower()
        numbers = self.numbers(n_src)
        return [self._path(job, self.template, n=n + 1, ext=ext) for n in numbers]

    def rest_path(self, job: Job) -> Path:
        """Return the file of what belongs to no source."""
        return self._beside(job, f"_rest.{self.container.lower()}")

    def numbers(self, n_src: int) -> list[int]:
        """Return which sources are written, from 0."""
        return list(range(n_src)) if self.pick is None else [self.pick - 1]

    def activity_paths(self, job: Job) -> list[Path]:
        """Return the files that say who speaks when, in the order in which they were asked for."""
        return [self._beside(job, FORMATS[kind].suffix) for kind in self.activity]

    def page_path(self, job: Job) -> Path:
        """Return the file of the page."""
        return self._beside(job, ".html")

    def sound_paths(self, job: Job, n_src: int) -> list[Path]:
        """Return the files of the page's sound: of the mixture, of every speaker, of the rest."""
        rest = ["_rest.mp3"] if job.has_rest else []
        endings = ["_mixture.mp3", *(f"_src{n}.mp3" for n in range(1, n_src + 1)), *rest]
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
        """Return the files of the outputs that a job is expected to write, as far as known."""
        return self.paths(job, job.n_src or 1)

    def beside(self, job: Job) -> list[Path]:
        """Return the files that a job writes beside its sources."""
        return [*self.activity_paths(job), *([self.page_path(job)] if self.report else [])]

    def named_after(self, job: Job) -> list[Path]:
        """Return the files that a job writes under names made of its own."""
        return [*self.paths_of(job), *self.beside(job)]

    def needed(self, job: Job) -> list[Path]:
        """Return the files without which a job is not done."""
        filters = [self.save_filters] if self.save_filters is not None else []
        return [*self.named_after(job), *filters]

    def reserved(self, job: Job) -> list[Path]:
        """Return every file that a job may write under a name made of its own."""
        sounds = self.sound_paths(job, job.n_src or 1) if self.report else []
        return [*self.named_after(job), *sounds]

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
    has_rest : bool
        Whether what belongs to no source is an output of its own.
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
    has_rest: bool = False
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
    """

    settings: Settings
    reading: ReadingChoices
    output: OutputChoices
    n_threads: int = 1
    n_sharing: int = 1
    filters: Filters | None = None
    learn_from: tuple[float, float] | None = None
    activity_from: Turns | None = None

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
