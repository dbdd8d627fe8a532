"""From an observation to demixing matrices: whiten, keep what fits into memory, run the stages."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.auxiva import Iteration, Stage, StageTrace, UpdateRule, auxiva, model_of
from auxiva_cli.bss.coarse import best, comb, spread, starts
from auxiva_cli.bss.fold import Block, Table, in_memory, pack_with_noise
from auxiva_cli.bss.given import Surrogate, by_activities, identity
from auxiva_cli.bss.guide import can_guide, guide
from auxiva_cli.bss.linalg import matmul
from auxiva_cli.bss.motion import aligned
from auxiva_cli.bss.scaling import image_powers
from auxiva_cli.bss.source_models import SourceModel, bands, gauss, laplace
from auxiva_cli.bss.updates.gradient import gradient
from auxiva_cli.bss.updates.ip import ip
from auxiva_cli.bss.updates.ip2 import ip2
from auxiva_cli.bss.updates.ipa import ipa
from auxiva_cli.bss.updates.iss import iss
from auxiva_cli.bss.updates.iss2 import iss2
from auxiva_cli.bss.whitening import Whitening, whiten, with_extra_outputs
from auxiva_cli.config import DEFAULT_STEP_SIZE, GIVEN, LOUDEST, Settings, StagePlan
from auxiva_cli.listening.observation import Observation
from auxiva_cli.memory import even_sample, n_together
from auxiva_cli.motion import (
    LOOK_STRIDE,
    MOVING,
    Motion,
    Start,
    Timeline,
    look,
    most_centres,
    segments,
    track,
)
from auxiva_cli.observer import Observer, Plan
from auxiva_cli.parallel import Threads, counted

__all__ = ["UPDATES", "Demixed", "demix", "whitened_table"]

Array = NDArray[Any]
UPDATES: dict[str, UpdateRule] = {"ipa": ipa, "ip2": ip2, "iss2": iss2, "ip": ip, "iss": iss}
# After fewer iterations matrices still gain everywhere, and nothing can be told of motion; nor can
# it by the Laplace model, whose cost is no likelihood.
FEWEST_ITERATIONS = 36
# Blocks of frequencies are swapped in steps of cells of the mel scale, each held to be one
# source's by the cells up to a quarter of the scale away.
REPAIR_CELLS, REPAIR_SPAN = 32, 8
# Recordings of up to so many seconds are separated by halves as well where somebody moves, if each
# has so many frames.
LONGEST_HALVED, FEWEST_HALF = 60.0, 40


class Demixed(NamedTuple):
    """What demixing found.

    Attributes
    ----------
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices of the channels that carry sound; zero in frequencies that have fewer
        than ``n_src`` directions with power.
    stages : tuple of StageTrace
        The cost at every iteration of every stage.
    motion : Motion, optional
        Whether sources move, if that was looked for.
    n_read : int
        Frames that were read anew for that.
    """

    W: Array
    stages: tuple[StageTrace, ...]
    motion: Motion | None
    n_read: int


def demix(
    heard: Observation,
    plan: Plan,
    settings: Settings,
    threads: Threads,
    observer: Observer,
    activities: Array | None = None,
) -> Demixed:
    """Find demixing matrices, and along the way of who moves.

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
    activities : ndarray of shape (n_frames, n_src), optional
        How active each source is in the frames of all blocks, positive; this then takes the place
        of all stages but the last.

    Returns
    -------
    Demixed
        The matrices, and how they came about.
    """
    run = _Run(heard, plan, settings, threads, observer, activities)
    run.to_the_end()
    motion = run.motion() if run.follows else None
    return Demixed(run.demixing_matrices(run.W), tuple(run.traces), motion, run.n_read)


class _Run:
    """The stages of a schedule, one after the other, on one recording.

    Attributes
    ----------
    schedule : list of (StagePlan, int)
        The stages, each with its number of iterations.
    W : ndarray of shape (n_out, n_out, n_separable), complex
        Demixing matrices of the whitened mixture; of a comb of the frequencies, and with the
        starts as a first axis, until one of them is chosen.
    traces : list of StageTrace
        What is done so far.
    """

    def __init__(
        self,
        heard: Observation,
        plan: Plan,
        settings: Settings,
        threads: Threads,
        observer: Observer,
        activities: Array | None = None,
    ) -> None:
        self._heard, self._plan, self._settings = heard, plan, settings
        self._threads, self._observer = threads, observer
        self._update = _update_rule(settings)
        self._blocks = heard.sample(even_sample(heard.count.learnt_from, plan.memory.n_sample))
        shape = (plan.n_src, len(heard.channels), len(heard.frequencies))
        self._found: Array = np.zeros(shape, complex)
        self._whiten(plan.n_out, partial(observer.advanced, "tables"))
        self.W: Array = np.zeros(())
        self.traces: list[StageTrace] = []
        self._read: list[int] = []
        self._activities = activities
        self.schedule = self._stages()
        self._start(self.schedule[0][0].starts if settings.max_iter else 0)
        self._done = self._folded = 0
        self._total = sum(max_iter for _, max_iter in self.schedule)
        self._n_folds = sum(self._count_folds(*stage) for stage in self.schedule)

    def to_the_end(self) -> None:
        """Run all stages."""
        for stage, max_iter in self.schedule:
            self.through(stage, max_iter)
        self.choose()
        self.W = self._loudest_first(self.W)

    def through(self, stage: StagePlan, max_iter: int) -> None:
        """Run a stage."""
        if not stage.starts:
            self.choose()
        if stage.model == "spread":
            self._minimise(self._spread(self.W), stage, max_iter)
            self._coarse.clear()  # the memory is needed
        elif stage.model == "guided":
            surrogate = guide(self._tables, self.W, self._frequencies, map=self._threads.map)
            self._minimise(surrogate, stage, max_iter)
        elif stage.model == "given":
            self._minimise(self._give(), stage, max_iter)
        else:
            self._fit(stage, max_iter)
        self._done += max_iter
        self._folded += self._count_folds(stage, max_iter)

    def choose(self) -> None:
        """Go on from the best start alone."""
        if self.W.ndim > 3:
            self.W = best(self._coarse, self.W, self._model, map=self._threads.map)

    def demixing_matrices(self, W: Array) -> Array:
        """Return matrices (n_src, n_chan, n_freq) of the channels that carry sound."""
        everywhere = self._found.copy()
        separable, Q = self._whitening.separable, self._whitening.Q
        everywhere[..., separable] = matmul(W[: self._plan.n_src], Q)
        return everywhere

    @property
    def follows(self) -> bool:
        """Whether somebody who moves is to be followed."""
        settings = self._settings
        if settings.motion == "off" or len(self.W) < 2:
            return False
        return settings.motion == "on" or (
            settings.max_iter >= FEWEST_ITERATIONS and settings.model != "laplace"
        )

    def motion(self) -> Motion:
        """Find out who moves, and follow."""
        plan, frequencies = self.schedule[-1][0], self._frequencies
        n_src, heard = self._plan.n_src, self._heard
        tie = self._plan.n_out if plan.tie else 0
        stage = Stage(plan.name, _source_model(plan, frequencies), self._tables, 0, 0, None, tie)
        model = model_of(stage, self.W, map=self._threads.map)
        some = frequencies[::LOOK_STRIDE]
        sparse = replace(_source_model(plan, some), contrast=model.contrast)
        timeline = Timeline(self._table, heard.times, heard.duration, heard.frame_seconds)
        W = self.W[..., ::LOOK_STRIDE]
        scores = look(timeline, W, sparse, some, n_src, self._threads)
        if self._settings.motion == "auto" and scores.max() <= MOVING:
            return Motion(scores)
        half = self._plan.memory.n_free // 2
        most = most_centres(n_src, len(heard.gain), len(heard.frequencies), half)
        n_kept = half // (4 * len(self.W) ** 2 * len(frequencies))
        centres, matrices, moving = track(
            timeline,
            self._starts(),
            model,
            scores,
            most,
            n_kept,
            self._update,
            self._threads,
        )
        away = segments(centres, matrices, moving, heard.duration)
        return Motion(scores, moving, away, centres, tuple(map(self.demixing_matrices, matrices)))

    def _starts(self) -> list[Start]:
        """Return matrices to begin with: of all, and of each half, in which who moves moves less.

        Of halves where all is in memory: a longer recording has enough of each place, or too little
        of any.
        """
        heard, memory = self._heard, self._plan.memory
        found = [Start(self.W, heard.duration / 2)]
        if memory.n_kept < heard.count.learnt_from or heard.duration > LONGEST_HALVED:
            return found
        half = heard.duration / 2
        for begin in (0.0, half):
            part = heard.within(begin, begin + half)
            n_frames = part.count.learnt_from
            if n_frames < FEWEST_HALF:
                return found
            plan = replace(self._plan, memory=replace(memory, n_sample=n_frames, n_kept=n_frames))
            run = _Run(part, plan, self._settings, self._threads, Observer())
            run.to_the_end()
            found.append(Start(aligned(run.W, self.W), begin + half / 2))
        return found

    @property
    def n_read(self) -> int:
        """How many frames were read anew after the stages."""
        return sum(self._read)

    def _table(self, chosen: Array) -> Array:
        """Return the packed table of some frames: out of memory where all are kept there."""
        memory, length = self._plan.memory, self._length
        if memory.n_kept == self._heard.count.learnt_from:
            blocks = chosen // length
            return np.concatenate(
                [self._tables[b]()[chosen[blocks == b] - b * length] for b in np.unique(blocks)]
            )
        self._read.append(len(chosen))
        return whitened_table(partial(_block, self._heard.sample(chosen)), self._whitening)

    def _stages(self) -> list[tuple[StagePlan, int]]:
        """Return the stages that there are for this recording."""
        powers = np.einsum("ccf->f", self._heard.R).real[self._whitening.separable]
        without = set()
        if not can_guide(self._plan.n_out, self._frequencies, powers):
            without.add("guided")
        if self._plan.n_out == 1 or comb(len(self._frequencies)).step == 1:
            without.add("spread")
        stages = self._settings.stages(without)
        if self._activities is not None:
            return [(GIVEN, min(GIVEN.share, self._settings.max_iter)), stages[-1]]
        return stages

    def _whiten(self, n_out: int, advanced: Callable[[int, int], None]) -> None:
        """Whiten to so many directions, and keep of the sample what fits into memory."""
        self._tables: list[Table] = []  # those before need the memory no longer
        self._coarse: list[Table] = []
        heard = self._heard
        self._whitening = whiten(np.where(heard.audible, heard.R, 0), n_out)
        self._frequencies = heard.frequencies[self._whitening.separable]
        tables: list[Table] = [
            partial(whitened_table, block, self._whitening) for block in self._blocks
        ]
        length = heard.spectra.block_length
        groups = _grouped(tables, n_together(n_out, len(self._frequencies), length))
        tables = [partial(_as_one, group) for group in groups]
        self._length = length * len(groups[0]) if groups else length
        memory = self._plan.memory
        keeps_all = memory.n_kept == memory.n_sample
        n_kept = len(tables) if keeps_all else memory.n_kept // self._length
        made = self._threads.map(_made, counted(tables[:n_kept], advanced))
        self._tables = [*(partial(in_memory, table) for table in made), *tables[n_kept:]]

    def _start(self, n_starts: int) -> None:
        """Begin from several starts on a comb of the frequencies, or from one on all of few."""
        n_freq = len(self._frequencies)
        self._n_spread = sum(
            max_iter for stage, max_iter in self.schedule if stage.model == "spread"
        )
        is_comb = n_starts > 0 and self._n_spread > 0
        self._comb = comb(n_freq) if is_comb else slice(None)
        self._coarse = self._tables
        if is_comb:
            groups = _grouped(self._tables, self._comb.step)
            self._coarse = [partial(_as_one, group, self._comb) for group in groups]
            if self._plan.memory.keeps_comb:
                made = self._threads.map(_made, self._coarse)
                self._coarse = [partial(in_memory, table) for table in made]
        n_comb = len(self._frequencies[self._comb])
        # Of the stage before, which tells the best start.
        self._model: SourceModel = laplace(n_comb)
        self.W = identity(self._plan.n_out, n_freq)
        if n_starts:
            self.W = starts(self._plan.n_out, n_comb, n_starts if is_comb else 1)

    def _spread(self, W: Array) -> Surrogate:
        """Return the cost of all frequencies, which follow the comb."""
        return spread(
            self._tables,
            self._length,
            self._coarse,
            W,
            self._comb,
            len(self._frequencies),
            self._model,
            map=self._threads.map,
        )

    def _everywhere(self, W: Array) -> Array:
        """Return what matrices that coarse stages have so far would become."""
        if W.ndim > 3:
            W = best(self._coarse, W, self._model, map=self._threads.map)
        if W.shape[-1] < len(self._frequencies):
            W, _ = self._spread(W).minimise(
                self._update,
                name="spread",
                max_iter=self._n_spread,
                tol=self._settings.tol,
                report=lambda iteration, W: None,
            )
        return self._loudest_first(W)

    def _loudest_first(self, W: Array) -> Array:
        """Put the sources first: of more outputs than sources those that are heard loudest."""
        if self._plan.n_out == self._plan.n_src:
            return W
        heard, whitening = self._heard, self._whitening
        power = image_powers(matmul(W, whitening.Q), heard.R[..., whitening.separable])
        at_reference = power[:, np.searchsorted(heard.channels, self._plan.ref_chan)]
        strength = power.max(axis=1) if self._settings.ref_chan == LOUDEST else at_reference
        in_order: Array = W[np.argsort(-strength, kind="stable")]
        return in_order

    def _widen(self) -> None:
        """Add the extra outputs, in the frequencies that have directions for them."""
        self._found = self.demixing_matrices(self.W)
        self._whiten(self._plan.n_src + self._plan.n_extra, lambda done, total: None)
        rows = self._found[..., self._whitening.separable]
        self.W = with_extra_outputs(rows, self._whitening)

    def _give(self) -> Surrogate:
        """Return the cost by when the sources are known to speak, from all frames."""
        assert self._activities is not None
        n_frames, length = self._heard.count.learnt_from, self._heard.spectra.block_length
        blocks = self._heard.sample(np.arange(n_frames))
        tables = [partial(whitened_table, block, self._whitening) for block in blocks]
        activities = np.split(self._activities, range(length, n_frames, length))
        counting = counted(tables, self._advanced)
        return by_activities(counting, activities, map=self._threads.map)

    def _minimise(self, surrogate: Surrogate, plan: StagePlan, max_iter: int) -> None:
        """Run a stage of weights that are fixed."""
        self.W, trace = surrogate.minimise(
            self._update,
            name=plan.name,
            max_iter=max_iter,
            tol=self._settings.tol,
            report=self._report,
        )
        self.traces.append(trace)

    def _fit(self, plan: StagePlan, max_iter: int) -> None:
        """Fit a source model to all frequencies."""
        if plan.widen and self._plan.n_extra:
            self._widen()
        frequencies = self._frequencies[self._comb] if plan.starts else self._frequencies
        tables = self._coarse if plan.starts else self._tables
        self._model = model = _source_model(plan, frequencies)
        repair = bands(frequencies, REPAIR_CELLS, REPAIR_SPAN) if plan.repair else None
        tie = self._plan.n_out if plan.tie else 0
        stage = Stage(plan.name, model, tables, max_iter, self._settings.tol, repair, tie)
        self.W, traces = auxiva(
            self.W,
            [stage],
            self._update,
            report=self._report,
            advanced=self._advanced,
            map=self._threads.map,
        )
        self.traces += traces

    def _count_folds(self, plan: StagePlan, max_iter: int) -> int:
        """Return how many blocks a stage folds at most."""
        if plan.model == "given":
            return math.ceil(self._heard.count.learnt_from / self._heard.spectra.block_length)
        if plan.model == "guided":
            return 0  # two folds, one of a few frequencies
        if plan.model == "spread":
            return len(self._tables)
        return (max_iter + 1) * len(self._coarse if plan.starts else self._tables)

    def _report(self, iteration: Iteration, W: Array) -> None:
        """Tell of an iteration, counted from the first of all stages."""
        counted_on = replace(iteration, done=self._done + iteration.done, total=self._total)
        self._observer.iterated(
            counted_on,
            lambda: self._heard.of_recording(self.demixing_matrices(self._everywhere(W))),
        )

    def _advanced(self, done: int, total: int) -> None:
        """Tell of a fold, counted from the first of all stages."""
        self._observer.advanced("fit", self._folded + done, self._n_folds)


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


def _grouped(tables: list[Table], wanted: int) -> list[list[Table]]:
    """Take so many tables together, at most half of them: there are two processors and more."""
    size = max(min(wanted, len(tables) // 2), 1)
    return [tables[i : i + size] for i in range(0, len(tables), size)]


def _as_one(tables: list[Table], bins: slice = slice(None)) -> Array:
    """Make some tables as one, of some frequencies; no table is longer than the first."""
    n_frames = 0
    for table in tables:
        part = table()[..., bins]
        if n_frames == 0:
            whole = np.empty((len(tables) * len(part), *part.shape[1:]), part.dtype)
        whole[n_frames : n_frames + len(part)] = part
        n_frames += len(part)
    return whole[:n_frames]


def _made(table: Table) -> Array:
    """Make a table."""
    return table()


def _block(blocks: list[Block]) -> Array:
    """Make several blocks as one."""
    return np.concatenate([block() for block in blocks])


def whitened_table(block: Block, whitening: Whitening) -> Array:
    """Make the packed table of a whitened block."""
    # Unlike indexing, this keeps frequencies next to each other.
    X = np.compress(whitening.separable, block(), axis=-1)
    Q = whitening.Q.astype(X.dtype)
    whitened = Q[:, 0] * X[:, 0, None]
    for c in range(1, X.shape[1]):
        whitened += Q[:, c] * X[:, c, None]
    return pack_with_noise(whitened)
