"""The measures along time, against the measures of the stretches cut out."""

from __future__ import annotations

import numpy as np
import pytest

from auxiva_cli.evaluation import (
    bss_eval,
    correlate,
    si_bss_eval,
    stretch_bounds,
    stretch_scores,
)

LENGTH = 1000
N_TAPS = 4


def stretches_of(references, estimates, mixture=None):
    """Return the measures along time of signals in memory."""
    signals = np.concatenate([references, estimates, *([] if mixture is None else [mixture[None]])])
    sizes = {"n_ref": len(references), "n_est": len(signals) - len(references)}

    def read(start, n):
        return signals[:, start : start + n]

    whole = correlate(
        read, n_samples=signals.shape[1], **sizes, has_mixture=mixture is not None, n_taps=N_TAPS
    )
    return list(stretch_scores(read, whole, n_samples=signals.shape[1], length=LENGTH))


@pytest.fixture
def separated():
    """Two references for three and a half stretches, and three estimates in another order."""
    rng = np.random.default_rng(8)
    references = rng.standard_normal((2, 3500))
    crosstalk = np.array([[0.3, 1.0], [0.1, 0.1], [1.0, 0.2]])
    estimates = crosstalk @ references + 0.1 * rng.standard_normal((3, 3500))
    return references, estimates, references.sum(axis=0)


def test_each_stretch_has_the_measures_of_what_is_cut_out(separated):
    found = stretches_of(*separated)
    assert [(each.start, each.stop) for each in found] == [
        (0, 1000), (1000, 2000), (2000, 3000), (3000, 3500),
    ]  # fmt: skip
    for each in found:
        cut = [signals[..., each.start : each.stop] for signals in separated]
        si, bss = si_bss_eval(*cut), bss_eval(*cut, filter_length=N_TAPS)
        np.testing.assert_array_equal(each.owners, [2, 0])
        for name in ("permutation", "sdr", "sir", "sar", "sdr_improvement", "sir_improvement"):
            np.testing.assert_allclose(getattr(each.si, name), getattr(si, name), atol=1e-6)
            np.testing.assert_allclose(getattr(each.bss, name), getattr(bss, name), atol=1e-6)


def test_where_estimates_are_swapped_the_pairing_stays_and_the_owners_change(separated):
    references, estimates, _ = separated
    estimates[:, 1000:2000] = estimates[[2, 1, 0], 1000:2000]
    found = stretches_of(references, estimates)
    assert [each.owners.tolist() for each in found] == [[2, 0], [0, 2], [2, 0], [2, 0]]
    for each in found:
        np.testing.assert_array_equal(each.bss.permutation, [2, 0])
        cut = slice(each.start, each.stop)
        paired = si_bss_eval(references[:1, cut], estimates[2:, cut])
        assert each.si.sdr[0] == pytest.approx(paired.sdr[0], abs=1e-6)
    assert found[1].si.sdr[0] < 0 < found[0].si.sdr[0]


@pytest.mark.parametrize(("level_db", "heard"), [(-28.0, True), (-33.0, False)])
def test_a_reference_30_db_below_its_mean_is_silent(separated, level_db, heard):
    references, estimates, mixture = separated
    references[1, :1000] *= 10 ** (level_db / 20)
    first, *others = stretches_of(references, estimates, mixture)
    assert first.heard.tolist() == [True, heard]
    assert (first.owners[1] >= 0) == heard
    for scores in (first.si, first.bss):
        for name in ("sdr", "sir", "sar", "sdr_improvement"):
            assert np.isnan(getattr(scores, name)[1]) != heard
    assert np.isfinite(first.si.sdr[0])
    assert np.isnan(first.si.sir[0]) != heard  # no other is there to interfere
    assert all(each.heard.all() for each in others)


@pytest.mark.parametrize(
    ("n_samples", "stops"),
    [(1, [1]), (1499, [1499]), (1500, [1000, 1500]), (2000, [1000, 2000]), (2499, [1000, 2499])],
)
def test_the_last_stretch_takes_in_a_rest_below_half(n_samples, stops):
    bounds = stretch_bounds(n_samples, 1000)
    assert [stop for _, stop in bounds] == stops
    assert [start for start, _ in bounds] == [0, *stops[:-1]]
