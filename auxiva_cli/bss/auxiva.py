"""The loop of AuxIVA: fold, update, stop, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from auxiva_cli.bss.fold import Map, Statistics, Table, fold, segment_energies
from auxiva_cli.bss.linalg import Array
from auxiva_cli.bss.permutation import repair
from auxiva_cli.bss.source_models import SourceModel
from auxiva_cli.bss.tie import tied

__all__ = ["Iteration", "Stage", "StageTrace", "UpdateRule", "auxiva", "descend", "model_of"]

UpdateRule = Callable[[Array, Array], Array]

# Blocks are folded in single precision: the cost is known to this share of the sizes of its terms.
ROUNDING = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Stage:
    """A source model, what it is fitted to, and for how long.

    Attributes
    ----------
    name : str
        What it is called in reports.
    model : SourceModel
        The source model.
    tables : sequence of Table
        Packed blocks of the *whitened* mixture, all or a sample.
    max_iter : int
        Updates at most.
    tol : float
        The stage has settled when twice in a row the cost fell by less than this relative to
        its size.
    repair : SourceModel, optional
        What swapped blocks of frequencies are repaired by before the first update.
    tie : int
        How many sources, the first, then tell how far the bands of the model are tied to each
        other; 0 leaves the model as it is.
    """

    name: str
    model: SourceModel
    tables: Sequence[Table]
    max_iter: int
    tol: float
    repair: SourceModel | None = None
    tie: int = 0


@dataclass(frozen=True)
class Iteration:
    """What is reported after each evaluation of the cost.

    Attributes
    ----------
    stage : str
        Name of the stage.
    number : int
        Updates done in this stage; 0 is its starting point.
    done : int
        Updates done, or no longer needed, in all stages so far.
    total : int
        Updates that all stages may take together.
    cost : float
        The cost at this point.
    size : int
        Sources times frequencies, over which the cost is a sum.
    """

    stage: str
    number: int
    done: int
    total: int
    cost: float
    size: int


@dataclass(frozen=True)
class StageTrace:
    """How the cost went in a stage.

    Attributes
    ----------
    name : str
        Name of the stage.
    costs : tuple of float
        The cost at its start, then after each update.
    converged : bool
        Whether the cost had settled before the iterations ran out.
    rose : bool
        Whether the last update raised the cost; it was then taken back, and the stage ended.
    """

    name: str
    costs: tuple[float, ...]
    converged: bool
    rose: bool


def auxiva(
    W: Array,
    stages: Sequence[Stage],
    update: UpdateRule,
    *,
    report: Callable[[Iteration, Array], None],
    advanced: Callable[[int, int], None],
    map: Map = map,
) -> tuple[Array, tuple[StageTrace, ...]]:
    """Separate by majorisation-minimisation: alternate the fold and the update.

    An update that raises the cost, as a gradient step that is too large does, ends its stage, which
    then keeps the matrices of its lowest cost.

    Parameters
    ----------
    W : ndarray of shape (..., n_src, n_src, n_freq), complex
        Demixing matrices to start from, after whitening; or several sets of them, from which as
        many separations start.
    stages : sequence of Stage
        The source models in turn, each from where the last one ended; at unit power, unless
        the model is still the same.
    update : callable
        The update rule, ``(W, V) → W``.
    report : callable
        Called with an ``Iteration`` and the matrices ``W`` whenever the cost is known.
    advanced : callable
        Called with the number of blocks folded, or no longer needed, and of all that may be.
    map : callable, optional
        How the fold is mapped over the blocks.

    Returns
    -------
    W : ndarray of shape (..., n_src, n_src, n_freq), complex
        The last demixing matrices.
    traces : tuple of StageTrace
        The cost of every stage; of several separations its mean.
    """
    traces: list[StageTrace] = []
    total = sum(stage.max_iter for stage in stages)
    n_folds = sum((stage.max_iter + 1) * len(stage.tables) for stage in stages)
    done = folded = 0
    asked: SourceModel | None = None

    def counting(function: Callable[[Any], Any], tables: Iterable[Any]) -> Iterator[Any]:
        nonlocal folded
        for result in map(function, tables):
            yield result
            folded += 1
            advanced(folded, n_folds)

    def report_counted(iteration: Iteration, W: Array) -> None:
        report(replace(iteration, done=done + iteration.done, total=total), W)

    for stage in stages:
        if stage.model is not asked:  # else it goes on as it is, with other tables
            W, asked = _unit_power(W), stage.model
            if stage.repair is not None:
                W = repair(stage.tables, W, stage.repair, map=map)
            model = model_of(stage, W, map=map)
        W, trace = descend(
            W,
            partial(fold, stage.tables, model=model, map=counting),
            update,
            name=stage.name,
            max_iter=stage.max_iter,
            tol=stage.tol,
            report=report_counted,
        )
        done += stage.max_iter
        if n_unneeded := (stage.max_iter + 1 - len(trace.costs)) * len(stage.tables):
            folded += n_unneeded
            advanced(folded, n_folds)
        traces.append(trace)
    return W, tuple(traces)


def descend(
    W: Array,
    statistics: Callable[[Array], Statistics],
    update: UpdateRule,
    *,
    name: str,
    max_iter: int,
    tol: float,
    report: Callable[[Iteration, Array], None],
) -> tuple[Array, StageTrace]:
    """Update until the cost has settled, has risen, or iterations have run out.

    Parameters
    ----------
    W : ndarray of shape (..., n_src, n_src, n_freq), complex
        Demixing matrices to start from, one set or several.
    statistics : callable
        Gives the weighted covariances and the cost at demixing matrices.
    update : callable
        The update rule; of several sets each is updated by itself.
    name : str
        What the stage is called in reports.
    max_iter, tol : int, float
        Of the ``Stage``.
    report : callable
        Called with an ``Iteration`` and the matrices whenever the cost is known.

    Returns
    -------
    W : ndarray of shape (..., n_src, n_src, n_freq), complex
        The last demixing matrices; those of the lowest cost if it rose.
    trace : StageTrace
        How the cost went; of several sets its mean.
    """
    size = W.shape[-2] * W.shape[-1]
    costs: list[float] = []
    best = W
    settled = rose = False
    for number in range(max_iter + 1):
        found = statistics(W)
        costs.append(float(np.mean(found.cost)))
        settled = _has_settled(costs, tol, size)
        rose = _has_risen(costs, size)
        is_last = rose or settled or number == max_iter
        done = max_iter if is_last else number
        report(Iteration(name, number, done, max_iter, costs[-1], size), W)
        if rose:
            W = best
        if is_last:
            break
        if costs[-1] == min(costs):
            best = W
        W = _update_each(update, W, found.V)
    return W, StageTrace(name, tuple(costs), settled, rose)


def model_of(stage: Stage, W: Array, *, map: Map = map) -> SourceModel:
    """Return the model of a stage that starts from these matrices."""
    if not stage.tie:
        return stage.model
    energies = segment_energies(stage.tables, W, stage.model, map=map)
    return tied(stage.model, energies[..., : stage.tie])


def _update_each(update: UpdateRule, W: Array, V: Array) -> Array:
    """Update one set of demixing matrices, or several, each frequency of each by itself."""
    if W.ndim == 3:
        return update(W, V)
    beside = update(_side_by_side(W), _side_by_side(V))
    updated: Array = np.moveaxis(beside.reshape(*W.shape[1:-1], len(W), -1), -2, 0)
    return updated


def _side_by_side(A: Array) -> Array:
    """Put sets of matrices beside each other, as if they were of more frequencies."""
    return np.moveaxis(A, 0, -2).reshape(*A.shape[1:-1], -1)


def _unit_power(W: Array) -> Array:
    """Scale each source to unit power, the mixture being white: floors are relative to that."""
    power = np.mean(np.sum(np.abs(W) ** 2, axis=-2), axis=-1)
    scaled: Array = W / np.sqrt(power)[..., None, None]
    return scaled


def _has_settled(costs: list[float], tol: float, size: int) -> bool:
    """Tell whether the last two falls of the cost were both small."""
    if len(costs) < 3 or tol <= 0:
        return False
    scale = max(abs(costs[-1]), size)
    return max(costs[-3] - costs[-2], costs[-2] - costs[-1]) <= tol * scale


def _has_risen(costs: list[float], size: int) -> bool:
    """Tell whether the last cost lies above the lowest by more than rounding."""
    lowest = min(costs[:-1], default=costs[-1])
    return costs[-1] > lowest + ROUNDING * max(abs(lowest), size)
