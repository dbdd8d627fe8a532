"""The repair of swaps: it finds the order again, and never raises the cost that it goes by."""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array

from auxiva_cli.bss.fold import pack
from auxiva_cli.bss.permutation import repair, unswap
from auxiva_cli.bss.source_models import FLOOR, bands

N_FREQ = 60
MODEL = bands(np.linspace(0, 8000, N_FREQ), 8, 3)
N_SEGMENTS = len(MODEL.edges) - 1


def separated(n_src: int, seed: int) -> tuple[Array, Array]:
    """Draw a mixture and the matrices that separate it, (n_frames, n_chan, n_freq) and W."""
    X, _, A = oracle.synthetic_mixture(n_src, n_src, 100, N_FREQ, seed)
    return X, np.linalg.inv(A.transpose(2, 0, 1)).transpose(1, 2, 0)


def reordered(W: Array, order: Array) -> Array:
    """Put the sources of each segment into another order, (n_segments, n_src)."""
    swapped = W.copy()
    for bins, sources in zip(MODEL.segments, order, strict=True):
        swapped[:, :, bins] = W[sources, :, bins]
    return swapped


def repaired_order(W: Array, X: Array, shuffled: Array) -> Array:
    """Repair, and say which source of W stands at each place in each segment."""
    found = repair([partial(pack, X)], reordered(W, shuffled), MODEL)
    firsts = [bins.start for bins in MODEL.segments]
    return np.array(
        [
            [int(np.argmax([np.array_equal(row, w) for w in W[:, :, f]])) for row in found[:, :, f]]
            for f in firsts
        ]
    )


@pytest.mark.parametrize("n_src", [2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_blocks_that_were_swapped_are_swapped_back(n_src: int, seed: int) -> None:
    X, W = separated(n_src, seed)
    rng = np.random.default_rng(seed)
    shuffled = np.tile(np.arange(n_src), (N_SEGMENTS, 1))
    shuffled[rng.integers(1, N_SEGMENTS) :] = rng.permutation(n_src)
    shuffled[rng.integers(N_SEGMENTS)] = rng.permutation(n_src)
    order = repaired_order(W, X, shuffled)
    assert np.all(order == order[0])


def test_what_is_in_order_stays_as_it_is() -> None:
    X, W = separated(3, seed=0)
    np.testing.assert_array_equal(repair([partial(pack, X)], W, MODEL), W)


def test_blocks_of_frames_change_nothing() -> None:
    X, W = separated(3, seed=0)
    swapped = reordered(W, np.array([[0, 1, 2], [2, 0, 1]]).repeat(N_SEGMENTS // 2, axis=0))
    parts = [partial(pack, part) for part in np.array_split(X, 4)]
    np.testing.assert_array_equal(
        repair(parts, swapped, MODEL), repair([partial(pack, X)], swapped, MODEL)
    )


def draw_energies(n_src: int, seed: int) -> Array:
    """Draw energies at unit power in which no order is the right one."""
    energies = np.random.default_rng(seed).gamma(0.3, size=(N_SEGMENTS, 12, n_src))
    scaled: Array = energies * np.diff(MODEL.edges)[:, None, None]
    return scaled / energies.mean(axis=1, keepdims=True)


def cost(energies: Array) -> float:
    """Return what the repair is to lower; its floor is one of each frequency's mean power."""
    floored = energies + FLOOR * np.diff(MODEL.edges)[:, None, None]
    r2 = np.tensordot(MODEL.cliques, floored, axes=1)
    return float(MODEL.contrast.value(r2, MODEL.sizes[:, None, None]).sum())


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_the_cost_at_unit_power_never_rises(n_src: int, seed: int) -> None:
    energies = draw_energies(n_src, seed)
    order = unswap(energies, MODEL)
    assert np.all(np.sort(order, axis=1) == np.arange(n_src))
    assert cost(np.take_along_axis(energies, order[:, None], axis=2)) <= cost(energies) + 1e-9


@pytest.mark.parametrize("n_src", [2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_no_swap_in_a_segment_or_from_there_up_would_lower_the_cost(n_src: int, seed: int) -> None:
    energies = draw_energies(n_src, seed)
    order = unswap(energies, MODEL)
    repaired = np.take_along_axis(energies, order[:, None], axis=2)
    lowest = cost(repaired)
    for first in range(N_SEGMENTS):
        for block in (slice(first, first + 1), slice(first, N_SEGMENTS)):
            for pair in combinations(range(n_src), 2):
                swapped = repaired.copy()
                swapped[block, :, pair] = repaired[block, :, pair[::-1]]
                assert cost(swapped) >= lowest - 1e-6


def test_silent_sources_are_left_where_they_are() -> None:
    order = unswap(np.zeros((N_SEGMENTS, 5, 3)), MODEL)
    np.testing.assert_array_equal(order, np.tile(np.arange(3), (N_SEGMENTS, 1)))
