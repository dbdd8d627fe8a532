"""Noise: of the microphones themselves, of a fan in the room, of a crowd around the array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from auxiva_cli.simulation.convolution import convolve_sum
from auxiva_cli.simulation.room import HIGHEST, LOWEST, Room

__all__ = ["NoiseKind", "babble", "make_noise"]

NoiseKind = Literal["white", "fan", "babble"]

# Above this the noise of a fan falls by 6 dB an octave.
_FAN_HZ = 200.0

_N_VOICES = 24
_SPEED = (0.85, 1.15)
_CROWD_FROM_WALLS = 0.2

Array = NDArray[np.float64]


def make_noise(
    kind: NoiseKind,
    room: Room,
    n_samples: int,
    *,
    sample_rate: int,
    crowd: Sequence[Array],
    rng: np.random.Generator,
) -> Array:
    """Return noise as the microphones hear it, of whatever level.

    Parameters
    ----------
    kind : {"white", "fan", "babble"}
        White Gaussian noise, independent from microphone to microphone; a low-passed point
        source somewhere near the walls; or 24 voices from all directions along the walls.
    room : Room
    n_samples : int
    sample_rate : int
        In Hz.
    crowd : sequence of ndarray
        Speech of whoever babbles.  It is played backwards, each voice at a speed of its
        own, so that few make a crowd, and nobody's words are understood.
    rng : Generator

    Returns
    -------
    ndarray of shape (n_chan, n_samples)
    """
    if kind == "white":
        return rng.standard_normal((len(room.microphones), n_samples))
    if kind == "fan":
        signals = _low_pass(rng.standard_normal((1, n_samples)), sample_rate)
    else:
        signals = np.array(
            [babble(crowd[v % len(crowd)], n_samples, rng) for v in range(_N_VOICES)]
        )
    responses = room.responses(_around(room, len(signals), rng), sample_rate)
    # All are as loud at the first microphone, also those whom the array happens to be near.
    gains = 1.0 / (np.std(signals, axis=1) * np.linalg.norm(responses[:, 0], axis=1))
    return convolve_sum(signals, gains[:, np.newaxis, np.newaxis] * responses)


def babble(speech: Array, n_samples: int, rng: np.random.Generator) -> Array:
    """Return endless speech backwards, from somewhere in it on, at 0.85 to 1.15 of its speed.

    Parameters
    ----------
    speech : ndarray of shape (n_said,)
    n_samples : int
    rng : Generator

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    n_said = max(round(len(speech) / rng.uniform(*_SPEED)), 1)
    positions = np.linspace(len(speech) - 1, 0, n_said)
    backwards = np.interp(positions, np.arange(len(speech)), speech)
    return np.resize(np.roll(backwards, int(rng.integers(n_said))), n_samples)


def _low_pass(white: Array, sample_rate: int) -> Array:
    """Return noise that falls by 6 dB an octave above the corner of a fan's."""
    pole = np.exp(-2.0 * np.pi * _FAN_HZ / sample_rate)
    return np.asarray(lfilter([1.0 - pole], [1.0, -pole], white))


def _around(room: Room, n_points: int, rng: np.random.Generator) -> Array:
    """Return points along the walls, one in each sector as seen from the array, (n_points, 3)."""
    angle = 2.0 * np.pi * (np.arange(n_points) + rng.uniform(size=n_points)) / n_points
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    wall = np.where(direction > 0.0, room.size[:2] - _CROWD_FROM_WALLS, _CROWD_FROM_WALLS)
    reach = ((wall - room.centre[:2]) / direction).min(axis=1)
    ground = room.centre[:2] + direction * (reach * rng.uniform(0.8, 1.0, n_points))[:, np.newaxis]
    height = rng.uniform(LOWEST, HIGHEST, n_points)
    return np.concatenate([ground, height[:, np.newaxis]], axis=1)
