"""Residual filters against their formula, and the laws that they obey."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import complex_normal

from auxiva_cli.bss.residual import residual_filters
from auxiva_cli.parallel import Threads

N_FREQ, N_FRAMES = 9, 40


def draw(n_src: int, n_chan: int, seed: int = 0) -> tuple[Array, Array]:
    """Draw a block, whose frames differ in level, and demixing matrices."""
    rng = np.random.default_rng(seed)
    levels = rng.exponential(size=(N_FRAMES, n_chan, 1))
    X = np.einsum(
        "cdf,tdf->tcf",
        complex_normal(rng, n_chan, n_chan, N_FREQ),
        levels * complex_normal(rng, N_FRAMES, n_chan, N_FREQ),
    )
    return X, complex_normal(rng, n_src, n_chan, N_FREQ)


def residual(X: Array, W: Array, cuts: tuple[int, ...] = (13,)) -> Array:
    """Return the filters learnt from a block, cut into several."""
    borders = [0, *sorted(cuts), len(X)]
    blocks = [partial(np.asarray, X[start:stop]) for start, stop in pairwise(borders)]
    return residual_filters(blocks, W, oracle.covariance(X))


def expected_filters(X: Array, W: Array) -> Array:
    """Return the filters as they are defined, frequency by frequency and frame by frame."""
    n_frames, n_chan, n_freq = X.shape
    R = oracle.covariance(X)
    separated = np.zeros((len(W), n_chan, n_chan, n_freq), complex)
    power = np.zeros((n_frames, len(W), n_freq))
    for f in range(n_freq):
        cross = R[..., f] @ W[..., f].conj().T
        A = cross @ np.linalg.inv(W[..., f] @ cross)
        for k in range(len(W)):
            separated[k, ..., f] = np.outer(A[:, k], W[k, :, f])
            power[:, k, f] = np.sum(np.abs(X[..., f] @ separated[k, ..., f].T) ** 2, axis=1)
    wide = [power[..., max(f - 3, 0) : f + 4].sum(axis=-1) for f in range(n_freq)]
    P = np.stack(wide, axis=-1)
    smoothed = P.copy()
    smoothed[1:] += 0.5 * P[:-1]
    smoothed[2:] += 0.25 * P[:-2]
    masks = smoothed / smoothed.sum(axis=1, keepdims=True)
    G = separated.copy()
    for f in range(n_freq):
        r = X[..., f] - X[..., f] @ separated[..., f].sum(axis=0).T
        inverse = np.linalg.inv(X[..., f].T @ X[..., f].conj())
        for k in range(len(W)):
            masked = masks[:, k, f, None] * r
            G[k, ..., f] += masked.T @ X[..., f].conj() @ inverse
    return G


@pytest.mark.parametrize(("n_src", "n_chan"), [(1, 2), (2, 3), (3, 6)])
def test_the_filters_are_those_of_the_formula(n_src: int, n_chan: int) -> None:
    X, W = draw(n_src, n_chan)
    np.testing.assert_allclose(residual(X, W), expected_filters(X, W), atol=1e-9)


@given(st.lists(st.integers(0, N_FRAMES), max_size=8).map(tuple))
def test_the_filters_do_not_depend_on_where_blocks_begin(cuts: tuple[int, ...]) -> None:
    X, W = draw(2, 3)
    np.testing.assert_allclose(residual(X, W, cuts), residual(X, W, ()), atol=1e-10)


def test_threads_give_the_bits_of_a_serial_pass() -> None:
    X, W = draw(2, 4)
    R = oracle.covariance(X)
    blocks = [partial(np.asarray, part) for part in np.split(X, [7, 8, 20, 31])]
    with Threads(3) as threads:
        parallel = residual_filters(blocks, W, R, map=threads.map)
    np.testing.assert_array_equal(parallel, residual_filters(blocks, W, R))


@pytest.mark.parametrize(("n_src", "n_chan"), [(1, 2), (2, 3), (2, 6)])
def test_the_filters_sum_to_the_identity(n_src: int, n_chan: int) -> None:
    total = residual(*draw(n_src, n_chan)).sum(axis=0)
    identities = np.repeat(np.eye(n_chan)[..., None], N_FREQ, axis=-1)
    np.testing.assert_allclose(total, identities, atol=1e-8)


def test_the_filters_do_not_depend_on_the_scale_of_the_demixing_matrices() -> None:
    X, W = draw(2, 3)
    scale = complex_normal(np.random.default_rng(2), 2, 1, N_FREQ)
    np.testing.assert_allclose(residual(X, scale * W), residual(X, W), atol=1e-8)


def test_sources_that_leave_no_residual_come_back_whole() -> None:
    rng = np.random.default_rng(3)
    sources, A = complex_normal(rng, 60, 2, N_FREQ), complex_normal(rng, 4, 2, N_FREQ)
    X = np.einsum("ckf,tkf->tcf", A, sources)  # of rank 2 in 4 channels
    W = np.stack([np.linalg.pinv(A[..., f]) for f in range(N_FREQ)], axis=-1)
    images = np.einsum("kcdf,tdf->ktcf", residual(X, W), X)
    expected = np.einsum("ckf,tkf->ktcf", A, sources)
    np.testing.assert_allclose(images, expected, atol=1e-9 * np.abs(X).max())


def test_frames_without_any_source_are_shared_out_equally_and_finitely() -> None:
    X, W = draw(2, 3)
    X[5:9] = 0
    assert np.isfinite(residual(X, W)).all()
