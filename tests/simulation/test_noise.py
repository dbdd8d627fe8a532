"""Noise comes from where it is said to come from, as its coherence between microphones shows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import csd, welch

from auxiva_cli.simulation import Talk, simulate_room
from auxiva_cli.simulation.convolution import convolve_sum
from auxiva_cli.simulation.noise import babble

RATE = 8000
SPACING = 0.15


@pytest.fixture(scope="module")
def noises():
    rng = np.random.default_rng(1)
    speech = [rng.standard_normal(RATE) for _ in range(2)]
    return {
        kind: simulate_room(
            speech,
            sample_rate=RATE,
            noise=kind,
            talk=Talk(duration=30.0),
            spacing=SPACING,
            rt60=0.3,
            # One of them shouts; all are as loud at the array nevertheless.
            crowd=[level * rng.standard_normal(5 * RATE) for level in (30.0, *11 * [1.0])],
        ).noise
        for kind in ("white", "fan", "babble")
    }


def coherence(noise, n_fft=512):
    frequency, first = welch(noise[0], RATE, nperseg=n_fft)
    second = welch(noise[1], RATE, nperseg=n_fft)[1]
    between = csd(noise[0], noise[1], RATE, nperseg=n_fft)[1]
    return frequency, between / np.sqrt(first * second)


def test_white_noise_is_each_microphones_own(noises):
    _, between = coherence(noises["white"])
    assert np.abs(between).mean() < 0.08
    power = welch(noises["white"][0], RATE, nperseg=512)[1][1:-1]
    assert power.max() < 1.6 * power.min()


def test_a_crowd_is_heard_from_all_around(noises):
    frequency, between = coherence(noises["babble"])
    diffuse = np.sinc(2.0 * frequency * SPACING / 343.0)
    heard = (frequency > 100) & (frequency < 3400)
    assert np.abs(between.real - diffuse)[heard].mean() < 0.15
    assert np.abs(between.imag)[heard].mean() < 0.15


def test_a_fan_is_heard_from_one_place_and_low(noises):
    # Windows longer than the reverberation: one source is coherent at every frequency.
    frequency, between = coherence(noises["fan"], n_fft=8192)
    heard = (frequency > 100) & (frequency < 3400)
    assert np.median(np.abs(between[heard])) > 0.9
    frequency, power = welch(noises["fan"][0], RATE, nperseg=512)
    low, high = (power[(frequency > f / 1.3) & (frequency < f * 1.3)].mean() for f in (200, 1600))
    # A corner at 200 Hz: 1 / (1 + 1) of the power there, 1 / (1 + 64) three octaves above it.
    assert 10.0 * np.log10(low / high) == pytest.approx(10.0 * np.log10(65 / 2), abs=3.0)


def test_who_babbles_cannot_be_understood_and_differs_from_himself():
    speech = np.arange(1000.0)
    voices = [babble(speech, 2500, np.random.default_rng(seed)) for seed in range(8)]
    for voice in voices:
        steps = np.diff(voice)
        speed = np.median(-steps)
        assert 0.85 <= speed <= 1.15
        np.testing.assert_allclose(steps[steps < 0.0], -speed, rtol=0.05)  # backwards
        assert 2 <= (steps > 0.0).sum() <= 3  # and from the end again
        assert voice.min() == 0.0
    assert len({voice[0] for voice in voices}) == 8
    assert len({float(np.median(np.diff(voice))) for voice in voices}) == 8


@pytest.mark.parametrize("n_samples", [1, 500, 1999])
def test_convolution_by_blocks_is_convolution(n_samples):
    rng = np.random.default_rng(3)
    signals, responses = rng.standard_normal((2, n_samples)), rng.standard_normal((2, 3, 130))
    expected = [
        sum(np.convolve(signals[k], responses[k, m])[:n_samples] for k in range(2))
        for m in range(3)
    ]
    np.testing.assert_allclose(convolve_sum(signals, responses), expected, atol=1e-10)
