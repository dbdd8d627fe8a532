"""From an observation to demixing matrices: whiten, keep what fits into memory, run the stages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.auxiva import Iteration, Stage, StageTrace, UpdateRule, auxiva
from auxiva_cli.bss.fold import Block, Table, pack_with_noise
from auxiva_cli.bss.linalg import matmul
from auxiva_cli.bss.source_models import SourceModel, bands, gauss, laplace
from auxiva_cli.bss.updates.gradient import gradient
from auxiva_cli.bss.updates.ip import ip
from auxiva_cli.bss.updates.ip2 import ip2
from auxiva_cli.bss.updates.ipa import ipa
from auxiva_cli.bss.updates.iss import iss
from auxiva_cli.bss.updates.iss2 import iss2
from auxiva_cli.bss.whitening import Whitening, whiten
from auxiva_cli.config import DEFAULT_STEP_SIZE, Settings, StagePlan
from auxiva_cli.listening.observation import Observation
from auxiva_cli.memory import even_sample
from auxiva_cli.observer import Observer, Plan
from auxiva_cli.parallel import Threads, counted

__all__ = ["ALL", "UPDATES", "demix", "in_memory", "stages_of", "whitened_table"]

Array = NDArray[Any]
UPDATES: dict[str, UpdateRule] = {"ipa": ipa, "ip2": ip2, "iss2": iss2, "ip": ip, "iss": iss}
# Where the first iterations see a sample, this share of the last stage's see everything: the stage
# of this name.
FULL_SHARE = 0.5
ALL = "all"
# Blocks of frequencies are swapped in steps of cells of the mel scale, each held to be one
# source's by the cells up to a quarter of the scale away.
REPAIR_CELLS, REPAIR_SPAN = 32, 8


def demix(
    heard: Observation, plan: Plan, settings: Settings, threads: Threads, observer: Observer
) -> tuple[Array, tuple[StageTrace, ...]]:
    """Find demixing matrices.

    Parameters
    ----------
    heard : Observation
        What there is to learn from.
    plan : Plan
        Number of sources, and what is kept in memory.
    settings : Settings
        Update rule, source model and iterations.
    threads : Threads
        Works on several blocks at a time.
    observer : Observer
        Is told how the work goes.

    Returns
    -------
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices of the channels that carry sound; zero in frequencies that have fewer
        than ``n_src`` directions with power.
    stages : tuple of StageTrace
        The cost at every iteration of every stage.
    """
    whitening = whiten(np.where(heard.audible, heard.R, 0), plan.n_src)
    tables = [partial(whitened_table, block, whitening) for block in heard.blocks]
    chosen = even_sample(heard.n_frames, heard.block_length, plan.memory.stride)
    kept = chosen[np.cumsum(heard.n_frames[chosen]) <= plan.memory.n_kept]
    wanted = counted([tables[i] for i in kept], partial(observer.advanced, "tables"))
    for i, table in zip(kept, threads.map(_made, wanted), strict=True):
        tables[i] = partial(in_memory, table)
    sample = [tables[i] for i in chosen]
    frequencies = heard.frequencies[whitening.separable]

    def dewhitened(W: Array) -> Array:
        everywhere = np.zeros((plan.n_src, len(heard.channels), len(heard.frequencies)), complex)
        everywhere[..., whitening.separable] = matmul(W, whitening.Q)
        return everywhere

    def report(iteration: Iteration, W: Array) -> None:
        observer.iterated(iteration, lambda: heard.of_recording(dewhitened(W)))

    W, stages = auxiva(
        _identity(plan.n_src, len(frequencies)),
        stages_of(settings, frequencies, everything=tables, sample=sample),
        _update_rule(settings),
        report=report,
        advanced=partial(observer.advanced, "fit"),
        map=threads.map,
    )
    return dewhitened(W), stages


def stages_of(
    settings: Settings,
    frequencies: Array,
    *,
    everything: Sequence[Table],
    sample: Sequence[Table],
) -> list[Stage]:
    """Return the stages over the frequencies (Hz) that take part.

    Where the sample is not everything, all stages see the sample, and the last one goes on with
    everything.
    """
    neighbours = bands(frequencies, REPAIR_CELLS, REPAIR_SPAN)
    stages = [
        Stage(
            plan.name,
            _source_model(plan, frequencies),
            sample,
            n_iter,
            settings.tol,
            neighbours if plan.repair else None,
        )
        for plan, n_iter in settings.stages()
    ]
    if len(sample) < len(everything):
        last = stages.pop()
        n_full = math.ceil(FULL_SHARE * last.max_iter)
        stages.append(replace(last, max_iter=last.max_iter - n_full))
        stages.append(replace(last, name=ALL, tables=everything, max_iter=n_full, repair=None))
    return stages


def _update_rule(settings: Settings) -> UpdateRule:
    """Return the update rule that the settings ask for."""
    if settings.algorithm == "gradient":
        return partial(gradient, step_size=settings.step_size or DEFAULT_STEP_SIZE)
    return UPDATES[settings.algorithm]


def _source_model(plan: StagePlan, frequencies: Array) -> SourceModel:
    """Return the source model of a stage."""
    if plan.model == "laplace":
        return laplace(len(frequencies))
    if plan.model == "gauss":
        return gauss(len(frequencies))
    return bands(frequencies, plan.n_cells)


def _made(table: Table) -> Array:
    """Make a table."""
    return table()


def in_memory(array: Array) -> Array:
    """Give a table that is in memory."""
    return array


def whitened_table(block: Block, whitening: Whitening) -> Array:
    """Make the packed table of a whitened block."""
    # Unlike indexing, this keeps frequencies next to each other.
    X = np.compress(whitening.separable, block(), axis=-1)
    Q = whitening.Q.astype(X.dtype)
    whitened = Q[:, 0] * X[:, 0, None]
    for c in range(1, X.shape[1]):
        whitened += Q[:, c] * X[:, c, None]
    return pack_with_noise(whitened)


def _identity(n_src: int, n_freq: int) -> Array:
    """Return identity matrices (n_src, n_src, n_freq)."""
    return np.repeat(np.eye(n_src, dtype=complex)[..., None], n_freq, axis=-1)
