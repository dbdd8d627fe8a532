"""The fold against slow loops, and indifferent to how a recording is cut into blocks."""

from __future__ import annotations

from functools import partial

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import complex_normal, engine_models, model_for_oracle, random_bins

from auxiva_cli.bss.fold import (
    NOISE_SHARE,
    Block,
    fold,
    pack,
    pack_with_noise,
    unpack,
    weighted_covariances,
)
from auxiva_cli.bss.source_models import gauss
from auxiva_cli.parallel import Threads

N_FREQ = 9
MODELS = engine_models(N_FREQ)
each_model = pytest.mark.parametrize("name", MODELS)
EPS32 = float(np.finfo(np.float32).eps)


def as_blocks(array: Array, cuts: list[int] | None = None) -> list[Block]:
    """Cut a block, or its table, into several along its frames."""
    return [partial(np.asarray, part) for part in np.split(array, sorted(cuts or []))]


def draw(n_chan: int, n_frames: int = 20, seed: int = 0) -> tuple[Array, Array]:
    """Draw a block and demixing matrices."""
    X = complex_normal(np.random.default_rng(seed), n_frames, n_chan, N_FREQ)
    W, _ = random_bins(n_chan, N_FREQ, seed + 1)
    return X, W


@each_model
@pytest.mark.parametrize("n_chan", [2, 3, 5])
def test_the_fold_is_the_weighted_covariances_and_the_cost(name: str, n_chan: int) -> None:
    X, W = draw(n_chan)
    model = model_for_oracle(MODELS[name])
    statistics = fold(as_blocks(pack(X)), W, MODELS[name])
    np.testing.assert_allclose(
        statistics.V, oracle.weighted_covariances(X, W, model), rtol=1e-10, atol=1e-12
    )
    assert statistics.cost == pytest.approx(oracle.cost(X, W, model), rel=1e-12)


@given(st.lists(st.integers(0, 20), max_size=6), st.sampled_from(sorted(MODELS)))
def test_the_fold_does_not_depend_on_how_frames_are_cut_into_blocks(
    cuts: list[int], name: str
) -> None:
    X, W = draw(3)
    table = pack(X)
    whole = fold(as_blocks(table), W, MODELS[name])
    parts = fold(as_blocks(table, cuts), W, MODELS[name])
    np.testing.assert_allclose(parts.V, whole.V, rtol=1e-11, atol=1e-13)
    assert parts.cost == pytest.approx(whole.cost, rel=1e-13)


@each_model
@pytest.mark.parametrize("n_threads", [2, 3])
def test_threads_give_the_bits_of_a_serial_fold(name: str, n_threads: int) -> None:
    X, W = draw(3, n_frames=200)
    blocks = as_blocks(pack(X.astype(np.complex64)), [30, 60, 90, 130, 180])
    serial = fold(blocks, W, MODELS[name])
    with Threads(n_threads) as threads:
        parallel = fold(blocks, W, MODELS[name], map=threads.map)
    np.testing.assert_array_equal(parallel.V, serial.V)
    assert parallel.cost == serial.cost


@each_model
def test_single_precision_tables_lose_no_more_than_single_precision(name: str) -> None:
    X, W = draw(3, n_frames=60)
    exact = fold(as_blocks(pack(X)), W, MODELS[name])
    table = pack(X.astype(np.complex64))
    assert table.dtype == np.float32
    single = fold(as_blocks(table), W, MODELS[name])
    # Each sum over frames, and each activity that weighs it, adds up this many rounded terms.
    bound = EPS32 * (len(X) + N_FREQ * 9)
    assert np.abs(single.V - exact.V).max() <= bound * np.abs(exact.V).max()
    assert single.cost == pytest.approx(exact.cost, rel=bound)


@given(st.integers(1, 6), st.integers(1, 5))
def test_a_table_holds_the_outer_products_and_nothing_else(n_chan: int, n_frames: int) -> None:
    X = complex_normal(np.random.default_rng(n_chan), n_frames, n_chan, 4)
    assert pack(X).shape == (n_frames, n_chan**2, 4)
    total = unpack(pack(X).sum(axis=0)[None] / n_frames, n_chan)[0]
    np.testing.assert_allclose(total, oracle.covariance(X), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("cuts", [[], [7], [0, 3, 12]])
def test_weights_from_outside_count_segment_by_segment(cuts: list[int]) -> None:
    X, _ = draw(3)
    weights = np.random.default_rng(1).random((2, len(X), 4))
    found = weighted_covariances(
        as_blocks(pack(X), cuts),
        np.split(weights, cuts, axis=1),
        [slice(0, 5), slice(5, N_FREQ)],
    )
    each = weights.repeat([5, N_FREQ - 5], axis=0)  # (n_freq, n_frames, n_src)
    expected = np.einsum("ftk,tcf,tdf->kcdf", each, X, X.conj()) / len(X)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_the_noise_that_frames_carry_is_white_and_follows_their_power() -> None:
    X, _ = draw(3)
    added = pack_with_noise(X) - pack(X)
    power = np.sum(np.abs(X) ** 2, axis=1, keepdims=True)
    np.testing.assert_allclose(added[:, :3], NOISE_SHARE * np.repeat(power, 3, axis=1), rtol=1e-8)
    np.testing.assert_array_equal(added[:, 3:], 0)


@pytest.mark.parametrize("share", [0.02, 0.5, 1])
@pytest.mark.parametrize("n_chan", [2, 4, 6])
def test_weighted_covariances_stay_positive_definite_where_frames_are_nulled(
    n_chan: int, share: float
) -> None:
    X, _ = draw(n_chan, n_frames=200)
    # All but one microphone have dropped out: the last source is nulled exactly.
    T = random_bins(n_chan, N_FREQ, seed=5)[0]
    X[: round(share * len(X)), 1:] = 0
    X = np.einsum("kcf,tcf->tkf", T, X)
    W = np.stack([np.linalg.inv(T[..., f]) for f in range(N_FREQ)], axis=-1)
    table = pack_with_noise(X.astype(np.complex64))
    V = fold(as_blocks(table), W, gauss(N_FREQ)).V
    assert np.linalg.eigvalsh(V.transpose(0, 3, 1, 2)).min() > 0
