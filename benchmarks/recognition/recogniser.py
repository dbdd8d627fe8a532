"""Recognise sentences with pocketsphinx: its English model, and a language of known sentences."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder, get_model_path

from benchmarks.recognition.language import Bigram

__all__ = ["Recogniser", "pronounced_words"]

Array = NDArray[Any]
PEAK = 0.7
# ``word`` or, of its second pronunciation, ``word(2)``; then what it sounds like.
PRONUNCIATION = re.compile(r"(?P<word>[^\s(]+)(?:\(\d+\))?\s")


class Recogniser:
    """Whoever says one of some sentences is understood.

    Parameters
    ----------
    sentences : iterable of sequence of str
        All that may be said; words that have no pronunciation are never recognised.
    """

    def __init__(self, sentences: Iterable[Sequence[str]]) -> None:
        language = Bigram(sentences)
        known = set(language.words)
        with tempfile.TemporaryDirectory() as folder:
            model, dictionary = Path(folder, "bigram.arpa"), Path(folder, "closed.dict")
            model.write_text(language.arpa())
            dictionary.write_text("".join(line for word, line in _dictionary() if word in known))
            self._decoder = Decoder(
                hmm=get_model_path("en-us/en-us"),
                lm=str(model),
                dict=str(dictionary),
                cmn="batch",
                fwdflat=False,  # a second pass finds nothing more in so small a language
                loglevel="FATAL",
            )

    def recognise(self, waveform: Array) -> tuple[str, ...]:
        """Return the words of one sentence, (n_samples,) at 16 kHz."""
        # The dither is the same for the same sentence, whatever came before it.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(_sixteen_bits(waveform), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return () if found is None else tuple(found.hypstr.split())


def pronounced_words() -> set[str]:
    """Return the words whose pronunciation is known."""
    return {word for word, _ in _dictionary()}


def _dictionary() -> Iterator[tuple[str, str]]:
    """Yield each line of the dictionary with its word."""
    with Path(get_model_path("en-us/cmudict-en-us.dict")).open(encoding="utf-8") as lines:
        for line in lines:
            if found := PRONUNCIATION.match(line):
                yield found["word"], line


def _sixteen_bits(waveform: Array) -> bytes:
    """Return a waveform as 16-bit samples with a peak of ``PEAK``."""
    peak = np.abs(waveform).max() or 1.0
    return np.round(waveform * (PEAK * 32767 / peak)).astype("<i2").tobytes()
