"""Source models: cliques that share out every frequency, contrasts that their weights majorise."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import engine_models, model_for_oracle

from auxiva_cli.bss.auxiva import Stage, auxiva
from auxiva_cli.bss.fold import pack_with_noise
from auxiva_cli.bss.source_models import PowerMean, SourceModel, bands, gauss, laplace
from auxiva_cli.bss.updates.ipa import ipa

N_FREQ = 40
FREQUENCIES = np.linspace(0, 8000, N_FREQ)
MODELS = engine_models(N_FREQ) | {
    "bands-64": bands(FREQUENCIES, 64),
    "bands-32 by 8": bands(FREQUENCIES, 32, 8),
    "loose": replace(bands(FREQUENCIES, 64), contrast=PowerMean(0.25)),
    "tight": replace(bands(FREQUENCIES, 64), contrast=PowerMean(1.0)),
}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def draw_energies(model: SourceModel, seed: int = 0) -> Array:
    """Draw energies over five orders of magnitude, (n_segments, n_frames, n_src)."""
    rng = np.random.default_rng(seed)
    return 10 ** rng.uniform(-4, 1, (len(model.edges) - 1, 6, 2))


@given(st.integers(2, 600), st.integers(2, 100), st.integers(1, 100))
def test_segments_follow_each_other_and_cliques_share_out_each_of_them(
    n_freq: int, n_cells: int, n_span: int
) -> None:
    model = bands(np.linspace(0, 24_000, n_freq), n_cells, n_span)
    assert model.edges[0] == 0
    assert model.edges[-1] == n_freq
    assert np.all(np.diff(model.edges) > 0)
    np.testing.assert_allclose(model.cliques.sum(axis=0), 1, rtol=1e-12)
    assert model.sizes.sum() == pytest.approx(n_freq)


@given(st.integers(2, 40), st.integers(1, 40))
def test_a_clique_is_neighbouring_cells_and_each_is_tied_to_the_next(
    n_cells: int, n_span: int
) -> None:
    cliques = bands(np.linspace(0, 8000, 4097), n_cells, n_span).cliques > 0
    for clique in cliques:
        first, last = np.flatnonzero(clique)[[0, -1]]
        assert clique[first : last + 1].all()
        assert last - first + 1 == min(n_span, len(clique))
    tied = (cliques[:, :-1] & cliques[:, 1:]).any(axis=0)
    assert np.all(tied == (n_span > 1))


@pytest.mark.parametrize("n_cells", [4, 16, 64])
def test_cells_are_equally_wide_on_the_mel_scale(n_cells: int) -> None:
    frequencies = np.linspace(20, 8000, 4097)
    mel = 2595 * np.log10(1 + frequencies / 700)
    borders = mel[list(bands(frequencies, n_cells).edges[1:-1])]
    expected = np.linspace(mel[0], mel[-1], n_cells + 1)[1:-1]
    assert np.all((borders >= expected - 1e-9) & (borders < expected + np.diff(mel).max()))


def test_bands_of_one_clique_are_the_gauss_model() -> None:
    energies = draw_energies(bands(FREQUENCIES, 2))
    contrast, weights = bands(FREQUENCIES, 2).evaluate(energies)
    of_all, weight = gauss(N_FREQ).evaluate(energies.sum(axis=0, keepdims=True))
    np.testing.assert_allclose(contrast, of_all, rtol=1e-12)
    np.testing.assert_allclose(weights, np.repeat(weight, 2, axis=0), rtol=1e-12)


@each_model
def test_contrast_and_weights_are_those_of_the_formulas(model: SourceModel) -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((3, 1, N_FREQ)) + 0j
    W = np.ones((1, 1, N_FREQ), complex)
    energies = np.add.reduceat(np.abs(X) ** 2, model.edges[:-1], axis=-1).transpose(2, 0, 1)
    contrast, weights = model.evaluate(energies)
    written_out = model_for_oracle(model)
    r2 = oracle.activities(X, W, written_out.cliques)[0]
    for t in range(len(X)):
        assert contrast[t, 0] == pytest.approx(written_out.contrast(r2[:, t]))
        per_bin = np.repeat(weights[:, t, 0], np.diff(model.edges))
        np.testing.assert_allclose(
            per_bin, written_out.slope(r2[:, t]) @ written_out.cliques, rtol=1e-10
        )


@each_model
def test_the_weights_majorise_the_contrast_and_touch_it(model: SourceModel) -> None:
    here, there = draw_energies(model, 1), draw_energies(model, 2)
    contrast, weights = model.evaluate(here)
    elsewhere, _ = model.evaluate(there)
    tangent = contrast + np.sum(weights * (there - here), axis=0)
    assert np.all(elsewhere <= tangent + 1e-9 * np.abs(tangent))
    step = 1e-6
    nearby, _ = model.evaluate(here * (1 + step))
    np.testing.assert_allclose(
        (nearby - contrast) / step, np.sum(weights * here, axis=0), rtol=1e-4, atol=1e-6
    )


def test_a_frame_40_db_down_has_30_percent_of_the_published_weight_and_a_loud_one_all() -> None:
    energies = N_FREQ * np.array([1e-4, 1.0, 1e4])[None, :, None]
    _, weights = laplace(N_FREQ).evaluate(energies)
    published = 1 / (2 * np.sqrt(energies))
    np.testing.assert_allclose((weights / published).ravel(), [0.3015, 0.9995, 1], atol=1e-4)


@each_model
@pytest.mark.parametrize("n_src", [2, 4])
def test_the_cost_never_rises(model: SourceModel, n_src: int) -> None:
    X, _, _ = oracle.synthetic_mixture(n_src, n_src, 80, N_FREQ, seed=n_src)
    white = oracle.demix(X, oracle.whitening(X, n_src))
    start = np.repeat(np.eye(n_src, dtype=complex)[..., None], N_FREQ, axis=-1)
    stage = Stage("model", model, [partial(pack_with_noise, white)], 15, tol=0)
    _, traces = auxiva(start, [stage], ipa, report=lambda _, __: None, advanced=lambda _, __: None)
    costs = np.array(traces[0].costs)
    assert np.all(np.diff(costs) <= 1e-9 * np.abs(costs).max())
    assert costs[-1] < costs[0]
