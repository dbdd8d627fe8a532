"""What is separated: mixtures whose references are known, as many speakers as microphones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from auxiva_cli.simulation import simulate_room

__all__ = ["Example", "find_example", "lasting", "save_wav", "simulate"]

Array = NDArray[Any]
SAMPLES = Path(__file__).parent.parent / "sample_audio"
# A room in which the published algorithm separates these voices, which hardly pause.
RT60, SNR, SEED = 0.15, 40.0, 4
# Where an excerpt begins; from the very start, going round repeats too much of one speaker.
START_SECONDS = 3


@dataclass(frozen=True)
class Example:
    """A mixture and its speakers alone at the first microphone.

    Attributes
    ----------
    name : str
        What it is called in the tables.
    mixture : ndarray of shape (n_chan, n_samples)
        What the microphones hear.
    references : ndarray of shape (n_src, n_samples)
        The speakers, in any order.
    sample_rate : int, Hz
        Sample rate.
    """

    name: str
    mixture: Array
    references: Array
    sample_rate: int


def find_example(n_chan: int, rooms: Path | None) -> Example:
    """Return a mixture of ``n_chan`` speakers: from a folder, a sample recording, or simulated."""
    recorded = [] if rooms is None else sorted(rooms.glob("*_mix.wav"))
    for path in recorded:
        if _n_chan(path) == n_chan == _n_chan(path.with_name(_references_name(path))):
            return _read(path, [path.with_name(_references_name(path))])
    for path in sorted(SAMPLES.glob("*_mix.wav")):
        if _n_chan(path) == n_chan:
            return _read(path, sorted(SAMPLES.glob(path.name.replace("_mix.wav", "_ref*.flac"))))
    return simulate(n_chan)


def simulate(n_chan: int) -> Example:
    """Put the voices of the sample recordings, one for each microphone, into a room.

    There are five voices; further ones are the same, half-way round.
    """
    paths = sorted(SAMPLES.glob("*_ref*.flac"))
    voices = [soundfile.read(path)[0] for path in paths]
    voices += [np.roll(voice, len(voice) // 2) for voice in voices]
    sample_rate: int = soundfile.info(paths[0]).samplerate
    scene = simulate_room(voices[:n_chan], sample_rate=sample_rate, rt60=RT60, snr=SNR, seed=SEED)
    return Example(f"simulated_{n_chan}ch", scene.mixture, scene.references, sample_rate)


def lasting(example: Example, seconds: float) -> Example:
    """Return so much of the example, going round as often as it takes."""
    start = START_SECONDS * example.sample_rate
    samples = np.arange(start, start + round(seconds * example.sample_rate))
    return replace(
        example,
        mixture=example.mixture.take(samples, axis=-1, mode="wrap"),
        references=example.references.take(samples, axis=-1, mode="wrap"),
    )


def save_wav(path: Path, example: Example) -> Path:
    """Write the mixture as a 16-bit WAV file."""
    soundfile.write(path, example.mixture.T, example.sample_rate, subtype="PCM_16")
    return path


def _read(path: Path, references: list[Path]) -> Example:
    """Read a recording and its references, in one file or several."""
    mixture, sample_rate = soundfile.read(path)
    speakers = [soundfile.read(reference, always_2d=True)[0].T for reference in references]
    name = path.name.removesuffix("_mix.wav")
    return Example(name, mixture.T, np.concatenate(speakers), sample_rate)


def _references_name(path: Path) -> str:
    """Return what the references of a mixture in a folder of recordings are called."""
    return path.name.replace("_mix.wav", "_refs.wav")


def _n_chan(path: Path) -> int:
    """Return the number of channels of a file."""
    n_chan: int = soundfile.info(path).channels
    return n_chan
