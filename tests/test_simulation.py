"""A simulated room sounds as its physics says, and its parts sum to the whole."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from auxiva_cli.errors import ParameterError, RecordingError
from auxiva_cli.simulation import measure_rt60, room_impulse_responses, simulate_room

SAMPLE_RATE = 16000


@pytest.fixture(scope="module")
def speech():
    rng = np.random.default_rng(7)
    return [rng.standard_normal(n) for n in (16000, 12000, 16000)]


@pytest.fixture(scope="module")
def scene(speech):
    return simulate_room(speech, sample_rate=SAMPLE_RATE, snr=15.0, seed=3)


def test_references_and_noise_sum_to_the_first_microphone(scene):
    assert scene.mixture.shape == (3, 16000)
    assert scene.references.shape == (3, 16000)
    np.testing.assert_allclose(
        scene.references.sum(axis=0) + scene.noise[0], scene.mixture[0], atol=1e-12
    )


def test_every_microphone_hears_the_speech_through_its_impulse_responses(scene, speech):
    padded = [np.pad(signal, (0, 16000 - len(signal))) for signal in speech]
    for m in range(3):
        heard = sum(
            np.convolve(padded[k], scene.responses[k, m])[:16000] for k in range(len(speech))
        )
        np.testing.assert_allclose(heard + scene.noise[m], scene.mixture[m], atol=1e-10)


def test_the_snr_at_the_first_microphone_is_the_one_asked_for(scene):
    power = np.mean(scene.references.sum(axis=0) ** 2)
    assert 10 * np.log10(power / np.mean(scene.noise[0] ** 2)) == pytest.approx(15.0, abs=1e-9)


def test_speakers_have_equal_power_at_the_first_microphone(scene):
    power = np.mean(scene.references**2, axis=1)
    np.testing.assert_allclose(power, power[0])


def test_the_mixture_peaks_at_one_half(scene):
    assert np.abs(scene.mixture).max() == pytest.approx(0.5)


def test_the_same_seed_gives_the_same_scene_and_another_seed_another(speech):
    first, again = (simulate_room(speech, sample_rate=SAMPLE_RATE, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.mixture, again.mixture)
    other = simulate_room(speech, sample_rate=SAMPLE_RATE, seed=6)
    assert np.abs(other.room - first.room).min() > 1e-6


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("array", ["circular", "linear"])
def test_everything_stands_where_the_protocol_says(seed, array):
    scene = simulate_room([np.ones(8)] * 4, sample_rate=8000, array=array, spacing=0.08, seed=seed)
    centre = scene.microphones.mean(axis=0)
    from_centre = np.linalg.norm(scene.speakers - centre, axis=1)
    assert (from_centre >= scene.critical_distance).all()
    assert scene.critical_distance == pytest.approx(
        0.057 * np.sqrt(np.prod(scene.room) / scene.rt60)
    )
    assert 0.15 <= scene.rt60 <= 0.35
    everyone = np.concatenate([scene.microphones, scene.speakers])
    assert (everyone[:, :2] >= 0.5 - 1e-9).all()
    assert (everyone[:, :2] <= scene.room[:2] - 0.5 + 1e-9).all()
    assert ((everyone[:, 2] >= 1.0) & (everyone[:, 2] <= 2.0)).all()
    neighbours = np.linalg.norm(np.diff(scene.microphones, axis=0), axis=1)
    np.testing.assert_allclose(neighbours, 0.08)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rt60", [0.15, 0.25, 0.35, 0.6])
def test_the_reverberation_time_is_the_one_asked_for(rt60, seed):
    scene = simulate_room([np.ones(8)] * 2, sample_rate=SAMPLE_RATE, rt60=rt60, seed=seed)
    assert scene.rt60_measured == pytest.approx(rt60, rel=0.2)
    for response in scene.responses.reshape(-1, scene.responses.shape[-1]):
        assert measure_rt60(response, SAMPLE_RATE) == pytest.approx(rt60, rel=0.2)


@pytest.mark.parametrize("rt60", [0.2, 0.5])
def test_schroeder_finds_the_decay_of_a_pure_exponential(rt60):
    t = np.arange(int(SAMPLE_RATE * rt60 * 1.5)) / SAMPLE_RATE
    noise = np.random.default_rng(0).standard_normal(len(t))
    decay = 10.0 ** (-3.0 * t / rt60)
    assert measure_rt60(decay, SAMPLE_RATE) == pytest.approx(rt60, rel=1e-3)
    assert measure_rt60(decay * noise, SAMPLE_RATE) == pytest.approx(rt60, rel=0.05)


def response_by_loops(room, source, microphone, reflection, duration):
    """Sum the echoes of the image sources one by one, above the documented 40 Hz."""
    n_taps = int(duration * SAMPLE_RATE)
    frequency = np.fft.rfftfreq(8 * n_taps, 1 / SAMPLE_RATE)
    spectrum = np.zeros(len(frequency), complex)
    for n in itertools.product(range(-4, 5), repeat=3):
        for mirrored in itertools.product((0, 1), repeat=3):
            image = [
                2 * n[i] * room[i] + (-source[i] if mirrored[i] else source[i]) for i in range(3)
            ]
            distance = float(np.linalg.norm(np.subtract(image, microphone)))
            if distance < duration * 343.0:
                n_walls = sum(abs(n[i] - mirrored[i]) + abs(n[i]) for i in range(3))
                echo = np.exp(-2j * np.pi * frequency * distance / 343.0)
                spectrum += reflection**n_walls / (4 * np.pi * distance) * echo
    high_pass = 1 / (1 - 40j / np.maximum(frequency, 1e-9)) ** 2
    return np.fft.irfft(high_pass * spectrum)[:n_taps]


def test_impulse_responses_are_the_sum_of_the_echoes_of_the_image_sources():
    room, source, microphone = np.array([6.0, 5.0, 3.0]), [2.1, 1.3, 1.7], [4.2, 3.9, 1.1]
    expected = response_by_loops(room, source, microphone, 0.6, 0.06)
    found = room_impulse_responses(
        room,
        np.array([source]),
        np.array([microphone]),
        reflection=0.6,
        duration=0.06,
        sample_rate=SAMPLE_RATE,
    )[0, 0]
    # The ends of the response are cut differently, and the band falls off above 7200 Hz.
    frequency = np.fft.rfftfreq(len(found), 1 / SAMPLE_RATE)
    speech_band = (frequency > 400) & (frequency < 7000)
    difference = np.fft.rfft(found - expected[: len(found)])[speech_band]
    assert np.linalg.norm(difference) < 0.02 * np.linalg.norm(np.fft.rfft(expected)[speech_band])


def test_the_direct_sound_arrives_after_its_way_with_the_inverse_of_its_distance():
    distance = 100 * 343.0 / SAMPLE_RATE
    response = room_impulse_responses(
        np.array([9.0, 9.0, 9.0]),
        np.array([[3.0, 4.5, 4.5]]),
        np.array([[3.0 + distance, 4.5, 4.5]]),
        reflection=0.0,
        duration=0.05,
        sample_rate=SAMPLE_RATE,
    )[0, 0]
    assert np.argmax(np.abs(response)) == 100
    # The taper keeps 95 % of the band below the Nyquist frequency.
    assert response[100] == pytest.approx(0.95 / (4 * np.pi * distance), rel=0.02)


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
