"""Jobs in, outcomes out, wherever they are done: in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext

from auxiva_cli.audio import write_file
from auxiva_cli.batch.find import is_stream
from auxiva_cli.batch.jobs import Job, OutputChoices, Task
from auxiva_cli.batch.live import apply_live, is_live
from auxiva_cli.batch.pool import work_in_processes
from auxiva_cli.batch.work import Outcome, separate_recording, unworked
from auxiva_cli.errors import AuxivaError
from auxiva_cli.observer import Observer

__all__ = ["Watch", "run_jobs", "write_index"]

# Gives whoever watches one recording that is done in this process.
Watch = Callable[[Job], AbstractContextManager[Observer]]


def unwatched(job: Job) -> AbstractContextManager[Observer]:
    """Let nobody watch."""
    return nullcontext(Observer())


def run_jobs(
    jobs: Sequence[Job], task: Task, *, n_workers: int = 1, watch: Watch = unwatched
) -> Generator[Outcome, None, None]:
    """Yield what becomes of each job: those that are done already, then the others.

    Parameters
    ----------
    jobs : sequence of Job
        From ``plan_jobs``.
    task : Task
        What is the same for all of them.
    n_workers : int
        Recordings worked on at a time, each in a process of its own if it is more than one.
    watch : callable
        Gives an observer for a recording that is done in this process.
    """
    for job in jobs:
        if job.is_done:
            yield unworked(job, task, "skipped")
    to_do = [job for job in jobs if not job.is_done]
    # Standard input, and what the shell opened for this process, only this one can read.
    here = [job for job in to_do if any(map(is_stream, job.files))]
    anywhere = [job for job in to_do if job not in here]
    n_workers = min(n_workers, len(anywhere))
    if n_workers < 2:
        here, anywhere = to_do, []
    for job in here:
        with watch(job) as observer:
            do = apply_live if is_live(job, task) else separate_recording
            outcome = do(job, task, observer)
        yield outcome
    yield from work_in_processes(anywhere, task, n_workers)


def write_index(
    jobs: Sequence[Job], output: OutputChoices, failures: Sequence[tuple[str, AuxivaError]]
) -> None:
    """Write the page of a batch, if pages are wanted of several recordings.

    Parameters
    ----------
    jobs : sequence of Job
        All of the batch, those too that were done before.
    output : OutputChoices
        What is wanted.
    failures : sequence of (str, AuxivaError)
        Recordings that failed, and why.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    if (index := output.index_path(jobs)) is None:
        return
    from auxiva_cli.report import index_page

    failed = [(name, f"{error.kind}: {error}") for name, error in failures]
    pages = [output.page_path(job) for job in jobs]
    write_file(index, index_page(pages, index.parent, failed), overwrite=True)
