"""Windows, and the steps that follow who moves: what they keep, and what they find."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from oracle import Array
from problems import complex_normal

from auxiva_cli.bss.fold import fold, pack, pack_with_noise
from auxiva_cli.bss.motion import (
    N_FREE,
    N_HELD,
    N_TURNS,
    aligned,
    disentangle,
    displacements,
    follow,
    rescale,
    steer,
    wander,
)
from auxiva_cli.bss.restlessness import Look, look_at, restlessness
from auxiva_cli.bss.source_models import gauss
from auxiva_cli.bss.updates.ipa import ipa
from auxiva_cli.bss.updates.iss import iss
from auxiva_cli.bss.window import FEWEST_FRAMES, Window, window_shares

N_FREQ, N_FRAMES = 24, 400
MODEL, ALL = gauss(N_FREQ), np.ones(N_FREQ)


def covariances(rng: np.random.Generator, n: int) -> Array:
    """Draw a weighted covariance for each of so many sources."""
    X = complex_normal(rng, 50, n, n, N_FREQ)
    return np.einsum("tkcf,tkdf->kcdf", X, X.conj()) / 50


def window_of(X: Array, shares: Array | None = None) -> Window:
    """Return the window that holds all frames of a mixture, in two blocks."""
    shares = np.ones(len(X)) if shares is None else shares
    parts = np.array_split(np.arange(len(X)), 2)
    return Window([partial(pack_with_noise, X[i]) for i in parts], [shares[i] for i in parts])


def walked(
    rng: np.random.Generator, n_src: int, mover: int | None, spread: float = 2.0
) -> tuple[Array, Array, Array]:
    """Return a mixture (n_frames, n_chan, n_freq), and ``A`` of its first and its second half."""
    loudness = np.exp(spread * rng.standard_normal((N_FRAMES, n_src, 1)))
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


def looks(X: Array, W: Array) -> list[Look | None]:
    """Look at eight stretches of a mixture."""
    parts = np.array_split(X, 8)
    return [look_at(window_of(part), W, MODEL, len(W), ALL) for part in parts]


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
def test_who_moved_is_found(n_src: int, mover: int) -> None:
    X, before, after = walked(np.random.default_rng(10 * n_src + mover), n_src, mover, 0.7)
    W = inverse(before + 0.3 * (after - before))
    scores = restlessness(looks(X, W), len(W), ALL)
    assert scores.argmax() == mover
    assert scores[mover] > 3


@pytest.mark.parametrize(("n_src", "mover"), [(2, 0), (2, 1), (3, 1)])
def test_who_moved_is_followed(n_src: int, mover: int) -> None:
    X, before, after = walked(np.random.default_rng(10 * n_src + mover), n_src, mover)
    W = inverse(before)
    followed = follow(window_of(X[N_FRAMES // 2 :]), W, MODEL, [mover])
    assert leak(W, after) > -10
    assert leak(followed, after) < -25


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_who_sits_seems_to_move_by_chance_alone(spread: float) -> None:
    """Neither do matrices that are wrong all along tell of motion."""
    rng = np.random.default_rng(5)
    X, before, _ = walked(rng, 3, None)
    W = inverse(before)
    W = W + spread * np.abs(W).mean() * complex_normal(rng, 3, 3, N_FREQ)
    assert np.all(restlessness(looks(X, W), len(W), ALL) < 0.6)


def test_a_look_tells_how_outputs_correlate_by_the_weights_of_the_other() -> None:
    X, before, _ = walked(np.random.default_rng(12), 3, None)
    W, shares = inverse(before), np.arange(N_FREQ) % 2
    look = look_at(window_of(X), W, MODEL, 2, shares)
    assert look is not None
    V = fold([partial(pack_with_noise, X)], W, MODEL).V[..., 1::2]
    W = W[..., 1::2]
    for m, k in ((0, 1), (1, 0)):
        cross = np.einsum("cf,cdf,df->f", W[m], V[m], W[k].conj())
        own = [np.einsum("cf,cdf,df->f", W[i], V[m], W[i].conj()).real for i in (m, k)]
        expected = np.sqrt(N_FRAMES) * cross / np.sqrt(own[0] * own[1])
        np.testing.assert_allclose(look.z[m, k], expected, rtol=1e-3)
    powers = np.mean(np.abs(np.einsum("kcf,tcf->tkf", W[:2], X[..., 1::2])) ** 2, axis=0)
    np.testing.assert_allclose(look.loudness, 10 * np.log10(powers).mean(axis=1), atol=0.01)


def test_a_look_needs_some_frames() -> None:
    X, before, _ = walked(np.random.default_rng(13), 2, None)
    assert look_at(Window([], []), inverse(before), MODEL, 2, ALL) is None
    assert look_at(window_of(X[:2]), inverse(before), MODEL, 2, ALL) is None


def drifting(n: int, path: Array, loudness: Array) -> list[Look | None]:
    """Return looks at two in which the first carries more or less of the second."""
    rng = np.random.default_rng(14)
    leak, z = 2 * complex_normal(rng, N_FREQ), complex_normal(rng, n, 2, 2, N_FREQ)
    z[:, 0, 1] += path[:, None] * leak
    z[:, 1, 0] += path[:, None] * leak
    return [Look(each, level) for each, level in zip(z, loudness, strict=True)]


def test_what_goes_slowly_tells_of_motion_and_what_goes_to_and_fro_does_not() -> None:
    s = (np.arange(16) + 0.5) / 16
    loud = np.zeros((16, 2))
    for path, moves in (
        (np.cos(np.pi * s), True),
        (np.sign(s - 0.5), True),
        (np.sin(np.pi * s) - 0.6, True),
        ((-1.0) ** np.arange(16), False),
        (np.zeros(16), False),
    ):
        scores = restlessness(drifting(16, path, loud), 2, ALL)
        assert bool(scores.max() > 3) is moves


def test_only_stretches_in_which_both_talk_tell() -> None:
    walk, loud = np.linspace(-1, 1, 16), np.zeros((16, 2))
    by_turns = loud.copy()
    by_turns[::2, 0] = by_turns[1::2, 1] = -30
    seldom = loud.copy()
    seldom[6:, 0] = -30
    assert restlessness(drifting(16, walk, loud), 2, ALL).max() > 1
    assert restlessness(drifting(16, walk, by_turns), 2, ALL).max() == 0
    echoes = np.where(np.arange(16) < 6, 0.0, walk)
    assert restlessness(drifting(16, echoes, seldom), 2, ALL).max() < 0.2
    some = [None if n % 3 else look for n, look in enumerate(drifting(16, walk, loud))]
    assert restlessness(some, 2, ALL).max() > 1
    assert restlessness(some[:12], 2, ALL).max() == 0  # too few


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
    matrices = [follow(window, W, MODEL, [1]) for window in windows]
    base = disentangle(windows, matrices, MODEL, 1, ipa)
    for window, A in ((windows[0], before), (windows[-1], after)):
        assert leak(follow(window, base, MODEL, [1]), A) < -20


def test_what_stays_is_what_the_formulas_give() -> None:
    X, before, _ = walked(np.random.default_rng(12), 3, 1)
    windows = [window_of(part) for part in np.array_split(X, [100, 150])]
    W_s = [follow(window, inverse(before), MODEL, [1]) for window in windows]
    found = disentangle(windows, W_s, MODEL, 1, ipa)

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


def test_a_window_of_too_few_frames_takes_what_its_neighbour_towards_the_first_has() -> None:
    X, before, _ = walked(np.random.default_rng(13), 2, 0)
    few, enough = window_of(X[: FEWEST_FRAMES - 1]), window_of(X[:FEWEST_FRAMES])
    W = inverse(before)
    for at, changed in enumerate([(0,), (0, 1), (0, 1, 2, 3, 4), (3, 4), (4,)]):
        windows = [enough if s == at else few for s in range(5)]
        matrices = wander(windows, W, MODEL, ipa, 2)
        assert [s for s in range(5) if matrices[s] is not W] == list(changed)
        assert len({id(matrices[s]) for s in changed}) == 1


def test_several_are_followed_in_order() -> None:
    X, before, after = walked(np.random.default_rng(9), 2, 0)
    windows = [window_of(part) for part in np.array_split(X, 4)]
    matrices = wander(windows, inverse(before), MODEL, ipa, 2)
    assert leak(matrices[0], before) < -20
    assert leak(matrices[-1], after) < -20


@pytest.mark.parametrize("n_src", [2, 4])
def test_rows_are_put_in_the_order_of_others(n_src: int) -> None:
    rng = np.random.default_rng(15)
    W = inverse(complex_normal(rng, n_src, n_src, N_FREQ))
    near = W + 0.1 * np.abs(W).mean() * complex_normal(rng, n_src, n_src, N_FREQ)
    np.testing.assert_array_equal(aligned(near[rng.permutation(n_src)], W), near)


def test_displacement_is_none_at_first_and_does_not_depend_on_scale() -> None:
    rng = np.random.default_rng(11)
    A = complex_normal(rng, 3, 3, N_FREQ)
    moved = A.copy()
    moved[:, 1] = complex_normal(rng, 3, N_FREQ)
    matrices = [inverse(A), inverse(moved), inverse(2j * A)]
    assert displacements(matrices, 1)[[0, 2]] == pytest.approx([0, 0])
    assert displacements(matrices, 1)[1] > 0.3
    assert displacements(matrices, 0) == pytest.approx([0, 0, 0])
