"""The update rules: each its formula, each but the gradient a way down that needs no step size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import permutations

import numpy as np
import oracle
import pytest
from oracle import Array
from problems import complex_normal, in_turn, model_for_oracle, random_bins

from auxiva_cli.bss.auxiva import Iteration, Stage, StageTrace, UpdateRule, auxiva
from auxiva_cli.bss.fold import pack
from auxiva_cli.bss.source_models import gauss, laplace
from auxiva_cli.bss.updates.gradient import gradient
from auxiva_cli.bss.updates.ip import ip
from auxiva_cli.bss.updates.ip2 import ip2
from auxiva_cli.bss.updates.ipa import ipa
from auxiva_cli.bss.updates.iss import iss
from auxiva_cli.bss.updates.iss2 import iss2
from auxiva_cli.bss.updates.pair import contrasting, neighbours

RULES: dict[str, UpdateRule] = {"ipa": ipa, "ip2": ip2, "iss2": iss2, "ip": ip, "iss": iss}
each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
N_FREQ = 9


def without_phase(W: Array) -> Array:
    """Turn each row so that its first entry is positive."""
    rows: Array = W * (W[:, :1].conj() / np.abs(W[:, :1]))
    return rows


def whitened(n_src: int, seed: int, n_frames: int = 120) -> Array:
    X, _, _ = oracle.synthetic_mixture(n_src, n_src, n_frames, N_FREQ, seed)
    return oracle.demix(X, oracle.whitening(X, n_src))


def descend(
    X: Array, rule: UpdateRule, max_iter: int, model: str = "laplace"
) -> tuple[Array, StageTrace, list[tuple[Iteration, Array]]]:
    """Run one stage on a whitened mixture."""
    models = {"laplace": laplace, "gauss": gauss}
    start = np.repeat(np.eye(X.shape[1], dtype=complex)[..., None], N_FREQ, axis=-1)
    stage = Stage(model, models[model](N_FREQ), [partial(pack, X)], max_iter, 0.0)
    heard: list[tuple[Iteration, Array]] = []
    W, traces = auxiva(
        start,
        [stage],
        rule,
        report=lambda *each: heard.append(each),
        advanced=lambda done, total: None,
    )
    return W, traces[0], heard


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
@pytest.mark.parametrize(("rule", "step"), [(ip, oracle.ip_step), (iss, oracle.iss_step)])
def test_a_sweep_is_the_step_of_the_formula_for_each_source_in_turn(
    n: int, rule: UpdateRule, step: Callable[[Array, Array, int], Array]
) -> None:
    W, V = random_bins(n, 5, seed=n)
    np.testing.assert_allclose(rule(W, V), in_turn(step, W, V), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_a_sweep_of_ip2_is_the_step_of_the_formula_for_each_pair_up_to_phases(n: int) -> None:
    W, V = random_bins(n, 5, seed=10 + n)
    expected = W
    for k, m in neighbours(n):
        expected = oracle.ip2_step(expected, V, k, m)
    actual = ip2(W, V)
    np.testing.assert_allclose(without_phase(actual), without_phase(expected), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_gradient_is_the_step_of_the_formula(n: int) -> None:
    W, V = random_bins(n, 5, seed=20 + n)
    expected = oracle.natural_gradient_step(W, V, 0.3)
    np.testing.assert_allclose(gradient(W, V, step_size=0.3), expected, rtol=1e-10, atol=1e-10)


def test_the_gradient_points_where_the_cost_falls_fastest() -> None:
    X = whitened(2, seed=3)
    W, _ = random_bins(2, N_FREQ, seed=4)
    model = oracle.laplace(N_FREQ)
    V = oracle.weighted_covariances(X, W, model)
    direction = gradient(W, V, step_size=1.0) - W
    # Natural: the direction is −G W^H W, where G = 2 ∂J/∂W^*; so the slope along any Δ is Re⟨G, Δ⟩.
    W_h = W.conj().swapaxes(0, 1)
    gram_inverse = np.moveaxis(np.linalg.inv(np.einsum("kmf,jmf->fkj", W_h, W_h.conj())), 0, -1)
    G = -2 * np.einsum("kmf,mjf->kjf", direction, gram_inverse)
    other = complex_normal(np.random.default_rng(5), *W.shape)
    step = 1e-5
    rise = oracle.cost(X, W + step * other, model) - oracle.cost(X, W - step * other, model)
    assert rise / (2 * step) == pytest.approx(float(np.sum(G.conj() * other).real), rel=1e-6)


def test_for_two_sources_both_pairwise_rules_find_the_minimum_over_everything() -> None:
    W, V = random_bins(2, 5, seed=30)
    lowest = oracle.surrogate(ip2(W, V), V)
    assert oracle.surrogate(iss2(W, V), V) == pytest.approx(lowest, abs=1e-9)
    for rule in (ipa, ip, iss):
        settled = W
        assert oracle.surrogate(rule(W, V), V) > lowest + 1e-6
        for _ in range(200):
            settled = rule(settled, V)
        assert oracle.surrogate(settled, V) == pytest.approx(lowest, abs=1e-6)


@pytest.mark.parametrize("n", [3, 4])
def test_iss2_leaves_nothing_to_gain_by_what_its_last_pair_may_change(n: int) -> None:
    W, V = random_bins(n, 5, seed=40 + n)
    swept = iss2(W, V)
    lowest = oracle.surrogate(swept, V)
    pair = list(neighbours(n)[-1])
    rng = np.random.default_rng(41)
    for size in (1e-4, 1e-2, 1.0):
        moved = swept.copy()
        mixing = size * complex_normal(rng, n, 2, W.shape[-1])
        moved += np.einsum("kpf,pmf->kmf", mixing, swept[pair])
        assert oracle.surrogate(moved, V) >= lowest


def test_contrasting_vectors_are_the_generalised_eigenvectors() -> None:
    _, (G, H) = random_bins(2, 5, seed=50)
    most, least = contrasting(G, H)

    def ratio(x: Array) -> Array:
        powers = [np.einsum("if,ijf,jf->f", x.conj(), M, x).real for M in (G, H)]
        quotient: Array = powers[0] / powers[1]
        return quotient

    for f in range(G.shape[-1]):
        eigenvalues = oracle.eigh(G[..., f], H[..., f], eigvals_only=True)
        assert (ratio(least)[f], ratio(most)[f]) == pytest.approx(tuple(eigenvalues))


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_contrasting_vectors_are_independent_where_all_directions_are_alike(scale: float) -> None:
    _, (G, _) = random_bins(2, 5, seed=51)
    G[..., 0] = np.eye(2)  # where nothing is left, not even rounding
    most, least = contrasting(G, scale * G)
    determinant = most[0] * least[1] - most[1] * least[0]
    lengths = np.linalg.norm(most, axis=0) * np.linalg.norm(least, axis=0)
    assert np.all(np.abs(determinant) > 0.1 * lengths)


@each_rule
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_no_rule_changes_what_it_is_given(rule: UpdateRule, n: int) -> None:
    W, V = random_bins(n, 5, seed=60)
    before = W.copy(), V.copy()
    rule(W, V)
    np.testing.assert_array_equal(W, before[0])
    np.testing.assert_array_equal(V, before[1])


@each_rule
@pytest.mark.parametrize("model", ["laplace", "gauss"])
@pytest.mark.parametrize("n_src", [1, 2, 3, 4, 6])
def test_the_cost_never_rises_without_a_step_size(rule: UpdateRule, n_src: int, model: str) -> None:
    _, trace, _ = descend(whitened(n_src, seed=n_src), rule, 25, model)
    falls = -np.diff(trace.costs)
    assert np.all(falls >= -1e-12 * np.abs(trace.costs).max())
    assert not trace.rose
    assert len(trace.costs) == 26


@pytest.mark.parametrize("seed", range(3))
def test_all_rules_reach_the_same_separation_of_two_sources(seed: int) -> None:
    X, images, _ = oracle.synthetic_mixture(2, 2, 150, N_FREQ, seed)
    Q = oracle.whitening(X, 2)
    costs, scores = [], []
    rules = {**RULES, "gradient": partial(gradient, step_size=0.02)}
    for rule in rules.values():
        W, trace, _ = descend(oracle.demix(X, Q), rule, 800)
        outputs = oracle.projection_back(X, np.einsum("kmf,mcf->kcf", W, Q), ref_chan=0)
        pairs = [
            [oracle.si_sdr(images[k, :, 0], outputs[:, j]) for k, j in enumerate(order)]
            for order in permutations(range(2))
        ]
        costs.append(trace.costs[-1])
        scores.append(max(sum(pair) / 2 for pair in pairs))
    np.testing.assert_allclose(costs, costs[0], atol=1e-3)
    np.testing.assert_allclose(scores, scores[0], atol=0.1)
    assert min(scores) > 15


def test_a_gradient_with_a_large_step_rises_and_the_lowest_point_is_kept() -> None:
    X = whitened(2, seed=70)
    W, trace, heard = descend(X, partial(gradient, step_size=3.0), 50)
    assert trace.rose
    assert not trace.converged
    assert len(trace.costs) < 51
    assert trace.costs[-1] > min(trace.costs)
    model = model_for_oracle(laplace(N_FREQ))
    assert oracle.cost(X, W, model) == pytest.approx(min(trace.costs), abs=1e-9)
    assert [each.cost for each, _ in heard] == list(trace.costs)
    assert heard[-1][1] is not W


def test_a_gradient_with_a_small_step_only_falls() -> None:
    _, trace, _ = descend(whitened(2, seed=70), partial(gradient, step_size=0.02), 50)
    assert not trace.rose
    assert np.all(np.diff(trace.costs) < 0)
