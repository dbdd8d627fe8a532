"""The oracle against brute force and against the laws that its formulas must obey."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import oracle
import pytest
from oracle import Array
from problems import (
    complex_normal,
    in_turn,
    lqpqm_bin,
    one_bin,
    overlapping_cliques,
    random_bins,
)

MODELS: dict[str, Callable[[int], oracle.Model]] = {
    "laplace": oracle.laplace,
    "gauss": oracle.gauss,
    "bands": lambda n_freq: oracle.bands(overlapping_cliques(n_freq)),
    "power mean": lambda n_freq: oracle.power_mean(overlapping_cliques(n_freq), 0.4),
    "floored laplace": lambda n_freq: oracle.floored(oracle.laplace(n_freq), 0.8 * n_freq),
    "floored bands": lambda n_freq: oracle.floored(MODELS["bands"](n_freq), 0.4 * n_freq),
}
SWEEPS: dict[str, Callable[[Array, Array], Array]] = {
    "ipa": lambda W, V: in_turn(oracle.ipa_step, W, V),
    "ip": lambda W, V: in_turn(oracle.ip_step, W, V),
    "ip2": lambda W, V: in_turn(lambda W, V, k: oracle.ip2_step(W, V, k, (k + 1) % len(W)), W, V),
    "iss": lambda W, V: in_turn(oracle.iss_step, W, V),
}


def assert_step_is_the_global_minimum(W: Array, V: Array, k: int) -> None:
    reached = oracle.surrogate(oracle.ipa_step(W, V, k), V)
    brute_force = oracle.brute_force_ipa_surrogate(W, V, k)
    assert reached <= brute_force + 1e-8
    assert brute_force <= reached + 1e-5  # else the comparison says nothing


# Source models and the majoriser


def test_activities_are_the_weighted_power_of_the_outputs_in_each_clique() -> None:
    X = complex_normal(np.random.default_rng(0), 7, 3, 5)
    W, _ = random_bins(3, 5, seed=1)
    alpha = overlapping_cliques(5)
    expected = np.einsum("bf,tkf->kbt", alpha, np.abs(np.einsum("kmf,tmf->tkf", W, X)) ** 2)
    np.testing.assert_allclose(oracle.activities(X, W, alpha), expected, rtol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_the_surrogate_majorises_the_cost_and_touches_it(name: str) -> None:
    X = complex_normal(np.random.default_rng(2), 20, 2, 4)
    W = oracle.whitening(X, 2)
    model = MODELS[name](4)
    V = oracle.weighted_covariances(X, W, model)
    touching = oracle.surrogate(W, V) - oracle.cost(X, W, model)
    for seed in range(4, 8):
        direction, _ = random_bins(2, 4, seed)
        for distance in (1e-3, 1e-2, 0.1, 1, 10):
            other = W + distance * direction
            gap = oracle.surrogate(other, V) - oracle.cost(X, other, model) - touching
            assert gap >= 0
            assert gap <= 1e3 * distance**2  # no term of first order: the slopes agree


@pytest.mark.parametrize("name", ["gauss", "bands", "power mean"])
def test_with_logarithmic_contrasts_every_source_weighs_n_freq(name: str) -> None:
    X = complex_normal(np.random.default_rng(8), 10, 3, 4)
    W, _ = random_bins(3, 4, seed=9)
    V = oracle.weighted_covariances(X, W, MODELS[name](4))
    quadratic = oracle.surrogate(W, V) + 2 * oracle.log_determinants(W)
    assert quadratic == pytest.approx(3 * 4, rel=1e-12)


def test_a_nulled_frame_lowers_the_gauss_cost_without_bound_unless_it_is_floored() -> None:
    X = complex_normal(np.random.default_rng(31), 10, 2, 4)
    W, _ = random_bins(2, 4, seed=32)
    null = np.stack([X[0, 1], -X[0, 0]])  # as the first row of W, it silences frame 0
    models = (oracle.gauss(4), oracle.floored(oracle.gauss(4), 1e-3))
    costs = []
    for depth in (1e-3, 1e-6, 1e-9):
        W[0] = null + depth
        costs.append([oracle.cost(X, W, model) for model in models])
    bare, floored = np.diff(costs, axis=0).T
    np.testing.assert_allclose(bare, 4 * 2 * np.log(1e-3) / 10, rtol=0.1)
    np.testing.assert_allclose(floored, 0, atol=0.02)


def test_whitening_keeps_the_largest_directions_as_uncorrelated_channels_of_unit_power() -> None:
    X, _, _ = oracle.synthetic_mixture(n_src=2, n_chan=4, n_frames=50, n_freq=3, seed=10)
    noisy = X + 1e-3 * complex_normal(np.random.default_rng(11), *X.shape)
    Q = oracle.whitening(noisy, 2)
    white = oracle.covariance(oracle.demix(noisy, Q))
    np.testing.assert_allclose(white, np.eye(2)[:, :, None] * np.ones(3), atol=1e-10)
    kept = oracle.projection_back(noisy, Q, 0).sum(axis=1)
    assert oracle.si_sdr(X[:, 0], kept) > 50


# The step of iterative projection with adjustment


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_an_ipa_step_is_the_global_minimum_of_the_surrogate(n: int, seed: int) -> None:
    W, V = random_bins(n, 1, seed)
    assert_step_is_the_global_minimum(W, V, k=seed % n)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("z_over_top", [0.2, 0.999999, 1.000001, 3])
@pytest.mark.parametrize("v_scale", [0, 1e-12, 1e-6, 1e-3])
def test_an_ipa_step_is_the_global_minimum_at_and_near_the_degenerate_case(
    n: int, z_over_top: float, v_scale: float
) -> None:
    assert_step_is_the_global_minimum(*lqpqm_bin(n, 12, v_scale, z_over_top))


@pytest.mark.parametrize("z_over_top", [0.2, 3])
def test_an_ipa_step_is_the_global_minimum_where_v_misses_only_the_top_eigenvector(
    z_over_top: float,
) -> None:
    assert_step_is_the_global_minimum(*lqpqm_bin(3, 13, 0.1, z_over_top, v_without_top=True))


def test_v_vanishes_where_all_covariances_regress_on_row_k_alike_and_z_is_its_inverse_power() -> (
    None
):
    rng = np.random.default_rng(33)
    W, a, b = complex_normal(rng, 3, 3), rng.uniform(0.5, 2, 2), complex_normal(rng, 2)
    C = np.array([[2, 1j], [-1j, 3]])
    V = one_bin(W, 0, a, b, C, v=np.zeros(2), z=0.7)[..., 0]
    correlation = np.stack([W[0] @ V_m @ W.conj().T for V_m in V])  # w_0^H V_m w_j
    regression = correlation / correlation[:, [0]]
    np.testing.assert_allclose(regression[0, 1:], regression[[1, 2], [1, 2]], rtol=1e-10)
    assert correlation[0, 0] == pytest.approx(1 / 0.7)


@pytest.mark.parametrize("z_over_top", [0.25, 1, 4])
def test_with_v_exactly_zero_the_root_and_the_scale_of_the_eigenvector_are_closed_forms(
    z_over_top: float,
) -> None:
    U = np.diag([1.0, 2.0]).astype(complex)
    p, root = oracle.solve_lqpqm(U, np.zeros(2, complex), 2 * z_over_top)
    assert root == 2 * max(1, z_over_top)
    np.testing.assert_allclose(np.abs(p), [0, np.sqrt(max(0, 1 - z_over_top))], atol=1e-15)


@pytest.mark.parametrize("z", [0.5, 3])
def test_an_ipa_step_is_the_global_minimum_where_v_is_exactly_zero(z: float) -> None:
    W = np.eye(3, dtype=complex)
    C = np.diag([1.0, 2.0]).astype(complex)
    V = one_bin(W, 0, np.ones(2), np.zeros(2, complex), C, np.zeros(2), z)
    assert_step_is_the_global_minimum(W[..., None], V, k=0)


@pytest.mark.parametrize("z_over_top", [0.2, 3])
def test_in_the_degenerate_case_the_adjustment_is_shifted_by_minus_b_over_a(
    z_over_top: float,
) -> None:
    W, V, k = lqpqm_bin(2, 14, 0, z_over_top)
    W1, V1, m = W[..., 0], V[..., 0], 1 - k
    a = (W1[k] @ V1[m] @ W1[k].conj()).real
    b = W1[k] @ V1[m] @ W1[m].conj()
    stepped = oracle.ipa_step(W, V, k)[..., 0]
    # The adjusted row is w_m^H + q^* w_k^H with q = D p − b/a: move it to D p + b.
    q = ((stepped[m] - W1[m]) @ np.linalg.pinv(W1[[k]]))[0].conj()
    right = oracle.lqpqm_objective(W1, V1, k, stepped[k].conj(), np.array([q]))
    slipped = q + b / a + b
    moved = W.copy()
    moved[m, :, 0] += slipped.conj() * W1[k]
    wrong = oracle.surrogate(oracle.ip_step(moved, V, k), V)  # with the best w_k for that q
    brute_force = oracle.brute_force_ipa_surrogate(W, V, k)
    assert right == pytest.approx(brute_force, abs=1e-8)
    assert wrong > brute_force + 0.1


@pytest.mark.parametrize("n", [2, 3, 4])
def test_an_ipa_step_lowers_the_surrogate_at_least_as_far_as_an_ip_or_iss_step(n: int) -> None:
    W, V = random_bins(n, 5, seed=15)
    for k in range(n):
        reached = oracle.surrogate(oracle.ipa_step(W, V, k), V)
        assert reached <= oracle.surrogate(oracle.ip_step(W, V, k), V) + 1e-10
        assert reached <= oracle.surrogate(oracle.iss_step(W, V, k), V) + 1e-10


# The other rules


def test_an_ip_step_is_the_minimum_over_its_row() -> None:
    W, V = random_bins(3, 2, seed=16)
    stepped = oracle.ip_step(W, V, 1)
    rng = np.random.default_rng(17)
    for distance in (1e-3, 0.1, 1):
        other = stepped.copy()
        other[1] += distance * complex_normal(rng, 3, 2)
        assert oracle.surrogate(other, V) > oracle.surrogate(stepped, V)


@pytest.mark.parametrize("n", [2, 3])
def test_an_ip2_step_is_where_alternating_ip_steps_of_the_pair_end(n: int) -> None:
    W, V = random_bins(n, 3, seed=18)
    alternated = W
    for _ in range(100):
        alternated = oracle.ip_step(oracle.ip_step(alternated, V, 0), V, 1)
    stepped = oracle.surrogate(oracle.ip2_step(W, V, 0, 1), V)
    assert stepped == pytest.approx(oracle.surrogate(alternated, V), abs=1e-8)


def test_an_iss_step_is_the_minimum_along_the_row_that_it_subtracts() -> None:
    W, V = random_bins(3, 2, seed=19)
    stepped = oracle.iss_step(W, V, 1)
    rng = np.random.default_rng(20)
    for distance in (1e-3, 0.1, 1):
        other = stepped + distance * complex_normal(rng, 3, 1, 2) * W[1]
        assert oracle.surrogate(other, V) > oracle.surrogate(stepped, V)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("rule", SWEEPS)
def test_no_majorisation_minimisation_rule_raises_the_surrogate_or_the_cost(
    rule: str, name: str
) -> None:
    X, _, _ = oracle.synthetic_mixture(n_src=3, n_chan=3, n_frames=30, n_freq=4, seed=21)
    model = MODELS[name](4)
    W = oracle.whitening(X, 3)
    costs = [oracle.cost(X, W, model)]
    for _ in range(4):
        V = oracle.weighted_covariances(X, W, model)
        before = oracle.surrogate(W, V)
        W = SWEEPS[rule](W, V)
        assert oracle.surrogate(W, V) < before
        costs.append(oracle.cost(X, W, model))
    assert np.all(np.diff(costs) < 0)


def test_a_small_natural_gradient_step_lowers_the_cost_and_a_large_one_raises_it() -> None:
    X, _, _ = oracle.synthetic_mixture(n_src=3, n_chan=3, n_frames=30, n_freq=4, seed=22)
    model = oracle.laplace(4)
    white = oracle.whitening(X, 3)
    W = SWEEPS["ip"](white, oracle.weighted_covariances(X, white, model))
    V = oracle.weighted_covariances(X, W, model)
    before = oracle.cost(X, W, model)
    assert oracle.cost(X, oracle.natural_gradient_step(W, V, 0.01), model) < before
    assert oracle.cost(X, oracle.natural_gradient_step(W, V, 10), model) > before


def test_the_natural_gradient_step_falls_at_the_rate_of_its_squared_length() -> None:
    W, V = random_bins(3, 2, seed=23)
    direction = oracle.natural_gradient_step(W, V, 1) - W
    relative = np.stack([direction[:, :, f] @ np.linalg.inv(W[:, :, f]) for f in range(2)])
    h = 1e-5
    ahead, behind = (oracle.surrogate(oracle.natural_gradient_step(W, V, mu), V) for mu in (h, -h))
    expected = -2 * np.linalg.norm(relative) ** 2
    assert (ahead - behind) / (2 * h) == pytest.approx(expected, rel=1e-5)


# Scale


def test_with_as_many_sources_as_channels_mixing_is_the_inverse_of_demixing() -> None:
    W, V = random_bins(3, 4, seed=24)
    A = oracle.mixing(W, V[0])
    for f in range(4):
        np.testing.assert_allclose(A[:, :, f], np.linalg.inv(W[:, :, f]), rtol=1e-8)


@pytest.mark.parametrize("ref_chan", [0, 2])
def test_with_as_many_sources_as_channels_the_outputs_sum_to_the_reference(ref_chan: int) -> None:
    X = complex_normal(np.random.default_rng(25), 20, 3, 4)
    W, _ = random_bins(3, 4, seed=26)
    outputs = oracle.projection_back(X, W, ref_chan)
    np.testing.assert_allclose(outputs.sum(axis=1), X[:, ref_chan], atol=1e-12)


def test_with_fewer_sources_than_channels_mixing_predicts_the_channels_best() -> None:
    X = complex_normal(np.random.default_rng(27), 50, 4, 3)
    W = complex_normal(np.random.default_rng(28), 2, 4, 3)
    Y, A = oracle.demix(X, W), oracle.mixing(W, oracle.covariance(X))
    for f in range(3):
        expected = np.linalg.lstsq(Y[:, :, f], X[:, :, f])[0].T
        np.testing.assert_allclose(A[:, :, f], expected, atol=1e-12)


# Recovery of known sources


@pytest.mark.parametrize("decibels", [-3, 20])
def test_si_sdr_is_the_ratio_to_orthogonal_noise_whatever_the_scale(decibels: float) -> None:
    reference, noise = np.eye(2) + 0j
    estimate = 5j * (reference + 10 ** (-decibels / 20) * noise)
    assert oracle.si_sdr(reference, estimate) == pytest.approx(decibels)


def test_the_images_of_a_synthetic_mixture_sum_to_it() -> None:
    X, images, A = oracle.synthetic_mixture(n_src=2, n_chan=3, n_frames=10, n_freq=4, seed=29)
    assert A.shape == (3, 2, 4)
    assert images.shape == (2, *X.shape)
    np.testing.assert_allclose(images.sum(axis=0), X, rtol=1e-12)


@pytest.mark.parametrize("name", ["laplace", "gauss", "bands"])
@pytest.mark.parametrize(("n_src", "n_chan"), [(2, 2), (3, 3), (2, 4)])
def test_ipa_recovers_the_images_of_the_sources(name: str, n_src: int, n_chan: int) -> None:
    X, images, _ = oracle.synthetic_mixture(n_src, n_chan, n_frames=100, n_freq=5, seed=30)
    Q = oracle.whitening(X, n_src)
    white = oracle.demix(X, Q)
    W = np.stack([np.eye(n_src, dtype=complex)] * 5, axis=-1)
    for stage in ("laplace", name):  # bands need a start that has the order of the sources right
        model = oracle.floored(MODELS[stage](5), floor=1e-3 * 5)
        for _ in range(6):
            W = in_turn(oracle.ipa_step, W, oracle.weighted_covariances(white, W, model))
    demixing = np.stack([W[:, :, f] @ Q[:, :, f] for f in range(5)], axis=-1)
    outputs = oracle.projection_back(X, demixing, ref_chan=0)
    worst = max(
        min(oracle.si_sdr(images[k, :, 0], outputs[:, j]) for k, j in enumerate(order))
        for order in permutations(range(n_src))
    )
    assert worst > 15
