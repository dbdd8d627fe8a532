"""A long recording: stages learn from a sample, and memory changes nothing."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from oracle import Array
from signals import SAMPLE_RATE, make_images, relative_level, worst_si_sdr

from auxiva_cli.bss.auxiva import Iteration, Stage, StageTrace, auxiva
from auxiva_cli.bss.fold import Table, in_memory
from auxiva_cli.bss.source_models import bands
from auxiva_cli.bss.updates.ipa import ipa
from auxiva_cli.bss.whitening import whiten
from auxiva_cli.config import Settings
from auxiva_cli.demixing import whitened_table
from auxiva_cli.errors import RecordingError
from auxiva_cli.filters import apply_filters
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.listening.observation import observe
from auxiva_cli.listening.stft import stft_for
from auxiva_cli.listening.survey import survey
from auxiva_cli.observer import Observer, Plan
from auxiva_cli.parallel import Threads
from auxiva_cli.separation import Learnt
from auxiva_cli.separation import learn as learn_with

IMAGES = make_images(2, 2, seconds=30.0, seed=5)
MIXTURE = ArrayMixture(IMAGES.sum(axis=0), SAMPLE_RATE)
ASKED: dict[str, Any] = {"n_fft": 256}
# The whole sample is kept, some blocks, none.
PLENTY, SCARCE, LEAST = 2**30, 1202 * 2**20 // 10, 1199 * 2**20 // 10


class Notebook(Observer):
    """Takes down what it is told."""

    def __init__(self) -> None:
        self.steps: dict[str, list[tuple[int, int]]] = {}
        self.iterations: list[tuple[int, int]] = []

    def started(self, plan: Plan) -> None:
        self.plan = plan

    def advanced(self, step: str, done: int, total: int) -> None:
        self.steps.setdefault(step, []).append((done, total))

    def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
        self.iterations.append((iteration.done, iteration.total))


def assert_honest(marks: list[tuple[int, int]]) -> None:
    """Hold progress to its word: it never goes back, its goal stays, and it gets there."""
    assert len({total for _, total in marks}) == 1
    assert all(before[0] <= after[0] for before, after in pairwise(marks))
    assert marks[-1][0] == marks[-1][1]


def learn(
    budget: int, mixture: ArrayMixture = MIXTURE, n_threads: int = 1, **asked: Any
) -> tuple[Learnt, Notebook]:
    """Learn with so much memory."""
    notebook = Notebook()
    settings = Settings(**{"max_memory": budget, **ASKED, **asked})
    with Threads(n_threads) as threads:
        return learn_with(mixture, settings, threads=threads, observer=notebook), notebook


def separated(found: Learnt, mixture: ArrayMixture = MIXTURE) -> Array:
    """Return the sources at the reference channel."""
    with Threads(1) as threads:
        stretches = apply_filters(found.filters, mixture, [0], found.survey, threads=threads)
        images: Array = np.concatenate(list(stretches), axis=-1)[:, 0]
    return images


WHOLE, WHOLE_NOTES = learn(PLENTY, learn_all=True)
SAMPLED, SAMPLED_NOTES = learn(PLENTY)


def whitened_tables() -> tuple[list[Table], Array]:
    """Return the tables of the recording, made when called for, and their frequencies."""
    stft = stft_for(MIXTURE, Settings(**ASKED))
    with Threads(1) as threads:
        heard = observe(MIXTURE, survey(MIXTURE), stft, threads, lambda done, total: None)
    whitening = whiten(np.where(heard.audible, heard.R, 0), 2)
    tables = [partial(whitened_table, block, whitening) for block in heard.blocks]
    return tables, heard.frequencies[whitening.separable]


def run(*stages: Stage) -> tuple[Array, tuple[StageTrace, ...]]:
    """Run stages in silence."""
    start = np.repeat(np.eye(2, dtype=complex)[..., None], stages[0].model.edges[-1], axis=-1)
    return auxiva(start, stages, ipa, report=lambda _, __: None, advanced=lambda done, total: None)


def test_tables_that_are_kept_and_tables_that_are_made_give_the_same_bits() -> None:
    made, frequencies = whitened_tables()
    kept = [partial(in_memory, table()) for table in made]
    assert len(made) > 3
    from_made, from_kept = (
        run(Stage("bands", bands(frequencies, 6), tables, 4, 0.0, bands(frequencies, 12)))
        for tables in (made, kept)
    )
    np.testing.assert_array_equal(from_made[0], from_kept[0])
    assert from_made[1] == from_kept[1]


def test_of_a_long_recording_all_stages_see_a_sample() -> None:
    whole, sampled = WHOLE_NOTES.plan.memory, SAMPLED_NOTES.plan.memory
    assert WHOLE.frames is not None
    assert whole.n_sample == WHOLE.frames.learnt_from > 3 * sampled.n_sample


@pytest.mark.parametrize("budget", [SCARCE, LEAST])
@pytest.mark.parametrize("model", ["auto", "laplace"])
def test_memory_changes_no_bit_of_what_is_learnt(budget: int, model: str) -> None:
    plenty, at_first = learn(PLENTY, model=model, max_iter=20)
    scarce, then = learn(budget, model=model, max_iter=20)
    assert then.plan.memory.n_kept < at_first.plan.memory.n_kept
    assert then.plan.memory.n_bytes <= budget
    np.testing.assert_array_equal(scarce.filters.G, plenty.filters.G)
    assert scarce.stages == plenty.stages


def test_a_sample_changes_no_stage_and_is_no_pass() -> None:
    assert [trace.name for trace in SAMPLED.stages] == [trace.name for trace in WHOLE.stages]
    assert (WHOLE.n_passes, SAMPLED.n_passes) == (3, 2)


def test_the_low_frequencies_are_begun_afresh_and_their_cost_is_told() -> None:
    found, _ = learn(PLENTY, n_fft=2048, max_iter=36)
    *_, guided, last = found.stages
    assert (guided.name, last.name) == ("guided", "tied-64")
    assert guided.costs[-1] < guided.costs[0]
    assert all(after <= before + 1e-6 * abs(before) for before, after in pairwise(guided.costs))


def test_extra_outputs_are_left_out_in_the_end_and_take_one_more_pass() -> None:
    five = make_images(2, 5, seconds=5.0)
    mixture = ArrayMixture(five.sum(axis=0), SAMPLE_RATE)
    found, notes = learn(PLENTY, mixture, n_src=2)
    assert notes.plan.n_extra == 2
    assert found.filters.n_src == len(found.demixing_matrices) == 2
    assert found.n_passes == 5
    total = Settings().max_iter
    assert notes.iterations[-1] == (total, total)
    for marks in [*notes.steps.values(), notes.iterations]:
        assert_honest(marks)


@pytest.mark.parametrize("n_fft", [1024, 2048])  # all frequencies from the beginning, and a comb
def test_tables_of_fewer_outputs_are_let_go(n_fft: int) -> None:
    class Scales(Notebook):
        """Weighs what is in memory in the last stage."""

        def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
            if iteration.stage == "tied-64":
                self.n_bytes = tracemalloc.get_traced_memory()[0]

    mixture = ArrayMixture(make_images(2, 4, seconds=24.0).sum(axis=0), SAMPLE_RATE)
    scales = Scales()
    tracemalloc.start()
    with Threads(1) as threads:
        settings = Settings(n_src=2, n_fft=n_fft, motion="off", max_iter=10)
        learn_with(mixture, settings, threads=threads, observer=scales)
    tracemalloc.stop()
    frames = 4 * (n_fft // 2 + 1) * scales.plan.memory.n_sample
    fewer, all_outputs = 2**2 * frames, 4**2 * frames
    assert all_outputs < scales.n_bytes < all_outputs + 0.6 * fewer


def test_a_model_that_is_not_told_to_widen_has_no_extra_outputs() -> None:
    three = ArrayMixture(make_images(2, 3, seconds=2.0).sum(axis=0), SAMPLE_RATE)
    found, notes = learn(PLENTY, three, n_src=2, model="laplace", max_iter=3)
    assert notes.plan.n_extra == 0
    assert found.n_passes == 4


def test_the_sample_separates_as_well() -> None:
    whole, sampled = separated(WHOLE), separated(SAMPLED)
    quality = worst_si_sdr(IMAGES[:, 0], whole)
    assert quality > 20
    # What differs between the two adds to what is wrong with either: were it as large, 3 dB.
    assert worst_si_sdr(whole, sampled) > quality
    assert abs(worst_si_sdr(IMAGES[:, 0], sampled) - quality) < 3


def test_a_stage_that_goes_on_with_other_tables_goes_on_as_if_it_were_one() -> None:
    tables, frequencies = whitened_tables()
    whole = Stage("bands", bands(frequencies, 6), tables, 6, 0.0)
    first, second = replace(whole, max_iter=2), replace(whole, name="all", max_iter=4)
    (at_once, whole_trace), (in_two, traces) = run(whole), run(first, second)
    assert traces[0].costs + traces[1].costs[1:] == whole_trace[0].costs
    np.testing.assert_array_equal(in_two, at_once)


@pytest.mark.parametrize("found", [WHOLE, SAMPLED], ids=["whole", "sampled"])
def test_the_outputs_sum_to_the_microphone(found: Learnt) -> None:
    heard = MIXTURE.waveform[0]
    assert relative_level(separated(found).sum(axis=0) - heard, heard) < -100


@pytest.mark.parametrize("notes", [WHOLE_NOTES, SAMPLED_NOTES], ids=["whole", "sampled"])
def test_progress_is_honest_at_every_step(notes: Notebook) -> None:
    assert list(notes.steps) == ["survey", "count", "covariance", "tables", "fit"]
    for marks in [*notes.steps.values(), notes.iterations]:
        assert_honest(marks)


@pytest.mark.parametrize("budget", [PLENTY, SCARCE])
def test_progress_is_honest_when_stages_settle_early(budget: int) -> None:
    found, notes = learn(budget, tol=0.9)
    assert all(len(stage.costs) <= 3 for stage in found.stages if stage.name != "guided")
    assert_honest(notes.steps["fit"])
    assert_honest(notes.iterations)


def test_learning_fewer_sources_than_channels_shows_that_pass_too() -> None:
    three = ArrayMixture(make_images(2, 3, seconds=3.0).sum(axis=0), SAMPLE_RATE)
    _, notes = learn(PLENTY, three, n_src=2, max_iter=5)
    assert list(notes.steps)[-1] == "filters"
    assert_honest(notes.steps["filters"])


@pytest.mark.parametrize("max_iter", [1, 2, 7, 40])
def test_any_number_of_iterations_is_shared_out_in_full(max_iter: int) -> None:
    found, notes = learn(SCARCE, max_iter=max_iter, tol=0.0)
    assert sum(len(stage.costs) - 1 for stage in found.stages) == max_iter
    assert notes.iterations[-1] == (max_iter, max_iter)


def test_without_iterations_there_is_a_cost_and_no_second_look() -> None:
    found, notes = learn(SCARCE, max_iter=0)
    assert [len(stage.costs) for stage in found.stages] == [1]
    assert found.n_passes == 2
    assert_honest(notes.steps["fit"])


def test_a_recording_that_is_silent_where_the_sample_would_lie_is_learnt_from_all_the_same() -> (
    None
):
    waveform = MIXTURE.waveform.copy()
    waveform[:, len(waveform[0]) // 4 : -len(waveform[0]) // 4] = 0
    found, notes = learn(LEAST, ArrayMixture(waveform, SAMPLE_RATE), max_iter=20)
    assert found.frames is not None
    assert notes.plan.memory.n_sample < found.frames.learnt_from
    assert np.isfinite(found.stages[-1].costs).all()


def test_too_little_memory_is_refused_before_anything_is_learnt() -> None:
    with pytest.raises(RecordingError) as caught:
        learn(64 * 2**20)
    assert caught.value.kind == "resource-limit"
