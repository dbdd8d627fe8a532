"""The loop: the cost never rises, stages follow each other, and sources come out."""

from __future__ import annotations

from functools import partial
from itertools import permutations

import numpy as np
import oracle
import pytest
from oracle import Array
from problems import engine_models, model_for_oracle

from auxiva_cli.bss.auxiva import Iteration, Stage, StageTrace, UpdateRule, auxiva, descend
from auxiva_cli.bss.fold import Statistics, Table, pack
from auxiva_cli.bss.permutation import repair
from auxiva_cli.bss.updates.ipa import ipa

N_FREQ = 9
MODELS = engine_models(N_FREQ)
each_model = pytest.mark.parametrize("name", MODELS)
EPS = float(np.finfo(float).eps)


def whitened(n_src: int, n_frames: int = 60, seed: int = 0) -> Array:
    """Draw a whitened mixture."""
    X, _, _ = oracle.synthetic_mixture(n_src, n_src, n_frames, N_FREQ, seed)
    return oracle.demix(X, oracle.whitening(X, n_src))


def identity(n_src: int) -> Array:
    return np.repeat(np.eye(n_src, dtype=complex)[..., None], N_FREQ, axis=-1)


def tables(X: Array) -> list[Table]:
    """Cut a mixture into packed blocks."""
    return [partial(pack, part) for part in np.array_split(X, 3)]


def run(
    X: Array, *stages: Stage, start: Array | None = None, update: UpdateRule = ipa
) -> tuple[Array, tuple[StageTrace, ...], list[Iteration]]:
    """Separate, and keep what is reported."""
    heard: list[Iteration] = []
    if start is None:
        start = identity(X.shape[1])
    W, traces = auxiva(
        start,
        stages,
        update,
        report=lambda iteration, _: heard.append(iteration),
        advanced=lambda done, total: None,
    )
    return W, traces, heard


def stage(X: Array, name: str, max_iter: int, tol: float = 0.0) -> Stage:
    return Stage(name, MODELS[name], tables(X), max_iter, tol)


@each_model
@pytest.mark.parametrize("n_src", [2, 3, 4, 6])
def test_the_cost_never_rises(name: str, n_src: int) -> None:
    X = whitened(n_src, seed=n_src)
    _, (trace,), _ = run(X, stage(X, name, 25))
    costs = np.array(trace.costs)
    # The cost adds up this many terms, none larger than a few times the whole.
    rounding = EPS * (60 + n_src * N_FREQ) * 4 * np.abs(costs).max()
    assert np.all(np.diff(costs) <= rounding)
    assert costs[-1] < costs[0] - 0.1


@each_model
def test_the_costs_are_those_of_the_matrices_passed_through(name: str) -> None:
    X = whitened(2)
    model = model_for_oracle(MODELS[name])
    found, (trace,), _ = run(X, stage(X, name, 2))
    W = identity(2)
    for cost in trace.costs:
        assert cost == pytest.approx(oracle.cost(X, W, model), rel=1e-9)
        last, W = W, ipa(W, oracle.weighted_covariances(X, W, model))
    np.testing.assert_allclose(found, last, rtol=1e-6, atol=1e-9)


def test_a_stage_starts_where_the_last_one_ended() -> None:
    X = whitened(2)
    first, first_trace, _ = run(X, stage(X, "laplace", 3))
    second, second_trace, _ = run(X, stage(X, "gauss", 3), start=first)
    both, traces, _ = run(X, stage(X, "laplace", 3), stage(X, "gauss", 3))
    np.testing.assert_array_equal(both, second)
    assert traces == first_trace + second_trace


def test_every_evaluation_of_the_cost_is_reported_with_its_place_in_the_whole() -> None:
    X = whitened(2)
    _, traces, heard = run(X, stage(X, "laplace", 2), stage(X, "gauss", 3))
    places = [(each.stage, each.number, each.done, each.total) for each in heard]
    assert places == [
        *(("laplace", i, i, 5) for i in range(3)),
        *(("gauss", i, 2 + i, 5) for i in range(4)),
    ]
    assert [each.cost for each in heard] == [cost for trace in traces for cost in trace.costs]
    _, _, heard = run(X, stage(X, "laplace", 50, tol=0.1), stage(X, "gauss", 2))
    first = [each.done for each in heard if each.stage == "laplace"]
    assert first == [*range(len(first) - 1), 50]  # what is no longer needed counts as done


def test_a_stage_without_iterations_only_tells_the_cost() -> None:
    X = whitened(2)
    W, (trace,), heard = run(X, stage(X, "gauss", 0))
    np.testing.assert_array_equal(W, identity(2))
    assert len(heard) == len(trace.costs) == 1


def test_a_stage_starts_from_sources_of_unit_power() -> None:
    X = whitened(3)
    start = identity(3) * np.linspace(1, 5, N_FREQ) * np.array([1, 2, 3])[:, None, None]
    W, _, _ = run(X, stage(X, "gauss", 0), start=start)
    np.testing.assert_allclose(np.mean(np.sum(np.abs(W) ** 2, axis=1), axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(W[..., -1], 5 * W[..., 0], rtol=1e-12)


def test_a_stage_that_repairs_begins_with_it() -> None:
    X, _, A = oracle.synthetic_mixture(2, 2, 100, N_FREQ, seed=3)
    swapped = np.linalg.inv(A.transpose(2, 0, 1)).transpose(1, 2, 0)
    swapped[..., N_FREQ // 2 :] = swapped[::-1, :, N_FREQ // 2 :]
    model = MODELS["bands-6"]
    repairing = Stage("gauss", MODELS["gauss"], tables(X), 0, 0.0, repair=model)
    swapped /= np.linalg.norm(swapped, axis=1, keepdims=True)
    found, _, _ = run(X, repairing, start=swapped)
    np.testing.assert_allclose(found, repair(tables(X), swapped, model), rtol=1e-9)
    assert not np.allclose(found, swapped)


@each_model
def test_a_stage_ends_once_it_has_settled_and_says_so(name: str) -> None:
    X = whitened(2)
    _, (trace,), _ = run(X, stage(X, name, 200, tol=1e-2))
    assert trace.converged
    assert 3 <= len(trace.costs) < 200
    falls = -np.diff(trace.costs)
    scale = max(abs(trace.costs[-1]), 2 * N_FREQ)
    assert np.all(falls[-2:] <= 1e-2 * scale)
    assert np.any(falls[-3:-1] > 1e-2 * scale)


def test_without_a_tolerance_all_iterations_are_done_and_none_has_converged() -> None:
    X = whitened(2)
    _, (trace,), _ = run(X, stage(X, "laplace", 30))
    assert len(trace.costs) == 31
    assert not trace.converged


def test_an_update_that_raises_the_cost_ends_its_stage_at_the_lowest_one() -> None:
    def spoil_the_third(W: Array, V: Array) -> Array:
        passed.append(W)
        return ipa(W, V) if len(passed) < 3 else identity(2)

    X = whitened(2)
    passed: list[Array] = []
    W, (trace,), _ = run(X, stage(X, "laplace", 9), update=spoil_the_third)
    assert trace.rose
    assert len(trace.costs) == 4
    assert min(trace.costs) == trace.costs[2]
    np.testing.assert_array_equal(W, passed[2])


def follow(costs: list[float], tol: float = 0.0, size: int = 1) -> tuple[int, StageTrace]:
    """Descend along given costs; return the number of the update that is kept, and the trace."""
    told = iter(costs)

    def statistics(W: Array) -> Statistics:
        return Statistics(W[None].repeat(len(W), axis=0), next(told))

    W, trace = descend(
        np.zeros((1, 1, size), complex), statistics, lambda W, V: W + 1, name="given",
        max_iter=len(costs) - 1, tol=tol, report=lambda iteration, W: None,
    )  # fmt: skip
    return int(W[0, 0, 0].real), trace


@pytest.mark.parametrize("level", [-50.0, 0.0, 50.0])
def test_it_takes_two_small_falls_to_settle(level: float) -> None:
    falls = [8.0, 1e-9, 8.0, 8.0, 1e-9, 1e-9, 8.0]
    costs = level - np.cumsum([0.0, *falls])
    last, trace = follow(list(costs), tol=1e-9)
    assert (last, trace.converged, trace.rose) == (6, True, False)
    assert trace.costs == tuple(costs[:7])
    assert len(follow(list(costs[4:]), tol=1e-9)[1].costs) == 3  # the first two may be small


@pytest.mark.parametrize(("cost", "size", "scale"), [(0.0, 4, 4), (-1e3, 4, 1e3), (1e3, 4, 1e3)])
def test_a_fall_is_small_beside_the_cost_or_the_number_of_rows(
    cost: float, size: int, scale: float
) -> None:
    for ratio, settles in ((0.9, True), (1.1, False)):
        fall = ratio * 1e-3 * scale
        costs = [cost + 2 * fall, cost + fall, cost, cost - fall]
        assert follow(costs, tol=1e-3, size=size)[1].converged == settles


@pytest.mark.parametrize(("cost", "size", "scale"), [(0.0, 4, 4), (-1e3, 4, 1e3), (1e3, 4, 1e3)])
def test_a_rise_is_one_beyond_the_rounding_of_single_precision(
    cost: float, size: int, scale: float
) -> None:
    rounding = float(np.finfo(np.float32).eps) * scale
    for ratio, rises in ((0.9, False), (1.1, True)):
        last, trace = follow([cost + 1, cost, cost + ratio * rounding], size=size)
        assert trace.rose == rises
        assert last == (1 if rises else 2)


def test_the_lowest_cost_counts_though_one_within_rounding_came_after() -> None:
    rounding = float(np.finfo(np.float32).eps)
    last, trace = follow([2.0, 1.0, 1 + 0.9 * rounding, 2.0, 0.0])
    assert (last, trace.rose, len(trace.costs)) == (1, True, 4)


def test_the_progress_of_the_folds_ends_at_their_number_however_soon_they_settle() -> None:
    X = whitened(2)
    heard: list[tuple[int, int]] = []
    stages = [stage(X, "laplace", 50, tol=0.1), stage(X, "gauss", 2)]
    auxiva(
        identity(2),
        stages,
        ipa,
        report=lambda iteration, W: None,
        advanced=lambda done, total: heard.append((done, total)),
    )
    done, totals = np.array(heard).T
    assert set(totals) == {(51 + 3) * 3}
    assert np.all(np.diff(done) > 0)
    assert done[-1] == totals[-1]


@pytest.mark.parametrize("name", ["laplace", "gauss", "bands-3"])
@pytest.mark.parametrize("n_src", [2, 3])
def test_known_sources_are_recovered_up_to_their_order(name: str, n_src: int) -> None:
    X, images, _ = oracle.synthetic_mixture(n_src, n_src, n_frames=150, n_freq=N_FREQ, seed=30)
    Q = oracle.whitening(X, n_src)
    white = oracle.demix(X, Q)
    separating, _, _ = run(white, stage(white, "laplace", 10), stage(white, name, 15))
    W = np.einsum("kmf,mcf->kcf", separating, Q)
    outputs = oracle.projection_back(X, W, ref_chan=0)
    worst = max(
        min(oracle.si_sdr(images[k, :, 0], outputs[:, j]) for k, j in enumerate(order))
        for order in permutations(range(n_src))
    )
    assert worst > 15
