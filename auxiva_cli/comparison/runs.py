"""Algorithms in a race: each separates the same recording from the same start, by the clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.bss.linalg import Array
from auxiva_cli.comparison.judge import Judge
from auxiva_cli.config import Settings
from auxiva_cli.errors import Notice
from auxiva_cli.listening.mixture import Mixture
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads
from auxiva_cli.separation import learn

__all__ = ["Point", "Run", "race", "speed_ups"]

SIR_TOLERANCE = 0.5  # dB
COST_TOLERANCE = 0.01  # per source and frequency
# A run that comes within the tolerance only in this last share of it is still on its way.
LAST_SHARE = 0.1
# The SI-SDR takes longer to measure than an iteration; it is taken where these have grown so much.
MILESTONE_GROWTH = 1.15


@dataclass(frozen=True)
class Point:
    """Where a run is after some iterations.

    Attributes
    ----------
    iteration : int
        Updates done.
    seconds : float
        Time that they took, with the folds between them.
    cost : float
        The cost, per source and frequency.
    si_sir : float, dB
        Mean over the references; NaN without references.
    si_sdr : float, dB
        The same, and NaN also where it was not measured.
    """

    iteration: int
    seconds: float
    cost: float
    si_sir: float
    si_sdr: float


@dataclass(frozen=True)
class Run:
    """How one algorithm fared.

    Attributes
    ----------
    settings : Settings
        What it was asked to do.
    points : tuple of Point
        Its start, and after each iteration.
    rose : bool
        Whether its last iteration raised the cost, which ended it.
    notices : tuple of Notice
        What to tell the user.
    """

    settings: Settings
    points: tuple[Point, ...]
    rose: bool
    notices: tuple[Notice, ...]

    @property
    def algorithm(self) -> str:
        """Name of the algorithm."""
        return self.settings.algorithm

    @property
    def best(self) -> Point:
        """The point whose matrices are kept: the last, or the lowest before a rise."""
        return min(self.points, key=lambda point: point.cost) if self.rose else self.points[-1]

    @property
    def seconds_per_iteration(self) -> float:
        """Mean time of an iteration."""
        return self.points[-1].seconds / self.points[-1].iteration

    @cached_property
    def settled(self) -> Point | None:
        """The point from which on the run is never worse than where it ends, but for a tolerance.

        That is 0.5 dB of its final SI-SIR or, without references, 0.01 of its final cost per source
        and frequency.  None for a run that was still on its way, or that rose.
        """
        if self.rose:
            return None
        gains, tolerance = self.column("si_sir"), SIR_TOLERANCE
        if np.isnan(gains).any():
            gains, tolerance = -self.column("cost"), COST_TOLERANCE
        worse = np.flatnonzero(gains < gains[-1] - tolerance)
        first = int(worse[-1]) + 1 if len(worse) else 0
        if first > math.ceil((1 - LAST_SHARE) * (len(gains) - 1)):
            return None
        return self.points[first]

    def column(self, name: str) -> Array:
        """Return one attribute of all points, shape (n_points,)."""
        return np.array([getattr(point, name) for point in self.points])


def speed_ups(runs: Sequence[Run]) -> list[float | None]:
    """Return how many times sooner than the slowest each run settled; None if it did not."""
    seconds = [run.settled.seconds if run.settled else None for run in runs]
    slowest = max((each for each in seconds if each is not None), default=0.0)
    return [slowest / each if each else None for each in seconds]


def race(
    mixture: Mixture,
    settings: Settings,
    *,
    judge: Judge | None,
    threads: Threads,
    passed: Callable[[Point], None],
) -> Run:
    """Let one algorithm run, by the clock.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    settings : Settings
        What is asked.
    judge : Judge or None
        Measures the separation; none without references.
    threads : Threads
        Works on several blocks at a time.
    passed : callable
        Called with each point as it is reached.

    Returns
    -------
    Run
        Neither measuring nor ``passed`` counts in its times, nor does what all algorithms have in
        common: reading, transforming and whitening before the start, filters after the end.

    Raises
    ------
    AuxivaError
        As ``separation.learn`` does.
    """
    clock = _Clock(judge, passed)
    learnt = learn(mixture, settings, threads=threads, observer=clock)
    return Run(
        settings,
        tuple(clock.points),
        rose=any(stage.rose for stage in learnt.stages),
        notices=learnt.notices,
    )


class _Clock(Observer):
    """Stops the time of a run, and measures where it is while the time stands still."""

    def __init__(self, judge: Judge | None, passed: Callable[[Point], None]) -> None:
        self.points: list[Point] = []
        self._judge = judge
        self._passed = passed
        self._seconds = 0.0
        self._milestone = 0
        self._resumed = math.nan

    def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
        """Take down the point that was reached; the clock starts with the first."""
        if self.points:
            self._seconds += time.perf_counter() - self._resumed
        if iteration.number > 0 or not self.points:
            point = self._measure(iteration, demixing_matrices)
            self.points.append(point)
            self._passed(point)
        self._resumed = time.perf_counter()

    def _measure(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> Point:
        """Return the point that was reached."""
        number = len(self.points)
        si_sir = si_sdr = math.nan
        if self._judge is not None:
            W = demixing_matrices()
            si_sir = self._judge.si_sir(W)
            if number >= self._milestone or iteration.done == iteration.total:
                si_sdr = self._judge.si_sdr(W)
                self._milestone = math.ceil(max(number + 1, MILESTONE_GROWTH * number))
        return Point(number, self._seconds, iteration.cost / iteration.size, si_sir, si_sdr)
