"""Impulse responses are the sum of the echoes of a room."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from auxiva_cli.simulation import measure_rt60, room_impulse_responses

SAMPLE_RATE = 16000


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
