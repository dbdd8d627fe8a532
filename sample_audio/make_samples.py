"""Make the sample mixtures of this directory: synthetic voices in a simulated room.

Needs Debian's ``flite`` and the project's ``samples`` extra.
Running it again gives the same bytes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyroomacoustics as pra
import soundfile as sf

SAMPLE_RATE = 16_000  # Hz, the rate of flite's voices
DURATION = 11  # s
# flite hardly pauses; speech without pauses, and so short, defeats the published algorithm.
PAUSES = {".": 0.6, "?": 0.6, ";": 0.3, ",": 0.3}  # s after each mark
ROOM_SIZE = (6.0, 4.5, 2.8)  # m
RT60 = 0.2  # s
ARRAY_ORIGIN = np.array([2.6, 1.9, 1.3])  # m, microphone 1; off the room's planes of symmetry
MIC_OFFSETS = np.array([[0.0, 0.0, 0.0], [0.05, 0.012, 0.0], [0.018, 0.043, 0.006]])  # m
PEAK_DBFS = -3.0


@dataclass(frozen=True)
class Speaker:
    """One voice reading one passage, placed as seen from microphone 1."""

    voice: str
    passage: str
    azimuth: float  # degrees, counter-clockwise from the room's x axis
    distance: float  # m, horizontal
    height: float  # m above microphone 1

    @property
    def position(self) -> np.ndarray:
        """Coordinates in the room, in metres."""
        angle = np.deg2rad(self.azimuth)
        x, y = self.distance * np.cos(angle), self.distance * np.sin(angle)
        return ARRAY_ORIGIN + np.array([x, y, self.height])


AUSTEN = """
It is a truth universally acknowledged, that a single man in possession of a good fortune,
must be in want of a wife. However little known the feelings or views of such a man may be on
his first entering a neighbourhood, this truth is so well fixed in the minds of the surrounding
families, that he is considered as the rightful property of some one or other of their daughters.
"""
MELVILLE = """
Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my
purse, and nothing particular to interest me on shore, I thought I would sail about a little and
see the watery part of the world. It is a way I have of driving off the spleen, and regulating
the circulation.
"""
CARROLL = """
Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing
to do. Once or twice she had peeped into the book her sister was reading, but it had no pictures
or conversations in it, and what is the use of a book, thought Alice, without pictures or
conversations?
"""
DARWIN = """
It is interesting to contemplate an entangled bank, clothed with many plants of many kinds, with
birds singing on the bushes, with various insects flitting about, and with worms crawling through
the damp earth, and to reflect that these elaborately constructed forms, so different from each
other, have all been produced by laws acting around us.
"""
DICKENS = """
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of
foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of
Light, it was the season of Darkness, it was the spring of hope, it was the winter of despair.
"""

MIXTURES = {
    "two_speakers": (
        Speaker("slt", AUSTEN, azimuth=20.0, distance=1.0, height=0.2),
        Speaker("rms", MELVILLE, azimuth=130.0, distance=1.2, height=0.3),
    ),
    "three_speakers": (
        Speaker("slt", CARROLL, azimuth=15.0, distance=1.0, height=0.2),
        Speaker("rms", DICKENS, azimuth=100.0, distance=1.2, height=0.3),
        Speaker("kal16", DARWIN, azimuth=215.0, distance=1.1, height=0.1),
    ),
}


def synthesise(voice: str, phrase: str) -> np.ndarray:
    """Have flite say one phrase."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phrase.wav"
        subprocess.run(["flite", "-voice", voice, "-t", phrase, "-o", str(path)], check=True)
        speech, _ = sf.read(path)
    return speech


def read_aloud(speaker: Speaker, n_samples: int) -> np.ndarray:
    """Read the passage with a pause after each mark, cut to length, at unit root mean square."""
    phrases = re.findall(r"[^.,;?]+[.,;?]", " ".join(speaker.passage.split()))
    parts = []
    for phrase in phrases:
        pause = np.zeros(round(PAUSES[phrase[-1]] * SAMPLE_RATE))
        parts += [synthesise(speaker.voice, phrase.strip()), pause]
    speech = np.concatenate(parts)[:n_samples]
    return speech / np.sqrt(np.mean(speech**2))


def record(speakers: tuple[Speaker, ...], n_samples: int) -> np.ndarray:
    """Simulate each speaker alone at as many microphones, (n_src, n_chan, n_samples)."""
    absorption, max_order = pra.inverse_sabine(RT60, ROOM_SIZE)
    room = pra.ShoeBox(
        ROOM_SIZE, fs=SAMPLE_RATE, materials=pra.Material(absorption), max_order=max_order
    )
    room.add_microphone_array((ARRAY_ORIGIN + MIC_OFFSETS[: len(speakers)]).T)
    for speaker in speakers:
        room.add_source(speaker.position, signal=read_aloud(speaker, n_samples))
    images = room.simulate(return_premix=True)
    return images[..., :n_samples]


def quantise(images: np.ndarray) -> np.ndarray:
    """Round to 16 bits with the mixture's peak at ``PEAK_DBFS``."""
    gain = 10 ** (PEAK_DBFS / 20) / np.abs(images.sum(axis=0)).max()
    return np.round(images * gain * 2**15).astype(np.int16)


def write(folder: Path, name: str, images: np.ndarray) -> None:
    """Write the mixture and each speaker's image at microphone 1; the images sum to it exactly."""
    mixture = images.sum(axis=0, dtype=np.int16)
    sf.write(folder / f"{name}_mix.wav", mixture.T, SAMPLE_RATE)
    for number, image in enumerate(images, start=1):
        sf.write(folder / f"{name}_ref{number}.flac", image[0], SAMPLE_RATE)


def main() -> None:
    """Make every mixture of ``MIXTURES``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().folder
    pra.constants.set("num_threads", 1)  # the order of a sum must not depend on the machine
    for name, speakers in MIXTURES.items():
        images = record(speakers, DURATION * SAMPLE_RATE)
        write(folder, name, quantise(images))


if __name__ == "__main__":
    main()
