"""Turns as text: RTTM, which diarisation tools read, labels of Audacity, and JSON.

A line of RTTM is ``SPEAKER file channel start duration <NA> <NA> name <NA> <NA>``, in seconds
(NIST, The 2009 Rich Transcription Meeting Recognition Evaluation Plan, appendix A).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from auxiva_cli.activity.detect import Turn
from auxiva_cli.errors import RecordingError

__all__ = ["FORMATS", "Format", "format_activity", "read_rttm", "shares"]

JSON_VERSION = 1
LARGEST_RTTM = 2**26  # bytes; a day of talk has 2 MB
LATEST = 1e7  # seconds


def shares(turns: Sequence[Turn], n_src: int, duration: float) -> list[float]:
    """Return the share of the time that each speaks."""
    spoken = [0.0] * n_src
    for turn in turns:
        spoken[turn.speaker] += turn.end - turn.start
    return [seconds / duration if duration else 0.0 for seconds in spoken]


def format_activity(
    kind: str, turns: Sequence[Turn], *, stem: str, n_src: int, duration: float
) -> bytes:
    """Return the content of a file of turns.

    Parameters
    ----------
    kind : {"rttm", "audacity", "json"}
        Which.
    turns : sequence of Turn
        By their beginnings.
    stem : str
        Name of the recording.
    n_src : int
        Number of speakers, those that never speak counted.
    duration : float
        Of the recording, in seconds.
    """
    text = FORMATS[kind].write(turns, stem, n_src, duration)
    return text.encode(errors="surrogateescape")


def _rttm(turns: Sequence[Turn], stem: str, n_src: int, duration: float) -> str:
    """Write RTTM; the name of the file is one word there."""
    name = "".join("_" if c.isspace() or not c.isprintable() else c for c in stem) or "_"
    return "".join(
        f"SPEAKER {name} 1 {turn.start:.3f} {turn.end - turn.start:.3f} <NA> <NA> "
        f"speaker{turn.speaker + 1} <NA> <NA>\n"
        for turn in turns
    )


def _audacity(turns: Sequence[Turn], stem: str, n_src: int, duration: float) -> str:
    """Write a label a line."""
    return "".join(
        f"{turn.start:.6f}\t{turn.end:.6f}\tspeaker {turn.speaker + 1}\n" for turn in turns
    )


def _json(turns: Sequence[Turn], stem: str, n_src: int, duration: float) -> str:
    """Write an object."""
    speakers = [
        {
            "speaker": k + 1,
            "share": round(share, 4),
            "turns": [[turn.start, turn.end] for turn in turns if turn.speaker == k],
        }
        for k, share in enumerate(shares(turns, n_src, duration))
    ]
    content = {"version": JSON_VERSION, "seconds": round(duration, 3), "speakers": speakers}
    return json.dumps(content, allow_nan=False) + "\n"


class Format(NamedTuple):
    """A kind of file of turns."""

    suffix: str
    write: Callable[[Sequence[Turn], str, int, float], str]


FORMATS = {
    "rttm": Format(".rttm", _rttm),
    "audacity": Format(".txt", _audacity),
    "json": Format(".activity.json", _json),
}


def read_rttm(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Read who speaks when from an RTTM file of one recording.

    Returns
    -------
    dict
        Start and end in seconds of every turn, by the name of the speaker.

    Raises
    ------
    RecordingError
        ``input-missing``, ``read-error``, ``resource-limit`` or ``malformed``.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_RTTM + 1)
    except FileNotFoundError as error:
        raise RecordingError(
            f"{str(path)!r} does not exist", hint="Check its name.", kind="input-missing"
        ) from error
    except OSError as error:
        raise RecordingError(
            f"{str(path)!r} cannot be read: {error.strerror}", kind="read-error"
        ) from error
    if len(content) > LARGEST_RTTM:
        raise RecordingError(f"{str(path)!r} is too large to be RTTM", kind="resource-limit")
    turns: dict[str, list[tuple[float, float]]] = {}
    files = set()
    for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue  # comments and what else RTTM can say
        try:
            start, duration, name = float(fields[3]), float(fields[4]), fields[7]
        except (IndexError, ValueError) as error:
            raise _malformed(path, number, line) from error
        if not (math.isfinite(start + duration) and duration >= 0 and 0 <= start < LATEST):
            raise _malformed(path, number, line)
        files.add(fields[1])
        turns.setdefault(name, []).append((start, start + duration))
    if len(files) != 1:
        raise RecordingError(
            f"{str(path)!r} tells of {len(files)} recordings",
            hint="Give an RTTM file with the turns of one.",
            kind="malformed",
        )
    return turns


def _malformed(path: Path, number: int, line: str) -> RecordingError:
    """Return the error for a line that is no turn."""
    return RecordingError(
        f"line {number} of {str(path)!r} is no turn of a speaker: {line[:80]!r}",
        hint="It reads SPEAKER file channel start duration <NA> <NA> name <NA> <NA>.",
        kind="malformed",
    )
