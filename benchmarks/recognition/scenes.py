"""Rooms full of people who read sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import oaconvolve

from auxiva_cli.simulation import Scene, simulate_room
from benchmarks.mixtures import Example
from benchmarks.recognition.speech import SAMPLE_RATE, Sentence

__all__ = ["KINDS", "Kind", "Reading", "SpokenExample", "make"]

Array = NDArray[Any]
SECONDS = 40
PAUSE = (0.3, 0.8)  # s, before each sentence
SNR = 25.0  # dB, of the microphones
N_CROWD = 12
# What arrives so long after the direct sound helps to understand it; what is later does not.
EARLY = 0.05  # s


@dataclass(frozen=True)
class Kind:
    """A kind of room.

    Attributes
    ----------
    name : str
        What it is called in the table.
    n_src : int
        Speakers who are to be understood.
    n_mics : int
    rt60 : tuple of float, s
        From where to where reverberation times are drawn.
    n_crowd : int
        Others, who together are as loud as the speakers.
    early : bool
        Whether the early images are the references instead of the whole ones.
    """

    name: str
    n_src: int
    n_mics: int
    rt60: tuple[float, float] = (0.15, 0.35)
    n_crowd: int = 0
    early: bool = False

    @property
    def n_people(self) -> int:
        """All who talk."""
        return self.n_src + self.n_crowd


KINDS = (
    Kind("1 speaker", 1, 2),
    *(Kind(f"{n} speakers", n, n) for n in (2, 4, 8)),
    *(Kind(f"the crowd, {n} microphones", 2, n, n_crowd=N_CROWD) for n in (2, 4, 8)),
    *(Kind(f"{n} speakers, 0.5 to 0.7 s", n, n, (0.5, 0.7), early=True) for n in (2, 4)),
)


@dataclass(frozen=True)
class Reading:
    """What one speaker says in a mixture, and where.

    Attributes
    ----------
    sentences : tuple of tuple of str
        Their words.
    borders : tuple of (int, int)
        Where they begin and end, in samples.
    """

    sentences: tuple[tuple[str, ...], ...]
    borders: tuple[tuple[int, int], ...]

    def some(self, n: int | None) -> Reading:
        """Return so many of the sentences at most, evenly; all without a number."""
        n_all = len(self.sentences)
        chosen = np.linspace(0, n_all - 1, min(n or n_all, n_all)).round().astype(int)
        return Reading(
            tuple(self.sentences[k] for k in chosen), tuple(self.borders[k] for k in chosen)
        )


@dataclass(frozen=True)
class SpokenExample(Example):
    """A mixture of known sentences.

    Attributes
    ----------
    readings : tuple of Reading
        Of each speaker.
    """

    readings: tuple[Reading, ...]


def make(kind: Kind, sentences: Sequence[Sentence], seed: int) -> SpokenExample:
    """Put random speakers into a random room, with random sentences.

    The same number draws the same speakers and sentences for kinds with as many people.

    Raises
    ------
    ValueError
        If there are too few speakers, or a recording has not ``SAMPLE_RATE``.
    """
    rng = np.random.default_rng((seed, kind.n_src, kind.n_crowd))
    speakers = sorted({sentence.speaker for sentence in sentences})
    chosen = rng.choice(speakers, kind.n_people, replace=False)
    told = [_tell([s for s in sentences if s.speaker == name], rng) for name in chosen]
    crowd_level = -10 * math.log10(kind.n_crowd / kind.n_src) if kind.n_crowd else 0.0
    scene = simulate_room(
        [waveform for waveform, _ in told],
        sample_rate=SAMPLE_RATE,
        n_mics=kind.n_mics,
        rt60=rng.uniform(*kind.rt60),
        levels=[0.0] * kind.n_src + [crowd_level] * kind.n_crowd,
        snr=SNR,
        seed=seed,
    )
    references = _early_images(scene) if kind.early else scene.references
    return SpokenExample(
        f"{kind.name}, {seed}",
        scene.mixture,
        references[: kind.n_src],
        SAMPLE_RATE,
        tuple(reading for _, reading in told[: kind.n_src]),
    )


def _early_images(scene: Scene) -> Array:
    """Return what the first microphone hears of each until ``EARLY`` after the direct sound."""
    early = []
    for speech, response in zip(scene.speech, scene.responses[:, 0], strict=True):
        last = int(np.argmax(np.abs(response))) + round(EARLY * scene.sample_rate)
        early.append(oaconvolve(speech, response[:last])[: len(speech)])
    return np.array(early)


def _tell(own: Sequence[Sentence], rng: np.random.Generator) -> tuple[Array, Reading]:
    """Return ``SECONDS`` of sentences of one speaker, with pauses, and what they are."""
    told = np.zeros(SECONDS * SAMPLE_RATE)
    said, borders, start = [], [], 0
    for index in rng.permutation(len(own)):
        start += round(rng.uniform(*PAUSE) * SAMPLE_RATE)
        waveform = own[index].read()
        stop = start + len(waveform)
        if stop > len(told):
            break
        told[start:stop] = waveform
        said.append(own[index].words)
        borders.append((start, stop))
        start = stop
    return told, Reading(tuple(said), tuple(borders))
