"""Low frequencies that are begun afresh, by when the sources speak above."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import oracle
import pytest
from oracle import Array
from problems import complex_normal

from auxiva_cli.bss.auxiva import Iteration, StageTrace
from auxiva_cli.bss.fold import pack
from auxiva_cli.bss.guide import can_guide, guide
from auxiva_cli.bss.updates.ipa import ipa

FREQUENCIES = np.arange(1, 81) * 50.0
LOW = FREQUENCIES < 600
N_FRAMES = 300


def talk(n_src: int) -> tuple[Array, Array, Array]:
    """Draw sources that come and go, in a whitened mixture; return both, and how they are found."""
    rng = np.random.default_rng(n_src)
    loudness = rng.gamma(0.3, size=(N_FRAMES, n_src, 1)) + 1e-3
    S = loudness * complex_normal(rng, N_FRAMES, n_src, len(FREQUENCIES))
    X = np.einsum("ckf,tkf->tcf", complex_normal(rng, n_src, n_src, len(FREQUENCIES)), S)
    X = np.einsum("kcf,tcf->tkf", oracle.whitening(X, n_src), X)
    # The rows that give the sources back, at unit power.
    W = np.stack([np.linalg.lstsq(X[..., f], S[..., f])[0].T for f in range(len(FREQUENCIES))], -1)
    return S, X, W / np.linalg.norm(W, axis=1, keepdims=True)


def guided(X: Array, W: Array, max_iter: int = 10) -> tuple[Array, StageTrace, list[Array]]:
    """Guide, and keep the matrices that are reported."""
    heard: list[Array] = []

    def report(iteration: Iteration, W: Array) -> None:
        heard.append(W)

    tables = [partial(pack, part) for part in np.split(X, [70, 71, 190])]
    found, trace = guide(tables, W, FREQUENCIES).minimise(
        ipa, name="guided", max_iter=max_iter, tol=0.0, report=report
    )
    return found, trace, heard


def crosstalk(W: Array, S: Array, X: Array) -> float:
    """Return the largest share of another source's power in an output at low frequencies, in dB."""
    Y = np.einsum("kcf,tcf->tkf", W, X)[..., LOW]
    gains = np.einsum("tkf,tjf->kjf", Y, S[..., LOW].conj())
    power = np.abs(gains) ** 2
    own = np.einsum("kkf->kf", power)
    others = power.sum(axis=1) - own
    return float(10 * np.log10((others / own).mean()))


@pytest.mark.parametrize("n_src", [2, 3, 4])
def test_wrong_low_frequencies_are_put_right(n_src: int) -> None:
    S, X, W = talk(n_src)
    wrong = W.copy()
    wrong[..., LOW] = np.roll(W[..., LOW], 1, axis=0)
    found, _, _ = guided(X, wrong)
    assert crosstalk(found, S, X) < -15
    assert crosstalk(wrong, S, X) > 0


def test_one_frame_does_not_outweigh_all_others() -> None:
    S, X, W = talk(3)
    found, _, _ = guided(X, W)
    # A source is never as silent again as in this frame, in which the low frequencies are noise.
    X[150] *= 1e-2
    X[150, :, LOW] = complex_normal(np.random.default_rng(5), LOW.sum(), 3)
    thrown, _, _ = guided(X, W)
    assert crosstalk(thrown, S, X) < crosstalk(found, S, X) + 3


def test_all_else_stays() -> None:
    _, X, W = talk(3)
    W = W * np.linspace(1, 3, len(FREQUENCIES))
    found, _, _ = guided(X, W)
    np.testing.assert_array_equal(found[..., ~LOW], W[..., ~LOW])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.linalg.norm(W, axis=1), rtol=1e-12)


def test_the_cost_is_that_of_the_fixed_variances_and_never_rises() -> None:
    rng = np.random.default_rng(6)  # noise, of which no two frames are equally quiet
    X = complex_normal(rng, N_FRAMES, 3, len(FREQUENCIES))
    X = np.einsum("kcf,tcf->tkf", oracle.whitening(X, 3), X)
    W = complex_normal(rng, 3, 3, len(FREQUENCIES))
    _, trace, heard = guided(X, W)
    assert len(trace.costs) == len(heard) == 11
    assert all(after <= before + 1e-9 * abs(before) for before, after in pairwise(trace.costs))
    power = np.abs(np.einsum("kcf,tcf->tkf", W, X)) ** 2
    h = ((FREQUENCIES >= 450) & (FREQUENCIES < 3500)) / (700 + FREQUENCIES)
    logarithms = np.log(power / power.mean(axis=0) + 0.01)
    g = np.exp(logarithms @ (h / h.sum()))
    g4 = np.maximum(g, np.sort(g, axis=0)[2 * 3 - 1]) ** 4
    weights = g4.mean(axis=0) / g4
    start = np.einsum("tk,tkf->", weights, np.abs(X[..., LOW]) ** 2) / N_FRAMES
    assert trace.costs[0] == pytest.approx(start, rel=1e-6)


def test_without_an_iteration_low_frequencies_are_as_whitening_left_them() -> None:
    _, X, W = talk(2)
    found, trace, _ = guided(X, W, max_iter=0)
    assert len(trace.costs) == 1
    off_diagonal = found[[0, 1], [1, 0]][..., LOW]
    np.testing.assert_array_equal(off_diagonal, 0)


def test_a_guide_needs_sources_low_frequencies_and_a_middle_that_sounds() -> None:
    frequencies = np.arange(1, 1001) * 4.0
    powers = np.ones(len(frequencies))
    assert can_guide(2, frequencies, powers)
    assert not can_guide(1, frequencies, powers)
    assert not can_guide(2, frequencies[149:], powers[149:])  # from 600 Hz
    assert not can_guide(2, frequencies[:60], powers[:60])
    assert not can_guide(2, frequencies, np.where(frequencies < 1500, 1, 1e-7))
    assert can_guide(2, frequencies, np.where(frequencies < 2500, 1, 1e-7))


def test_a_short_window_is_not_guided() -> None:
    powers = np.ones(1000)
    assert can_guide(2, np.arange(1, 1001) * 4.9, powers)
    assert not can_guide(2, np.arange(1, 1001) * 5.1, powers)
    assert not can_guide(2, np.array([500.0]), powers[:1])
