"""A simulated room sounds as its physics says, and its parts sum to the whole."""

from __future__ import annotations

import numpy as np
import pytest

from auxiva_cli.errors import ParameterError, RecordingError
from auxiva_cli.simulation import Talk, measure_rt60, simulate_room

SAMPLE_RATE = 16000


@pytest.fixture(scope="module")
def speech():
    rng = np.random.default_rng(7)
    return [rng.standard_normal(n) for n in (16000, 12000, 16000)]


@pytest.fixture(scope="module")
def scene(speech):
    return simulate_room(speech, sample_rate=SAMPLE_RATE, snr=15.0, seed=3)


def decibels(ratio):
    return 10.0 * np.log10(ratio)


def test_images_and_noise_sum_to_the_mixture_exactly(scene):
    assert scene.images.shape == (3, 3, 16000)
    np.testing.assert_array_equal(scene.images.sum(axis=0) + scene.noise, scene.mixture)
    np.testing.assert_array_equal(scene.references, scene.images[:, 0])


def test_every_microphone_hears_the_speech_through_its_impulse_responses(scene):
    for k in range(3):
        for m in range(3):
            heard = np.convolve(scene.speech[k], scene.responses[k, m])[:16000]
            np.testing.assert_allclose(scene.images[k, m], heard, atol=1e-12)


def test_speech_is_what_was_given_and_silence_after_it(scene, speech):
    for said, given in zip(scene.speech, speech, strict=True):
        np.testing.assert_array_equal(said[: len(given) - 80], given[:-80])
        assert not said[len(given) :].any()


@pytest.mark.parametrize("noise", ["white", "fan", "babble"])
@pytest.mark.parametrize("snr", [-5.0, 20.0])
def test_the_snr_is_the_one_asked_for_while_anybody_talks(noise, snr):
    rng = np.random.default_rng(3)
    speech = [rng.standard_normal(8000) for _ in range(2)]
    talk = Talk("turns", duration=8.0, lead=2.0)
    scene = simulate_room(speech, sample_rate=4000, noise=noise, snr=snr, talk=talk, seed=1)
    talked = scene.activity.any(axis=0)
    power = np.mean(scene.references.sum(axis=0)[talked] ** 2)
    assert decibels(power / np.mean(scene.noise[0] ** 2)) == pytest.approx(snr, abs=1e-9)


@pytest.mark.parametrize("kind", ["all", "turns", "streams"])
def test_levels_are_those_asked_for_while_everybody_talks(kind):
    rng = np.random.default_rng(4)
    speech = [rng.standard_normal(9000) for _ in range(3)]
    scene = simulate_room(
        speech, sample_rate=4000, levels=[0.0, -6.0, 3.0], talk=Talk(kind, duration=12.0)
    )
    powers = [
        np.mean(reference[talks] ** 2)
        for reference, talks in zip(scene.references, scene.activity, strict=True)
    ]
    np.testing.assert_allclose(decibels(powers / powers[0]), [0.0, -6.0, 3.0], atol=1e-9)


def test_speakers_have_equal_power_while_they_talk(scene, speech):
    powers = [np.mean(scene.references[k, : len(speech[k])] ** 2) for k in range(3)]
    np.testing.assert_allclose(powers, powers[0])


def test_whoever_is_silent_is_not_heard_once_the_room_is(speech):
    talk = Talk("turns", duration=20.0)
    scene = simulate_room(speech, sample_rate=4000, rt60=0.2, talk=talk, seed=2)
    n_taps = scene.responses.shape[-1]
    for reference, talks in zip(scene.references, scene.activity, strict=True):
        silent = np.convolve(talks, np.ones(n_taps))[: len(talks)] < 0.5
        assert silent.any()
        assert np.abs(reference[silent]).max() < 1e-12


def test_turns_are_the_stretches_of_activity(speech):
    scene = simulate_room(speech, sample_rate=4000, talk=Talk("streams", duration=15.0), seed=2)
    rebuilt = np.zeros_like(scene.activity)
    for own, turns in zip(rebuilt, scene.turns, strict=True):
        assert turns == sorted(turns)
        for start, stop in turns:
            own[start:stop] = True
    np.testing.assert_array_equal(rebuilt, scene.activity)


def test_the_room_is_the_same_whoever_talks_when_and_whatever_the_noise(speech):
    plain = simulate_room(speech, sample_rate=4000, seed=9)
    other = simulate_room(
        speech, sample_rate=4000, seed=9, noise="fan", talk=Talk("turns", duration=12.0)
    )
    np.testing.assert_array_equal(plain.room.microphones, other.room.microphones)
    np.testing.assert_array_equal(plain.room.speakers, other.room.speakers)


def test_the_mixture_peaks_at_one_half(scene):
    assert np.abs(scene.mixture).max() == pytest.approx(0.5)


def test_the_same_seed_gives_the_same_scene_and_another_seed_another(speech):
    settings = {"sample_rate": 4000, "noise": "babble", "talk": Talk("turns", duration=12.0)}
    first, again = (simulate_room(speech, seed=5, **settings) for _ in range(2))
    np.testing.assert_array_equal(first.mixture, again.mixture)
    other = simulate_room(speech, seed=6, **settings)
    assert (first.activity != other.activity).any()
    assert np.abs(other.room.size - first.room.size).min() > 1e-6


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("array", ["circular", "linear"])
def test_everything_stands_where_the_protocol_says(seed, array):
    scene = simulate_room([np.ones(8)] * 4, sample_rate=8000, array=array, spacing=0.08, seed=seed)
    centre = scene.room.microphones.mean(axis=0)
    from_centre = np.linalg.norm(scene.room.speakers - centre, axis=1)
    assert (from_centre >= scene.room.critical_distance).all()
    assert scene.room.critical_distance == pytest.approx(
        0.057 * np.sqrt(np.prod(scene.room.size) / scene.room.rt60)
    )
    assert 0.15 <= scene.room.rt60 <= 0.35
    everyone = np.concatenate([scene.room.microphones, scene.room.speakers])
    assert (everyone[:, :2] >= 0.5 - 1e-9).all()
    assert (everyone[:, :2] <= scene.room.size[:2] - 0.5 + 1e-9).all()
    assert ((everyone[:, 2] >= 1.0) & (everyone[:, 2] <= 2.0)).all()
    neighbours = np.linalg.norm(np.diff(scene.room.microphones, axis=0), axis=1)
    np.testing.assert_allclose(neighbours, 0.08)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rt60", [0.15, 0.25, 0.35, 0.6])
def test_the_reverberation_time_is_the_one_asked_for(rt60, seed):
    scene = simulate_room([np.ones(8)] * 2, sample_rate=SAMPLE_RATE, rt60=rt60, seed=seed)
    assert scene.rt60_measured == pytest.approx(rt60, rel=0.2)
    for response in scene.responses.reshape(-1, scene.responses.shape[-1]):
        assert measure_rt60(response, SAMPLE_RATE) == pytest.approx(rt60, rel=0.2)


def test_two_microphones_are_enough_for_one_speaker():
    scene = simulate_room([np.ones(800)], sample_rate=8000)
    assert scene.mixture.shape == (2, 800)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_mics": 1}, "n_mics=1"),
        ({"rt60": 0.05}, "rt60=0.05"),
        ({"rt60": 2.0}, "rt60=2.0"),
        ({"snr": float("nan")}, "snr=nan"),
        ({"levels": [0.0]}, r"levels=\[0.0\]"),
        ({"levels": [0.0, float("inf")]}, "levels="),
        ({"noise": "pink"}, "noise='pink'"),
        ({"array": "square"}, "array='square'"),
        ({"spacing": 0.0}, "spacing=0.0"),
        ({"n_mics": 30, "spacing": 1.0}, "does not fit"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_value(settings, words):
    with pytest.raises(ParameterError, match=words):
        simulate_room([np.ones(8)] * 2, sample_rate=8000, **settings)


def test_a_room_too_full_for_the_speakers_is_refused():
    with pytest.raises(ParameterError, match="no place for 300 speakers"):
        simulate_room([np.ones(8)] * 300, sample_rate=8000, n_mics=2)


@pytest.mark.parametrize(
    ("speech", "kind"),
    [
        ([], "input-empty"),
        ([np.ones(8), np.zeros(8)], "silent"),
        ([[1.0, np.nan]], "input-nonfinite"),
    ],
)
def test_speech_that_cannot_be_heard_is_refused(speech, kind):
    with pytest.raises(RecordingError) as caught:
        simulate_room(speech, sample_rate=8000)
    assert caught.value.kind == kind
