"""Recordings on many machines: the workers of a Dask scheduler that somebody runs.

A worker has one recording at a time, which it gives all of its threads; the others wait here, so
neither the scheduler nor a worker holds more than is worked on.  Who has what is decided here, so
it is known whose worker died, and a recording that only waited for one was not tried.
"""

from __future__ import annotations

import contextlib
import os
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auxiva_cli.audio import landmark
from auxiva_cli.batch.jobs import Job, Task
from auxiva_cli.batch.scheduler import ForgottenError, LostError, Scheduler
from auxiva_cli.batch.there import Unseen, absolute, named_as_here, separate_there
from auxiva_cli.batch.work import Outcome, failed
from auxiva_cli.errors import AuxivaError

__all__ = ["Cluster"]

MOST_TRIES = 3
# That a worker has begun is not heard of one that dies at once.
MOST_ATTEMPTS = 12
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 1.0
# What may be wrong with one machine, and not with the recording.
FAULTS_OF_MACHINES = ("no-space", "read-error", "write-error")


@dataclass
class _Attempt:
    """A recording that a worker was given.

    How often it was, how often workers began it, and those whose machines failed.
    """

    job: Job
    worker: str
    future: Any
    n_tries: int = 0
    n_attempts: int = 1
    failed_at: frozenset[str] = frozenset()
    is_begun: bool = False


class Cluster:
    """The workers of a Dask scheduler; a context manager.

    Parameters
    ----------
    name : str
        The scheduler's address, as ``tcp://host:8786``, or the name of a scheduler file.
    n_threads : int, optional
        Threads for each recording; all of the worker's when not given.
    patience : float, s, optional
        How long a scheduler that was lost is looked for.

    Attributes
    ----------
    address, dashboard : str
        Of the scheduler, and of the pages that it shows.
    n_workers, n_running : int
        How many workers are used now, and how many recordings they have begun.

    Raises
    ------
    MissingExtraError
        Without the packages of the extra, when entered.
    AuxivaError
        ``cluster``, when entered, if the scheduler does not answer, or workers have other versions.
    """

    fewest = 1

    def __init__(
        self,
        name: str,
        *,
        n_threads: int | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._tell: Callable[[str], None] = lambda text: None
        self._n_threads = n_threads
        self._patience = patience
        self._scheduler = Scheduler(name, self._begun)
        self._idle: set[str] = set()  # workers without a recording
        self._refused: set[str] = set()
        self._attempts: dict[str, _Attempt] = {}  # by the keys of Dask
        self._waiting: deque[Job] = deque()
        self._last: dict[str, _Attempt] = {}  # of the recordings that wait again, by their names
        self._events: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._seen: tuple[Path, ...] = ()
        self._said: set[str] = set()
        self._is_lonely = False

    @property
    def address(self) -> str:
        """The scheduler's address."""
        return self._scheduler.address

    @property
    def dashboard(self) -> str:
        """The address of the pages that the scheduler shows."""
        return self._scheduler.dashboard

    @property
    def n_workers(self) -> int:
        """How many workers are used now."""
        return len(self._idle) + len(self._attempts)

    @property
    def n_running(self) -> int:
        """How many recordings workers have begun."""
        return sum(attempt.is_begun for attempt in list(self._attempts.values()))

    def __enter__(self) -> Cluster:
        self._scheduler.connect()
        try:
            present = self._scheduler.workers()
            misfits = self._scheduler.misfits(present)
            if misfits:
                raise AuxivaError(
                    f"{len(misfits)} of {len(present)} workers are not of this command's version: "
                    + "; ".join(sorted(set(misfits.values()))[:3]),
                    hint="Install one version of everything for the command and its workers.",
                    kind="cluster",
                )
            self._idle = present
        except BaseException:
            self._scheduler.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._scheduler.close()

    def work(
        self, jobs: Iterable[Job], task: Task, tell: Callable[[str], None] = lambda text: None
    ) -> Generator[Outcome, None, None]:
        """Yield the outcomes of jobs as they end, as ``Workers.work`` says.

        A recording whose worker dies is tried again on another, twice.

        Raises
        ------
        AuxivaError
            ``cluster``, if the scheduler stays away, or no worker sees the recordings.
        """
        self._waiting, self._tell = deque(jobs), tell
        tell(self._description())
        look_at = 0.0
        with contextlib.ExitStack() as stack:
            stack.callback(self._drop_all)
            if task.output.directory is not None:
                self._seen = (stack.enter_context(landmark(task.output.directory.absolute())),)
            while self._waiting or self._attempts:
                if time.monotonic() >= look_at:
                    yield from self._look(task)
                    look_at = time.monotonic() + LOOK_SECONDS
                self._hand_out(task)
                with contextlib.suppress(queue.Empty):
                    word, key = self._events.get(timeout=LOOK_SECONDS)
                    if (attempt := self._attempts.get(key)) is not None:
                        hear = self._hear_begun if word == "begun" else self._hear_done
                        yield from hear(key, attempt, task)

    def _description(self) -> str:
        """Return one line about the cluster."""
        dashboard = f", dashboard at {self.dashboard}" if self.dashboard else ""
        n = self.n_workers
        return f"{n} worker{'' if n == 1 else 's'} at {self.address}{dashboard}"

    def _hand_out(self, task: Task) -> None:
        """Give every idle worker a recording, as long as there are any."""
        held = []
        while self._waiting and self._idle:
            job = self._waiting.popleft()
            last = self._last.get(job.name)
            if (worker := self._worker_after(last)) is None:
                held.append(job)
                continue
            self._idle.remove(worker)
            key = f"auxiva-{uuid.uuid4()}"
            there, its_task = absolute(job, task, is_again=last is not None)
            future = self._scheduler.submit(
                separate_there, there, its_task, self._n_threads, self._seen, key=key, worker=worker
            )
            self._attempts[key] = attempt = _Attempt(job, worker, future)
            if last is not None:
                attempt.n_tries, attempt.failed_at = last.n_tries, last.failed_at
                attempt.n_attempts = last.n_attempts + 1
            future.add_done_callback(lambda _, key=key: self._events.put(("done", key)))
        self._waiting.extendleft(reversed(held))

    def _worker_after(self, last: _Attempt | None) -> str | None:
        """Return an idle worker; None if a busy one should be waited for, whose machine works."""
        failed_at = last.failed_at if last else frozenset()
        if good := self._idle - failed_at:
            return min(good)
        busy = {attempt.worker for attempt in self._attempts.values()}
        return None if busy - failed_at else min(self._idle)

    def _begun(self, key: str) -> None:
        """Take down, in a thread of Dask, that a worker has begun."""
        self._events.put(("begun", key))

    def _hear_begun(self, key: str, attempt: _Attempt, task: Task) -> Iterable[Outcome]:
        """Count a try; one too many, which Dask itself has begun, is none."""
        attempt.is_begun = True
        attempt.n_tries += 1
        if attempt.n_tries > MOST_TRIES:
            yield from self._died(key, attempt, task)

    def _hear_done(self, key: str, attempt: _Attempt, task: Task) -> Iterable[Outcome]:
        """Take the result of a recording, if there is one."""
        try:
            result = self._scheduler.result(attempt.future)
        except ForgottenError:
            self._find_again()
            return
        except LostError:
            yield from self._died(key, attempt, task)
            return
        except Exception as error:
            result = failed(attempt.job, task, error)
        self._take_back(key)
        if isinstance(result, Unseen):
            yield from self._hear_unseen(result, attempt, task)
            return
        self._idle.add(attempt.worker)
        is_of_machine = result and result.error and result.error.kind in FAULTS_OF_MACHINES
        if is_of_machine and attempt.n_attempts < MOST_TRIES:
            attempt.failed_at |= {attempt.worker}
            self._wait_again(attempt)
        elif result is None:
            self._wait_again(attempt)
        else:
            yield named_as_here(result, attempt.job)

    def _hear_unseen(self, unseen: Unseen, attempt: _Attempt, task: Task) -> Iterable[Outcome]:
        """Use a worker no more that does not see what there is here."""
        if not os.path.lexists(unseen.path):
            error = AuxivaError(
                f"{str(unseen.path)!r} is gone", hint="Who removed it?", kind="input-missing"
            )
            self._idle.add(attempt.worker)
            yield failed(attempt.job, task, error)
            return
        self._refused.add(attempt.worker)
        self._wait_again(attempt)
        self._say_once(f"the workers on {unseen.host} do not see {str(unseen.path)!r}: not used")
        if not self.n_workers:
            raise AuxivaError(
                f"no worker sees {str(unseen.path)!r}",
                hint="Recordings and outputs must be on a file system that all machines share, "
                "under the same name.",
                kind="cluster",
            )

    def _died(self, key: str, attempt: _Attempt, task: Task) -> Iterable[Outcome]:
        """Try a recording again whose worker died, unless it has had its tries."""
        self._take_back(key)
        if attempt.n_tries < MOST_TRIES and attempt.n_attempts < MOST_ATTEMPTS:
            self._wait_again(attempt)
            return
        n_died = attempt.n_tries if attempt.n_tries >= MOST_TRIES else attempt.n_attempts
        error = AuxivaError(
            f"{n_died} workers died of it, the last at {attempt.worker}",
            hint="Their machines may be out of memory: give workers more (dask worker "
            "--memory-limit), and look at their logs.",
            kind="resource-limit",
        )
        yield failed(attempt.job, task, error)

    def _wait_again(self, attempt: _Attempt) -> None:
        """Have a recording wait for another worker, before the others."""
        self._last[attempt.job.name] = attempt
        self._waiting.appendleft(attempt.job)

    def _take_back(self, key: str) -> None:
        """Let Dask forget a recording; a worker that is at it drops it."""
        attempt = self._attempts.pop(key)
        with contextlib.suppress(Exception):
            attempt.future.release()

    def _drop_all(self) -> None:
        for key in list(self._attempts):
            self._take_back(key)

    def _look(self, task: Task) -> Iterable[Outcome]:
        """See which workers came and went."""
        try:
            present = self._scheduler.workers()
        except Exception:
            self._find_again()
            return
        known = self._idle | self._refused | {a.worker for a in self._attempts.values()}
        for key, attempt in list(self._attempts.items()):
            if attempt.worker not in present:
                yield from self._died(key, attempt, task)
        self._idle &= present
        self._refused &= present
        if new := present - known:
            misfits = self._scheduler.misfits(new)
            for text in sorted(set(misfits.values())):
                self._say_once(f"a worker is not of this command's version, and not used: {text}")
            self._refused |= misfits.keys()
            self._idle |= new - misfits.keys()
        if self.n_workers:
            self._is_lonely = False
        elif not self._is_lonely:
            self._is_lonely = True
            self._tell(f"{self.address} has no worker to use; waiting for one")

    def _find_again(self) -> None:
        """Look for a scheduler that was lost; what its workers had begun waits again."""
        self._tell(
            f"the scheduler {self.address} is lost; looking for it for {self._patience:.0f} s"
        )
        for key, attempt in list(self._attempts.items()):
            attempt.n_tries -= attempt.is_begun
            attempt.n_attempts -= 1
            self._take_back(key)
            self._wait_again(attempt)
        self._idle, self._refused = set(), set()
        self._scheduler.find_again(self._patience)
        self._tell(f"the scheduler {self.address} is back")

    def _say_once(self, text: str) -> None:
        """Say what need not be said again."""
        if text not in self._said:
            self._said.add(text)
            self._tell(text)
