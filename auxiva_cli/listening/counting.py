"""How many speak?  Told from what a separation into as many outputs as microphones gives.

Some outputs hold a speaker, some what is left: reverberation, which follows a speaker, and noise,
which is steady.  Eigenvalues and levels do not tell them apart, for a room gives every direction
some power.  How an output rises and falls does: a speaker pauses, and not when others do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.scaling import relative_levels

__all__ = ["Count", "band_powers", "count_speakers", "features", "mel", "speech_bands"]

Array = NDArray[Any]
TINY = float(np.finfo(float).tiny)
LOWEST_HZ, HIGHEST_HZ, N_BANDS = 150.0, 4000.0, 16
# Of its mean a band's power counts as so much at least: silence has no logarithm.
LEAST_SHARE = 1e-5
# Loudness, about, of a power.
COMPRESSION = 0.3
# What an output may follow: a louder one, in this frame or so many before.
N_LAGS = 5
RIDGE = 1e-3
# So many frames apart a voice goes on, and windows overlap no more.
APART = 4
# Weaker outputs count as so weak: how weak noise is tells nothing.
LOWEST_LEVEL_DB = -25.0
INNOVATION_FLOOR, PEAKINESS_FLOOR, MOST_SKEW = 0.02, 0.05, 3.0
# Log-odds that an output is a speaker, for each of its ``features``.
WEIGHTS = {
    "constant": 5.5,
    "level": 0.569,
    "innovation": 3.796,
    "skew": 0.524,
    "persistence": 16.426,
    "louder": 1.078,
    "newer": 0.676,
    "outputs": -0.731,
    "peakiness": 2.821,
}
SURE = 0.8
# A number of speakers that is so likely is likely: two in one file are worse than a file too many.
LIKELY = 0.1
# But who speaks alone is best left as he is.
ALONE = 0.5


@dataclass(frozen=True)
class Count:
    """How many speak.

    Attributes
    ----------
    n_src : int
        The number to separate into: the likeliest where that is sure, one where that is likelier
        than all others together, else the highest likely one.
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
    def other(self) -> int | None:
        """The likeliest number besides, where it is not sure."""
        if self.sure:
            return None
        besides = (n for n in range(1, len(self.probabilities) + 1) if n != self.n_src)
        return max(besides, key=lambda n: self.probabilities[n - 1])

    def as_dict(self) -> dict[str, Any]:
        """Return the record for JSON."""
        probabilities = [round(p, 4) for p in self.probabilities]
        return {
            "n": self.n_src,
            "sure": self.sure,
            "other": self.other,
            "probabilities": probabilities,
        }


def speech_bands(frequencies: Array) -> Array:
    """Return to which of equal bands of the mel scale each frequency (Hz) belongs, -1 for none."""
    edges = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), N_BANDS + 1)
    band: Array = np.digitize(mel(frequencies), edges) - 1
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


def features(powers: Array) -> Array:
    """Return what tells speakers from what is left.

    Parameters
    ----------
    powers : ndarray of shape (n_src, n_bands, n_frames)
        Power of each output in each band.

    Returns
    -------
    ndarray of shape (n_features, n_src)
        Of each output, the loudest first, in the order of ``WEIGHTS``: one; its *level*, in dB
        below the loudest, all bands alike; its *innovation*, the logarithm of the share of its rise
        and fall that does not follow from louder ones'; of that the *skew*, whether it comes in
        bursts, and the *persistence*, whether it goes on for longer than a window; how many
        are *louder*, and how many have more innovation (*newer*).  Of all of them alike:
        how many *outputs* there are, and their mean *peakiness*, the logarithm of the ratio of
        arithmetic to geometric mean of the power in time.
    """
    whole = powers.sum(axis=0).mean(axis=-1)
    share = powers / np.maximum(whole, TINY)[:, None]
    loudest_first = np.argsort(-share.sum(axis=(1, 2)), kind="stable")
    powers, share = powers[loudest_first], share[loudest_first]
    n_src = len(share)
    changes = _changes(share)
    new = _innovations(changes)
    innovation = np.sum(new**2, axis=(1, 2)) / np.maximum(np.sum(changes**2, axis=(1, 2)), TINY)
    unit = new / (np.sqrt(np.mean(new**2, axis=-1, keepdims=True)) + TINY)
    rank = np.arange(n_src)
    return np.stack(
        [
            np.ones(n_src),
            np.maximum(relative_levels(share.sum(axis=(1, 2))), LOWEST_LEVEL_DB),
            np.log(innovation + INNOVATION_FLOOR),
            _skew(unit.mean(axis=1)),
            np.mean(unit[..., APART:] * unit[..., :-APART], axis=(1, 2)),
            rank,
            np.argsort(np.argsort(-innovation, kind="stable"), kind="stable"),
            np.full(n_src, n_src),
            np.full(n_src, np.log(_peakiness(powers) + PEAKINESS_FLOOR).mean()),
        ]
    )


def count_speakers(features: Array, weights: Sequence[float] = tuple(WEIGHTS.values())) -> Count:
    """Tell how many outputs are speakers, from their ``features``, the loudest first.

    Each is one with a probability of its own, the loudest for sure; how many there are is a
    Poisson-binomial distribution.
    """
    speaks = 1 / (1 + np.exp(-np.asarray(weights) @ features))
    distribution = np.ones(1)  # of the number of speakers besides the loudest
    for p in speaks[1:]:
        distribution = np.convolve(distribution, [1 - p, p])
    return Count(1 + _further(distribution), tuple(distribution.tolist()))


def _further(distribution: Array) -> int:
    """Return how many speakers besides the loudest to count on."""
    likeliest = int(distribution.argmax())
    if distribution[likeliest] >= SURE or distribution[0] >= ALONE:
        return likeliest
    return int(np.flatnonzero(distribution >= min(LIKELY, distribution.max())).max())


def _peakiness(powers: Array) -> Array:
    """Return arithmetic over geometric mean in time, as a logarithm, mean over the bands."""
    mean = np.maximum(powers.mean(axis=-1, keepdims=True), TINY)
    logarithm = np.log(np.maximum(powers, LEAST_SHARE * mean))
    peakiness: Array = np.maximum(np.mean(np.log(mean) - logarithm, axis=(1, 2)), 0)
    return peakiness


def _changes(share: Array) -> Array:
    """Return how the loudness of outputs changes, (n_src, n_bands / 2, n_frames), mean zero."""
    n_src, n_bands, n_frames = share.shape
    paired = share.reshape(n_src, n_bands // 2, 2, n_frames).mean(axis=2)
    loudness = paired**COMPRESSION
    changes: Array = loudness - loudness.mean(axis=-1, keepdims=True)
    return changes


def _innovations(changes: Array) -> Array:
    """Return what is left of each output's changes by ridge regression on louder ones."""
    n_src, n_bands, n_frames = changes.shape
    each = np.zeros((n_bands, n_src, N_LAGS, n_frames))
    for lag in range(min(N_LAGS, n_frames)):
        each[:, :, lag, lag:] = changes[..., : n_frames - lag].swapaxes(0, 1)
    delayed: Array = each.reshape(n_bands, n_src * N_LAGS, n_frames)
    R = delayed @ delayed.swapaxes(1, 2)
    new = changes.copy()
    for k in range(1, n_src):
        louder = slice(k * N_LAGS)
        ridge = RIDGE * np.trace(R[:, louder, louder], axis1=1, axis2=2) / (k * N_LAGS) + TINY
        regularised = R[:, louder, louder] + ridge[:, None, None] * np.eye(k * N_LAGS)
        followed = np.linalg.solve(regularised, R[:, louder, k * N_LAGS, None])
        new[k] -= (followed.swapaxes(1, 2) @ delayed[:, louder])[:, 0]
    return new


def _skew(series: Array) -> Array:
    """Return the skewness of series (n_src, n_frames) of mean zero."""
    cubed = np.maximum(np.mean(series**2, axis=-1) ** 1.5, TINY)
    skew: Array = np.clip(np.mean(series**3, axis=-1) / cubed, -MOST_SKEW, MOST_SKEW)
    return skew


def mel(frequency: Any) -> Any:
    """Return a frequency (Hz) on the mel scale."""
    return 2595 * np.log10(1 + np.asarray(frequency) / 700)
