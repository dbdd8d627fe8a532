"""One recording on a worker of a cluster: what a Dask worker is sent, and how it does it.

The worker gives the recording all of its threads and half of its memory, BLAS one thread.  It sees
whether the recording is still wanted whenever the work has advanced.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auxiva_cli.batch.jobs import Job, Task
from auxiva_cli.batch.work import Outcome, separate_recording
from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.bss.linalg import Array
from auxiva_cli.listening.mixture import Mixture
from auxiva_cli.memory import SPARED, default_memory
from auxiva_cli.observer import Observer

__all__ = ["BEGUN", "Unseen", "absolute", "named_as_here", "separate_there"]

BEGUN = "auxiva-begun"
"""The topic of events by which a worker says that a task has begun, and does not only wait."""


@dataclass(frozen=True)
class Unseen:
    """What a worker cannot see, though the command does."""

    host: str
    path: Path


class Dropped(BaseException):
    """Nobody wants the recording any more; cleaning up goes on as for any exception."""


class Wanted(Observer):
    """Drops the work on a recording when it is no longer wanted.

    Parameters
    ----------
    is_wanted : callable
        Tells whether it is.
    """

    def __init__(self, is_wanted: Callable[[], bool]) -> None:
        self._is_wanted = is_wanted

    def opened(self, mixture: Mixture) -> None:
        """Look whether it is wanted."""
        self._look()

    def advanced(self, step: str, done: int, total: int) -> None:
        """Look whether it is wanted."""
        self._look()

    def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
        """Look whether it is wanted."""
        self._look()

    def _look(self) -> None:
        if not self._is_wanted():
            raise Dropped


def separate_there(
    job: Job, task: Task, n_threads: int | None, seen: tuple[Path, ...]
) -> Outcome | Unseen | None:
    """Separate a recording on the worker that runs this; None if it was dropped.

    Parameters
    ----------
    job, task : Job, Task
        With absolute names.
    n_threads : int, optional
        Threads for the recording; all of the worker's when not given.
    seen : tuple of Path
        What the worker must see, beside the recording and the place of its outputs.
    """
    from distributed import get_worker
    from threadpoolctl import threadpool_limits

    worker = get_worker()
    key = worker.get_current_task()
    for path in (*job.files, job.directory, *seen):
        if not os.path.lexists(path):
            return Unseen(socket.gethostname(), path)
    worker.log_event(BEGUN, key)
    memory = worker.memory_manager.memory_limit
    settings = replace(task.settings, max_memory=_allowed(task.settings.max_memory, memory))
    fitted = replace(task, settings=settings, n_threads=n_threads or worker.state.nthreads)
    try:
        with threadpool_limits(1):
            outcome = separate_recording(job, fitted, Wanted(lambda: _is_executing(worker, key)))
    except Dropped:
        return None
    return replace(outcome, settings=replace(outcome.settings, max_memory=task.settings.max_memory))


def _allowed(asked: int | None, limit: int | None) -> int | None:
    """Return the bytes for a recording: no more than was asked for, nor half of the worker's."""
    if limit is None:
        return asked
    return min(asked or default_memory(), int(SPARED * limit))


def _is_executing(worker: Any, key: Any) -> bool:
    """Tell whether a worker is to go on with a task."""
    state = worker.state.tasks.get(key)
    return state is not None and state.state == "executing"


def absolute(job: Job, task: Task, *, is_again: bool) -> tuple[Job, Task]:
    """Return a job and a task as a worker is given them.

    Their names mean the same whatever the working directory.  What a worker that died has left is
    replaced: that nothing was there before is known.

    Parameters
    ----------
    job, task : Job, Task
        As the command has them.
    is_again : bool
        Whether a worker was given the job before.
    """
    job = replace(job, files=tuple(map(_absolute, job.files)), directory=_absolute(job.directory))
    output = replace(
        task.output,
        references=tuple(map(_absolute, task.output.references)),
        save_filters=task.output.save_filters and _absolute(task.output.save_filters),
        overwrite=task.output.overwrite or is_again,
    )
    return job, replace(task, output=output)


def named_as_here(outcome: Outcome, job: Job) -> Outcome:
    """Return what became of a job, with the names by which the command knows it."""
    return replace(
        outcome,
        job=replace(outcome.job, files=job.files, directory=job.directory),
        outputs=tuple(job.directory / path.name for path in outcome.outputs),
        beside=tuple(job.directory / path.name for path in outcome.beside),
    )


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100
