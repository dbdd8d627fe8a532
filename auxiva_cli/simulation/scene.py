"""A scene: people who talk in a room, noise, and what an array hears of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auxiva_cli.errors import ParameterError, RecordingError
from auxiva_cli.simulation.image_sources import measure_rt60
from auxiva_cli.simulation.noise import NoiseKind, make_noise
from auxiva_cli.simulation.room import ArrayShape, Room, draw_room
from auxiva_cli.simulation.talk import Talk, draw_activity, pour, stretches
from auxiva_cli.simulation.walk import Walk, draw_path, image_along

__all__ = ["Scene", "simulate_room"]

_PEAK = 0.5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A simulated recording and everything that it was made from.

    Attributes
    ----------
    mixture : ndarray of shape (n_chan, n_samples)
        What the microphones hear, with a peak of one half: the sum of images and noise.
    images : ndarray of shape (n_src, n_chan, n_samples)
        Every speaker alone as heard by every microphone.
    noise : ndarray of shape (n_chan, n_samples)
    speech : ndarray of shape (n_src, n_samples)
        What everybody says, before the room.
    activity : ndarray of bool of shape (n_src, n_samples)
        Where each of them has the floor, in the time of ``speech``.
    responses : ndarray of shape (n_src, n_chan, n_taps)
        Impulse responses from speech to microphones, levels included; of one who walks,
        from where he sets off.
    paths : tuple of n_src ndarrays of shape (n_points, 3)
        Where each of them walks, in metres; a single point if he does not.
    sample_rate : int
        In Hz.
    room : Room
        Its size, and where everything stands.
    snr : float
        Power of all speakers while anybody talks, over that of the noise, at the first
        microphone, in dB.
    seed : int
    """

    mixture: Array
    images: Array
    noise: Array
    speech: Array
    activity: NDArray[np.bool_]
    responses: Array
    paths: tuple[Array, ...]
    sample_rate: int
    room: Room
    snr: float
    seed: int

    @property
    def references(self) -> Array:
        """Every speaker alone as heard by the first microphone, (n_src, n_samples)."""
        return self.images[:, 0]

    @property
    def turns(self) -> list[list[tuple[int, int]]]:
        """Where each speaker's turns begin and end, in samples."""
        return [stretches(own) for own in self.activity]

    @property
    def rt60_measured(self) -> float:
        """The mean reverberation time of the responses, in seconds."""
        taps = self.responses.reshape(-1, self.responses.shape[-1])
        return float(np.mean([measure_rt60(response, self.sample_rate) for response in taps]))


def simulate_room(
    speech: Sequence[ArrayLike],
    *,
    sample_rate: int,
    n_mics: int | None = None,
    rt60: float | None = None,
    talk: Talk | None = None,
    levels: Sequence[float] | None = None,
    walks: Mapping[int, Walk] | None = None,
    noise: NoiseKind = "white",
    snr: float = 25.0,
    crowd: Sequence[ArrayLike] | None = None,
    array: ArrayShape = "circular",
    spacing: float = 0.1,
    seed: int = 0,
) -> Scene:
    """Simulate speakers in a random shoebox room, heard by a small array.

    The room is 6 to 10 m long and wide and 2.8 to 4.5 m high.  Array and speakers are
    1 to 2 m high and at least half a metre from the walls, the speakers beyond the
    critical distance.

    Parameters
    ----------
    speech : sequence of array_like of shape (n_said,)
        What each speaker has to say.
    sample_rate : int
        In Hz.
    n_mics : int, optional
        As many as speakers by default, but at least two.
    rt60 : float, optional
        Reverberation time in seconds, from 0.1 to 1; by default drawn from 0.15 to 0.35.
    talk : Talk, optional
        Who talks when; by default everybody says all at once.
    levels : sequence of float, optional
        Power of each speaker while he talks, at the first microphone, in dB relative to
        the others; by default equal.
    walks : mapping of int to Walk, optional
        Of the speakers who walk, numbered from 0; by default nobody does.
    noise : {"white", "fan", "babble"}, default "white"
        Each microphone's own; a low-passed point source; many voices from all around.
    snr : float, default 25
        Power of all speakers while anybody talks, over that of the noise, at the first
        microphone, in dB.
    crowd : sequence of array_like, optional
        Speech of whoever babbles; by default that of the speakers, backwards as theirs.
    array : {"circular", "linear"}, default "circular"
    spacing : float, default 0.1
        Distance between neighbouring microphones in metres.
    seed : int, default 0
        The same seed gives the same scene, and the same room whoever talks when and
        whatever the noise.

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
    signals = _signals(speech)
    relative = np.zeros(len(signals)) if levels is None else np.asarray(levels, np.float64)
    _validate(len(signals), levels=relative, noise=noise, snr=snr)
    rng = np.random.default_rng(seed)
    n_mics = max(len(signals), 2) if n_mics is None else n_mics
    room = draw_room(len(signals), n_mics, rt60=rt60, array=array, spacing=spacing, rng=rng)
    activity = draw_activity(
        talk or Talk(),
        [len(signal) for signal in signals],
        sample_rate,
        np.random.default_rng((seed, 1)),
    )
    said = pour(signals, activity, sample_rate)
    paths = _draw_paths(room, walks or {}, np.random.default_rng((seed, 2)))
    images, responses = _hear(said, room, paths, walks or {}, sample_rate)
    heard_noise = make_noise(
        noise,
        room,
        said.shape[1],
        sample_rate=sample_rate,
        crowd=signals if crowd is None else _signals(crowd),
        rng=rng,
    )
    gains, noise_gain = _gains(images, activity, relative, heard_noise, snr)
    images *= gains[:, np.newaxis, np.newaxis]
    heard_noise *= noise_gain
    return Scene(
        mixture=images.sum(axis=0) + heard_noise,
        images=images,
        noise=heard_noise,
        speech=said,
        activity=activity,
        responses=responses * gains[:, np.newaxis, np.newaxis],
        paths=paths,
        sample_rate=sample_rate,
        room=room,
        snr=snr,
        seed=seed,
    )


def _signals(speech: Sequence[ArrayLike]) -> list[Array]:
    """Return the signals of speakers, checked."""
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
    return signals


def _validate(n_src: int, *, levels: Array, noise: str, snr: float) -> None:
    """Refuse levels and noise that are out of range."""
    if levels.shape != (n_src,) or not np.isfinite(levels).all():
        raise ParameterError(f"levels={levels.tolist()} must be {n_src} finite figures")
    if noise not in get_args(NoiseKind):
        raise ParameterError(f"{noise=} must be one of {', '.join(get_args(NoiseKind))}")
    if not np.isfinite(snr):
        raise ParameterError(f"{snr=} must be finite")


def _draw_paths(
    room: Room, walks: Mapping[int, Walk], rng: np.random.Generator
) -> tuple[Array, ...]:
    """Return the path of every speaker, of one point if he does not walk."""
    n_src = len(room.speakers)
    for n in walks:
        if not 0 <= n < n_src:
            raise ParameterError(f"walks has speaker {n}, they are 0 to {n_src - 1}")
    return tuple(
        draw_path(room, k, walks[k].distance, rng) if k in walks else room.speakers[k : k + 1]
        for k in range(n_src)
    )


def _hear(
    said: Array,
    room: Room,
    paths: Sequence[Array],
    walks: Mapping[int, Walk],
    sample_rate: int,
) -> tuple[Array, Array]:
    """Return images, (n_src, n_chan, n_samples), and the responses of where each begins."""
    n_samples = said.shape[1]
    images, first_responses = [], []
    for k, path in enumerate(paths):
        responses = room.responses(path, sample_rate)
        walk = walks.get(k)
        progress = np.zeros(n_samples) if walk is None else walk.progress(n_samples, sample_rate)
        images.append(image_along(said[k], responses, progress))
        first_responses.append(responses[0])
    return np.array(images), np.array(first_responses)


def _gains(
    images: Array, activity: NDArray[np.bool_], levels: Array, noise: Array, snr: float
) -> tuple[Array, float]:
    """Return the gains of speakers, (n_src,), and noise: the levels, the SNR, the peak."""
    powers = np.array(
        [np.mean(image[0, talks] ** 2) for image, talks in zip(images, activity, strict=True)]
    )
    if not powers.all():
        raise RecordingError(
            f"speaker {int(np.argmin(powers)) + 1} says nothing when he talks", kind="silent"
        )
    gains = 10.0 ** (levels / 20.0) / np.sqrt(powers)
    speech_power = np.mean((gains @ images[:, 0])[activity.any(axis=0)] ** 2)
    noise_gain = float(np.sqrt(speech_power / np.mean(noise[0] ** 2) * 10.0 ** (-snr / 10.0)))
    peak = max(
        np.abs(np.tensordot(gains, images[:, m], 1) + noise_gain * noise[m]).max()
        for m in range(len(noise))
    )
    return gains * (_PEAK / peak), noise_gain * _PEAK / float(peak)
