"""The scores of mixtures, a line each in a file: a long measurement can be stopped, and goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

__all__ = ["Score", "Scores"]


@dataclass(frozen=True)
class Score:
    """How one method fared on one mixture; what the figures are, each measurement adds.

    Attributes
    ----------
    kind : str
        The kind of mixture.
    number : int
        Which mixture of that kind.
    method : str
    """

    kind: str
    number: int
    method: str


S = TypeVar("S", bound=Score)


class Scores(Generic[S]):
    """The scores of all mixtures so far.

    Parameters
    ----------
    path : Path
        It need not be there yet.
    what : type
        What a line holds.
    """

    def __init__(self, path: Path, what: type[S]) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._found = {_key(own): own for own in (what(**json.loads(line)) for line in lines)}

    def __contains__(self, key: tuple[str, int, str]) -> bool:
        """Whether a kind, number and method has been scored."""
        return key in self._found

    def add(self, own: S) -> None:
        """Keep a score; several processes may do so at once."""
        self._found[_key(own)] = own
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(own)) + "\n")

    def common(self, kind: str, methods: Sequence[str]) -> dict[str, list[S]]:
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
