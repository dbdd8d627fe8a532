"""How worker processes are started: from one that has loaded what all of them need.

Loading NumPy takes a fifth of the time of a short recording.  One process does it, while the
command still reads its options and looks for recordings, and workers are forked from that.  It
runs no thread, as a process must not that is forked.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

__all__ = ["interrupts_blocked", "prepare_workers", "worker_context"]

PRELOADED = "auxiva_cli.batch.preload"


def worker_context() -> Any:
    """Return the context of ``multiprocessing`` in which workers are started."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    return context


def prepare_workers() -> None:
    """Begin to load what workers need, and do not wait for it."""
    if worker_context().get_start_method() == "forkserver":
        from multiprocessing import forkserver

        with interrupts_blocked():
            forkserver.ensure_running()


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Start a process that never sees Ctrl-C, which reaches every process of the terminal.

    This one sees it afterwards, and passes it on in order.
    """
    resource_tracker.ensure_running()  # which would lift the block when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
