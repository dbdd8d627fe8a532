"""A contender in a process of its own, with the environment of its users.

``Worker`` is the near end; run as a module, this is the far end, which answers each line of
JSON with another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["UnavailableError", "Worker"]

Array = NDArray[Any]
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class UnavailableError(Exception):
    """A contender that cannot be run on this machine, and why."""


class Worker:
    """The near end of a contender's process.

    Parameters
    ----------
    name : str
        Name of the contender.
    example : Path
        Where the mixture and its references are, as ``.npz``.
    n_threads : int, optional
        Threads of its linear algebra; its own choice when not given.
    """

    def __init__(self, name: str, example: Path, n_threads: int | None = None) -> None:
        self.name = name
        environment = {k: v for k, v in os.environ.items() if k not in THREAD_VARIABLES}
        if n_threads is not None:
            environment |= dict.fromkeys(THREAD_VARIABLES, str(n_threads))
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", name, str(example)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        greeting = self._answer()
        if "unavailable" in greeting:
            self._process.wait()
            raise UnavailableError(greeting["unavailable"])
        self.version: str = greeting["version"]

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def time(self, n_iter: int) -> Array:
        """Run some iterations; return how many were done, and when (s), in two rows."""
        return np.array(self._ask("time", n_iter))

    def trace(self, n_iter: int) -> Array:
        """Run some iterations; return how many were done, and the SI-SIR then (dB), in two rows."""
        return np.array(self._ask("trace", n_iter))

    def si_sdr(self) -> float:
        """Return the SI-SDR (dB) at the end of the last traced run."""
        return float(self._ask("si_sdr", 0))

    def _ask(self, what: str, n_iter: int) -> Any:
        """Send a request and wait for what comes back."""
        assert self._process.stdin is not None
        print(json.dumps([what, n_iter]), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        """Read one line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise UnavailableError(f"ended with code {self._process.wait()}")
        return json.loads(line)


class _FarEnd:
    """Does what is asked with one contender and one problem."""

    def __init__(self, name: str, path: str) -> None:
        from benchmarks.contenders import CONTENDERS
        from benchmarks.mixtures import Example
        from benchmarks.problem import Judge, pose

        self._contender = CONTENDERS[name]
        self._contender.prepare()
        self.version = version(self._contender.package)
        with np.load(path) as saved:
            example = Example(
                str(saved["name"]), saved["mixture"], saved["references"], int(saved["sample_rate"])
            )
        self._problem = pose(example)
        self._judge = Judge(self._problem)
        self._W: Array | None = None

    def time(self, n_iter: int) -> list[list[float]]:
        """Run, and look at nothing but the clock."""
        marks: list[tuple[int, float]] = []
        self._contender.run(
            self._problem, n_iter, lambda number, _: marks.append((number, time.perf_counter()))
        )
        return [list(row) for row in zip(*marks, strict=True)]

    def trace(self, n_iter: int) -> list[list[float]]:
        """Run, and judge every iteration."""
        marks: list[tuple[int, float]] = []

        def judge(number: int, get_W: Callable[[], Array]) -> None:
            self._W = get_W().copy()
            marks.append((number, self._judge.si_sir(self._W)))

        self._contender.trace(self._problem, n_iter, judge)
        return [list(row) for row in zip(*marks, strict=True)]

    def si_sdr(self, _: int) -> float:
        """Judge the waveforms at the end of the last traced run."""
        assert self._W is not None
        return self._judge.si_sdr(self._W)


def main() -> None:
    """Answer requests until there are no more."""
    answers, sys.stdout = sys.stdout, sys.stderr
    try:
        far_end = _FarEnd(*sys.argv[1:])
    except ImportError as error:
        print(json.dumps({"unavailable": str(error)}), file=answers, flush=True)
        return
    print(json.dumps({"version": far_end.version}), file=answers, flush=True)
    for line in sys.stdin:
        what, n_iter = json.loads(line)
        print(json.dumps(getattr(far_end, what)(n_iter)), file=answers, flush=True)


if __name__ == "__main__":
    main()
