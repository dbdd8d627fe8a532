"""The process: its standard streams, its signals, its threads."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["Terminated", "prepare_process"]

# Our own threads share the work out; a BLAS that starts more makes it slower, not faster.
BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
POLITE_SIGNALS = ("SIGTERM", "SIGHUP")


class Terminated(BaseException):
    """A signal asked the program to end; cleaning up goes on as for any exception."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def prepare_process() -> None:
    """Make the process fit for work: call once, before NumPy is imported."""
    _fill_standard_descriptors()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for variable in BLAS_VARIABLES:
        os.environ[variable] = "1"
    for name in POLITE_SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _terminate)


def _fill_standard_descriptors() -> None:
    """Open descriptors 0 to 2 where they are closed, lest an output file become one of them."""
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            return


def _terminate(number: int, frame: FrameType | None) -> None:
    """Turn a signal into an exception."""
    raise Terminated(number)
