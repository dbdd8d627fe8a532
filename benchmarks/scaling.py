"""Time per iteration over channels and durations."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from statistics import median

from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.bss.linalg import Array
from auxiva_cli.config import Settings
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads, available_cpus
from auxiva_cli.separation import learn
from benchmarks.mixtures import lasting, simulate
from benchmarks.worker import THREAD_VARIABLES

__all__ = ["CHANNELS", "SECONDS", "measure_scaling"]

CHANNELS = (2, 3, 4, 6, 8)
SECONDS = (10, 60, 600)
N_ITER = 14
N_FIRST = 10  # left out: they take longer, however long the recording is


class _Clock(Observer):
    """Takes the time at every iteration."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
        """Take the time."""
        self.times.append(time.perf_counter())


def measure_scaling() -> dict[tuple[int, int], float]:
    """Return milliseconds per iteration from the eleventh, by channels and seconds."""
    os.environ |= dict.fromkeys(THREAD_VARIABLES, "1")
    cells = [(n_chan, seconds) for n_chan in CHANNELS for seconds in SECONDS]
    # One process for all would keep the memory of the largest; BLAS reads its threads at import.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        return dict(zip(cells, pool.map(_milliseconds, *zip(*cells, strict=True)), strict=True))


def _milliseconds(n_chan: int, seconds: int) -> float:
    """Time one cell, all of it in memory."""
    example = lasting(simulate(n_chan), seconds)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    settings = Settings(model="laplace", max_iter=N_ITER, tol=0, max_memory=machine // 2)
    mixture = ArrayMixture(example.mixture.astype("float32"), example.sample_rate)
    clock = _Clock()
    with Threads(available_cpus()) as threads:
        learn(mixture, settings, threads=threads, observer=clock)
    times = clock.times[N_FIRST:]
    return 1000 * median(b - a for a, b in pairwise(times))
