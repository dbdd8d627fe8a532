"""Work on several blocks at a time, in their order, a bounded number in flight."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from typing import TypeVar

from auxiva_cli.config import MOST_THREADS, check_whole

__all__ = ["Threads", "available_cpus", "counted"]

T = TypeVar("T")
R = TypeVar("R")


def available_cpus() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def counted(blocks: Sequence[T], advanced: Callable[[int, int], None]) -> Iterator[T]:
    """Yield the blocks, and tell how many of how many were handed out."""
    for done, block in enumerate(blocks, start=1):
        yield block
        advanced(done, len(blocks))


class Threads:
    """The calling thread and its helpers, whose ``map`` is lazy and keeps the order.

    NumPy and the FFT release the interpreter while they work on a block.  Results come in the
    order of the blocks, so sums do not depend on the number of threads.

    Parameters
    ----------
    n_threads : int
        Blocks worked on at a time; with one, no thread is started.
    """

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        # One executor each: of several threads that wait on one queue, CPython may wake too few.
        self._helpers = [ThreadPoolExecutor(1) for _ in range(n_threads - 1)]

    @classmethod
    def of(cls, n_threads: int | None) -> Threads:
        """Return so many threads, or one per processor.

        Raises
        ------
        ParameterError
            If the number is not a whole one from 1 to ``MOST_THREADS``.
        """
        if n_threads is None:
            return cls(available_cpus())
        check_whole("n_threads", n_threads, lowest=1, highest=MOST_THREADS)
        return cls(n_threads)

    def __enter__(self) -> Threads:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for helper in self._helpers:
            helper.shutdown(wait=True, cancel_futures=True)

    def map(self, function: Callable[[T], R], blocks: Iterable[T]) -> Iterator[R]:
        """Yield ``function(block)`` of each block, in order."""
        remaining = iter(blocks)
        while together := list(islice(remaining, self.n_threads)):
            *others, own = together
            turns = [
                helper.submit(function, block)
                for helper, block in zip(self._helpers, others, strict=False)
            ]
            turns.append(_here(function, own))
            for turn in turns:
                yield turn.result()


def _here(function: Callable[[T], R], block: T) -> Future[R]:
    """Work on a block in this thread; its error waits for its turn."""
    turn: Future[R] = Future()
    try:
        turn.set_result(function(block))
    except Exception as error:
        turn.set_exception(error)
    return turn
