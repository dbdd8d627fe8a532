"""A scene: a random room, an array, speakers, and what its microphones hear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import fftconvolve

from auxiva_cli.errors import ParameterError, RecordingError
from auxiva_cli.simulation.image_sources import (
    SPEED_OF_SOUND,
    measure_rt60,
    room_impulse_responses,
    solve_reflection,
)

__all__ = ["ArrayShape", "Scene", "simulate_room"]

ArrayShape = Literal["circular", "linear"]

# The paper's intervals, all in metres but the last, which is in seconds.
_ROOM_SMALLEST, _ROOM_LARGEST = (6.0, 6.0, 2.8), (10.0, 10.0, 4.5)
_LOWEST, _HIGHEST = 1.0, 2.0
_FROM_WALLS = 0.5
_RT60 = (0.15, 0.35)

_BETWEEN_SPEAKERS = 0.5
_PEAK = 0.5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A simulated recording and everything that it was made from.

    Attributes
    ----------
    mixture : ndarray of shape (n_chan, n_samples)
        What the microphones hear, with a peak of one half.
    references : ndarray of shape (n_src, n_samples)
        Every speaker alone as heard by the first microphone; with ``noise[0]`` they sum
        to ``mixture[0]``.
    noise : ndarray of shape (n_chan, n_samples)
        White, Gaussian, independent from microphone to microphone.
    responses : ndarray of shape (n_src, n_chan, n_taps)
        Impulse responses from the speech as given to the microphones, levels included.
    sample_rate : int
        In Hz.
    room : ndarray of shape (3,)
        Length, width and height in metres.
    microphones : ndarray of shape (n_chan, 3)
        Positions in metres.
    speakers : ndarray of shape (n_src, 3)
        Positions in metres.
    critical_distance : float
        In metres; no speaker is nearer to the centre of the array.
    rt60, rt60_measured : float
        The reverberation time asked for, and the mean of the responses', in seconds.
    snr : float
        Power of all speakers over that of the noise at the first microphone, in dB.
    seed : int
    """

    mixture: Array
    references: Array
    noise: Array
    responses: Array
    sample_rate: int
    room: Array
    microphones: Array
    speakers: Array
    critical_distance: float
    rt60: float
    rt60_measured: float
    snr: float
    seed: int


def simulate_room(
    speech: Sequence[ArrayLike],
    *,
    sample_rate: int,
    n_mics: int | None = None,
    rt60: float | None = None,
    snr: float = 25.0,
    array: ArrayShape = "circular",
    spacing: float = 0.1,
    seed: int = 0,
) -> Scene:
    """Simulate speakers in a random shoebox room, heard by a small array.

    The room is 6 to 10 m long and wide and 2.8 to 4.5 m high.  Array and speakers are
    1 to 2 m high and at least half a metre from the walls, the speakers beyond the
    critical distance.  All have the same power at the first microphone.

    Parameters
    ----------
    speech : sequence of array_like of shape (n_samples,)
        One signal a speaker; shorter ones are followed by silence.
    sample_rate : int
        In Hz.
    n_mics : int, optional
        As many as speakers by default, but at least two.
    rt60 : float, optional
        Reverberation time in seconds, from 0.1 to 1; by default drawn from 0.15 to 0.35.
    snr : float, default 25
        Power of all speakers over that of the noise at the first microphone, in dB.
    array : {"circular", "linear"}, default "circular"
    spacing : float, default 0.1
        Distance between neighbouring microphones in metres.
    seed : int, default 0
        The same seed gives the same scene.

    Returns
    -------
    Scene

    Raises
    ------
    ParameterError
        If a setting is out of range, or the scene does not fit into the room.
    RecordingError
        If there is no speech, or a speaker is silent throughout.
    """
    signals = _stack(speech)
    n_mics = max(len(signals), 2) if n_mics is None else n_mics
    _validate(n_mics=n_mics, rt60=rt60, snr=snr, array=array, spacing=spacing)
    rng = np.random.default_rng(seed)
    room = rng.uniform(_ROOM_SMALLEST, _ROOM_LARGEST)
    rt60 = float(rng.uniform(*_RT60)) if rt60 is None else rt60
    microphones = _place_array(room, _array_shape(array, n_mics, spacing), rng)
    centre = microphones.mean(axis=0)
    critical_distance = 0.057 * float(np.sqrt(room.prod() / rt60))
    speakers = _place_speakers(room, centre, critical_distance, len(signals), rng)
    responses = room_impulse_responses(
        room,
        speakers,
        microphones,
        reflection=solve_reflection(room, speakers, centre, rt60),
        duration=rt60 + float(np.linalg.norm(room)) / SPEED_OF_SOUND,
        sample_rate=sample_rate,
    )
    images = fftconvolve(signals[:, np.newaxis], responses, axes=-1)[..., : signals.shape[1]]
    noise = rng.standard_normal(images.shape[1:])
    gains, noise_gain = _levels(images, noise, snr)
    images *= gains[:, np.newaxis, np.newaxis]
    noise *= noise_gain
    return Scene(
        mixture=images.sum(axis=0) + noise,
        references=images[:, 0],
        noise=noise,
        responses=responses * gains[:, np.newaxis, np.newaxis],
        sample_rate=sample_rate,
        room=room,
        microphones=microphones,
        speakers=speakers,
        critical_distance=critical_distance,
        rt60=rt60,
        rt60_measured=float(
            np.mean([measure_rt60(response, sample_rate) for row in responses for response in row])
        ),
        snr=snr,
        seed=seed,
    )


def _stack(speech: Sequence[ArrayLike]) -> Array:
    """Return the signals of the speakers, followed by silence up to a common length."""
    signals = [np.asarray(signal, np.float64) for signal in speech]
    if not signals:
        raise RecordingError("no speech was given", kind="input-empty")
    for n, signal in enumerate(signals, start=1):
        if signal.ndim != 1:
            raise ParameterError(f"speech of speaker {n} must be (n_samples,), not {signal.shape}")
        if not np.isfinite(signal).all():
            raise RecordingError(f"speaker {n} holds NaN or infinity", kind="input-nonfinite")
        if not signal.any():
            raise RecordingError(f"speaker {n} is silent throughout", kind="silent")
    n_samples = max(len(signal) for signal in signals)
    return np.array([np.pad(signal, (0, n_samples - len(signal))) for signal in signals])


def _validate(*, n_mics: int, rt60: float | None, snr: float, array: str, spacing: float) -> None:
    """Refuse settings that are out of range."""
    if n_mics < 2:
        raise ParameterError(f"{n_mics=} must be at least 2")
    if rt60 is not None and not 0.1 <= rt60 <= 1.0:
        raise ParameterError(f"{rt60=} must be from 0.1 to 1 s")
    if not np.isfinite(snr):
        raise ParameterError(f"{snr=} must be finite")
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


def _place_array(room: Array, shape: Array, rng: np.random.Generator) -> Array:
    """Put the array, turned at random, somewhere in the room; return (n_chan, 3)."""
    margin = _FROM_WALLS + float(np.linalg.norm(shape, axis=1).max())
    if 2.0 * margin > room[:2].min():
        raise ParameterError(
            f"an array {2.0 * (margin - _FROM_WALLS):.2f} m wide does not fit into a room "
            f"of {room[0]:.1f} x {room[1]:.1f} m",
            hint="Take fewer microphones or a smaller spacing.",
        )
    angle = rng.uniform(0.0, 2.0 * np.pi)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = rng.uniform([margin, margin, _LOWEST], [*(room[:2] - margin), _HIGHEST])
    return np.asarray(centre + np.pad(shape @ rotation.T, ((0, 0), (0, 1))))


def _place_speakers(
    room: Array, centre: Array, nearest: float, n_src: int, rng: np.random.Generator
) -> Array:
    """Put speakers into the room, away from its walls, the array and each other."""
    zone = [_FROM_WALLS, _FROM_WALLS, _LOWEST], [*(room[:2] - _FROM_WALLS), _HIGHEST]
    candidates = rng.uniform(*zone, size=(100 * n_src, 3))
    candidates = candidates[np.linalg.norm(candidates - centre, axis=1) >= nearest]
    places = np.empty((0, 3))
    for candidate in candidates:
        if (np.linalg.norm(places - candidate, axis=1) >= _BETWEEN_SPEAKERS).all():
            places = np.append(places, [candidate], axis=0)
        if len(places) == n_src:
            return places
    raise ParameterError(
        f"found no place for {n_src} speakers at least {nearest:.1f} m from the array",
        hint="Take fewer speakers, a longer reverberation time or another seed.",
    )


def _levels(images: Array, noise: Array, snr: float) -> tuple[Array, float]:
    """Return the gains of speakers, (n_src,), and noise: equal powers, the SNR, the peak."""
    gains = 1.0 / np.sqrt(np.mean(images[:, 0] ** 2, axis=1))
    speech_power = np.mean((gains @ images[:, 0]) ** 2)
    noise_gain = float(np.sqrt(speech_power / np.mean(noise[0] ** 2) * 10.0 ** (-snr / 10.0)))
    peak = np.abs(np.einsum("k,kmt->mt", gains, images) + noise_gain * noise).max()
    return gains * (_PEAK / peak), noise_gain * _PEAK / float(peak)
