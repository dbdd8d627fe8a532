"""A recording without its late reverberation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from auxiva_cli.listening.dereverberation import Dereverberated, dereverberate
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.simulation import simulate_room
from auxiva_cli.simulation.convolution import convolve_sum

SAMPLES = Path(__file__).parents[2] / "sample_audio"
RATE = 16_000


def silent(done, total):
    """Hear of progress, and say nothing."""


@pytest.fixture(scope="module")
def scene():
    """Return a sample voice in a room of 0.6 s."""
    voice, _ = soundfile.read(SAMPLES / "two_speakers_ref1.flac")
    return simulate_room([voice[: 6 * RATE]], sample_rate=RATE, rt60=0.6, snr=40, seed=5)


@pytest.fixture(scope="module")
def dry(scene):
    """Return the recording without late reverberation."""
    return dereverberate(ArrayMixture(scene.mixture, RATE), advanced=silent)


def early_image(scene):
    """Return what the first microphone hears until 50 ms after the direct sound."""
    response = scene.responses[:, :1, :]
    last = int(np.argmax(np.abs(response[0, 0]))) + RATE // 20
    return convolve_sum(scene.speech, response[..., :last])[0]


def sdr(estimate, reference):
    scaled = (estimate @ reference) / (reference @ reference) * reference
    return 10 * np.log10(np.sum(scaled**2) / np.sum((estimate - scaled) ** 2))


def test_it_comes_nearer_to_the_early_image(scene, dry):
    early = early_image(scene)
    before = sdr(scene.mixture[0], early)
    assert sdr(dry.read(0, dry.n_samples)[0], early) > before + 2


def test_it_is_a_recording_of_the_same_kind(scene, dry):
    assert isinstance(dry, Dereverberated)
    assert (dry.n_chan, dry.sample_rate) == (2, RATE)
    assert dry.read(0, dry.n_samples).shape == scene.mixture.shape
    assert dry.read(dry.n_samples, 10).shape == (2, 0)
    assert dry.read(dry.n_samples - 4, 10).shape == (2, 4)


@pytest.mark.parametrize("length", [777, 16_384])
def test_stretches_are_those_of_the_whole(dry, length):
    whole = dry.read(0, dry.n_samples)
    parts = [dry.read(start, length) for start in range(0, dry.n_samples, length)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-12)


def test_threads_make_no_difference(scene, dry):
    from auxiva_cli.parallel import Threads

    with Threads(2) as threads:
        again = dereverberate(ArrayMixture(scene.mixture, RATE), map=threads.map, advanced=silent)
    np.testing.assert_array_equal(again.read(0, 5000), dry.read(0, 5000))


def test_what_is_not_finite_is_left_to_whoever_refuses_it(scene):
    broken = scene.mixture.copy()
    broken[1, 10_000] = np.nan
    mixture = ArrayMixture(broken, RATE)
    assert dereverberate(mixture, advanced=silent) is mixture


@pytest.mark.parametrize("n_samples", [1, 100, 3000])
def test_a_short_recording_stays_itself(n_samples):
    waveform = np.random.default_rng(0).standard_normal((3, n_samples))
    dry = dereverberate(ArrayMixture(waveform, RATE), advanced=silent)
    assert dry.read(0, n_samples).shape == (3, n_samples)
    assert np.isfinite(dry.read(0, n_samples)).all()
