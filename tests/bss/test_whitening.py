"""Whitening against its definition."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import complex_normal

from auxiva_cli.bss.whitening import whiten, with_extra_outputs


def draw(n_chan: int, n_frames: int = 30, n_freq: int = 4, seed: int = 0) -> Array:
    """Draw a block."""
    return complex_normal(np.random.default_rng(seed), n_frames, n_chan, n_freq)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_whitened_channels_are_uncorrelated_and_of_unit_power(
    seed: int, n_chan: int, n_src: int
) -> None:
    n_src = min(n_src, n_chan)
    R = oracle.covariance(draw(n_chan, seed=seed))
    found = whiten(R, n_src)
    assert found.separable.all()
    assert found.Q.shape == (n_src, n_chan, 4)
    white = np.einsum("kcf,cdf,mdf->fkm", found.Q, R, found.Q.conj())
    powers = np.linalg.eigvalsh(R.transpose(2, 0, 1))
    condition = powers[:, -1] / powers[:, -n_src]
    # Q is good to rounding times the condition of what it keeps.
    bound = 100 * np.finfo(float).eps * condition.max()
    np.testing.assert_allclose(white, np.tile(np.eye(n_src), (4, 1, 1)), atol=bound)


def test_the_strongest_directions_are_kept() -> None:
    X = draw(4)
    Q, expected = whiten(oracle.covariance(X), 2).Q, oracle.whitening(X, 2)
    # Rows agree up to their phase.
    similarity = np.abs(np.einsum("kcf,kcf->kf", Q, expected.conj()))
    np.testing.assert_allclose(similarity, np.sum(np.abs(expected) ** 2, axis=1), rtol=1e-9)


def test_the_largest_entry_of_every_row_is_real_and_positive() -> None:
    Q = whiten(oracle.covariance(draw(4)), 3).Q
    largest = np.take_along_axis(Q, np.abs(Q).argmax(axis=1)[:, None], axis=1)
    np.testing.assert_allclose(np.angle(largest), 0, atol=1e-12)


def test_the_phase_does_not_depend_on_the_phases_of_the_channels_frames() -> None:
    X = draw(3)
    turned = X * np.exp(1j * np.random.default_rng(1).uniform(0, 6, (len(X), 1, 4)))
    Q, Q_turned = (whiten(oracle.covariance(block), 3).Q for block in (X, turned))
    np.testing.assert_allclose(Q_turned, Q, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("exponent", [-400, -40, 40, 400])
def test_the_level_goes_through_exactly(exponent: int) -> None:
    R = oracle.covariance(draw(3))
    found, scaled = whiten(R, 2), whiten(4.0**exponent * R, 2)
    np.testing.assert_array_equal(scaled.separable, found.separable)
    np.testing.assert_allclose(scaled.Q, found.Q * 2.0**-exponent, rtol=1e-12)


def test_frequencies_without_power_or_with_too_few_directions_are_left_out() -> None:
    X = draw(3, n_freq=6)
    X[:, :, 0] = 0
    X[:, :, 2] *= 1e-8  # 160 dB below the others
    X[:, 2, 4] = X[:, 1, 4]  # two directions
    X[:, 1:, 5] = X[:, :1, 5]  # one
    R = oracle.covariance(X)
    for n_src, separable in ((3, [1, 3]), (2, [1, 3, 4]), (1, [1, 3, 4, 5])):
        np.testing.assert_array_equal(np.flatnonzero(whiten(R, n_src).separable), separable)
    assert np.isfinite(whiten(R, 3).Q).all()


def test_a_silent_recording_has_no_frequency_to_separate() -> None:
    found = whiten(np.zeros((2, 2, 5), complex), 2)
    assert not found.separable.any()
    assert found.Q.shape == (2, 2, 0)


@pytest.mark.parametrize(("n_src", "n_extra"), [(1, 2), (2, 1), (3, 2)])
def test_extra_outputs_are_orthogonal_to_the_sources_and_to_each_other(
    n_src: int, n_extra: int
) -> None:
    rng = np.random.default_rng(0)
    X = complex_normal(rng, 60, 6, 5)
    whitening = whiten(oracle.covariance(X), n_src + n_extra)
    # Rows that lie within the directions that are kept.
    rows = np.einsum("kof,ocf->kcf", complex_normal(rng, n_src, n_src + n_extra, 5), whitening.Q)
    W = with_extra_outputs(rows, whitening)
    np.testing.assert_allclose(np.einsum("kof,ocf->kcf", W, whitening.Q)[:n_src], rows, atol=1e-10)
    products = np.einsum("kof,jof->kjf", W, W.conj())
    np.testing.assert_allclose(products[n_src:, :n_src], 0, atol=1e-10)
    np.testing.assert_allclose(
        products[n_src:, n_src:], np.repeat(np.eye(n_extra)[..., None], 5, axis=-1), atol=1e-10
    )
