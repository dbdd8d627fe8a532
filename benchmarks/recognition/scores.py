"""The scores of mixtures, in a file: a long measurement can be stopped, and goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

__all__ = ["Score", "Scores", "estoi", "sdr", "word_error"]


@dataclass(frozen=True)
class Score:
    """How one method fared on one mixture.

    Attributes
    ----------
    kind : str
        The kind of room.
    number : int
        Which mixture of that kind.
    method : str
    n_errors, n_words : int
        Words that are wrong, missing or too many, and words that were said.
    estoi : float
        Extended short-time objective intelligibility, mean over the speakers.
    sdr : float
        SI-SDR in dB, mean over the speakers.
    """

    kind: str
    number: int
    method: str
    n_errors: int
    n_words: int
    estoi: float
    sdr: float


def word_error(scores: Sequence[Score]) -> float:
    """Return the share of words that are wrong, in percent."""
    return 100 * sum(s.n_errors for s in scores) / sum(s.n_words for s in scores)


def estoi(scores: Sequence[Score]) -> float:
    """Return the mean ESTOI."""
    return float(np.mean([s.estoi for s in scores]))


def sdr(scores: Sequence[Score]) -> float:
    """Return the mean SI-SDR in dB."""
    return float(np.mean([s.sdr for s in scores]))


class Scores:
    """The scores of all mixtures so far, in a file, a line each.

    Parameters
    ----------
    path : Path
        It need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._found = {_key(own): own for own in (Score(**json.loads(line)) for line in lines)}

    def __contains__(self, key: tuple[str, int, str]) -> bool:
        """Whether a kind, number and method has been scored."""
        return key in self._found

    def add(self, own: Score) -> None:
        """Keep a score; several processes may do so at once."""
        self._found[_key(own)] = own
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(own)) + "\n")

    def common(self, kind: str, methods: Sequence[str]) -> dict[str, list[Score]]:
        """Return the scores of methods, on the mixtures that all of them were scored on."""
        of_all = set.intersection(
            *(
                {s.number for s in self._found.values() if (s.kind, s.method) == (kind, method)}
                for method in methods
            )
        )
        return {
            method: [self._found[kind, number, method] for number in sorted(of_all)]
            for method in methods
        }


def _key(own: Score) -> tuple[str, int, str]:
    """Return what tells a score from all others."""
    return own.kind, own.number, own.method
