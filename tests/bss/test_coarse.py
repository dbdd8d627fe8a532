"""The coarse stages: starts that differ, the best of them, and all frequencies after a comb."""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np
import oracle
import pytest
from oracle import Array
from problems import random_bins, whitened_mixture

from auxiva_cli.bss.auxiva import Stage, auxiva
from auxiva_cli.bss.coarse import best, comb, spread, starts
from auxiva_cli.bss.fold import fold, pack
from auxiva_cli.bss.permutation import repair
from auxiva_cli.bss.source_models import bands
from auxiva_cli.bss.updates.ipa import ipa

N_SRC, N_FRAMES, N_FREQ = 3, 200, 48
CHOSEN = slice(None, None, 4)
FREQUENCIES = np.linspace(0, 8000, N_FREQ)
MODEL = bands(FREQUENCIES[CHOSEN], 4)
CUTS = [0, 80]  # the first block holds no frame


def as_tables(X: Array) -> list[partial[Array]]:
    """Pack a mixture in blocks."""
    return [partial(np.asarray, pack(part)) for part in np.split(X, CUTS)]


def several(n_sets: int, n_freq: int) -> Array:
    """Draw sets of demixing matrices."""
    return np.stack([random_bins(N_SRC, n_freq, seed)[0] for seed in range(n_sets)])


@pytest.fixture(scope="module")
def mixture() -> tuple[Array, Array]:
    """Return a white mixture of sources with one activity each, and the mixing matrices."""
    rng = np.random.default_rng(3)
    return whitened_mixture(rng, (rng.random((N_FRAMES, N_SRC)) < 0.4) + 0.01, N_FREQ)


@pytest.mark.parametrize(("n_freq", "step"), [(1, 1), (767, 1), (1025, 2), (4086, 8), (8193, 16)])
def test_a_comb_has_about_as_many_teeth_whatever_the_window(n_freq: int, step: int) -> None:
    assert comb(n_freq) == slice(None, None, step)


@pytest.mark.parametrize(("n_src", "n_starts"), [(1, 1), (2, 3), (3, 4), (4, 4), (7, 4)])
def test_starts_are_unitary_and_the_first_changes_nothing(n_src: int, n_starts: int) -> None:
    W = starts(n_src, 2, 4)
    assert W.shape == (n_starts, n_src, n_src, 2)
    np.testing.assert_array_equal(W[0], np.repeat(np.eye(n_src)[..., None], 2, axis=-1))
    for basis in np.moveaxis(W, -1, 1).reshape(-1, n_src, n_src):
        np.testing.assert_allclose(basis @ basis.conj().T, np.eye(n_src), atol=1e-12)


@pytest.mark.parametrize("n_src", [2, 3, 5, 7])
def test_every_row_of_a_start_has_a_part_in_all_rows_of_the_others(n_src: int) -> None:
    for one, other in combinations(starts(n_src, 1, 4)[..., 0], 2):
        np.testing.assert_allclose(np.abs(one @ other.conj().T), n_src**-0.5, atol=1e-12)


def test_several_sets_are_folded_and_repaired_as_one_by_one(mixture: tuple[Array, Array]) -> None:
    tables, W = as_tables(mixture[0]), several(4, N_FREQ)
    model = bands(FREQUENCIES, 6, 3)
    together = fold(tables, W, model)
    for one, V, cost in zip(W, together.V, together.cost, strict=True):
        alone = fold(tables, one, model)
        np.testing.assert_allclose(V, alone.V, rtol=1e-10)
        assert cost == pytest.approx(float(alone.cost), rel=1e-12)
    for one, repaired in zip(W, repair(tables, W, model), strict=True):
        np.testing.assert_array_equal(repaired, repair(tables, one, model))


def test_several_sets_descend_as_one_by_one(mixture: tuple[Array, Array]) -> None:
    tables, W = as_tables(mixture[0]), several(3, N_FREQ)
    stage = Stage("bands", bands(FREQUENCIES, 6), tables, 5, 0.0)

    def run(W: Array) -> tuple[Array, tuple[float, ...]]:
        found, traces = auxiva(
            W, [stage], ipa, report=lambda *_: None, advanced=lambda done, total: None
        )
        return found, traces[0].costs

    together, costs = run(W)
    alone = [run(one) for one in W]
    np.testing.assert_allclose(together, [found for found, _ in alone], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(costs, np.mean([costs for _, costs in alone], axis=0))


def test_the_set_of_the_lowest_cost_is_kept(mixture: tuple[Array, Array]) -> None:
    tables, W = as_tables(mixture[0][..., CHOSEN]), several(4, N_FREQ // 4)
    costs = [float(fold(tables, one, MODEL).cost) for one in W]
    assert len(set(costs)) == 4
    np.testing.assert_array_equal(best(tables, W, MODEL), W[np.argmin(costs)])
    np.testing.assert_array_equal(best(tables, W[1:2], MODEL), W[1])


def spread_from(X: Array, W: Array, max_iter: int = 6) -> tuple[Array, tuple[float, ...]]:
    """Let all frequencies follow."""
    coarse = [partial(np.asarray, pack(X[..., CHOSEN]))]
    tables = [partial(np.asarray, pack(X[i : i + 60])) for i in range(0, N_FRAMES, 60)]
    found, trace = spread(tables, 60, coarse, W, CHOSEN, N_FREQ, MODEL).minimise(
        ipa, name="spread", max_iter=max_iter, tol=0.0, report=lambda iteration, W: None
    )
    return found, trace.costs


def test_all_frequencies_follow_in_the_order_of_the_comb(mixture: tuple[Array, Array]) -> None:
    X, A = mixture
    order = [1, 2, 0]
    right = np.linalg.inv(A[..., CHOSEN].transpose(2, 0, 1)).transpose(1, 2, 0)[order]
    W, costs = spread_from(X, right * 7.0)  # at whatever scale
    gains = np.abs(np.einsum("kcf,cjf->kjf", W, A[:, order])) ** 2
    wanted = np.einsum("kkf->kf", gains)
    assert np.all(wanted > 20 * (gains.sum(axis=1) - wanted))
    assert np.all(np.diff(costs) <= 1e-9 * np.abs(costs).max())


def test_the_weights_are_those_that_the_model_gives_to_as_many_frequencies(
    mixture: tuple[Array, Array],
) -> None:
    X, _ = mixture
    W = several(1, N_FREQ // 4)[0]
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    _, costs = spread_from(X, W, max_iter=0)
    start = np.repeat(np.eye(N_SRC, dtype=complex)[..., None], N_FREQ, axis=-1)
    start[..., CHOSEN] = W
    # Each frequency of a cell is as loud as the mean of those that the comb has there.
    power = np.abs(oracle.demix(X[..., CHOSEN], W)) ** 2
    sizes = np.diff(MODEL.edges)
    means = [power[..., bins].mean(axis=-1) for bins in MODEL.segments]
    full = [4 * size for size in sizes]
    expected = -2 * oracle.log_determinants(start)
    energies = np.stack([mean * size for mean, size in zip(means, full, strict=True)])
    everywhere = bands(FREQUENCIES, 4)
    n = MODEL.cliques @ np.array(full, float)
    r2 = np.tensordot(MODEL.cliques, energies, 1) + 1e-3 * n[:, None, None]
    weights = np.tensordot(MODEL.cliques.T, n[:, None, None] / r2, 1)
    assert everywhere.cliques.shape == MODEL.cliques.shape
    powers = np.abs(oracle.demix(X, start)) ** 2
    first = 0
    for weight, size in zip(weights, full, strict=True):
        own = powers[..., first : first + size].sum(axis=-1)
        expected += float(np.sum(weight * own) / N_FRAMES)
        first += size
    assert costs[0] == pytest.approx(expected, rel=1e-6)
