"""How many speak?  Told from what a separation into as many outputs as microphones gives.

Some outputs hold a speaker, some what is left: reverberation, which follows a speaker, and noise,
which is steady.  Eigenvalues and levels do not tell them apart, for a room gives every direction
some power.  How an output rises and falls does: a speaker pauses, and not when others do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.scaling import relative_levels

__all__ = ["Count", "band_powers", "count_speakers", "features", "speech_bands"]

Array = NDArray[Any]
LOWEST_HZ, HIGHEST_HZ, N_BANDS = 150.0, 4000.0, 16
# Of its mean a band's power counts as so much at least: silence has no logarithm.
LEAST_SHARE = 1e-5
# Loudness, about, of a power.
COMPRESSION = 0.3
# What an output may follow: a louder one, up to this long before.
MEMORY_SECONDS = 0.23
RIDGE = 1e-3
# Weaker outputs count as so weak: how weak noise is tells nothing.
LOWEST_LEVEL_DB = -25.0
# log-odds that an output is a speaker: constant, level (dB), ln innovation, ln peakiness.
WEIGHTS = np.array([4.906, 0.191, 2.672, 1.809])
INNOVATION_FLOOR, PEAKINESS_FLOOR = 0.02, 0.05
SURE = 0.8
# A number of speakers that is so likely is likely: two in one file are worse than a file too many.
LIKELY = 0.25


@dataclass(frozen=True)
class Count:
    """How many speak.

    Attributes
    ----------
    n_src : int
        The number to separate into: the likeliest, or the highest likely one where that is not
        sure.
    probabilities : tuple of float
        Of one speaker, two, and so on, as many as there are outputs.
    """

    n_src: int
    probabilities: tuple[float, ...]

    @property
    def sure(self) -> bool:
        """Whether one number is far likelier than all others together."""
        return max(self.probabilities) >= SURE

    @property
    def others(self) -> tuple[int, ...]:
        """The likely numbers besides, where it is not sure."""
        likely = (n + 1 for n, p in enumerate(self.probabilities) if p >= LIKELY)
        return () if self.sure else tuple(n for n in likely if n != self.n_src)

    def as_dict(self) -> dict[str, Any]:
        """Return the record for JSON."""
        probabilities = [round(p, 4) for p in self.probabilities]
        return {"n": self.n_src, "sure": self.sure, "probabilities": probabilities}


def speech_bands(frequencies: Array) -> Array:
    """Return to which of equal bands of the mel scale each frequency (Hz) belongs, -1 for none."""
    edges = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), N_BANDS + 1)
    band: Array = np.digitize(_mel(frequencies), edges) - 1
    band[band == N_BANDS] = -1
    return band


def band_powers(blocks: Iterable[Array], bands: Array) -> Array:
    """Return the power of outputs in bands, frame by frame.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (n_frames, n_src, n_freq), complex
        Their STFT.
    bands : ndarray of shape (n_freq,), int
        As ``speech_bands`` gives them.

    Returns
    -------
    ndarray of shape (n_src, n_bands, n_frames)
    """
    is_of_band = (bands[:, None] == np.arange(N_BANDS)).astype(np.float32)
    powers = [np.square(np.abs(block)) @ is_of_band for block in blocks]
    return np.concatenate(powers).transpose(1, 2, 0).astype(float)


def features(powers: Array, hop_seconds: float) -> tuple[Array, Array, Array]:
    """Return what tells speakers from what is left.

    Parameters
    ----------
    powers : ndarray of shape (n_src, n_bands, n_frames)
        Power of each output in each band, the loudest output first.
    hop_seconds : float
        From one frame to the next.

    Returns
    -------
    level : ndarray of shape (n_src,), dB
        Of each output, the strongest at 0.
    innovation : ndarray of shape (n_src,)
        Which share of its rise and fall does not follow from that of louder outputs.
    peakiness : ndarray of shape (n_src,)
        Arithmetic over geometric mean of its power in time, as a logarithm, mean over the bands.
    """
    level = relative_levels(powers.sum(axis=(1, 2)))
    mean = powers.mean(axis=-1, keepdims=True)
    floor = np.maximum(LEAST_SHARE * mean, np.finfo(float).tiny)
    logarithm = np.log(np.maximum(powers, floor)).mean(axis=-1)
    peakiness = (np.log(np.maximum(mean[..., 0], np.finfo(float).tiny)) - logarithm).mean(axis=1)
    n_lags = round(MEMORY_SECONDS / hop_seconds) + 1
    return level, _innovation(_loudness(powers), n_lags), np.maximum(peakiness, 0)


def count_speakers(
    level: Array, innovation: Array, peakiness: Array, weights: Array = WEIGHTS
) -> Count:
    """Tell how many outputs are speakers, from their ``features``, the loudest first.

    Each is one with a probability of its own, the loudest for sure; how many there are is a
    Poisson-binomial distribution.
    """
    terms = np.stack(
        [
            np.ones_like(level),
            np.maximum(level, LOWEST_LEVEL_DB),
            np.log(innovation + INNOVATION_FLOOR),
            np.log(peakiness + PEAKINESS_FLOOR),
        ]
    )
    speaks = 1 / (1 + np.exp(-weights @ terms))
    distribution = np.ones(1)  # of the number of speakers besides the loudest
    for p in speaks[1:]:
        distribution = np.convolve(distribution, [1 - p, p])
    likeliest = int(distribution.argmax())
    if distribution[likeliest] < SURE:
        likeliest = int(np.flatnonzero(distribution >= min(LIKELY, distribution.max())).max())
    return Count(likeliest + 1, tuple(distribution.tolist()))


def _loudness(powers: Array) -> Array:
    """Return how the loudness of outputs changes, (n_src, n_bands / 2, n_frames), mean zero."""
    n_src, n_bands, n_frames = powers.shape
    whole = powers.sum(axis=0).mean(axis=-1)
    share = powers / np.maximum(whole, np.finfo(float).tiny)[:, None]
    paired = share.reshape(n_src, n_bands // 2, 2, n_frames).mean(axis=2)
    loudness = paired**COMPRESSION
    changes: Array = loudness - loudness.mean(axis=-1, keepdims=True)
    return changes


def _innovation(changes: Array, n_lags: int) -> Array:
    """Return the share of each output's changes that regression on louder ones leaves."""
    n_src, n_bands, n_frames = changes.shape
    innovation = np.ones(n_src)
    delayed = np.zeros((n_src, n_lags, n_bands, n_frames))
    for lag in range(min(n_lags, n_frames)):
        delayed[:, lag, :, lag:] = changes[..., : n_frames - lag]
    for k in range(1, n_src):
        left = total = 0.0
        for band in range(n_bands):
            X, y = delayed[:k, :, band].reshape(-1, n_frames), changes[k, band]
            R, r = X @ X.T, X @ y
            ridge = RIDGE * np.trace(R) / len(R) + np.finfo(float).tiny
            left += np.sum(np.square(y - np.linalg.solve(R + ridge * np.eye(len(R)), r) @ X))
            total += y @ y
        innovation[k] = left / total if total else 0.0
    return innovation


def _mel(frequency: Any) -> Any:
    """Return a frequency (Hz) on the mel scale."""
    return 2595 * np.log10(1 + np.asarray(frequency) / 700)
