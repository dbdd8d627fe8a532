"""How many speak, told from the outputs of a separation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from oracle import Array

from auxiva_cli.listening.counting import (
    N_BANDS,
    band_powers,
    count_speakers,
    features,
    speech_bands,
)

HOP_SECONDS = 0.064
N_FRAMES = 400


def speaker(rng: np.random.Generator, level: float = 0.0) -> Array:
    """Draw the band powers of somebody who pauses, (n_bands, n_frames)."""
    talks = np.repeat(rng.random(N_FRAMES // 4) < 0.5, 4)
    syllables = rng.gamma(0.5, size=(N_BANDS, N_FRAMES))
    return 10 ** (level / 10) * (talks * syllables + 1e-4)


def echo(powers: Array, level: float) -> Array:
    """Draw what a room makes of powers: they fade within some frames."""
    fading = 0.6 ** np.arange(1, 4)
    smeared = [np.convolve(band, [0, *fading])[:N_FRAMES] for band in powers]
    return 10 ** (level / 10) * np.array(smeared)


def hiss(rng: np.random.Generator, level: float) -> Array:
    return 10 ** (level / 10) * rng.gamma(8, 1 / 8, size=(N_BANDS, N_FRAMES))


def outputs(n_src: int, seed: int = 0) -> Array:
    """Draw speakers, the echo of the first, and hiss, the loudest first."""
    rng = np.random.default_rng(seed)
    people = [speaker(rng, -2.0 * k) for k in range(n_src)]
    return np.stack([*people, echo(people[0], -24), hiss(rng, -22)])


@pytest.mark.parametrize("n_src", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_speakers_are_counted_and_neither_their_echo_nor_hiss(n_src: int, seed: int) -> None:
    count = count_speakers(*features(outputs(n_src, seed), HOP_SECONDS))
    assert count.n_src == n_src
    assert int(np.argmax(count.probabilities)) == n_src - 1


def test_an_echo_follows_and_hiss_is_steady() -> None:
    level, innovation, peakiness = features(outputs(2), HOP_SECONDS)
    assert level[0] == 0
    np.testing.assert_array_equal(innovation[0], 1)
    assert innovation[2] < 0.4 < 0.8 < innovation[1]
    assert peakiness[3] < 0.2 < 1.0 < min(peakiness[:2])


def test_what_follows_after_the_memory_is_new() -> None:
    rng = np.random.default_rng(0)
    first = speaker(rng)
    late = [np.roll(first, lag, axis=1) for lag in (2, 12)]
    within, beyond = (features(np.stack([first, 0.5 * each]), HOP_SECONDS)[1][1] for each in late)
    assert within < 0.1
    assert beyond > 0.8


def test_the_scale_does_not_count() -> None:
    powers = outputs(2)
    for once, again in zip(
        features(powers, HOP_SECONDS), features(1e-9 * powers, HOP_SECONDS), strict=True
    ):
        np.testing.assert_allclose(again, once, rtol=1e-6, atol=1e-9)


def test_the_number_of_speakers_is_a_sum_of_independent_choices() -> None:
    """Against every combination of outputs that speak or do not."""
    rng = np.random.default_rng(3)
    level, innovation, peakiness = -rng.uniform(0, 20, 4), rng.random(4), 2 * rng.random(4)
    weights = np.array([1.0, 0.1, 1.0, 1.0])
    terms = [np.ones(4), level, np.log(innovation + 0.02), np.log(peakiness + 0.05)]
    speaks = 1 / (1 + np.exp(-np.dot(weights, terms)))
    expected = np.zeros(4)
    for chosen in product([0, 1], repeat=3):
        expected[sum(chosen)] += np.prod(np.where(chosen, speaks[1:], 1 - speaks[1:]))
    count = count_speakers(level, innovation, peakiness, weights)
    np.testing.assert_allclose(count.probabilities, expected, rtol=1e-12)
    assert sum(count.probabilities) == pytest.approx(1)


@pytest.mark.parametrize(("p", "n_src", "sure", "others"), [
    (0.05, 1, True, ()), (0.15, 1, True, ()), (0.3, 2, False, (1,)), (0.22, 1, False, ()),
    (0.6, 2, False, (1,)), (0.85, 2, True, ()),
])  # fmt: skip
def test_where_it_is_not_sure_the_higher_likely_number_is_taken(
    p: float, n_src: int, sure: bool, others: tuple[int, ...]
) -> None:
    weights = np.array([np.log(p / (1 - p)), 0, 0, 0])
    count = count_speakers(np.zeros(2), np.ones(2), np.ones(2), weights)
    assert (count.n_src, count.sure, count.others) == (n_src, sure, others)
    assert count.as_dict() == {"n": n_src, "sure": sure, "probabilities": [round(1 - p, 4), p]}


def test_one_output_is_one_speaker() -> None:
    count = count_speakers(*features(outputs(1)[:1], HOP_SECONDS))
    assert count.probabilities == (1.0,)
    assert count.sure


def test_silence_is_counted_without_a_warning() -> None:
    powers = outputs(2)
    powers[2:] = 0
    powers[1, 3] = 0
    assert count_speakers(*features(powers, HOP_SECONDS)).n_src == 2


def test_bands_hold_what_voices_are_known_by() -> None:
    frequencies = np.array([0.0, 100.0, 150.0, 200.0, 3990.0, 4000.0, 5000.0])
    bands = speech_bands(frequencies)
    np.testing.assert_array_equal(bands, [-1, -1, 0, 0, N_BANDS - 1, -1, -1])
    spectrum = np.array([[[7, 7, 3j, 4, 2, 7, 7]]])
    powers = band_powers([spectrum, spectrum], bands)
    assert powers.shape == (1, N_BANDS, 2)
    np.testing.assert_allclose(powers[0, :, 0], [25, *[0] * (N_BANDS - 2), 4])
