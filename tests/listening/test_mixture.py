"""Mixtures in memory, and the views of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxiva_cli.listening.mixture import (
    Aligned,
    ArrayMixture,
    Channels,
    Excerpt,
    FiniteMixture,
    Levelled,
    Mixture,
    is_usable,
    read_padded,
)

WAVEFORM = np.arange(60.0).reshape(3, 20)
WHOLE = ArrayMixture(WAVEFORM, 8000)


def assert_is(mixture: Mixture, expected: np.ndarray) -> None:
    """Hold a mixture to the waveform that it stands for."""
    assert (mixture.n_chan, mixture.n_samples) == expected.shape
    assert mixture.sample_rate == 8000
    np.testing.assert_array_equal(mixture.read(0, mixture.n_samples), expected)
    np.testing.assert_array_equal(mixture.read(2, 3), expected[:, 2:5])


def test_an_array_is_a_mixture() -> None:
    assert_is(WHOLE, WAVEFORM)


def test_an_excerpt_is_a_mixture() -> None:
    assert_is(Excerpt(WHOLE, 4, 15), WAVEFORM[:, 4:15])


def test_some_channels_in_any_order_are_a_mixture() -> None:
    assert_is(Channels(WHOLE, np.array([2, 0])), WAVEFORM[[2, 0]])


def test_a_mixture_without_its_unusable_samples_has_zeros_there() -> None:
    broken = WAVEFORM.copy()
    broken[0, 3], broken[1, 4], broken[2, 19], broken[0, 0] = np.nan, np.inf, -np.inf, 1e200
    repaired = WAVEFORM.copy()
    repaired[[0, 1, 2, 0], [3, 4, 19, 0]] = 0
    assert_is(FiniteMixture(ArrayMixture(broken, 8000)), repaired)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_finite_sample_of_any_sensible_scale_is_usable(dtype: type) -> None:
    samples = np.array([0, -1, 1e4, np.finfo(dtype).tiny], dtype)
    assert is_usable(samples).all()
    assert not is_usable(np.array([np.nan, np.inf, -np.inf], dtype)).any()


@given(st.integers(-30, 19), st.integers(1, 60))
def test_reading_beyond_the_ends_gives_zeros(start: int, length: int) -> None:
    stop = max(start + length, 1)  # some of it lies inside
    padded = np.pad(WAVEFORM, ((0, 0), (40, 100)))
    np.testing.assert_array_equal(
        read_padded(WHOLE, start, stop), padded[:, start + 40 : stop + 40]
    )


def test_aligned_channels_lie_on_one_axis_that_holds_all_of_each() -> None:
    whole = np.arange(1.0, 21.0)
    waveform = np.stack([whole[4:16], whole[1:13], whole[7:19]])  # late by 0, 3 and -3
    aligned = Aligned(ArrayMixture(waveform, 8000), np.array([0, 3, -3]))
    seen = aligned.read(0, aligned.n_samples)
    expected = np.zeros((3, 18))
    expected[0, 3:15], expected[1, :12], expected[2, 6:] = waveform
    np.testing.assert_array_equal(seen, expected)
    np.testing.assert_array_equal(aligned.read(5, 4), expected[:, 5:9])
    common = aligned.common
    np.testing.assert_array_equal(common.read(0, common.n_samples), [whole[7:13]] * 3)


def test_a_levelled_channel_has_the_gain_of_its_beginning() -> None:
    steps = ((1, 3, 0.5), (1, 7, 4.0))
    levelled = Levelled(ArrayMixture(np.ones((2, 10)), 8000), steps)
    gain = np.array([1, 1, 1, 0.5, 0.5, 0.5, 0.5, 2, 2, 2])
    np.testing.assert_array_equal(levelled.read(0, 10), [np.ones(10), 1 / gain])
    np.testing.assert_array_equal(levelled.read(5, 3)[1], 1 / gain[5:8])
    np.testing.assert_array_equal(levelled.gain(2, 6)[1], gain[2:8])
