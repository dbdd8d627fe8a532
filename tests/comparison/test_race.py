"""The race: its judge agrees with the measures of waveforms, and its clock counts only the work."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from auxiva_cli import separate
from auxiva_cli.comparison import Judge, Point, Run, race, speed_ups
from auxiva_cli.config import ALGORITHMS, Settings
from auxiva_cli.evaluation import si_bss_eval
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.parallel import Threads

SAMPLE_RATE = 8000
SETTINGS = Settings(model="laplace", max_iter=12, tol=0.0, n_fft=512)


def recording(n_src: int = 2, offset: float = 0.0) -> tuple[NDArray, NDArray]:
    """Mix sources of changing loudness in a room; return the mixture and the references."""
    rng = np.random.default_rng(n_src)
    n_samples = 2 * SAMPLE_RATE
    loudness = np.repeat(rng.gamma(0.3, size=(n_src, n_samples // 400)), 400, axis=1)
    # Voices have nothing below 20 Hz, and that is not separated.
    sources = loudness * np.diff(rng.standard_normal((n_src, n_samples + 1)))
    responses = 0.05 * rng.standard_normal((n_src, n_src, 200)) * 0.98 ** np.arange(200)
    responses[:, :, 0] += np.eye(n_src) + 0.5
    images = fftconvolve(sources[None], responses, axes=-1)[
        ..., :n_samples
    ]  # (n_chan, n_src, n_samples)
    return 0.01 * images.sum(axis=1) + offset, images[0]


def run(settings: Settings = SETTINGS, n_src: int = 2, *, judged: bool = True, **kwargs) -> Run:
    mixture, references = (ArrayMixture(x, SAMPLE_RATE) for x in recording(n_src, **kwargs))
    with Threads(1) as threads:
        judge = Judge(mixture, [references], settings, threads=threads) if judged else None
        return race(mixture, settings, judge=judge, threads=threads, passed=lambda point: None)


def made_up(*si_sir: float, rose: bool = False) -> Run:
    """Make a run with these SI-SIRs, one second an iteration."""
    points = [Point(i, float(i), -float(i), value, math.nan) for i, value in enumerate(si_sir)]
    return Run(SETTINGS, tuple(points), rose, ())


@pytest.mark.parametrize("n_src", [2, 3])
@pytest.mark.parametrize("ref_chan", [None, 1])
def test_the_judge_measures_what_separate_returns(n_src: int, ref_chan: int | None) -> None:
    settings = replace(SETTINGS, ref_chan=ref_chan, max_iter=1)
    reached = run(settings, n_src, offset=0.01).points[-1]
    mixture, references = recording(n_src, offset=0.01)
    outputs = separate(
        mixture, SAMPLE_RATE, model="laplace", max_iter=1, tol=0.0, n_fft=512, ref_chan=ref_chan
    ).sources
    scores = si_bss_eval(references, outputs)
    assert reached.si_sir == pytest.approx(scores.sir.mean(), abs=0.1)
    assert reached.si_sdr == pytest.approx(scores.sdr.mean(), abs=0.1)


def test_there_is_a_point_for_the_start_and_for_each_iteration() -> None:
    points = run().points
    assert [point.iteration for point in points] == list(range(13))
    seconds = [point.seconds for point in points]
    assert seconds[0] == 0.0
    assert np.all(np.diff(seconds) > 0)
    assert not np.isnan([point.si_sir for point in points]).any()


def test_the_si_sdr_is_measured_at_first_at_last_and_at_growing_intervals() -> None:
    points = run(replace(SETTINGS, max_iter=40)).points
    measured = [point.iteration for point in points if not math.isnan(point.si_sdr)]
    assert measured[:5] == [0, 1, 2, 3, 4]
    assert measured[-1] == 40
    assert len(measured) < 25


def test_what_is_done_at_a_point_does_not_count_as_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("auxiva_cli.comparison.runs.time.perf_counter", lambda: now)
    mixture, _ = recording()

    def dawdle(point: Point) -> None:
        nonlocal now
        now += 1000.0

    with Threads(1) as threads:
        found = race(
            ArrayMixture(mixture, SAMPLE_RATE), SETTINGS, judge=None, threads=threads, passed=dawdle
        )
    assert [point.seconds for point in found.points] == [0.0] * 13


def test_without_references_only_the_cost_is_known() -> None:
    points = run(judged=False).points
    assert all(math.isnan(point.si_sir) and math.isnan(point.si_sdr) for point in points)
    assert np.all(np.diff([point.cost for point in points]) < 0)


def test_all_algorithms_start_alike_and_lower_the_same_cost() -> None:
    runs = [run(replace(SETTINGS, algorithm=name, max_iter=3)) for name in ALGORITHMS]
    for each in runs[1:]:
        assert each.points[0] == runs[0].points[0]
    assert all(each.points[-1].cost < each.points[0].cost for each in runs)


def test_a_run_whose_cost_rises_says_so_and_has_its_best_before_the_end() -> None:
    found = run(replace(SETTINGS, algorithm="gradient", step_size=10.0))
    assert found.rose
    assert found.settled is None
    assert found.best.cost < found.points[-1].cost
    assert [notice.kind for notice in found.notices].count("cost-rose") == 1


def test_a_run_has_settled_from_where_it_is_never_again_half_a_decibel_below_its_end() -> None:
    assert made_up(0, 9.6, 4, 9.4, 9.6, 12, *[10] * 30).settled == Point(4, 4, -4, 9.6, math.nan)
    assert made_up(*[5] * 20).settled.iteration == 0


def test_a_run_that_moves_until_the_end_has_not_settled() -> None:
    assert made_up(*range(40)).settled is None
    assert made_up(*[10] * 40, rose=True).settled is None


def test_without_references_a_run_has_settled_where_its_cost_stays_close_to_its_end() -> None:
    costs = [5, 1, 0.1, 0.009, 0.005, *[0] * 30]
    points = [Point(i, i, cost, math.nan, math.nan) for i, cost in enumerate(costs)]
    assert Run(SETTINGS, tuple(points), False, ()).settled.iteration == 3


def test_speed_is_relative_to_the_slowest_that_settled() -> None:
    slow, fast = made_up(*[0] * 8, *[10] * 30), made_up(*[0] * 2, *[10] * 30)
    assert speed_ups([slow, fast, made_up(*range(40))]) == [1.0, 4.0, None]
    assert speed_ups([made_up(*range(40))]) == [None]
