"""Jobs in, outcomes out, wherever they are done: in this process, in several, or by a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from auxiva_cli.audio import write_file
from auxiva_cli.batch.find import is_stream
from auxiva_cli.batch.jobs import Job, OutputChoices, Task
from auxiva_cli.batch.live import apply_live, is_live
from auxiva_cli.batch.work import Outcome, separate_recording, unworked
from auxiva_cli.errors import AuxivaError
from auxiva_cli.observer import Observer

__all__ = ["Watch", "Workers", "run_jobs", "write_index"]

# Gives whoever watches one recording that is done in this process.
Watch = Callable[[Job], AbstractContextManager[Observer]]


def unwatched(job: Job) -> AbstractContextManager[Observer]:
    """Let nobody watch."""
    return nullcontext(Observer())


class Workers(Protocol):
    """Whoever works on recordings for this process: the one seam of all of them.

    ``fewest``: with fewer recordings they are not worth it, and this process does them itself.
    """

    fewest: int

    @property
    def address(self) -> str:
        """Where they are; empty on this machine."""

    @property
    def n_workers(self) -> int:
        """How many there are now."""

    @property
    def n_running(self) -> int:
        """How many recordings they work on."""

    def work(
        self, jobs: Iterable[Job], task: Task, tell: Callable[[str], None]
    ) -> Iterator[Outcome]:
        """Yield the outcomes of jobs as they end; leaving the iterator early drops the rest.

        Parameters
        ----------
        jobs : iterable of Job
            What there is to do, begun in this order.
        task : Task
            What is the same for all of them.
        tell : callable
            Takes what a person should know meanwhile, a line each.

        Raises
        ------
        AuxivaError
            If nobody can work on them any more.
        """


def run_jobs(
    jobs: Sequence[Job],
    task: Task,
    *,
    workers: Workers | None = None,
    watch: Watch = unwatched,
    tell: Callable[[str], None] = lambda text: None,
) -> Generator[Outcome, None, None]:
    """Yield what becomes of each job: those that are done already, then the others.

    Parameters
    ----------
    jobs : sequence of Job
        From ``plan_jobs``.
    task : Task
        What is the same for all of them.
    workers : Workers, optional
        Who works on them; this process alone, when not given.
    watch : callable
        Gives an observer for a recording that is done in this process.
    tell : callable
        Takes what a person should know about the workers, a line each.
    """
    here: list[Job] = []
    anywhere: list[Job] = []
    for job in jobs:
        if job.is_done:
            yield unworked(job, task, "skipped")
        else:
            # Standard input, and what the shell opened for this process, only this one can read.
            is_ours = workers is None or any(map(is_stream, job.files))
            (here if is_ours else anywhere).append(job)
    if workers is not None and len(anywhere) < workers.fewest:
        here, anywhere = [job for job in jobs if not job.is_done], []
    for job in here:
        with watch(job) as observer:
            do = apply_live if is_live(job, task) else separate_recording
            outcome = do(job, task, observer)
        yield outcome
    if workers is not None and anywhere:
        yield from workers.work(anywhere, task, tell)


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
