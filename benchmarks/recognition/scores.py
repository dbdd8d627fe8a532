"""How well words are recognised and heard: the scores of mixtures, and their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.scores import Score

__all__ = ["Heard", "estoi", "sdr", "word_error"]


@dataclass(frozen=True)
class Heard(Score):
    """How well the speakers of a mixture were recognised.

    Attributes
    ----------
    n_errors, n_words : int
        Words that are wrong, missing or too many, and words that were said.
    estoi : float
        Extended short-time objective intelligibility, mean over the speakers.
    sdr : float
        SI-SDR in dB, mean over the speakers.
    """

    n_errors: int
    n_words: int
    estoi: float
    sdr: float


def word_error(scores: Sequence[Heard]) -> float:
    """Return the share of words that are wrong, in percent."""
    return 100 * sum(s.n_errors for s in scores) / sum(s.n_words for s in scores)


def estoi(scores: Sequence[Heard]) -> float:
    """Return the mean ESTOI."""
    return float(np.mean([s.estoi for s in scores]))


def sdr(scores: Sequence[Heard]) -> float:
    """Return the mean SI-SDR in dB."""
    return float(np.mean([s.sdr for s in scores]))
