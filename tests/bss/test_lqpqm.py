"""The secular equation against the oracle's bracketing, in degenerate cases and at all scales."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import complex_normal

from auxiva_cli.bss.updates.lqpqm import TOLERANCE, solve_secular

V_SCALES = [0.0, 1e-100, 1e-30, 1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e6]
Z_OVER_TOP = [1e-6, 0.2, 0.999999, 1.0, 1.000001, 3.0, 1e6]
EPS = float(np.finfo(float).eps)


def draw(
    n: int, seed: int, v_scale: float, z_over_top: float, v_without_top: bool = False
) -> tuple[Array, Array, float]:
    """Draw U, v and z of one frequency, v having this size and z this ratio to φ_max."""
    rng = np.random.default_rng(seed)
    L = complex_normal(rng, n, 2 * n)
    U = L @ L.conj().T / n
    eigenvalues, E = np.linalg.eigh(U)
    coordinates = v_scale * complex_normal(rng, n)
    if v_without_top:
        coordinates[-1] = 0
    return U, E @ coordinates, z_over_top * eigenvalues[-1]


def solve(U: Array, v: Array, z: float) -> tuple[float, Array]:
    """Solve one frequency; return the root and (λI − U)^(-1) v."""
    S = np.linalg.inv(U)
    mu, x = solve_secular(S[..., None], -(S @ v)[:, None], np.array([z]))
    return float(1 / mu[0]), -mu[0] * x[:, 0]


def assert_solved(U: Array, v: Array, z: float) -> None:
    """Hold root and vector to their equations and to the oracle."""
    root, y = solve(U, v, z)
    top = np.linalg.eigvalsh(U)[-1]
    scale = np.linalg.norm(v) + root * (1 + np.linalg.norm(y))
    assert root >= top * (1 - 4 * len(v) * EPS)
    assert np.linalg.norm(root * y - U @ y - v) <= 1e-9 * scale
    # λ = Q(p), from the paper's side: with U^(-1) v, which the engine does without.
    shifted = y + np.linalg.solve(U, v)
    assert np.vdot(shifted, U @ shifted).real + z == pytest.approx(root, rel=1e-8)
    _, expected = oracle.solve_lqpqm(U, v, z)
    assert root == pytest.approx(expected, rel=10 * TOLERANCE)


@pytest.mark.parametrize("v_scale", V_SCALES)
@pytest.mark.parametrize("z_over_top", Z_OVER_TOP)
@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_root_is_the_oracles_in_every_branch(n: int, z_over_top: float, v_scale: float) -> None:
    assert_solved(*draw(n, seed=n, v_scale=v_scale, z_over_top=z_over_top))


@pytest.mark.parametrize("v_scale", V_SCALES)
@pytest.mark.parametrize("z_over_top", Z_OVER_TOP)
def test_the_root_is_the_oracles_where_v_misses_only_the_top_eigenvector(
    z_over_top: float, v_scale: float
) -> None:
    assert_solved(*draw(3, 7, v_scale, z_over_top, v_without_top=True))


@given(
    n=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
    v_scale=st.floats(-12, 4).map(lambda exponent: 10.0**exponent),
    z_over_top=st.floats(-6, 6).map(lambda exponent: 10.0**exponent),
)
def test_the_root_is_the_oracles_for_any_problem(
    n: int, seed: int, v_scale: float, z_over_top: float
) -> None:
    assert_solved(*draw(n, seed, v_scale, z_over_top))


def test_frequencies_are_solved_apart_from_each_other() -> None:
    problems = [draw(3, 3, v_scale, z) for v_scale in V_SCALES for z in Z_OVER_TOP]
    S = np.stack([np.linalg.inv(U) for U, _, _ in problems], axis=-1)
    h = np.stack([-np.linalg.solve(U, v) for U, v, _ in problems], axis=-1)
    z = np.array([z for _, _, z in problems])
    together, _ = solve_secular(S, h, z)
    alone = [solve_secular(S[..., [f]], h[:, [f]], z[[f]])[0][0] for f in range(len(z))]
    np.testing.assert_allclose(together, alone, rtol=10 * TOLERANCE)


@pytest.mark.parametrize("exponent", [-400, -60, 60, 400])
def test_a_power_of_two_goes_through_exactly(exponent: int) -> None:
    U, v, z = draw(3, 5, v_scale=0.5, z_over_top=0.4)
    root, y = solve(U, v, z)
    c = 2.0**exponent
    scaled_root, scaled_y = solve(c * U, c * v, c * z)
    assert scaled_root == pytest.approx(c * root, rel=1e-14)
    np.testing.assert_allclose(scaled_y, y, rtol=1e-12)


def test_equal_top_eigenvalues_are_no_obstacle() -> None:
    U = np.diag([1.0, 2.0, 2.0]).astype(complex)
    for v in (np.zeros(3), np.array([1, 0, 0]), np.array([0.1, 0.2, 0.3]), np.array([0, 1e-12, 0])):
        for z in (0.5, 2.0, 5.0):
            assert_solved(U, v.astype(complex), z)
