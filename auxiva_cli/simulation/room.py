"""A random shoebox room with an array in it and people around the array.

After R. Scheibler, "Independent vector analysis via log-quadratically penalized quadratic
minimization", IEEE TSP 2021, section V.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.errors import ParameterError
from auxiva_cli.simulation.image_sources import (
    SPEED_OF_SOUND,
    room_impulse_responses,
    solve_reflection,
)

__all__ = ["ArrayShape", "Room", "draw_room"]

ArrayShape = Literal["circular", "linear"]

# The paper's intervals, all in metres but the last, which is in seconds.
_ROOM_SMALLEST, _ROOM_LARGEST = (6.0, 6.0, 2.8), (10.0, 10.0, 4.5)
LOWEST, HIGHEST = 1.0, 2.0
FROM_WALLS = 0.5
_RT60 = (0.15, 0.35)

BETWEEN_SPEAKERS = 0.5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Room:
    """A room, and where everything stands in it.

    Attributes
    ----------
    size : ndarray of shape (3,)
        Length, width and height in metres; a corner is the origin.
    microphones : ndarray of shape (n_chan, 3)
        Positions in metres.
    speakers : ndarray of shape (n_src, 3)
        Positions in metres.
    critical_distance : float
        In metres; no speaker is nearer to the centre of the array.
    rt60 : float
        The reverberation time asked for, in seconds.
    reflection : float
        Share of the sound pressure that every wall reflects.
    """

    size: Array
    microphones: Array
    speakers: Array
    critical_distance: float
    rt60: float
    reflection: float

    @property
    def centre(self) -> Array:
        """The middle of the array, (3,)."""
        return np.asarray(self.microphones.mean(axis=0))

    def stands_free(self, points: Array) -> NDArray[np.bool_]:
        """Return which points, (n_points, 3), are far enough from walls and array to speak at."""
        lowest, highest = _speakers_zone(self.size)
        inside = ((points >= lowest) & (points <= highest)).all(axis=1)
        distance = np.linalg.norm(points - self.centre, axis=1)
        return np.asarray(inside & (distance >= self.critical_distance * (1.0 - 1e-9)))

    def responses(self, points: Array, sample_rate: int) -> Array:
        """Return the impulse responses from points to the microphones.

        Parameters
        ----------
        points : ndarray of shape (n_points, 3)
            Positions in metres.
        sample_rate : int
            In Hz.

        Returns
        -------
        ndarray of shape (n_points, n_chan, n_taps)
        """
        return room_impulse_responses(
            self.size,
            points,
            self.microphones,
            reflection=self.reflection,
            duration=self.rt60 + float(np.linalg.norm(self.size)) / SPEED_OF_SOUND,
            sample_rate=sample_rate,
        )


def draw_room(
    n_src: int,
    n_mics: int,
    *,
    rt60: float | None,
    array: ArrayShape,
    spacing: float,
    rng: np.random.Generator,
) -> Room:
    """Draw a room of 6 to 10 m by 6 to 10 m by 2.8 to 4.5 m.

    Array and speakers are 1 to 2 m high and at least half a metre from the walls, the
    speakers beyond the critical distance and half a metre from each other.

    Parameters
    ----------
    n_src, n_mics : int
        How many speakers and microphones.
    rt60 : float or None
        Reverberation time in seconds, from 0.1 to 1; drawn from 0.15 to 0.35 if None.
    array : {"circular", "linear"}
    spacing : float
        Distance between neighbouring microphones in metres.
    rng : Generator

    Returns
    -------
    Room

    Raises
    ------
    ParameterError
        If a setting is out of range, or the scene does not fit into the room.
    """
    _validate(n_mics=n_mics, rt60=rt60, array=array, spacing=spacing)
    size = rng.uniform(_ROOM_SMALLEST, _ROOM_LARGEST)
    rt60 = float(rng.uniform(*_RT60)) if rt60 is None else rt60
    microphones = _place_array(size, _array_shape(array, n_mics, spacing), rng)
    centre = microphones.mean(axis=0)
    critical_distance = 0.057 * float(np.sqrt(size.prod() / rt60))
    speakers = _place_speakers(size, centre, critical_distance, n_src, rng)
    reflection = solve_reflection(size, speakers, centre, rt60)
    return Room(size, microphones, speakers, critical_distance, rt60, reflection)


def _validate(*, n_mics: int, rt60: float | None, array: str, spacing: float) -> None:
    """Refuse settings that are out of range."""
    if n_mics < 2:
        raise ParameterError(f"{n_mics=} must be at least 2")
    if rt60 is not None and not 0.1 <= rt60 <= 1.0:
        raise ParameterError(f"{rt60=} must be from 0.1 to 1 s")
    if array not in get_args(ArrayShape):
        raise ParameterError(f"{array=} must be one of {', '.join(get_args(ArrayShape))}")
    if not 0.0 < spacing < np.inf:
        raise ParameterError(f"{spacing=} must be positive")


def _array_shape(array: ArrayShape, n_mics: int, spacing: float) -> Array:
    """Return the positions of the microphones around the array's centre, (n_mics, 2)."""
    if array == "linear":
        along = spacing * (np.arange(n_mics) - 0.5 * (n_mics - 1))
        return np.stack([along, np.zeros(n_mics)], axis=1)
    angle = 2.0 * np.pi * np.arange(n_mics) / n_mics
    radius = 0.5 * spacing / np.sin(np.pi / n_mics)
    return np.asarray(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def _place_array(size: Array, shape: Array, rng: np.random.Generator) -> Array:
    """Put the array, turned at random, somewhere in the room; return (n_chan, 3)."""
    margin = FROM_WALLS + float(np.linalg.norm(shape, axis=1).max())
    if 2.0 * margin > size[:2].min():
        raise ParameterError(
            f"an array {2.0 * (margin - FROM_WALLS):.2f} m wide does not fit into a room "
            f"of {size[0]:.1f} x {size[1]:.1f} m",
            hint="Take fewer microphones or a smaller spacing.",
        )
    angle = rng.uniform(0.0, 2.0 * np.pi)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = rng.uniform([margin, margin, LOWEST], [*(size[:2] - margin), HIGHEST])
    return np.asarray(centre + np.pad(shape @ rotation.T, ((0, 0), (0, 1))))


def _speakers_zone(size: Array) -> tuple[Array, Array]:
    """Return the lowest and the highest corner of where people may speak."""
    margin = np.array([FROM_WALLS, FROM_WALLS])
    return np.append(margin, LOWEST), np.append(size[:2] - margin, HIGHEST)


def _place_speakers(
    size: Array, centre: Array, nearest: float, n_src: int, rng: np.random.Generator
) -> Array:
    """Put speakers into the room, away from its walls, the array and each other."""
    candidates = rng.uniform(*_speakers_zone(size), size=(100 * n_src, 3))
    candidates = candidates[np.linalg.norm(candidates - centre, axis=1) >= nearest]
    places = np.empty((0, 3))
    for candidate in candidates:
        if (np.linalg.norm(places - candidate, axis=1) >= BETWEEN_SPEAKERS).all():
            places = np.append(places, [candidate], axis=0)
        if len(places) == n_src:
            return places
    raise ParameterError(
        f"found no place for {n_src} speakers at least {nearest:.1f} m from the array",
        hint="Take fewer speakers, a longer reverberation time or another seed.",
    )
