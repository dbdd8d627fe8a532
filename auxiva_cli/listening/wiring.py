"""How channels are wired: one the wrong way round, and hum of the mains.

Neither keeps a recording from being separated.  An inverted channel spoils what else is made of it,
and hum belongs to no speaker: both are told.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.errors import Notice
from auxiva_cli.listening.clocks import Windows

__all__ = ["agreement", "inverted", "mains_hum", "wiring_notices"]

Array = NDArray[Any]
# A room sounds alike all over at low frequencies.
LOWEST_HZ, HIGHEST_HZ = 80, 350
# Mean cosine of the phase between a channel and the others.  26 rooms at least 0.7 with microphones
# up to 0.3 m apart; a single voice in line with two of them 0.75 m apart -0.51, nothing less.
INVERTED = -0.6
MAINS_HZ = (50, 60)
N_HARMONICS = 6
# Height (dB) of the second of the harmonics over what is beside them, in the median of time: 52
# recordings at most 6.5; with hum 10 dB below three who never pause 13, 30 below two who do 20.
HUM_DB = 11.0
BESIDE = range(4, 10)  # Hz from a harmonic
FEWEST_WINDOWS = 8


def agreement(seen: Windows, channels: Array) -> Array:
    """Return how far each channel swings with the others at low frequencies, from -1 to 1.

    Parameters
    ----------
    seen : Windows
        A sample of the recording.
    channels : ndarray of int
        Which channels to compare, from 0.

    Returns
    -------
    ndarray of shape (len(channels),)
        The median over the others of the mean cosine of their phase, weighted with the coherence.
    """
    X = seen.X[channels][:, :, LOWEST_HZ : HIGHEST_HZ + 1].transpose(2, 0, 1)
    R = X @ X.conj().transpose(0, 2, 1)
    scale = 1 / np.sqrt(np.maximum(np.einsum("fcc->fc", R).real, np.finfo(np.float32).tiny))
    together = np.mean(R.real * scale[:, :, None] * scale[:, None], axis=0)
    others = ~np.eye(len(channels), dtype=bool)
    return np.array([np.median(row[mask]) for row, mask in zip(together, others, strict=True)])


def inverted(seen: Windows, channels: Array) -> tuple[int, ...]:
    """Return which channels are wired the wrong way round: of two both, as either may be it."""
    if len(channels) < 2 or not _can_tell(seen):
        return ()
    return tuple(channels[agreement(seen, channels) < INVERTED].tolist())


def mains_hum(seen: Windows, channels: Array) -> tuple[tuple[int, int], ...]:
    """Return which of these channels hum, and at which frequency (Hz) of the mains."""
    if not _can_tell(seen):
        return ()
    power = np.median(np.square(np.abs(seen.X[channels])), axis=1)
    heights = np.array([_height(power, mains) for mains in MAINS_HZ])
    loudest = heights.argmax(axis=0).tolist()
    hums = heights.max(axis=0) > HUM_DB
    return tuple(
        (c, MAINS_HZ[best])
        for c, best, is_hum in zip(channels.tolist(), loudest, hums, strict=True)
        if is_hum
    )


def _can_tell(seen: Windows) -> bool:
    """Tell whether a sample is long enough, and reaches high enough."""
    highest = N_HARMONICS * max(MAINS_HZ) + BESIDE.stop
    return len(seen.times) >= FEWEST_WINDOWS and seen.X.shape[-1] > highest


def _height(power: Array, mains: int) -> Array:
    """Return the height (dB) of the second of the harmonics over what is beside, each channel's."""
    tiny = np.finfo(np.float32).tiny
    heights = []
    for harmonic in mains * np.arange(1, N_HARMONICS + 1):
        line = power[:, harmonic - 1 : harmonic + 2].max(axis=1)
        sides = [harmonic + sign * distance for sign in (-1, 1) for distance in BESIDE]
        beside = np.median(power[:, sides], axis=1)
        heights.append(10 * np.log10((line + tiny) / (beside + tiny)))
    second: Array = np.sort(heights, axis=0)[-2]
    return second


def wiring_notices(against: tuple[int, ...], hum: tuple[tuple[int, int], ...]) -> list[Notice]:
    """Say which channels are wired the wrong way round, and which hum."""
    notices = []
    if len(against) == 2:
        text = (
            f"channels {against[0] + 1} and {against[1] + 1} swing against each other: "
            "one is wired the wrong way round, and its outputs are as it is"
        )
        notices.append(Notice("polarity-inverted", text))
    elif against:
        for c in against:
            text = f"channel {c + 1} is wired the wrong way round, and its outputs are as it is"
            notices.append(Notice("polarity-inverted", text))
    if hum:
        which = ", ".join(str(c + 1) for c, _ in hum)
        text = (
            f"channel{'s' if len(hum) > 1 else ''} {which} hum{'' if len(hum) > 1 else 's'} "
            f"at {hum[0][1]} Hz and its multiples: look for a ground loop"
        )
        notices.append(Notice("hum", text))
    return notices
