"""Tiny-matrix algebra against NumPy's, one frequency at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import complex_normal, random_bins

from auxiva_cli.bss import linalg

SIZES = range(1, 7)
SEEDS = st.integers(0, 2**32 - 1)


def by_frequency(A: Array) -> Array:
    """Put the frequency axis first, as NumPy has it."""
    return np.moveaxis(A, -1, 0)


@given(SEEDS, st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
def test_products_are_those_of_each_frequency(seed: int, n: int, m: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    A, B = complex_normal(rng, n, m, 3), complex_normal(rng, m, p, 3)
    x, y = complex_normal(rng, m, 3), complex_normal(rng, m, 3)
    for f in range(3):
        np.testing.assert_allclose(linalg.matmul(A, B)[..., f], A[..., f] @ B[..., f], rtol=1e-12)
        np.testing.assert_allclose(linalg.matvec(A, x)[..., f], A[..., f] @ x[..., f], rtol=1e-12)
        np.testing.assert_allclose(linalg.inner(x, y)[f], np.vdot(x[..., f], y[..., f]), rtol=1e-9)
    np.testing.assert_array_equal(
        by_frequency(linalg.hermitian_transpose(A)), by_frequency(A).conj().swapaxes(1, 2)
    )


@given(SEEDS, st.integers(1, 6), st.integers(1, 6))
def test_a_congruence_is_the_product_and_exactly_hermitian(seed: int, m: int, n: int) -> None:
    W = complex_normal(np.random.default_rng(seed), m, n, 3)
    _, V = random_bins(n, 3, seed)
    product = linalg.congruence(W, V[0])
    expected = linalg.matmul(linalg.matmul(W, V[0]), linalg.hermitian_transpose(W))
    np.testing.assert_allclose(product, expected, rtol=1e-9, atol=1e-12)
    above = np.triu_indices(m, 1)
    np.testing.assert_array_equal(product[above], product.swapaxes(0, 1)[above].conj())


@pytest.mark.parametrize("n", SIZES)
def test_an_inverse_and_a_solution_are_as_accurate_as_the_condition_allows(n: int) -> None:
    W, V = random_bins(n, 50, seed=n)
    identity = np.repeat(np.eye(n)[..., None], 50, axis=-1)
    for A, inverse, order in (
        (W, linalg.inverse(W), 2),  # through W W^H
        (V[0], linalg.solve_hermitian(V[0], identity), 1),
    ):
        error = by_frequency(inverse) @ by_frequency(A) - np.eye(n)
        condition = np.linalg.cond(by_frequency(A)) ** order
        assert np.all(np.abs(error).max(axis=(1, 2)) <= 10 * n * np.finfo(float).eps * condition)


@given(SEEDS, st.integers(1, 6), st.floats(-3, 3))
def test_the_pivots_are_positive_exactly_where_the_matrix_is_positive_definite(
    seed: int, n: int, shift: float
) -> None:
    H = complex_normal(np.random.default_rng(seed), n, n, 5)
    A = H + linalg.hermitian_transpose(H) + shift * np.eye(n)[..., None]
    with np.errstate(all="ignore"):
        smallest_pivot = linalg.pivots(A).min(axis=0)
    smallest = np.linalg.eigvalsh(by_frequency(A))[:, 0]
    decided = np.abs(smallest) > 1e-9
    np.testing.assert_array_equal((smallest_pivot > 0)[decided], (smallest > 0)[decided])


@pytest.mark.parametrize("n", SIZES)
def test_the_log_determinant_is_numpys(n: int) -> None:
    W, _ = random_bins(n, 20, seed=n)
    _, expected = np.linalg.slogdet(by_frequency(W))
    np.testing.assert_allclose(linalg.log_abs_det(W), expected, atol=1e-10)


@pytest.mark.parametrize("exponent", [-300, -100, 100, 300])
def test_a_power_of_two_goes_through_solution_and_log_determinant_exactly(exponent: int) -> None:
    W, V = random_bins(3, 10, seed=0)
    solution = linalg.solve_hermitian(V[0], W)
    scaled = linalg.solve_hermitian(2.0**exponent * V[0], W)
    np.testing.assert_array_equal(scaled, 2.0**-exponent * solution)
    shift = linalg.log_abs_det(2.0**exponent * W) - linalg.log_abs_det(W)
    np.testing.assert_allclose(shift, 3 * exponent * np.log(2), rtol=1e-12)
