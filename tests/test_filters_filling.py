"""Dead stretches of channels: predicted from those that live, and nothing else is touched."""

from __future__ import annotations

import numpy as np
from oracle import Array

from auxiva_cli.filters.filling import Filler
from auxiva_cli.listening.stft import Stft

STFT = Stft(512, 128, "hamming")
N_FRAMES = 12
N_SAMPLES = STFT.span(0, N_FRAMES)[1] - STFT.span(0, N_FRAMES)[0]
GAIN = -0.5


def draw() -> tuple[Array, Array]:
    """Draw three channels, of which the last is a multiple of the first, and their covariance."""
    waveform = np.random.default_rng(0).standard_normal((3, N_SAMPLES)).astype(np.float32)
    waveform[2] = GAIN * waveform[0]
    R = np.array([[1, 0, GAIN], [0, 1, 0], [GAIN, 0, GAIN**2]], complex)
    return waveform, np.repeat(R[..., None], STFT.n_freq, axis=-1)


def test_what_is_dead_is_what_the_others_tell_of_it() -> None:
    waveform, R = draw()
    dead = np.zeros(waveform.shape, bool)
    dead[2, 500:700] = True
    filled = Filler(STFT, R).fill(STFT.analyse(np.where(dead, 0, waveform)), dead)
    np.testing.assert_allclose(filled, STFT.analyse(waveform), atol=1e-3)


def test_what_nothing_is_known_of_stays_silent_and_the_rest_as_it_was() -> None:
    waveform, R = draw()
    dead = np.zeros(waveform.shape, bool)
    dead[1, 500:700] = True
    heard = STFT.analyse(waveform)
    filled = Filler(STFT, R).fill(heard.copy(), dead)
    np.testing.assert_allclose(filled, STFT.analyse(np.where(dead, 0, waveform)), atol=1e-4)
    np.testing.assert_array_equal(filled[:, [0, 2]], heard[:, [0, 2]])


def test_where_no_channel_lives_throughout_nothing_is_made_up() -> None:
    waveform, R = draw()
    dead = np.ones(waveform.shape, bool)
    heard = STFT.analyse(waveform)
    np.testing.assert_array_equal(Filler(STFT, R).fill(heard.copy(), dead), heard)
