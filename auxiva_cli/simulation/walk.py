"""Speakers who walk: responses along a path, and the speech handed on from one to the next.

Sound belongs to the place where it was said: speech is shared out among the points of the
path before it goes through their responses, so that a speaker's image stays in step with
the mixture and what was said elsewhere goes on reverberating from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.errors import ParameterError
from auxiva_cli.simulation.convolution import convolve_sum
from auxiva_cli.simulation.room import BETWEEN_SPEAKERS, Room
from auxiva_cli.simulation.talk import stretches

__all__ = ["Walk", "draw_path", "image_along"]

# From point to point of a path, in metres.
_STEP = 0.03

_N_DIRECTIONS = 36

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Walk:
    """How far a speaker walks, and when.

    Attributes
    ----------
    distance : float
        In metres along the path.
    start : float, default 0
        When he sets off, in seconds.
    stop : float, optional
        When he arrives, in seconds; by default at the end of the recording.
    back : bool, default False
        Whether he turns round half-way in time, and arrives where he set off.

    Raises
    ------
    ParameterError
        If one of these is out of range.
    """

    distance: float
    start: float = 0.0
    stop: float | None = None
    back: bool = False

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        if not 0.0 < self.distance < np.inf:
            raise ParameterError(f"distance={self.distance} of a walk must be positive")
        if not 0.0 <= self.start < (np.inf if self.stop is None else self.stop):
            raise ParameterError(f"a walk cannot last from {self.start} to {self.stop} s")

    def progress(self, n_samples: int, sample_rate: int) -> Array:
        """Return the share of the path that lies behind at every sample, (n_samples,).

        Raises
        ------
        ParameterError
            If the walk lasts longer than the recording.
        """
        duration = n_samples / sample_rate
        stop = duration if self.stop is None else self.stop
        if not self.start < stop <= duration:
            raise ParameterError(
                f"a walk from {self.start:g} to {stop:g} s does not fit into {duration:.1f} s"
            )
        time = np.arange(n_samples) / sample_rate
        share = np.clip((time - self.start) / (stop - self.start), 0.0, 1.0)
        return 1.0 - np.abs(2.0 * share - 1.0) if self.back else share


def draw_path(room: Room, speaker: int, distance: float, rng: np.random.Generator) -> Array:
    """Return where a speaker walks from his place on.

    Parameters
    ----------
    room : Room
    speaker : int
        From 0.
    distance : float
        In metres.
    rng : Generator

    Returns
    -------
    ndarray of shape (n_points, 3)
        Round the array at its height and distance where there is room for that, else
        straight on; never nearer to walls, array and others than speakers stand.

    Raises
    ------
    ParameterError
        If there is no such path.
    """
    others = np.delete(room.speakers, speaker, axis=0)
    for path in _paths(room.speakers[speaker], room.centre, distance, rng):
        apart = np.linalg.norm(path[:, np.newaxis] - others, axis=2)
        if room.stands_free(path).all() and (apart >= BETWEEN_SPEAKERS).all():
            return path
    raise ParameterError(
        f"found no way of {distance:g} m for speaker {speaker + 1}",
        hint="Take a shorter walk or another seed.",
    )


def image_along(said: Array, responses: Array, progress: Array) -> Array:
    """Return what the microphones hear of somebody who walks along a path while he talks.

    Parameters
    ----------
    said : ndarray of shape (n_samples,)
    responses : ndarray of shape (n_points, n_chan, n_taps)
        From the points of the path; of one who stays where he is, of a single point.
    progress : ndarray of shape (n_samples,)
        Share of the path that lies behind.

    Returns
    -------
    ndarray of shape (n_chan, n_samples)
        What is said between two points is shared between them, by its distance.
    """
    n_points, n_chan, n_taps = responses.shape
    place = progress * (n_points - 1)
    heard = np.zeros((n_chan, len(said)))
    for point, response in enumerate(responses):
        for start, stop in stretches(np.abs(place - point) < 1.0):
            share = 1.0 - np.abs(place[start:stop] - point)
            end = min(stop + n_taps - 1, len(said))
            signal = np.pad(share * said[start:stop], (0, end - stop))
            heard[:, start:end] += convolve_sum(signal[np.newaxis], response[np.newaxis])
    return heard


def _paths(
    place: Array, centre: Array, distance: float, rng: np.random.Generator
) -> Iterator[Array]:
    """Yield ways of a length: round the centre, either way, then straight, in any direction."""
    walked = np.linspace(0.0, distance, int(np.ceil(distance / _STEP)) + 1)
    (x, y), height = (place - centre)[:2], place[2]
    radius, bearing = np.hypot(x, y), np.arctan2(y, x)
    for turn in rng.permutation([-1.0, 1.0]):
        angle = bearing + turn * walked / radius
        yield _level(centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle), height)
    for angle in rng.permutation(2.0 * np.pi * np.arange(_N_DIRECTIONS) / _N_DIRECTIONS):
        yield _level(place[0] + walked * np.cos(angle), place[1] + walked * np.sin(angle), height)


def _level(x: Array, y: Array, height: float) -> Array:
    """Return points of one height, (n_points, 3)."""
    return np.stack([x, y, np.full_like(x, height)], axis=1)
