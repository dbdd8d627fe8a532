"""The secular equation against the oracle's bracketing, in degenerate cases and at all scales."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import complex_normal

from auxiva_cli.bss.updates.lqpqm import TOLERANCE, solve_lqpqm

V_SCALES = [0.0, 1e-100, 1e-30, 1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e6]
Z_OVER_TOP = [1e-6, 0.2, 0.999999, 1.0, 1.000001, 3.0, 1e6]
FEW_STEPS = 12
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


def solve(U: Array, v: Array, z: float) -> tuple[Array, float]:
    """Solve one frequency; return p and λ."""
    U_inv = np.linalg.inv(U)
    p, root = solve_lqpqm(U_inv[..., None], (U_inv @ v)[:, None], np.array([z]))
    return p[:, 0], float(root[0])


def assert_solved(U: Array, v: Array, z: float) -> None:
    """Hold root and vector to their equations and to the oracle."""
    p, root = solve(U, v, z)
    top = np.linalg.eigvalsh(U)[-1]
    scale = np.linalg.norm(v) + root * (1 + np.linalg.norm(p))
    assert root >= top * (1 - 4 * len(v) * EPS)
    assert np.linalg.norm(root * p - U @ p - v) <= 1e-9 * scale
    # λ is the argument of the logarithm.
    shifted = p + np.linalg.solve(U, v)
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
    U_inv = np.stack([np.linalg.inv(U) for U, _, _ in problems], axis=-1)
    U_inv_v = np.stack([np.linalg.solve(U, v) for U, v, _ in problems], axis=-1)
    z = np.array([z for _, _, z in problems])
    _, together = solve_lqpqm(U_inv, U_inv_v, z)
    alone = [solve_lqpqm(U_inv[..., [f]], U_inv_v[:, [f]], z[[f]])[1][0] for f in range(len(z))]
    np.testing.assert_allclose(together, alone, rtol=10 * TOLERANCE)


@pytest.mark.parametrize("exponent", [-400, -60, 60, 400])
def test_a_power_of_two_goes_through_exactly(exponent: int) -> None:
    U, v, z = draw(3, 5, v_scale=0.5, z_over_top=0.4)
    p, root = solve(U, v, z)
    c = 2.0**exponent
    scaled_p, scaled_root = solve(c * U, c * v, c * z)
    assert scaled_root == pytest.approx(c * root, rel=1e-14)
    np.testing.assert_allclose(scaled_p, p, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_ordinary_problems_take_few_steps_and_no_eigenvalues(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = [draw(n, seed, 1.0, ratio) for seed in range(100) for ratio in (0.1, 1.0, 10.0)]
    inverses = [np.linalg.inv(U) for U, _, _ in problems]
    U_inv = np.stack(inverses, axis=-1)
    U_inv_v = np.stack(
        [inverse @ v for inverse, (_, v, _) in zip(inverses, problems, strict=True)], axis=-1
    )
    z = np.array([z for _, _, z in problems])
    expected, _ = solve_lqpqm(U_inv, U_inv_v, z)
    monkeypatch.setattr("auxiva_cli.bss.updates.lqpqm.MAX_STEPS", FEW_STEPS)
    monkeypatch.setattr(np.linalg, "eigh", None)
    p, _ = solve_lqpqm(U_inv, U_inv_v, z)
    np.testing.assert_array_equal(p, expected)


def test_equal_top_eigenvalues_are_no_obstacle() -> None:
    U = np.diag([1.0, 2.0, 2.0]).astype(complex)
    for v in (np.zeros(3), np.array([1, 0, 0]), np.array([0.1, 0.2, 0.3]), np.array([0, 1e-12, 0])):
        for z in (0.5, 2.0, 5.0):
            assert_solved(U, v.astype(complex), z)


# U, v, z and the argument λ of the logarithm at the minimum, found by minimising blindly.
GOLDEN = [
    ([[2.0]], [1.0], 0.5, 3.414214),
    ([[2.0]], [1e-3], 1.0, 2.001414),
    ([[1, 0.5j], [-0.5j, 2]], [1, 1j], 0.1, 4.061123),
    ([[1, 0.5j], [-0.5j, 2]], [0.02, -0.01j], 3.0, 3.002343),
    ([[3, 1, 0], [1, 2, 1j], [0, -1j, 1]], [0.3, -0.2j, 0.1], 0.2, 4.012155),
]


@pytest.mark.parametrize(("U", "v", "z", "golden"), GOLDEN)
def test_the_minimum_is_where_a_blind_minimiser_finds_it(
    U: list[list[complex]], v: list[complex], z: float, golden: float
) -> None:
    matrix, vector = np.array(U, complex), np.array(v, complex)
    blind, lowest = oracle.minimize_lqpqm(matrix, vector, z)
    p, root = solve(matrix, vector, z)
    assert root == pytest.approx(golden, abs=1e-6)
    assert np.vdot(p, p).real - np.log(root) == pytest.approx(lowest, abs=1e-9)
    np.testing.assert_allclose(p, blind, atol=1e-5)


@given(
    exponents=st.lists(st.floats(-4, 0), min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
    v_exponent=st.floats(-150, 2),
    z_exponent=st.floats(-17, 3),
    sign=st.sampled_from([-1, 1]),
    without_top=st.booleans(),
)
def test_every_solve_converges_however_close_the_root_and_the_pole(
    exponents: list[float],
    seed: int,
    v_exponent: float,
    z_exponent: float,
    sign: int,
    without_top: bool,
) -> None:
    phi = 10.0 ** np.array(exponents)
    z = phi.max() * abs(1 + sign * 10**z_exponent) + np.finfo(float).tiny
    v = 10**v_exponent * complex_normal(np.random.default_rng(seed), len(phi))
    if without_top:
        v[phi.argmax()] = 0
    p, (root,) = solve_lqpqm(
        np.diag(1 / phi).astype(complex)[..., None], (v / phi)[:, None], np.array([z])
    )
    # U being diagonal, no term of Q cancels another.
    Q = np.sum(phi * np.abs(p[:, 0] + v / phi) ** 2) + z
    assert root == pytest.approx(Q, rel=1e-8)


def test_what_is_not_a_number_ends_the_search_as_well() -> None:
    with np.errstate(invalid="ignore"):
        p, _ = solve_lqpqm(
            np.ones((1, 1, 1), complex), np.zeros((1, 1), complex), np.array([np.nan])
        )
    assert np.isnan(p).all()
