"""Several recordings at once, each in a worker process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from auxiva_cli.batch.jobs import Job, Task
from auxiva_cli.batch.work import Outcome, separate_recording
from auxiva_cli.errors import AuxivaError
from auxiva_cli.observer import Observer
from auxiva_cli.process import Terminated, prepare_process, signals_as_exceptions
from auxiva_cli.workers import interrupts_blocked, worker_context

__all__ = ["Processes"]

GRACE_SECONDS = 0.7


class Processes:
    """Worker processes on this machine, which end with the work.

    Parameters
    ----------
    n_workers : int
        Recordings worked on at a time.
    """

    address = ""
    fewest = 2

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers
        self.n_running = 0

    def work(
        self, jobs: Iterable[Job], task: Task, tell: Callable[[str], None] = lambda text: None
    ) -> Iterator[Outcome]:
        """Yield the outcomes of jobs as they end, as ``Workers.work`` says; it tells nothing.

        A worker that dies (the system may kill one for its memory) fails its own recording only:
        another takes its place.  Leaving the iterator early ends all workers.
        """
        waiting = deque(jobs)
        workers: list[_Worker] = []
        try:
            while waiting or workers:
                while waiting and len(workers) < self.n_workers:
                    workers.append(_Worker(task))
                    workers[-1].begin(waiting.popleft())
                self.n_running = len(workers)
                for worker in _ready(workers):
                    outcome = worker.outcome()
                    if waiting and worker.is_alive:
                        worker.begin(waiting.popleft())
                    else:
                        workers.remove(worker)
                        worker.end(time.monotonic() + GRACE_SECONDS)
                    yield outcome
        finally:
            for worker in workers:
                worker.stop()
            deadline = time.monotonic() + GRACE_SECONDS
            for worker in workers:
                worker.end(deadline)


class _Worker:
    """A process that separates one recording after the other."""

    def __init__(self, task: Task) -> None:
        context = worker_context()
        self._connection: Connection[Any, Any]
        self._connection, there = context.Pipe()
        with interrupts_blocked():
            self._process = context.Process(target=_serve, args=(there, task), daemon=True)
            self._process.start()
        there.close()
        self._task = task
        self._job: Job | None = None
        self.is_alive = True

    @property
    def connection(self) -> Connection[Any, Any]:
        """Readable when the recording is done or the process has died."""
        return self._connection

    def begin(self, job: Job) -> None:
        """Hand over a job."""
        self._job = job
        try:
            self._connection.send(job)
        except OSError:
            self.is_alive = False

    def outcome(self) -> Outcome:
        """Return what became of the job."""
        assert self._job is not None
        try:
            outcome: Outcome = self._connection.recv()
        except (EOFError, OSError):
            self.is_alive = False
            self._process.join()
            error = AuxivaError(
                f"its worker process ended with exit code {self._process.exitcode}",
                hint="The machine may be out of memory: work on fewer recordings at a time.",
                kind="resource-limit",
            )
            return Outcome(self._job, self._task.settings, "failed", error=error)
        return outcome

    def stop(self) -> None:
        """Ask the process to drop its work."""
        self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until the process is gone, and make it go at the deadline (monotonic clock)."""
        self._connection.close()
        self._process.join(max(0.0, deadline - time.monotonic()))
        self._process.kill()
        self._process.join()


def _ready(workers: list[_Worker]) -> list[_Worker]:
    """Wait until workers have an outcome, or have died, and return these."""
    by_connection = {worker.connection: worker for worker in workers}
    return [by_connection[connection] for connection in wait(list(by_connection))]  # type: ignore[index]


def _serve(connection: Connection[Any, Any], task: Task) -> None:
    """Separate the recordings that are sent until the sender goes away."""
    prepare_process()
    try:
        with signals_as_exceptions():
            threading.Thread(target=_end_with_parent, daemon=True).start()
            while True:
                job = connection.recv()
                connection.send(separate_recording(job, task, Observer()))
    except (EOFError, OSError, Terminated):
        pass


def _end_with_parent() -> None:
    """Drop the work when the process that wanted it is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
