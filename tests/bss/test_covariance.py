"""Spatial covariances against slow loops, however a recording is cut into blocks."""

from __future__ import annotations

from functools import partial

import numpy as np
import oracle
from hypothesis import given
from hypothesis import strategies as st
from problems import complex_normal

from auxiva_cli.bss.covariance import hermitian, outer_sums, spatial_covariance


@given(st.integers(1, 6), st.integers(1, 5), st.lists(st.integers(0, 5), max_size=3))
def test_the_spatial_covariance_is_that_of_all_blocks(
    n_chan: int, n_frames: int, cuts: list[int]
) -> None:
    X = complex_normal(np.random.default_rng(n_chan), n_frames, n_chan, 4)
    parts = np.split(X, sorted(min(cut, n_frames) for cut in cuts))
    R, counted = spatial_covariance([partial(np.asarray, part) for part in parts])
    assert counted == [len(part) for part in parts]
    np.testing.assert_allclose(R, oracle.covariance(X), rtol=1e-12, atol=1e-14)


def test_a_covariance_is_hermitian_to_the_bit_also_of_single_precision() -> None:
    X = complex_normal(np.random.default_rng(1), 7, 4, 5).astype(np.complex64)
    R, _ = spatial_covariance([partial(np.asarray, X)])
    np.testing.assert_array_equal(R, R.conj().swapaxes(0, 1))


def test_frames_count_as_they_are_weighted() -> None:
    rng = np.random.default_rng(2)
    X, weights = complex_normal(rng, 7, 3, 5), rng.random((7, 1, 5))
    expected = np.einsum("taf,tbf->abf", weights * X, X.conj())
    np.testing.assert_allclose(hermitian(outer_sums(weights * X, X)), expected, atol=1e-12)
