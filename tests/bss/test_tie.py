"""Ties between bands: what the bands have in common, and the model that follows from it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import oracle
import pytest
from oracle import Array

from auxiva_cli.bss.auxiva import Stage, StageTrace, auxiva
from auxiva_cli.bss.fold import pack_with_noise
from auxiva_cli.bss.source_models import PowerMean, SourceModel, bands, gauss
from auxiva_cli.bss.tie import common_share, tied
from auxiva_cli.bss.updates.ipa import ipa

N_FREQ = 256
BANDS = bands(np.linspace(0, 8000, N_FREQ), 16)
ALONE = bands(np.linspace(0, 8000, N_FREQ), 16, 1)
SHORT, MIDDLING, LONG = 20, 60, 400  # frames a source


def talk(common: float, n_frames: int, n_src: int = 2) -> Array:
    """Draw energies of bands whose log activities have this share of their variance in common."""
    rng = np.random.default_rng(3)
    n_segments = len(BANDS.edges) - 1
    together = rng.standard_normal((1, n_frames, n_src))
    own = rng.standard_normal((n_segments, n_frames, n_src))
    levels = np.exp(np.sqrt(common) * together + np.sqrt(1 - common) * own)
    return np.diff(BANDS.edges)[:, None, None] * levels


def exponent(model: SourceModel) -> float:
    """Return the exponent of a model that is a power mean."""
    assert isinstance(model.contrast, PowerMean)
    return model.contrast.exponent


def test_bands_that_rise_and_fall_together_have_everything_in_common() -> None:
    np.testing.assert_allclose(common_share(talk(1.0, 50), BANDS), 1, rtol=1e-9)


def test_of_independent_bands_the_share_is_one_over_their_number() -> None:
    share = common_share(talk(0.0, 5_000), ALONE)
    np.testing.assert_allclose(share, 1 / 16, rtol=0.2)


@pytest.mark.parametrize("common", [0.3, 0.5, 0.7])
def test_the_share_is_that_of_the_variances(common: float) -> None:
    share = common_share(talk(common, 5_000), ALONE)
    np.testing.assert_allclose(share, common + (1 - common) / 16, atol=0.03)


def test_the_share_does_not_depend_on_the_levels_of_the_bands() -> None:
    energies = talk(0.5, 100)
    levels = 10 ** np.random.default_rng(5).uniform(-2, 2, (len(energies), 1, 1))
    np.testing.assert_allclose(
        common_share(energies * levels, ALONE), common_share(energies, ALONE), rtol=1e-9
    )


def test_what_is_far_below_the_mean_of_a_band_is_no_silence_of_its_own() -> None:
    """Bands that fall silent together keep that in common, however deep each falls."""
    energies = talk(1.0, 200)
    energies[:, ::2] *= 1e-3 * np.random.default_rng(6).uniform(0, 1, (len(energies), 1, 1))
    assert common_share(energies, ALONE).min() > 0.95


@pytest.mark.parametrize(
    ("common", "n_frames", "expected"),
    [
        *((0.1, SHORT, 1 / 32), (0.1, MIDDLING, 1 / 4), (0.1, LONG, 1 / 2)),
        *((0.9, SHORT, 1 / 16), (0.9, MIDDLING, 1 / 2), (0.9, LONG, 1)),
    ],
)
def test_the_longer_the_tighter_and_conversations_twice_as_tight(
    common: float, n_frames: int, expected: float
) -> None:
    for n_src in (2, 3):
        model = tied(BANDS, talk(common, n_frames * n_src, n_src))
        assert exponent(model) == pytest.approx(expected)
        assert model == replace(BANDS, contrast=model.contrast)


def test_ties_grow_steadily_in_between() -> None:
    energies = [talk(common, 4 * LONG) for common in np.linspace(0.3, 0.6, 31)]
    exponents = [exponent(tied(ALONE, each)) for each in energies]
    assert np.all(np.diff(exponents) >= 0)
    assert len(set(exponents)) > 4
    exponents = [exponent(tied(ALONE, energies[0][:, :n])) for n in range(40, 400, 20)]
    assert len({round(each, 9) for each in exponents}) > 8


def test_bands_tied_as_one_are_weighted_like_the_gauss_model() -> None:
    energies = talk(0.2, 30)
    contrast, weights = replace(BANDS, contrast=PowerMean(1.0)).evaluate(energies)
    of_all, weight = gauss(N_FREQ).evaluate(energies.sum(axis=0, keepdims=True))
    np.testing.assert_allclose(weights, np.repeat(weight, len(weights), axis=0), rtol=1e-12)
    np.testing.assert_allclose(contrast - of_all, contrast[0, 0] - of_all[0, 0], rtol=1e-12)


def test_bands_hardly_tied_are_weighted_like_bands() -> None:
    energies = talk(0.2, 30)
    contrast, weights = replace(BANDS, contrast=PowerMean(1e-7)).evaluate(energies)
    of_bands, of_each = BANDS.evaluate(energies)
    np.testing.assert_allclose(weights, of_each, rtol=1e-5)
    constant = np.sum(BANDS.sizes * np.log(BANDS.sizes))
    np.testing.assert_allclose(contrast, of_bands - constant, rtol=1e-4, atol=1e-3)


def run(*stages: Stage) -> tuple[Array, tuple[StageTrace, ...]]:
    """Run stages in silence, from the identity."""
    start = np.repeat(np.eye(2, dtype=complex)[..., None], N_FREQ, axis=-1)
    return auxiva(start, stages, ipa, report=lambda _, __: None, advanced=lambda _, __: None)


def white_table() -> Array:
    """Return the table of a whitened mixture of two sources."""
    X, _, _ = oracle.synthetic_mixture(2, 2, 90, N_FREQ, seed=4)
    return pack_with_noise(oracle.demix(X, oracle.whitening(X, 2)))


def test_a_tied_stage_has_the_model_that_its_start_suggests_and_its_cost_never_rises() -> None:
    tables = [partial(np.asarray, white_table())]
    _, (untied, trace) = run(
        Stage("bands", BANDS, tables, 3, 0.0),
        Stage("tied", replace(BANDS), tables, 10, 0.0, tie=2),
    )
    assert np.all(np.diff(trace.costs) <= 1e-9 * np.abs(trace.costs).max())
    assert trace.costs[-1] < trace.costs[0]
    assert untied.costs[-1] != pytest.approx(trace.costs[0], rel=1e-3)


def test_a_tied_stage_that_goes_on_keeps_its_ties() -> None:
    tables = [partial(np.asarray, white_table())]
    whole = Stage("tied", BANDS, tables, 6, 0.0, tie=2)
    W, (trace,) = run(whole)
    parts = replace(whole, max_iter=2), replace(whole, name="rest", max_iter=4)
    W_parts, (first, rest) = run(*parts)
    np.testing.assert_allclose(W_parts, W, rtol=1e-9)
    assert (*first.costs, *rest.costs[1:]) == pytest.approx(trace.costs)
