"""The measures of separation, against known values, identities and independent oracles."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from auxiva_cli.errors import ParameterError, RecordingError
from auxiva_cli.evaluation import (
    LIMIT_DB,
    bss_eval,
    bss_eval_scores,
    correlate,
    si_bss_eval,
    si_scores,
)

MEASURES = ("sdr", "sir", "sar")


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture
def separated(rng):
    """Three references, estimates of them in another order with crosstalk and noise, a mixture."""
    references = rng.standard_normal((3, 4000))
    crosstalk = np.eye(3) + 0.2 * rng.standard_normal((3, 3))
    estimates = (crosstalk @ references + 0.1 * rng.standard_normal((3, 4000)))[[2, 0, 1]]
    return references, estimates, references.sum(axis=0)


def decibels(ratio):
    return 10 * np.log10(ratio)


def measures_by_projection(references, estimate, k, n_taps):
    """Project on delayed references by least squares, straight from the definitions."""
    n = references.shape[1] + n_taps - 1
    delayed = np.zeros((len(references), n_taps, n))
    for i, reference in enumerate(references):
        for lag in range(n_taps):
            delayed[i, lag, lag : lag + len(reference)] = reference
    estimate = np.pad(estimate, (0, n_taps - 1))

    def project(vectors):
        basis = vectors.reshape(-1, n).T
        return basis @ np.linalg.lstsq(basis, estimate, rcond=None)[0]

    def energy(signal):
        return np.sum(signal**2)

    target, explained = project(delayed[k]), project(delayed)
    artefacts = energy(estimate - explained)
    return {
        "sdr": decibels(energy(target) / energy(estimate - target)),
        "sir": decibels(energy(target) / energy(explained - target)),
        "sar": decibels(energy(explained) / artefacts),
        "si_sar": decibels(energy(target) / artefacts),
    }


def test_orthogonal_crosstalk_and_noise_of_known_levels_give_these_levels():
    basis = np.eye(3).repeat(4, axis=1)
    estimates = [basis[0] + 0.1 * basis[1] + 0.01 * basis[2], basis[1]]
    scores = si_bss_eval(basis[:2], estimates)
    assert scores.sir[0] == pytest.approx(20.0)
    assert scores.sar[0] == pytest.approx(40.0)
    assert scores.sdr[0] == pytest.approx(-decibels(10**-2 + 10**-4))


def test_the_scale_invariant_measures_are_the_projections_that_define_them(separated):
    references, estimates, _ = separated
    scores = si_bss_eval(references, estimates)
    for k in range(3):
        expected = measures_by_projection(references, estimates[scores.permutation[k]], k, 1)
        assert scores.sdr[k] == pytest.approx(expected["sdr"], abs=1e-6)
        assert scores.sir[k] == pytest.approx(expected["sir"], abs=1e-6)
        assert scores.sar[k] == pytest.approx(expected["si_sar"], abs=1e-6)


def test_bss_eval_is_the_projections_that_define_it(rng):
    references = rng.standard_normal((2, 300))
    estimates = np.array([[1.0, 0.3], [0.2, 1.0]]) @ references + 0.1 * rng.standard_normal(
        (2, 300)
    )
    scores = bss_eval(references, estimates, filter_length=8)
    for k in range(2):
        expected = measures_by_projection(references, estimates[k], k, 8)
        for measure in MEASURES:
            assert getattr(scores, measure)[k] == pytest.approx(expected[measure], abs=1e-6)


def test_bss_eval_agrees_with_mir_eval(separated):
    mir_eval = pytest.importorskip("mir_eval", reason="mir_eval is not installed")
    if not hasattr(mir_eval, "separation"):
        pytest.skip("this mir_eval no longer has BSS Eval")
    references, estimates, _ = separated
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it says that it will be removed
        *expected, permutation = mir_eval.separation.bss_eval_sources(references, estimates)
    scores = bss_eval(references, estimates)
    np.testing.assert_array_equal(scores.permutation, permutation)
    for measure, values in zip(MEASURES, expected, strict=True):
        np.testing.assert_allclose(getattr(scores, measure), values, atol=1e-4)


def test_bss_eval_agrees_with_fast_bss_eval(separated):
    fast_bss_eval = pytest.importorskip("fast_bss_eval", reason="fast_bss_eval is not installed")
    references, estimates, _ = separated
    # Its direct solver fails with NumPy 2, hence conjugate gradients.
    *expected, permutation = fast_bss_eval.bss_eval_sources(
        references, estimates, use_cg_iter=200, load_diag=None
    )
    scores = bss_eval(references, estimates)
    np.testing.assert_array_equal(scores.permutation, permutation)
    for measure, values in zip(MEASURES, expected, strict=True):
        np.testing.assert_allclose(getattr(scores, measure), values, atol=1e-2)


def test_inverse_ratios_of_si_sir_and_si_sar_sum_to_that_of_si_sdr(separated):
    scores = si_bss_eval(*separated[:2])
    inverse = [10 ** (-getattr(scores, measure) / 10) for measure in MEASURES]
    np.testing.assert_allclose(inverse[0], inverse[1] + inverse[2], rtol=1e-9)


@pytest.mark.parametrize("measure", [si_bss_eval, bss_eval])
def test_neither_levels_nor_signs_change_anything(measure, separated):
    references, estimates, _ = separated
    expected = measure(references, estimates)
    gains = np.array([[1e-6], [-3.0], [1e4]])
    scores = measure(gains * references, gains[::-1] * estimates)
    np.testing.assert_array_equal(scores.permutation, expected.permutation)
    for name in MEASURES:
        np.testing.assert_allclose(getattr(scores, name), getattr(expected, name), atol=1e-5)


@pytest.mark.parametrize("measure", [si_bss_eval, bss_eval])
def test_the_order_of_the_estimates_changes_only_the_permutation(measure, separated):
    references, estimates, _ = separated
    expected = measure(references, estimates)
    order = np.array([1, 2, 0])
    scores = measure(references, estimates[order])
    np.testing.assert_array_equal(order[scores.permutation], expected.permutation)
    np.testing.assert_allclose(scores.sdr, expected.sdr)


@pytest.mark.parametrize("measure", [si_bss_eval, bss_eval])
def test_an_estimate_equal_to_its_reference_scores_the_limit_and_not_infinity(measure, rng):
    references = rng.standard_normal((2, 2000))
    scores = measure(references, references[::-1])
    np.testing.assert_array_equal(scores.permutation, [1, 0])
    np.testing.assert_allclose([scores.sdr, scores.sir, scores.sar], LIMIT_DB, atol=0.1)


def test_a_filtered_reference_is_perfect_for_bss_eval_and_not_for_si_sdr(rng):
    references = rng.standard_normal((2, 3000))
    echo = np.zeros(300)
    echo[[0, 299]] = 1.0, 0.5
    estimates = [np.convolve(np.r_[s[:-299], np.zeros(299)], echo)[:3000] for s in references]
    references[:, -299:] = 0.0
    assert (bss_eval(references, estimates).sdr > 90).all()
    assert (si_bss_eval(references, estimates).sdr < 10).all()


def test_one_reference_has_no_interference(rng):
    reference, noise = rng.standard_normal((2, 2000))
    for measure in (si_bss_eval, bss_eval):
        scores = measure([reference], [reference + 0.1 * noise])
        assert scores.sdr[0] == pytest.approx(scores.sar[0], abs=1e-6)
        assert scores.sdr[0] > 15
        assert np.isnan(scores.sir[0])


@pytest.mark.parametrize("measure", [si_bss_eval, bss_eval])
def test_a_silent_reference_has_no_measures_and_takes_no_estimate(measure, separated):
    references, estimates, mixture = separated
    references[1] = 0.0
    scores = measure(references, estimates, mixture)
    assert scores.permutation[1] == -1
    others = measure(references[[0, 2]], estimates, mixture)
    np.testing.assert_array_equal(scores.permutation[[0, 2]], others.permutation)
    for name in (*MEASURES, "sdr_improvement", "sir_improvement"):
        assert np.isnan(getattr(scores, name)[1])
        np.testing.assert_allclose(getattr(scores, name)[[0, 2]], getattr(others, name))


def test_nothing_but_silence_has_no_measures():
    scores = si_bss_eval(np.zeros((2, 8)), np.zeros((2, 8)), np.zeros(8))
    np.testing.assert_array_equal(scores.permutation, [-1, -1])
    assert np.isnan([scores.sdr, scores.sir, scores.sar, scores.sdr_improvement]).all()


def test_a_silent_estimate_is_paired_last_and_has_no_measures(separated):
    references, estimates, _ = separated
    full = si_bss_eval(references, estimates)
    estimates[0] = 0.0
    scores = si_bss_eval(references, estimates)
    np.testing.assert_array_equal(scores.permutation, full.permutation)
    np.testing.assert_array_equal(np.isnan(scores.sdr), full.permutation == 0)


def test_an_extra_output_of_noise_is_left_over_though_its_sir_is_the_highest(rng):
    basis = np.eye(4).repeat(2, axis=1)
    noise = basis[3] + 1e-3 * basis[0]
    estimates = [noise, basis[1] + 0.3 * basis[0], basis[0] + 0.3 * basis[1]]
    np.testing.assert_array_equal(si_bss_eval(basis[:2], estimates).permutation, [2, 1])


def test_with_one_reference_the_nearest_of_many_estimates_is_chosen(rng):
    signals = rng.standard_normal((3, 1000))
    scores = si_bss_eval(signals[:1], [signals[1], signals[0] + 0.1 * signals[2], signals[2]])
    assert scores.permutation[0] == 1


def test_a_reference_too_many_is_left_without_an_estimate(separated):
    references, estimates, _ = separated
    scores = si_bss_eval(references, estimates[:2])
    np.testing.assert_array_equal(scores.permutation, [1, -1, 0])
    np.testing.assert_array_equal(np.isnan(scores.sdr), [False, True, False])


@pytest.mark.parametrize("measure", [si_bss_eval, bss_eval])
def test_improvement_is_the_difference_to_the_mixture_taken_as_the_estimate(measure, separated):
    references, estimates, mixture = separated
    scores = measure(references, estimates, mixture)
    before = measure(references, np.tile(mixture, (3, 1)))
    np.testing.assert_allclose(scores.sdr_improvement, scores.sdr - before.sdr)
    np.testing.assert_allclose(scores.sir_improvement, scores.sir - before.sir)


def test_without_a_mixture_there_is_no_improvement(separated):
    scores = si_bss_eval(*separated[:2])
    assert np.isnan(scores.sdr_improvement).all()


def test_both_families_follow_from_one_pass_and_can_share_a_pairing(separated):
    references, estimates, mixture = separated
    signals = np.concatenate([references, estimates, mixture[np.newaxis]])
    correlations = correlate(
        lambda start, n: signals[:, start : start + n],
        n_samples=4000,
        n_ref=3,
        n_est=4,
        has_mixture=True,
    )
    both = bss_eval_scores(correlations), si_scores(correlations)
    expected = bss_eval(references, estimates, mixture), si_bss_eval(references, estimates, mixture)
    for scores, alone in zip(both, expected, strict=True):
        np.testing.assert_allclose(scores.sdr, alone.sdr, atol=1e-6)
        np.testing.assert_allclose(scores.sir_improvement, alone.sir_improvement, atol=1e-6)
    kept = si_scores(correlations, np.array([0, 1, -1]))
    np.testing.assert_array_equal(kept.permutation, [0, 1, -1])


def test_correlations_over_many_blocks_are_the_sums_that_define_them(rng):
    n_samples, n_taps = 100_000, 5
    signals = rng.standard_normal((3, n_samples))
    lengths = []

    def read(start, n):
        lengths.append(n)
        return signals[:, start : start + n]

    found = correlate(read, n_samples=n_samples, n_ref=2, n_est=1, n_taps=n_taps)
    assert len(lengths) > 2
    assert sum(lengths) == n_samples
    for lag in range(n_taps):
        ahead = np.pad(signals[:, lag:], ((0, 0), (0, lag)))
        expected = signals[:2] @ ahead.T
        np.testing.assert_allclose(found.references[..., lag], expected[:, :2], atol=1e-7)
        np.testing.assert_allclose(found.estimates[..., lag], expected[:, 2:], atol=1e-7)
    np.testing.assert_allclose(found.energies, [signals[2] @ signals[2]])


def test_memory_does_not_grow_with_the_length(rng):
    import tracemalloc

    block = rng.standard_normal((4, 40_000))

    def peak(n_samples):
        tracemalloc.start()
        correlate(lambda start, n: block[:, :n], n_samples=n_samples, n_ref=2, n_est=2)
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    peak(1000)
    assert peak(2_000_000) < 1.2 * peak(100_000)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(separated, broken):
    references, estimates, _ = separated
    estimates[1, 17] = broken
    with pytest.raises(RecordingError, match="1 of 6 signals") as caught:
        si_bss_eval(references, estimates)
    assert caught.value.kind == "input-nonfinite"


def test_band_limited_and_repeated_references_are_no_numerical_trouble(rng):
    spectrum = np.fft.rfft(rng.standard_normal((2, 8000)))
    spectrum[:, 1000:] = 0.0
    references = np.fft.irfft(spectrum)
    references = np.concatenate([references, references[:1]])
    for measure in (si_bss_eval, bss_eval):
        scores = measure(references, references)
        assert (scores.sdr > 50).all()


@pytest.mark.parametrize(
    ("references", "estimates", "mixture"),
    [
        (np.ones((2, 8)), np.ones((2, 9)), None),
        (np.ones(8), np.ones((2, 8)), None),
        (np.ones((2, 8)), np.ones((2, 8)), np.ones(7)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(references, estimates, mixture):
    with pytest.raises(ParameterError, match="of one length"):
        si_bss_eval(references, estimates, mixture)


def test_a_filter_needs_a_tap():
    with pytest.raises(ParameterError, match="filter_length=0"):
        bss_eval(np.ones((1, 8)), np.ones((1, 8)), filter_length=0)
