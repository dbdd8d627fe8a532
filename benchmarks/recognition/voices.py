"""Have synthetic voices read the sentences, into a folder of recordings with transcripts.

The voices are those of Debian's ``flite``, and a diphone voice of its ``festival``.  One that is
told to speak slower, and played so much faster, has a shorter vocal tract: another speaker.  The
variants of ``espeak-ng`` are not understood: of ten that were tried, eight lose over half of the
words before any room is added.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

from benchmarks.recognition.speech import SAMPLE_RATE

__all__ = ["SENTENCES", "VOICES", "Voice", "missing_programs", "read_aloud"]

Array = NDArray[Any]
SENTENCES = Path(__file__).with_name("sentences.txt")
# How many of the sentences a voice reads: more than it takes to talk for a minute.
N_EACH = 40
# Silence that a synthesiser puts around a sentence is cut off where it is this far below its peak.
SILENCE_DB = -45.0


@dataclass(frozen=True)
class Voice:
    """A synthetic voice.

    Attributes
    ----------
    program : {'flite', 'text2wave'}
        The latter is festival's.
    name : str
        What the program calls it.
    size : Fraction
        Pitch and formants, relative to the voice's own.
    """

    program: str
    name: str
    size: Fraction = Fraction(1)

    @property
    def speaker(self) -> str:
        """A name for the folder of what it reads."""
        return f"{self.name}-{round(100 * float(self.size))}"

    def command(self, text: Path, wav: Path) -> list[str]:
        """Return the command that has it read a file, as slow as makes up for its size."""
        stretch = f"{float(self.size)}"
        if self.program == "flite":
            options = ["-voice", self.name, "--setf", f"duration_stretch={stretch}"]
            return [self.program, *options, "-f", str(text), "-o", str(wav)]
        ask = f"(begin (voice_{self.name}) (Parameter.set 'Duration_Stretch {stretch}))"
        return [self.program, "-eval", ask, "-o", str(wav), str(text)]

    def read(self, sentence: str) -> Array:
        """Return a sentence, read aloud, (n_samples,), at ``SAMPLE_RATE``."""
        with tempfile.TemporaryDirectory() as folder:
            text, wav = Path(folder, "sentence.txt"), Path(folder, "sentence.wav")
            text.write_text(f"{sentence}\n")
            subprocess.run(self.command(text, wav), check=True, capture_output=True)
            speech, rate = soundfile.read(wav)
        ratio = Fraction(SAMPLE_RATE, rate) / self.size
        return _without_silence(resample_poly(speech, ratio.numerator, ratio.denominator))


# The recogniser understands a man's voice that is made a little smaller, and a woman's made larger.
VOICES = tuple(
    Voice(program, name, Fraction(size))
    for program, name, sizes in (
        ("flite", "slt", ("1", "15/16", "8/9")),
        ("flite", "rms", ("1", "17/16", "9/8")),
        ("flite", "awb", ("1", "17/16", "9/8")),
        ("flite", "kal16", ("1", "17/16", "9/8")),
        ("text2wave", "ked_diphone", ("1", "17/16", "9/8")),
    )
    for size in sizes
)


def missing_programs(voices: Sequence[Voice] = VOICES) -> list[str]:
    """Return which programs are not installed."""
    return [name for name in sorted({v.program for v in voices}) if shutil.which(name) is None]


def read_aloud(folder: Path, voices: Sequence[Voice] = VOICES) -> None:
    """Have every voice read its share of the sentences, ``{speaker}/{number}.flac`` with ``.txt``.

    What is there already is left as it is.
    """
    sentences = SENTENCES.read_text().splitlines()
    for number, voice in enumerate(voices):
        own = folder / voice.speaker
        own.mkdir(parents=True, exist_ok=True)
        # Each begins somewhere else, so that all sentences are read by as many.
        for k in range(N_EACH):
            index = (number * N_EACH * 3 // 7 + k) % len(sentences)
            path = own / f"{index:03}.flac"
            if not path.with_suffix(".txt").exists():
                speech = voice.read(sentences[index])
                soundfile.write(path, speech * (0.5 / np.abs(speech).max()), SAMPLE_RATE)
                path.with_suffix(".txt").write_text(sentences[index] + "\n")


def _without_silence(speech: Array) -> Array:
    """Return speech without the silence before and after it."""
    loud = np.flatnonzero(np.abs(speech) > 10 ** (SILENCE_DB / 20) * np.abs(speech).max())
    return speech[loud[0] : loud[-1] + 1]
