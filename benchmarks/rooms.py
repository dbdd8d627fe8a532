"""Groups of mixtures whose speakers are known: rooms full of people, simulated.

Speech comes from a folder of recordings of one speaker each.  Where a mixture is longer than
these, several people speak one after the other from the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import oaconvolve, resample_poly

from auxiva_cli.errors import ParameterError
from auxiva_cli.simulation import Room, Talk, simulate_room
from auxiva_cli.simulation.image_sources import solve_reflection
from auxiva_cli.simulation.noise import NoiseKind
from benchmarks.mixtures import Example

__all__ = ["GROUPS", "LENGTHS", "ONE", "RT60", "Group", "lengths_group", "read_people"]

Array = NDArray[Any]
SAMPLE_RATE = 16000
# Of a recording of speech, at least.
SECONDS_EACH = 14
CROWD = 24
ALL = Talk(duration=15)


@dataclass(frozen=True)
class Group:
    """Mixtures that are averaged together.

    Attributes
    ----------
    name : str
        What the group is called in the tables.
    make : callable
        Makes an example from people, ``number`` and a random generator.
    """

    name: str
    make: Callable[[Sequence[Array], int, np.random.Generator], Example]

    def example(self, people: Sequence[Array], number: int, seed: int) -> Example:
        """Return a mixture; those of other groups have other rooms and speakers."""
        rng = np.random.default_rng((seed, number, crc32(self.name.encode())))
        return self.make(people, number, rng)


def read_people(speech: Path) -> list[Array]:
    """Return what each speaker of a folder says, of unit power."""
    paths = sorted(path for path in speech.iterdir() if path.suffix in {".wav", ".flac"})
    people = []
    for path in paths:
        samples, sample_rate = soundfile.read(path)
        if sample_rate != SAMPLE_RATE or samples.ndim != 1:
            raise ValueError(f"{path} must be mono at {SAMPLE_RATE} Hz")
        people.append(samples / samples.std())
    return people


def in_a_room(
    people: Sequence[Array],
    number: int,
    rng: np.random.Generator,
    *,
    n_src: Sequence[int],
    n_more: Sequence[int] = (0,),
    talk: Talk = ALL,
    rt60: tuple[float, float] | None = None,
    noise: NoiseKind = "white",
    snr: float = 25.0,
) -> Example:
    """Return a mixture in a random room.

    Parameters
    ----------
    people : sequence of ndarray of shape (n_said,)
        What they say.
    number : int
        Numbers of speakers and microphones take turns.
    rng : Generator
    n_src : sequence of int
        Numbers of speakers.
    n_more : sequence of int
        Microphones beyond as many as speakers.
    talk : Talk
        Who talks when; it has a duration.
    rt60 : tuple of two floats, s, optional
        Between what reverberation times are drawn, if not as usual.
    noise : {'white', 'fan', 'babble'}
    snr : float, dB
    """
    assert talk.duration is not None
    here = n_src[number % len(n_src)]
    shuffled = [people[i] for i in rng.permutation(len(people))]
    n_each = min(-(-int(talk.duration) // SECONDS_EACH), len(people) // here)
    seats = [
        np.concatenate(
            [
                np.roll(own, rng.integers(len(own)))
                for own in shuffled[k * n_each : (k + 1) * n_each]
            ]
        )
        for k in range(here)
    ]
    scene = simulate_room(
        seats,
        sample_rate=SAMPLE_RATE,
        n_mics=here + n_more[number % len(n_more)],
        rt60=None if rt60 is None else rng.uniform(*rt60),
        talk=talk,
        noise=noise,
        snr=snr,
        crowd=shuffled[::-1][:CROWD],
        seed=int(rng.integers(2**31)),
    )
    return Example(f"{number}", scene.mixture, scene.references, SAMPLE_RATE)


def as_in_sms_wsj(
    people: Sequence[Array], number: int, rng: np.random.Generator, *, heard_by: Sequence[int]
) -> Example:
    """Return two speakers by the protocol of SMS-WSJ (arXiv 1910.13934), but for its speech.

    The room is about 8 x 6 x 3 m, the array a circle of six microphones, 20 cm across, about its
    middle; both speak for 4 to 9 s, from 1 to 2 m away; RT60 is 0.2 to 0.5 s, at 8 kHz, with white
    noise at 20 to 30 dB.  The references are what the first microphone hears of each.

    Parameters
    ----------
    people, number, rng
        As of ``in_a_room``.
    heard_by : sequence of int
        Which microphones of the six, from 0.
    """
    sample_rate, n_samples = SAMPLE_RATE // 2, int(SAMPLE_RATE // 2 * rng.uniform(4, 9))
    size = np.array([8.0, 6.0, 3.0]) + rng.uniform(-0.2, 0.2, 3)
    centre = np.array([4.0, 3.0, 1.5]) + rng.uniform(-0.2, 0.2, 3)
    array = centre + 0.1 * _around(np.arange(6) * np.pi / 3 + rng.uniform(0, 2 * np.pi))
    while True:
        speakers = centre + rng.uniform(1, 2, (2, 1)) * _around(rng.uniform(0, 2 * np.pi, 2))
        rt60 = rng.uniform(0.2, 0.5)
        try:
            reflection = solve_reflection(size, speakers, centre, rt60)
        except ParameterError:  # no walls make it so
            continue
        break
    room = Room(size, array[list(heard_by)], speakers, 1.0, rt60, reflection)
    said = [people[i] for i in rng.choice(len(people), 2, replace=False)]
    dry = np.array(
        [np.roll(resample_poly(own, 1, 2), rng.integers(len(own) // 2))[:n_samples] for own in said]
    )
    responses = room.responses(speakers, sample_rate)
    images = oaconvolve(dry[:, np.newaxis], responses, axes=-1)[..., :n_samples]
    images /= images[:, :1].std(axis=-1, keepdims=True)
    mixture = images.sum(axis=0)
    noise = rng.standard_normal(mixture.shape) * mixture[0].std()
    mixture += noise * 10 ** (-rng.uniform(20, 30) / 20)
    return Example(f"{number}", mixture, images[:, 0], sample_rate)


def _around(angles: Array) -> Array:
    """Return the directions of angles in the horizontal plane, (n, 3)."""
    return np.stack([np.cos(angles), np.sin(angles), np.zeros(len(angles))], axis=1)


def _group(name: str, *n_src: int, **settings: Any) -> Group:
    """Return a group of random rooms."""
    return Group(name, partial(in_a_room, n_src=n_src, **settings))


MINUTE = 60
ONE = "one alone, 2 to 4 microphones"
GROUPS = (
    *(_group(f"{n} of {n}", n) for n in (2, 3, 4)),
    *(
        _group(f"{n} of {n + 1} to 8, RT60 0.25 to 0.5 s", n, n_more=more, rt60=(0.25, 0.5))
        for n, more in ((2, (2, 4, 6, 1)), (3, (1, 3, 5, 2)), (4, (2, 4, 1, 3)))
    ),
    Group("SMS-WSJ, 2 of 6", partial(as_in_sms_wsj, heard_by=range(6))),
    Group("SMS-WSJ, 2 of 2", partial(as_in_sms_wsj, heard_by=(0, 3))),
    _group("turns, 60 s, 2 to 4", 2, 3, 4, talk=Talk("turns", MINUTE), rt60=(0.15, 0.5)),
    _group("streams, 60 s, 2 to 4", 2, 3, 4, talk=Talk("streams", MINUTE), rt60=(0.15, 0.5)),
    _group("2 of 2, 60 s, RT60 0.4 s", 2, talk=Talk(duration=MINUTE), rt60=(0.4, 0.4)),
    _group(ONE, 1, n_more=(1, 2, 3), rt60=(0.2, 0.6)),
    *(_group(f"2 and 3, babble at {snr} dB", 2, 3, noise="babble", snr=snr) for snr in (20, 10, 0)),
    _group("2 and 3, RT60 0.5 to 0.7 s", 2, 3, rt60=(0.5, 0.7)),
    _group("6 of 6", 6),
    _group("8 of 8", 8),
    _group("turns, 5 min, 2 to 4", 2, 3, 4, talk=Talk("turns", 5 * MINUTE), rt60=(0.15, 0.5)),
)
# Where the window is longer than it was once: speakers, and seconds.
LENGTHS = ((2, 60), (2, 300), (3, 300), (4, 300), (5, 300))
RT60 = (0.2, 0.45, 0.7)


def lengths_group(n_src: int, seconds: int, rt60: float) -> Group:
    """Return the group of a length."""
    name = f"{n_src} of {n_src}, {seconds} s, RT60 {rt60} s"
    return _group(name, n_src, talk=Talk(duration=seconds), rt60=(rt60, rt60))
