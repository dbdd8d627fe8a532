"""Time per iteration and time to separation, against the peers, in alternating runs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.mixtures import Example
from benchmarks.worker import UnavailableError, Worker

__all__ = ["Comparison", "compare", "fastest_threads"]

Array = NDArray[Any]
OURS = ("auxiva", "auxiva-1")
# Iterations of a timed run: ours are slow to start and quick later, the peers' all alike, and
# some can only be timed by tens.
N_TIMED = dict.fromkeys(OURS, 30) | {"ssspy-ipa": 5, "ssspy-ip2": 5}
N_TIMED_ELSE = 10
# Iterations to see whether threads help.
N_TRIED = {"pyroomacoustics": 10}
N_TRIED_ELSE = 2
WITHIN_DB = 0.5


@dataclass
class Comparison:
    """What was measured on one mixture.

    Attributes
    ----------
    example : Example
        The mixture.
    n_threads : dict of str to int or None
        Threads that each contender's linear algebra got; None leaves it the choice.
    first, later : dict of str to ndarray of shape (n_rounds,)
        Milliseconds per iteration: mean of our first ten, median of those after; for the peers
        both are the median of all, which leaves out that memory is slow when first touched.
    clocks : dict of str to ndarray of shape (2, n_marks)
        Iterations done, and the seconds since the start, median over runs.
    traces : dict of str to ndarray of shape (2, n_marks)
        Iterations done, and the SI-SIR then (dB).
    si_sdr : dict of str to float
        In the end of the trace (dB).
    unavailable : dict of str to str
        Who did not run, and why.
    """

    example: Example
    n_threads: dict[str, int | None]
    first: dict[str, Array] = field(default_factory=dict)
    later: dict[str, Array] = field(default_factory=dict)
    clocks: dict[str, Array] = field(default_factory=dict)
    traces: dict[str, Array] = field(default_factory=dict)
    si_sdr: dict[str, float] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)

    def ratio(self, name: str, *, later: bool) -> float:
        """Return how many times longer an iteration takes than ours, the median over rounds."""
        times = self.later if later else self.first
        return float(np.median(times[name] / times[OURS[0]]))

    def to_separation(self, name: str) -> tuple[float, float]:
        """Return after how many iterations, and seconds, the SI-SIR stays near its last value."""
        numbers, si_sir = self.traces[name]
        below = np.flatnonzero(si_sir < si_sir[-1] - WITHIN_DB)
        if not len(below):
            return 0.0, 0.0
        around = slice(below[-1], below[-1] + 2)
        n_iter = float(np.interp(si_sir[-1] - WITHIN_DB, si_sir[around], numbers[around]))
        return n_iter, self._seconds(name, n_iter)

    def _seconds(self, name: str, n_iter: float) -> float:
        """Return how long some iterations take."""
        numbers, seconds = self.clocks[name]
        beyond = max(n_iter - numbers[-1], 0)
        known = float(np.interp(n_iter, numbers, seconds))
        return known + beyond * float(np.median(self.later[name])) / 1000


def fastest_threads(names: Sequence[str], example: Example) -> dict[str, int | None]:
    """Return for each peer whether it is faster with one thread (1) or its own choice (None).

    The best of two runs each, in turn; whoever does not run gets one thread.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = _save(example, folder)
        return {name: _faster(name, path) for name in names}


def compare(
    example: Example,
    n_threads: dict[str, int | None],
    n_traced: dict[str, int],
    *,
    n_rounds: int,
) -> Comparison:
    """Time the contenders in turn, some rounds of all; then see how far each of them gets.

    Parameters
    ----------
    example : Example
        The mixture.
    n_threads : dict of str to int or None
        The contenders, and the threads that their linear algebra gets.
    n_traced : dict of str to int
        Whose separation is judged, and after how many iterations.
    n_rounds : int
        Timed runs of each.
    """
    comparison = Comparison(example, n_threads)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = _save(example, folder)
        workers: dict[str, Worker] = {}
        for name, n in n_threads.items():
            try:
                worker = stack.enter_context(Worker(name, path, n))
                worker.time(1)  # shows whether it runs, and warms it up
                workers[name] = worker
            except UnavailableError as reason:
                comparison.unavailable[name] = str(reason)
        _time(comparison, workers, n_rounds)
        _trace(comparison, path, {name: n for name, n in n_traced.items() if name in workers})
    return comparison


def _time(comparison: Comparison, workers: dict[str, Worker], n_rounds: int) -> None:
    """Take the times of all contenders in turn, round after round."""
    runs: dict[str, list[Array]] = {name: [] for name in workers}
    for _ in range(n_rounds):
        for name, worker in workers.items():
            runs[name].append(worker.time(N_TIMED.get(name, N_TIMED_ELSE)))
    for name, clocks in runs.items():
        numbers, seconds = clocks[0][0], np.array([clock[1] - clock[1, 0] for clock in clocks])
        each = 1000 * np.diff(seconds) / np.diff(numbers)
        typical = np.median(each[:, 10:] if name in OURS else each, axis=1)
        comparison.first[name] = np.mean(each[:, :10], axis=1) if name in OURS else typical
        comparison.later[name] = typical
        comparison.clocks[name] = np.array([numbers, np.median(seconds, axis=0)])


def _trace(comparison: Comparison, path: Path, n_traced: dict[str, int]) -> None:
    """Judge the contenders; nothing is timed, so several run at a time."""

    def trace(name: str) -> tuple[Array, float]:
        with Worker(name, path, n_threads=1) as worker:
            return worker.trace(n_traced[name]), worker.si_sdr()

    with ThreadPoolExecutor(2) as pool:
        for name, (marks, si_sdr) in zip(n_traced, pool.map(trace, n_traced), strict=True):
            comparison.traces[name] = marks
            comparison.si_sdr[name] = si_sdr


def _faster(name: str, path: Path) -> int | None:
    """Return the number of threads that makes a contender faster."""
    n_iter = N_TRIED.get(name, N_TRIED_ELSE)
    try:
        with Worker(name, path, 1) as one, Worker(name, path) as several:
            runs = [(one.time(n_iter), several.time(n_iter)) for _ in range(2)]
    except UnavailableError:
        return 1
    alone, together = np.min([[np.ptp(clock[1]) for clock in run] for run in runs], axis=0)
    return None if together < alone else 1


def _save(example: Example, folder: str) -> Path:
    """Put a mixture where workers find it."""
    path = Path(folder) / "example.npz"
    np.savez(
        path,
        name=example.name,
        mixture=example.mixture,
        references=example.references,
        sample_rate=example.sample_rate,
    )
    return path
