"""What is understood of the outputs of a separation, and what could be."""

from __future__ import annotations

from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray
from pystoi import stoi

from auxiva_cli.evaluation import si_bss_eval
from benchmarks.recognition.recogniser import Recogniser
from benchmarks.recognition.scenes import Reading, SpokenExample
from benchmarks.recognition.scores import Heard

__all__ = ["measure"]

Array = NDArray[Any]
MARGIN = 0.1  # s around each sentence that are recognised with it


def measure(
    kind: str,
    number: int,
    method: str,
    *,
    example: SpokenExample,
    estimates: Array,
    recogniser: Recogniser,
    n_each: int | None,
) -> Heard:
    """Return the score of estimates, (n_src, n_samples), in whatever order.

    Of each speaker ``n_each`` sentences are recognised, from all over the mixture, or all.
    """
    pairs = si_bss_eval(example.references, estimates)
    ordered = estimates[pairs.permutation]
    counts = [
        _count(estimate, reading.some(n_each), example.sample_rate, recogniser)
        for estimate, reading in zip(ordered, example.readings, strict=True)
    ]
    intelligible = [
        stoi(reference, estimate, example.sample_rate, extended=True)
        for reference, estimate in zip(example.references, ordered, strict=True)
    ]
    n_errors, n_words = np.sum(counts, axis=0)
    return Heard(
        kind,
        number,
        method,
        int(n_errors),
        int(n_words),
        float(np.mean(intelligible)),
        float(np.mean(pairs.sdr)),
    )


def _count(
    estimate: Array, reading: Reading, sample_rate: int, recogniser: Recogniser
) -> tuple[int, int]:
    """Return the number of wrong words of a speaker, and of all."""
    margin = round(MARGIN * sample_rate)
    found = [
        " ".join(recogniser.recognise(estimate[max(start - margin, 0) : stop + margin]))
        for start, stop in reading.borders
    ]
    compared = jiwer.process_words([" ".join(words) for words in reading.sentences], found)
    n_errors = compared.substitutions + compared.deletions + compared.insertions
    return n_errors, sum(map(len, reading.sentences))
