"""Filters, applied stretch by stretch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import complex_normal

from auxiva_cli.bss.scaling import sum_to_identity
from auxiva_cli.errors import AuxivaError, FiltersError
from auxiva_cli.filters import Filters, apply_filters
from auxiva_cli.listening.levels import Levels, cell_powers
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.listening.stft import Stft
from auxiva_cli.listening.survey import Survey
from auxiva_cli.parallel import Threads

STFT = Stft(64, 16, "hann")


def random_filters(n_src: int, n_chan: int, seed: int = 0) -> Filters:
    """Draw filters that sum to the identity."""
    G = complex_normal(np.random.default_rng(seed), n_src, n_chan, n_chan, STFT.n_freq)
    G[..., [0, -1]] = G[..., [0, -1]].real
    return Filters(sum_to_identity(G).astype(np.complex64), STFT, 8000, ref_chan=0)


def separated(
    filters: Filters,
    waveform: Array,
    channels: list[int],
    *,
    offset: float = 0.0,
    level: float = 1.0,
    n_threads: int = 1,
) -> list[Array]:
    """Apply filters to a waveform."""
    mixture = ArrayMixture(waveform, 8000)
    n_chan = len(waveform)
    seen = Survey(
        np.full(n_chan, offset),
        rms=np.full(n_chan, 1 / level),
        peak=np.full(n_chan, 1 / level),
        live=np.ones(n_chan, bool),
        levels=Levels(cell_powers(waveform, 160), 160, waveform.shape[1]),
        notices=(),
    )
    with Threads(n_threads) as threads:
        return list(apply_filters(filters, mixture, channels, seen, threads=threads))


def draw(n_chan: int, n_samples: int) -> Array:
    return np.random.default_rng(1).standard_normal((n_chan, n_samples))


@given(st.integers(1, 300), st.integers(1, 3), st.integers(1, 3))
def test_the_images_sum_to_the_recording_at_its_length(
    n_samples: int, n_src: int, n_chan: int
) -> None:
    waveform = draw(n_chan, n_samples)
    stretches = separated(random_filters(n_src, n_chan), waveform, list(range(n_chan)))
    images = np.concatenate(stretches, axis=-1)
    assert images.shape == (n_src, n_chan, n_samples)
    np.testing.assert_allclose(images.sum(axis=0), waveform, atol=2e-5)


def test_stretches_follow_each_other_and_none_is_empty() -> None:
    stretches = separated(random_filters(2, 2), draw(2, 30_000), [0])
    assert len(stretches) > 2
    assert all(stretch.shape[-1] > 0 for stretch in stretches)
    assert sum(stretch.shape[-1] for stretch in stretches) == 30_000


def test_only_the_channels_that_are_wanted_come_in_the_order_in_which_they_are_wanted() -> None:
    filters, waveform = random_filters(2, 3), draw(3, 500)
    every = np.concatenate(separated(filters, waveform, [0, 1, 2]), axis=-1)
    some = np.concatenate(separated(filters, waveform, [2, 0]), axis=-1)
    np.testing.assert_allclose(some, every[:, [2, 0]], atol=1e-6)


def test_filters_that_are_the_same_at_all_frequencies_are_a_product_of_matrices() -> None:
    G = np.random.default_rng(2).standard_normal((2, 3, 3))
    filters = Filters(np.repeat(G[..., None], STFT.n_freq, axis=-1) + 0j, STFT, 8000, ref_chan=0)
    waveform = draw(3, 700)
    images = np.concatenate(separated(filters, waveform, [0, 1, 2]), axis=-1)
    np.testing.assert_allclose(images, G @ waveform, atol=1e-4)


def test_the_outputs_carry_equal_shares_of_the_offset() -> None:
    filters, waveform = random_filters(2, 2), draw(2, 600)
    plain = np.concatenate(separated(filters, waveform, [0]), axis=-1)
    shifted = np.concatenate(separated(filters, waveform + 8.0, [0], offset=8.0), axis=-1)
    np.testing.assert_allclose(shifted, plain + 4.0, atol=2e-5)


def test_the_rest_has_all_of_the_offset_and_of_what_cannot_be_separated() -> None:
    filters, waveform = replace(random_filters(3, 2), has_rest=True), draw(2, 600)
    plain = np.concatenate(separated(filters, waveform, [0]), axis=-1)
    shifted = np.concatenate(separated(filters, waveform + 8.0, [0], offset=8.0), axis=-1)
    shares = [[[0.0]], [[0.0]], [[8.0]]]
    np.testing.assert_allclose(shifted, plain + shares, atol=2e-5)
    wider = filters.among(np.array([0, 2]), 3).images(np.vstack([waveform, waveform[:1] + 1]))
    np.testing.assert_allclose(wider[:2, 1], 0, atol=2e-5)


@pytest.mark.parametrize("exponent", [-480, -140, 140, 480])
def test_the_level_brings_any_scale_within_single_precision(exponent: int) -> None:
    filters, waveform = random_filters(2, 2), draw(2, 600)
    plain = separated(filters, waveform, [0])[0]
    scale = 2.0**exponent
    scaled = separated(filters, waveform * scale, [0], level=1 / scale)[0]
    np.testing.assert_array_equal(scaled, plain * scale)


@pytest.mark.parametrize("n_threads", [2, 5])
def test_threads_give_the_same_bits(n_threads: int) -> None:
    filters, waveform = random_filters(2, 2), draw(2, 40_000)
    serial = np.concatenate(separated(filters, waveform, [0]), axis=-1)
    parallel = np.concatenate(separated(filters, waveform, [0], n_threads=n_threads), axis=-1)
    np.testing.assert_array_equal(parallel, serial)


def test_a_result_that_is_not_finite_is_never_given_out() -> None:
    filters = random_filters(2, 2)
    filters.G[1, 0, 0, 3] = np.nan
    with pytest.raises(AuxivaError, match="not finite") as caught:
        separated(filters, draw(2, 600), [0])
    assert caught.value.kind == "internal"


@pytest.mark.parametrize("n_threads", [1, 2])
def test_where_channels_are_dead_the_images_sum_to_the_recording_all_the_same(
    n_threads: int,
) -> None:
    waveform = draw(3, 30_000)
    waveform[1, :8000] = 0
    waveform[0, 6000:9000] = 0
    waveform[2, 28_000:] = 0.5
    stretches = separated(random_filters(2, 3), waveform, [0, 1, 2], n_threads=n_threads)
    images = np.concatenate(stretches, axis=-1)
    np.testing.assert_allclose(images.sum(axis=0), waveform, atol=2e-5)
    assert np.abs(images[:, 1, :7000]).max() < 1e-6  # no source sounds in a dead channel


def test_a_dead_channel_has_no_part_in_the_images_at_the_others() -> None:
    filters = random_filters(2, 2)
    waveform = draw(2, 30_000)
    waveform[1, 10_000:20_000] = 0
    images = np.concatenate(separated(filters, waveform, [0]), axis=-1)[:, 0]
    # Without a covariance channels are unrelated: what is left is their own part of the filters.
    own = Filters(filters.G * np.eye(2)[..., None], STFT, 8000, ref_chan=0)
    expected = np.concatenate(separated(own, waveform[:1].repeat(2, 0), [0]), axis=-1)[:, 0]
    inside = slice(10_500, 19_500)
    np.testing.assert_allclose(images[:, inside], expected[:, inside], atol=1e-4)


def test_filters_of_some_channels_do_the_same_among_more() -> None:
    few, chosen = draw(3, 1000), np.array([0, 2, 4])
    many = np.random.default_rng(2).standard_normal((5, 1000))
    many[chosen] = few
    filters = replace(
        random_filters(2, 3),
        lags=np.array([0, 7, -3]),
        drifts=np.array([0.0, 40.0, -90.0]),
        out_chans=np.array([2, 1]),
        R=np.ones((3, 3, STFT.n_freq), np.complex64),
    )
    among = filters.among(chosen, 5)
    np.testing.assert_allclose(among.apply(many), filters.apply(few), atol=1e-5)
    images = among.images(many)
    np.testing.assert_allclose(images[:, chosen], filters.images(few), atol=1e-5)
    np.testing.assert_array_equal(among.used, chosen[filters.used])
    assert among.R is not None
    assert among.R[:, [1, 3]].any() == 0
    assert among.among(np.arange(5), 5) is among


def test_filters_are_not_spread_over_other_numbers_of_channels() -> None:
    with pytest.raises(FiltersError, match=r"3 channels .* has 2 channels"):
        random_filters(2, 3).among(np.array([0, 1]), 5)
    with pytest.raises(FiltersError, match="use channel 3"):
        random_filters(2, 3).among(np.array([0, 1]), 3)
