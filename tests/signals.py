"""Synthetic recordings: noise that comes and goes like syllables, through short random rooms."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import oracle
from oracle import Array

SAMPLE_RATE = 8000
RMS = 0.1


def speech_like(n_src: int, n_samples: int, rng: np.random.Generator) -> Array:
    """Draw sources (n_src, n_samples) of 0.2 s syllables, without anything below 60 Hz."""
    knots = np.arange(0, n_samples + 1600, 1600)
    loudness = rng.gamma(0.5, size=(n_src, len(knots))) + 0.01
    envelope = [np.interp(np.arange(n_samples), knots, each) for each in loudness]
    return high_passed(envelope * rng.standard_normal((n_src, n_samples)), 60)


def high_passed(waveform: Array, lowest: float) -> Array:
    """Take away what lies below a frequency (Hz)."""
    spectrum = np.fft.rfft(waveform)
    spectrum[..., : round(lowest * waveform.shape[-1] / SAMPLE_RATE)] = 0
    return np.fft.irfft(spectrum, waveform.shape[-1])


def low_passed(waveform: Array, highest: float) -> Array:
    """Take away what lies above a frequency (Hz), exactly."""
    spectrum = np.fft.rfft(waveform)
    spectrum[..., round(highest * waveform.shape[-1] / SAMPLE_RATE) :] = 0
    return np.fft.irfft(spectrum, waveform.shape[-1])


def make_images(n_src: int, n_chan: int, seconds: float = 3.0, seed: int = 0) -> Array:
    """Draw the images (n_src, n_chan, n_samples) of sources, which sum to a recording."""
    rng = np.random.default_rng(seed)
    n_samples, n_taps = round(seconds * SAMPLE_RATE), 32
    sources = speech_like(n_src, n_samples, rng)
    rooms = rng.standard_normal((n_src, n_chan, n_taps)) * np.exp(-np.arange(n_taps) / 6)
    spectra = np.fft.rfft(sources, n_samples + n_taps)[:, None] * np.fft.rfft(
        rooms, n_samples + n_taps
    )
    images = np.fft.irfft(spectra, n_samples + n_taps)[..., :n_samples]
    scaled: Array = images * (RMS / np.sqrt(np.mean(images.sum(axis=0) ** 2)))
    return scaled


def worst_si_sdr(images: Array, outputs: Array) -> float:
    """SI-SDR (dB) of the worst source in the best order."""
    return max(
        min(oracle.si_sdr(images[k], outputs[j]) for k, j in enumerate(order))
        for order in permutations(range(len(outputs)), len(images))
    )


def relative_level(error: Array, reference: Array) -> float:
    """Level of an error relative to a reference, in dB."""
    return float(20 * np.log10(np.linalg.norm(error) / np.linalg.norm(reference) + 1e-300))
