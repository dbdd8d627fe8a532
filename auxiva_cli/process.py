"""The process: its standard streams, its signals, its threads."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Terminated", "prepare_process", "signals_as_exceptions"]

# Our own threads share the work out; a BLAS that starts more makes it slower, not faster.
BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
UNTOUCHED = (signal.SIG_DFL, signal.default_int_handler)


class Terminated(BaseException):
    """A signal asked the program to end; cleaning up goes on as for any exception."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number
        self.word = WORDS[signal.Signals(number).name]


def prepare_process() -> None:
    """Make the process fit for work: call once, before NumPy is imported."""
    _fill_standard_descriptors()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if logging.lastResort is not None:  # says what no handler takes, on standard error
        logging.lastResort.setFormatter(logging.Formatter("auxiva: %(message)s"))
    for variable in BLAS_VARIABLES:
        os.environ[variable] = "1"


@contextmanager
def signals_as_exceptions() -> Iterator[None]:
    """Raise `Terminated` at the first Ctrl-C, SIGTERM or SIGHUP, unless the caller ignores it.

    Later ones are ignored, to the end of the process: they would only keep it from cleaning up.
    """
    handlers = {
        number: handler
        for name in WORDS
        if (number := getattr(signal, name, None)) is not None
        and (handler := signal.getsignal(number)) in UNTOUCHED
    }
    is_ending = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal is_ending
        if not is_ending:
            is_ending = True
            raise Terminated(number)

    for number in handlers:
        signal.signal(number, end)
    try:
        yield
    finally:
        if not is_ending:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _fill_standard_descriptors() -> None:
    """Open descriptors 0 to 2 where they are closed, lest an output file become one of them.

    They are opened the wrong way round, so that reading and writing still fail.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if mode == "r" else os.O_RDONLY)
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))
