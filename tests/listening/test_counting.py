"""How many speak, told from the outputs of a separation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from oracle import Array

from auxiva_cli.listening.counting import (
    INNOVATION_FLOOR,
    N_BANDS,
    WEIGHTS,
    band_powers,
    count_speakers,
    features,
    speech_bands,
)

N_FRAMES, TURN = 400, 20
N_FEATURES = len(WEIGHTS)


def speaker(rng: np.random.Generator, level: float = 0.0) -> Array:
    """Draw the band powers of somebody who pauses, (n_bands, n_frames)."""
    talks = np.repeat(rng.random(N_FRAMES // TURN) < 0.5, TURN)
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
    return np.stack([*people, echo(people[0], -20), hiss(rng, -34)])


@pytest.mark.parametrize("n_src", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_speakers_are_counted_and_neither_their_echo_nor_hiss(n_src: int, seed: int) -> None:
    count = count_speakers(features(outputs(n_src, seed)))
    assert count.n_src == n_src
    assert int(np.argmax(count.probabilities)) == n_src - 1


def told(powers: Array) -> dict[str, Array]:
    """Return the features by their names."""
    return dict(zip(WEIGHTS, features(powers), strict=True))


def test_an_echo_follows_and_hiss_is_steady() -> None:
    found = told(outputs(2))
    assert found["level"][0] == 0
    np.testing.assert_allclose(np.exp(found["innovation"][0]), 1 + INNOVATION_FLOOR)
    assert found["innovation"][2] < np.log(0.4) < np.log(0.8) < found["innovation"][1]
    assert abs(found["persistence"][3]) < 0.02 < 0.1 < min(found["persistence"][:2])
    np.testing.assert_array_equal(found["louder"], [0, 1, 2, 3])
    np.testing.assert_array_equal(found["outputs"], 4)
    assert found["newer"][2] == 3  # nothing is told less new than the echo


def test_who_bursts_out_is_skewed_and_who_breaks_off_is_the_other_way() -> None:
    rng = np.random.default_rng(5)
    steady = 1 + 0.1 * rng.random((N_BANDS, N_FRAMES))
    often, seldom = rng.random((2, N_FRAMES)) < [[0.9], [0.1]]
    powers = np.stack([9 * steady, steady * (0.1 + often), 0.5 * steady * (0.1 + seldom)])
    skew = told(powers)["skew"]
    assert skew[1] < -1 < 1 < skew[2]


def test_noise_is_less_peaky_than_speech() -> None:
    rng = np.random.default_rng(0)
    noise = told(np.stack([hiss(rng, 0), hiss(rng, -1)]))["peakiness"]
    voice = told(np.stack([speaker(rng), speaker(rng)]))["peakiness"]
    np.testing.assert_allclose(noise, noise[0])
    assert noise[0] < np.log(0.2) < 0 < voice[0]


def test_outputs_are_put_in_order_by_themselves() -> None:
    powers = outputs(3)
    np.testing.assert_allclose(features(powers[::-1]), features(powers), atol=1e-9)


def test_a_band_counts_as_much_as_another() -> None:
    powers = outputs(2)
    emphasis = 10.0 ** np.linspace(0, -4, N_BANDS)[:, None]
    np.testing.assert_allclose(features(emphasis * powers), features(powers), atol=1e-6)


def test_what_follows_after_the_memory_is_new() -> None:
    rng = np.random.default_rng(0)
    first = speaker(rng)
    late = [np.roll(first, lag, axis=1) for lag in (2, 40)]
    within, beyond = (told(np.stack([first, 0.5 * each]))["innovation"][1] for each in late)
    assert within < np.log(0.12)
    assert beyond > np.log(0.8)


def test_the_scale_does_not_count() -> None:
    powers = outputs(2)
    np.testing.assert_allclose(features(1e-9 * powers), features(powers), rtol=1e-6, atol=1e-9)


def test_the_number_of_speakers_is_a_sum_of_independent_choices() -> None:
    """Against every combination of outputs that speak or do not."""
    rng = np.random.default_rng(3)
    known, weights = rng.normal(size=(N_FEATURES, 4)), rng.normal(size=N_FEATURES)
    speaks = 1 / (1 + np.exp(-np.dot(weights, known)))
    expected = np.zeros(4)
    for chosen in product([0, 1], repeat=3):
        expected[sum(chosen)] += np.prod(np.where(chosen, speaks[1:], 1 - speaks[1:]))
    count = count_speakers(known, weights.tolist())
    np.testing.assert_allclose(count.probabilities, expected, rtol=1e-12)
    assert sum(count.probabilities) == pytest.approx(1)


@pytest.mark.parametrize(("p", "n_src", "sure", "other"), [
    (0.05, 1, True, None), (0.15, 1, True, None), (0.3, 1, False, 2), (0.45, 1, False, 2),
    (0.6, 2, False, 1), (0.85, 2, True, None),
])  # fmt: skip
def test_who_is_likely_alone_is_left_alone(
    p: float, n_src: int, sure: bool, other: int | None
) -> None:
    count = count_speakers(np.ones((1, 2)), [np.log(p / (1 - p))])
    assert (count.n_src, count.sure, count.other) == (n_src, sure, other)
    assert count.as_dict() == {
        "n": n_src,
        "sure": sure,
        "other": other,
        "probabilities": [round(1 - p, 4), p],
    }


@pytest.mark.parametrize(("p", "n_src", "other"), [
    ((0.5, 0.5), 3, 2), ((0.9, 0.05), 2, None), ((0.9, 0.15), 3, 2), ((0.9, 0.9), 3, None),
    ((0.7, 0.12), 2, 1),
])  # fmt: skip
def test_where_it_is_not_sure_the_highest_likely_number_is_taken(
    p: tuple[float, float], n_src: int, other: int | None
) -> None:
    log_odds = np.array([[0.0, *(np.log(each / (1 - each)) for each in p)]])
    count = count_speakers(log_odds, [1.0])
    assert (count.n_src, count.other) == (n_src, other)


def test_one_output_is_one_speaker() -> None:
    count = count_speakers(features(outputs(1)[:1]))
    assert count.probabilities == (1.0,)
    assert count.sure


def test_silence_is_counted_without_a_warning() -> None:
    powers = outputs(2)
    powers[2:] = 0
    powers[1, 3] = 0
    assert count_speakers(features(powers)).n_src == 2


def test_bands_hold_what_voices_are_known_by() -> None:
    frequencies = np.array([0.0, 100.0, 150.0, 200.0, 3990.0, 4000.0, 5000.0])
    bands = speech_bands(frequencies)
    np.testing.assert_array_equal(bands, [-1, -1, 0, 0, N_BANDS - 1, -1, -1])
    spectrum = np.array([[[7, 7, 3j, 4, 2, 7, 7]]])
    powers = band_powers([spectrum, spectrum], bands)
    assert powers.shape == (1, N_BANDS, 2)
    np.testing.assert_allclose(powers[0, :, 0], [25, *[0] * (N_BANDS - 2), 4])
