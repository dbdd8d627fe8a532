"""Separation by given activities, against sources that speak when they are said to."""

from __future__ import annotations

from functools import partial

import numpy as np
import oracle
import pytest
from oracle import Array
from problems import whitened_mixture

from auxiva_cli.bss.fold import pack
from auxiva_cli.bss.given import by_activities
from auxiva_cli.bss.updates.ipa import ipa

N_SRC, N_FRAMES, N_FREQ = 3, 300, 8
CUTS = [0, 130]  # the first block holds no frame
SPEAKING = (np.random.default_rng(2).random((N_FRAMES, N_SRC)) < 0.4) + 0.1


@pytest.fixture(scope="module")
def mixture() -> tuple[Array, Array]:
    """Return a whitened mixture of Gaussian sources that take turns, and its mixing matrices."""
    return whitened_mixture(np.random.default_rng(1), SPEAKING - 0.099, N_FREQ)


def separated(X: Array, activities: Array, max_iter: int = 10) -> tuple[Array, tuple[float, ...]]:
    """Separate a mixture that comes in blocks."""
    blocks = [partial(np.asarray, pack(part)) for part in np.split(X, CUTS)]
    W, trace = by_activities(blocks, np.split(activities, CUTS)).minimise(
        ipa,
        name="given",
        max_iter=max_iter,
        tol=0.0,
        report=lambda iteration, W: None,
    )
    return W, trace.costs


def test_every_source_is_found_in_the_order_of_the_activities(mixture: tuple[Array, Array]) -> None:
    X, A = mixture
    order = [2, 0, 1]
    W, _ = separated(X, SPEAKING[:, order])
    gains = np.abs(np.einsum("kcf,cjf->kjf", W, A[:, order])) ** 2
    wanted = np.einsum("kkf->kf", gains)
    assert np.all(wanted > 30 * (gains.sum(axis=1) - wanted))


def test_the_cost_is_that_of_fixed_variances_and_never_rises(mixture: tuple[Array, Array]) -> None:
    X, _ = mixture
    W, costs = separated(X, SPEAKING)
    assert len(costs) == 11
    assert np.all(np.diff(costs) <= 1e-9 * np.abs(costs).max())
    variances = SPEAKING / SPEAKING.mean(axis=0)
    powers = np.abs(oracle.demix(X, W)) ** 2
    expected = np.mean(np.sum(powers / variances[..., None], axis=(1, 2)))
    assert costs[-1] == pytest.approx(expected - 2 * oracle.log_determinants(W), rel=1e-9)


def test_without_an_update_nothing_is_separated(mixture: tuple[Array, Array]) -> None:
    X, _ = mixture
    W, costs = separated(X, SPEAKING, max_iter=0)
    np.testing.assert_array_equal(W, np.repeat(np.eye(N_SRC)[..., None], N_FREQ, axis=-1))
    assert len(costs) == 1
