"""Windows, and the steps that follow who moves: what they keep, and what they find."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from oracle import Array
from problems import complex_normal

from auxiva_cli.bss.fold import fold, pack, pack_with_noise
from auxiva_cli.bss.motion import (
    FEWEST_FRAMES,
    N_FREE,
    N_HELD,
    N_TURNS,
    Window,
    disentangle,
    displacements,
    follow,
    rescale,
    restlessness,
    steer,
    wander,
    window_shares,
)
from auxiva_cli.bss.source_models import gauss
from auxiva_cli.bss.updates.ipa import ipa
from auxiva_cli.bss.updates.iss import iss

N_FREQ, N_FRAMES = 24, 400
MODEL = gauss(N_FREQ)


def covariances(rng: np.random.Generator, n: int) -> Array:
    """Draw a weighted covariance for each of so many sources."""
    X = complex_normal(rng, 50, n, n, N_FREQ)
    return np.einsum("tkcf,tkdf->kcdf", X, X.conj()) / 50


def window_of(X: Array, shares: Array | None = None) -> Window:
    """Return the window that holds all frames of a mixture, in two blocks."""
    shares = np.ones(len(X)) if shares is None else shares
    parts = np.array_split(np.arange(len(X)), 2)
    return Window([partial(pack_with_noise, X[i]) for i in parts], [shares[i] for i in parts])


def walked(rng: np.random.Generator, n_src: int, mover: int | None) -> tuple[Array, Array, Array]:
    """Return a mixture (n_frames, n_chan, n_freq), and ``A`` of its first and its second half."""
    loudness = np.exp(2 * rng.standard_normal((N_FRAMES, n_src, 1)))
    S = loudness * complex_normal(rng, N_FRAMES, n_src, N_FREQ)
    before = complex_normal(rng, n_src, n_src, N_FREQ)
    after = before.copy()
    if mover is not None:
        after[:, mover] = complex_normal(rng, n_src, N_FREQ)
    A = np.where(np.arange(N_FRAMES)[:, None, None, None] < N_FRAMES // 2, before, after)
    return np.einsum("tcsf,tsf->tcf", A, S), before, after


def leak(W: Array, A: Array) -> float:
    """Return the share of the power of each output that other sources make, the mean in dB."""
    power = np.abs(np.einsum("kcf,csf->ksf", W, A)) ** 2
    own = np.einsum("kkf->kf", power)
    return float(10 * np.log10((power.sum(axis=1) / own - 1).mean()))


def inverse(A: Array) -> Array:
    return np.linalg.inv(A.transpose(2, 0, 1)).transpose(1, 2, 0)


def test_shares_are_a_cosine_squared_within_the_window() -> None:
    times = np.array([-4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 30.0])
    assert window_shares(times, 10.0, 8.0) == pytest.approx([0, 0, 0.5, 1, 0.5, 0, 0])


def test_frames_of_equal_weight_are_counted_as_they_are() -> None:
    X = complex_normal(np.random.default_rng(0), 20, 2, N_FREQ)
    assert window_of(X).n_frames == pytest.approx(20)
    assert window_of(X, 3 * (np.arange(20) < 5)).n_frames == pytest.approx(5)


def test_a_window_that_holds_everything_folds_as_the_recording_does() -> None:
    rng = np.random.default_rng(1)
    X, W = complex_normal(rng, 60, 3, N_FREQ), complex_normal(rng, 3, 3, N_FREQ)
    whole = fold([partial(pack_with_noise, X)], W, MODEL)
    for weight in (1.0, 0.25):  # means do not depend on a common factor
        found = window_of(X, np.full(60, weight)).fold(W, MODEL)
        np.testing.assert_allclose(found.V, whole.V, rtol=1e-9)
        assert found.cost == pytest.approx(whole.cost)


def test_a_frame_counts_with_its_weight() -> None:
    rng = np.random.default_rng(2)
    X, W = complex_normal(rng, 12, 2, N_FREQ), complex_normal(rng, 2, 2, N_FREQ)
    often = np.arange(12) % 3
    twice = fold([partial(pack, np.repeat(X, often, axis=0))], W, MODEL)
    found = fold([partial(pack, X)], W, MODEL, shares=[often.astype(float)])
    np.testing.assert_allclose(found.V, twice.V, rtol=1e-9)
    assert found.cost == pytest.approx(twice.cost)


@pytest.mark.parametrize("n_src", [2, 3, 5])
def test_steering_all_sources_is_a_sweep_of_source_steering(n_src: int) -> None:
    rng = np.random.default_rng(n_src)
    W, V = complex_normal(rng, n_src, n_src, N_FREQ), covariances(rng, n_src)
    np.testing.assert_allclose(steer(W, V, range(n_src)), iss(W, V), rtol=1e-9)


def test_steering_changes_the_column_of_who_moves_alone() -> None:
    rng = np.random.default_rng(3)
    W, V = complex_normal(rng, 3, 3, N_FREQ), covariances(rng, 3)
    steered = steer(W, V, [1])
    np.testing.assert_allclose(inverse(steered)[:, [0, 2]], inverse(W)[:, [0, 2]], rtol=1e-6)
    for m in (0, 2):  # the minimum: what is left is not correlated with him
        left = np.einsum("cf,cdf,df->f", steered[m], V[m], steered[1].conj())
        assert np.abs(left).max() < 1e-9


def test_rescaled_rows_have_unit_power() -> None:
    rng = np.random.default_rng(4)
    W, V = complex_normal(rng, 3, 3, N_FREQ), covariances(rng, 3)
    W = rescale(W, V)
    np.testing.assert_allclose(np.einsum("kcf,kcdf,kdf->kf", W, V, W.conj()), 1, rtol=1e-9)


@pytest.mark.parametrize(("n_src", "mover"), [(2, 0), (2, 1), (3, 1)])
def test_who_moved_is_found_and_followed(n_src: int, mover: int) -> None:
    X, before, after = walked(np.random.default_rng(10 * n_src + mover), n_src, mover)
    W, second = inverse(before), window_of(X[N_FRAMES // 2 :])
    scores = restlessness(second, W, MODEL, n_src)
    assert scores.argmax() == mover
    assert scores[mover] > 10
    followed = follow(second, W, MODEL, [mover])
    assert leak(W, after) > -10
    assert leak(followed, after) < -25


def test_restlessness_is_the_correlation_that_a_step_would_take_out() -> None:
    X, before, _ = walked(np.random.default_rng(14), 3, 1)
    window = window_of(X, np.linspace(0.1, 1, len(X)))
    W = rescale(inverse(before), window.fold(inverse(before), MODEL).V)
    V = window.fold(W, MODEL).V
    crossed = np.einsum("mcf,mcdf,kdf->mkf", W, V, W.conj())
    powers = np.einsum("kcf,mcdf,kdf->mkf", W, V, W.conj()).real
    shares = np.abs(crossed) ** 2 / (powers * np.einsum("mmf->mf", powers)[:, None])
    for n_src in (2, 3):  # of which the others are outputs without a source
        expected = [
            sum(shares[m, k].mean() for m in range(3) if m != k) * window.n_frames / 2
            for k in range(n_src)
        ]
        found = restlessness(window, inverse(before), MODEL, n_src)
        assert found == pytest.approx(expected, rel=1e-6)


def test_who_sits_seems_to_move_by_chance_alone() -> None:
    X, before, _ = walked(np.random.default_rng(5), 3, None)
    scores = restlessness(window_of(X[:100]), inverse(before), MODEL, 3)
    assert np.all(scores < 2)


def test_too_few_frames_change_nothing() -> None:
    X, before, _ = walked(np.random.default_rng(6), 2, 0)
    W = inverse(before)
    assert follow(window_of(X[: FEWEST_FRAMES - 1]), W, MODEL, [0]) is W
    assert follow(window_of(X[:FEWEST_FRAMES]), W, MODEL, [0]) is not W


def test_what_stays_is_learnt_though_somebody_moves() -> None:
    """Matrices of the whole recording make do for both places; the mover's row then nulls less."""
    X, before, after = walked(np.random.default_rng(7), 2, 1)
    whole = window_of(X)
    W = inverse(before)
    rng = np.random.default_rng(8)
    W = W + 0.2 * np.abs(W).mean() * complex_normal(rng, 2, 2, N_FREQ)
    for _ in range(10):
        W = ipa(W, whole.fold(W, MODEL).V)
    windows = [window_of(part) for part in np.array_split(X, 4)]
    base = disentangle(windows, W, MODEL, 1, ipa)
    for window, A in ((windows[0], before), (windows[-1], after)):
        assert leak(follow(window, base, MODEL, [1]), A) < -20


def test_what_stays_is_what_the_formulas_give() -> None:
    X, before, _ = walked(np.random.default_rng(12), 3, 1)
    windows = [window_of(part) for part in np.array_split(X, [100, 150])]
    found = disentangle(windows, inverse(before), MODEL, 1, ipa)

    W_s = [follow(window, inverse(before), MODEL, [1]) for window in windows]
    n_s = np.array([window.n_frames for window in windows])
    for turn in range(N_TURNS):
        for s, window in enumerate(windows):
            for _ in range(N_FREE if turn else 0):
                W_s[s] = ipa(W_s[s], window.fold(W_s[s], MODEL).V)
        for _ in range(N_HELD):
            V_s = [window.fold(W, MODEL).V for window, W in zip(windows, W_s, strict=True)]
            W_s = [steer(W, V, [1]) for W, V in zip(W_s, V_s, strict=True)]
            V = sum(n * V[1] for n, V in zip(n_s, V_s, strict=True)) / n_s.sum()
            A = sum(inverse(W) for W in W_s) / len(W_s)
            for f in range(N_FREQ):
                w = np.linalg.inv(V[..., f]) @ A[:, 1, f]
                w /= np.sqrt((w.conj() @ V[..., f] @ w).real)
                for W in W_s:
                    W[1, :, f] = w.conj()
    expected = inverse(A)
    expected[1] = W_s[0][1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_window_of_too_few_frames_takes_what_its_neighbour_towards_the_middle_has() -> None:
    X, before, _ = walked(np.random.default_rng(13), 2, 0)
    few, enough = (partial(window_of, X[:n]) for n in (FEWEST_FRAMES - 1, FEWEST_FRAMES))
    W = inverse(before)
    for at, changed in enumerate([(0,), (0, 1), (0, 1, 2, 3, 4), (3, 4), (4,)]):
        wide = [enough if s == at else few for s in range(5)]
        matrices = wander(wide, [few] * 5, W, MODEL, ipa)
        assert [s for s in range(5) if matrices[s] is not W] == list(changed)
        assert len({id(matrices[s]) for s in changed}) == 1


def test_several_are_followed_in_order() -> None:
    X, before, after = walked(np.random.default_rng(9), 2, 0)
    windows = [partial(window_of, part) for part in np.array_split(X, 4)]
    matrices = wander(windows, windows, inverse(before), MODEL, ipa)
    assert leak(matrices[0], before) < -20
    assert leak(matrices[-1], after) < -20


def test_displacement_is_none_at_first_and_does_not_depend_on_scale() -> None:
    rng = np.random.default_rng(11)
    A = complex_normal(rng, 3, 3, N_FREQ)
    moved = A.copy()
    moved[:, 1] = complex_normal(rng, 3, N_FREQ)
    matrices = [inverse(A), inverse(moved), inverse(2j * A)]
    assert displacements(matrices, 1)[[0, 2]] == pytest.approx([0, 0])
    assert displacements(matrices, 1)[1] > 0.3
    assert displacements(matrices, 0) == pytest.approx([0, 0, 0])
