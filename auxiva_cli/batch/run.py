"""Jobs in, outcomes out, wherever they are done: in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext

from auxiva_cli.batch.find import is_stream
from auxiva_cli.batch.jobs import Job, Task
from auxiva_cli.batch.live import apply_live, is_live
from auxiva_cli.batch.pool import work_in_processes
from auxiva_cli.batch.work import Outcome, separate_recording
from auxiva_cli.observer import Observer

__all__ = ["Watch", "run_jobs"]

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
            yield Outcome(job, task.settings, "skipped", outputs=tuple(task.output.paths_of(job)))
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
