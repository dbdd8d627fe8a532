"""A folder of recordings with transcripts: who says what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

__all__ = ["SAMPLE_RATE", "Sentence", "find_sentences", "words_of"]

Array = NDArray[Any]
SAMPLE_RATE = 16_000  # Hz, what the recogniser's model is for
SUFFIXES = frozenset({".wav", ".flac"})


@dataclass(frozen=True)
class Sentence:
    """A recording of one sentence.

    Attributes
    ----------
    speaker : str
    path : Path
    words : tuple of str
        What is said, in small letters.
    """

    speaker: str
    path: Path
    words: tuple[str, ...]

    def read(self) -> Array:
        """Return the first channel, (n_samples,), of a root mean square of one.

        Raises
        ------
        ValueError
            If it has not ``SAMPLE_RATE``.
        """
        waveform, sample_rate = soundfile.read(self.path, always_2d=True)
        if sample_rate != SAMPLE_RATE:
            raise ValueError(f"{self.path} has {sample_rate} Hz instead of {SAMPLE_RATE}")
        first: Array = waveform[:, 0]
        return first / np.sqrt(np.mean(first**2))


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text, without marks, in small letters.

    >>> words_of("Don't go -- not yet!")
    ("don't", 'go', 'not', 'yet')
    """
    return tuple(
        re.findall(
            r"[a-z]+(?:'[a-z]+)*", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        )
    )


def find_sentences(folder: Path) -> list[Sentence]:
    """Return the sentences of a folder, and of the folders in it, in order of their paths.

    The transcript of ``name.wav`` or ``name.flac`` stands in ``name.txt`` beside it, or in a line
    ``name WORDS`` of a ``*.trans.txt`` beside it, as LibriSpeech has it.  The speaker is the first
    folder below the given one; without folders, what stands before the first ``-`` or ``_`` of
    the name.  Recordings without a transcript are passed over.
    """
    paths = [path for path in folder.rglob("*") if path.suffix in SUFFIXES]
    lines = _lines(sorted(folder.rglob("*.trans.txt")))
    found = []
    for path in sorted(paths):
        own = path.with_suffix(".txt")
        text = own.read_text(encoding="utf-8") if own.exists() else lines.get(path.stem)
        if text is not None:
            found.append(Sentence(_speaker(path.relative_to(folder)), path, words_of(text)))
    return found


def _lines(transcripts: Sequence[Path]) -> Mapping[str, str]:
    """Return what is said in the recordings that lists of transcripts name."""
    pairs = (
        line.partition(" ")
        for path in transcripts
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    return {name: text for name, _, text in pairs}


def _speaker(path: Path) -> str:
    """Return who speaks in a recording, whose path is relative to the folder of all."""
    return path.parts[0] if len(path.parts) > 1 else re.split("[-_]", path.stem)[0]
