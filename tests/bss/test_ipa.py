"""The update rule against the oracle's loops and against brute force."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import complex_normal, in_turn, lqpqm_bin, one_bin, random_bins

from auxiva_cli.bss.updates.ipa import ipa, ipa_step

SIZES = range(2, 7)


def step(W: Array, V: Array, k: int) -> Array:
    """Do the engine's step for one source."""
    W = W.copy()
    ipa_step(W, V, k)
    return W


def assert_step_is_the_global_minimum(W: Array, V: Array, k: int) -> None:
    reached = oracle.surrogate(step(W, V, k), V)
    brute_force = oracle.brute_force_ipa_surrogate(W, V, k)
    assert reached <= brute_force + 1e-8
    assert brute_force <= reached + 1e-5  # else the comparison says nothing


@pytest.mark.parametrize("n", SIZES)
def test_a_sweep_is_one_step_of_the_oracle_for_each_source_in_turn(n: int) -> None:
    W, V = random_bins(n, 6, seed=n)
    np.testing.assert_allclose(ipa(W, V), in_turn(oracle.ipa_step, W, V), rtol=1e-6, atol=1e-8)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_a_step_reaches_the_surrogate_of_the_oracle(seed: int, n: int) -> None:
    W, V = random_bins(n, 2, seed)
    for k in range(n):
        reached = oracle.surrogate(step(W, V, k), V)
        assert reached == pytest.approx(oracle.surrogate(oracle.ipa_step(W, V, k), V), abs=1e-8)


@pytest.mark.parametrize("n", SIZES)
def test_a_sweep_leaves_its_arguments_alone(n: int) -> None:
    W, V = random_bins(n, 3, seed=0)
    before = W.copy(), V.copy()
    ipa(W, V)
    np.testing.assert_array_equal(W, before[0])
    np.testing.assert_array_equal(V, before[1])


@pytest.mark.parametrize("n", range(1, 7))
def test_the_last_source_of_a_sweep_has_unit_weighted_power(n: int) -> None:
    W, V = random_bins(n, 20, seed=n)
    w = ipa(W, V)[-1].conj()
    power = np.einsum("cf,cdf,df->f", w.conj(), V[-1], w).real
    np.testing.assert_allclose(power, 1, atol=1e-9)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("seed", range(2))
def test_a_step_is_the_global_minimum_of_the_surrogate(n: int, seed: int) -> None:
    W, V = random_bins(n, 1, seed)
    assert_step_is_the_global_minimum(W, V, k=seed % n)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("z_over_top", [0.2, 0.999999, 1.000001, 3])
@pytest.mark.parametrize("v_scale", [0, 1e-12, 1e-6, 1e-3])
def test_a_step_is_the_global_minimum_at_and_near_the_degenerate_case(
    n: int, z_over_top: float, v_scale: float
) -> None:
    assert_step_is_the_global_minimum(*lqpqm_bin(n, 12, v_scale, z_over_top))


@pytest.mark.parametrize("z_over_top", [0.2, 3])
def test_a_step_is_the_global_minimum_where_v_misses_only_the_top_eigenvector(
    z_over_top: float,
) -> None:
    assert_step_is_the_global_minimum(*lqpqm_bin(3, 13, 0.1, z_over_top, v_without_top=True))


@pytest.mark.parametrize("z", [0.5, 3])
def test_a_step_is_the_global_minimum_where_v_is_exactly_zero(z: float) -> None:
    C = np.diag([1.0, 2.0]).astype(complex)
    V = one_bin(np.eye(3, dtype=complex), 0, np.ones(2), np.zeros(2, complex), C, np.zeros(2), z)
    assert_step_is_the_global_minimum(np.eye(3, dtype=complex)[..., None], V, k=0)


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.floats(-5, 0), st.integers(0, 4))
def test_no_step_raises_the_surrogate_however_ill_conditioned_the_covariances(
    seed: int, n: int, exponent: float, k: int
) -> None:
    rng = np.random.default_rng(seed)
    W, V = random_bins(n, 3, seed)
    squeeze = np.ones(n)
    squeeze[rng.integers(n)] = 10**exponent
    V = V * squeeze[:, None, None] * squeeze[:, None]
    before = oracle.surrogate(W, V)
    after = oracle.surrogate(step(W, V, k % n), V)
    assert after <= before + 1e-6 * (1 + abs(before))


@pytest.mark.parametrize("exponent", [-200, -20, 20, 200])
def test_a_sweep_is_indifferent_to_the_scale_of_all_covariances(exponent: int) -> None:
    W, V = random_bins(3, 5, seed=4)
    scaled = ipa(W * 2.0**-exponent, V * 4.0**exponent)
    np.testing.assert_allclose(scaled * 2.0**exponent, ipa(W, V), rtol=1e-9)


@pytest.mark.parametrize("n", SIZES)
def test_a_sweep_is_indifferent_to_the_basis_of_the_channels(n: int) -> None:
    W, V = random_bins(n, 4, seed=n)
    T = complex_normal(np.random.default_rng(1), n, n)
    inverse = np.linalg.inv(T)
    turned_V = np.einsum("ab,kbcf,dc->kadf", inverse, V, inverse.conj())
    turned = ipa(np.einsum("kbf,bc->kcf", W, T), turned_V)
    expected = np.einsum("kbf,bc->kcf", ipa(W, V), T)
    np.testing.assert_allclose(turned, expected, rtol=1e-6, atol=1e-7)


def test_a_single_source_is_only_normalised() -> None:
    W, V = random_bins(1, 5, seed=0)
    expected = W / np.sqrt(np.abs(W) ** 2 * V[0].real)
    np.testing.assert_allclose(ipa(W, V), expected, rtol=1e-12)
