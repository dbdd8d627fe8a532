"""Lists of recordings: names, one a line, or a manifest of other programs.

Manifests are Kaldi's ``wav.scp``, and objects of JSON, one a line: with ``audio_filepath`` as NeMo
has it, with ``sources`` as in Lhotse's ``recordings.jsonl``, or the log of an earlier run of ours,
which lists what it wrote.  Any of them may be packed by gzip.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator
from typing import IO, Any

from auxiva_cli.errors import ParameterError

__all__ = ["read_list"]

# A million names are a tenth of it.
LARGEST_LIST = 2**28
MOST_LINES = 2**23
LONGEST_LINE = 2**20
PIECE_BYTES = 2**20
GZIP = b"\x1f\x8b"
MOST_LISTED = 3


def read_list(stream: IO[bytes], separator: bytes = b"\n", *, name: str = "") -> list[str]:
    """Return the names in a list of recordings.

    Parameters
    ----------
    stream : binary file
        The list.
    separator : bytes
        What ends a name: a line's end, or NUL, and then there are names only.
    name : str
        What the list is called; Kaldi's ends in ``.scp``.

    Returns
    -------
    list of str
        From a manifest, which may have several lines about a recording, each once.

    Raises
    ------
    ParameterError
        If it is longer than any list, or has lines that name no file: the message numbers them.
    """
    buffered = io.BufferedReader(stream, PIECE_BYTES)  # type: ignore[type-var]
    try:
        is_packed = buffered.peek(len(GZIP)).startswith(GZIP)
        file: Any = gzip.GzipFile(fileobj=buffered) if is_packed else buffered
        lines = _lines(file, separator)
        if separator == b"\0":
            return [os.fsdecode(line) for line in lines if line]
        return _names(lines, is_scp=name.removesuffix(".gz").endswith(".scp"))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ParameterError(
            f"the list of recordings is packed by gzip, and damaged: {error}",
            hint="Copy it again.",
        ) from error
    finally:
        buffered.detach()


def _lines(file: IO[bytes], separator: bytes) -> Iterator[bytes]:
    """Yield the lines of a list, which is refused as soon as it cannot be one."""
    rest, n_bytes, n_lines = b"", 0, 0
    while piece := file.read(PIECE_BYTES):
        if not n_bytes and piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ParameterError(
                "the list of recordings is in UTF-16", hint="Save it as UTF-8, which names are in."
            )
        if separator != b"\0" and b"\0" in piece:
            raise ParameterError(
                "the list of recordings holds a NUL byte",
                hint="Give a text file with one name a line, or names separated by NUL as such.",
            )
        *lines, rest = (rest + piece).split(separator) if piece.strip(separator) else (rest,)
        if not n_bytes and lines:
            lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
        n_bytes, n_lines = n_bytes + len(piece), n_lines + len(lines)
        _check_size(n_bytes, n_lines, len(rest))
        yield from lines
    yield rest.removeprefix(codecs.BOM_UTF8)


def _check_size(n_bytes: int, n_lines: int, longest: int) -> None:
    """Refuse what would take all memory."""
    limits = {
        f"the list of recordings is longer than {LARGEST_LIST >> 20} MiB": n_bytes > LARGEST_LIST,
        f"the list of recordings has more than {MOST_LINES} lines": n_lines > MOST_LINES,
        f"a line of the list is longer than {LONGEST_LINE >> 20} MiB": longest > LONGEST_LINE,
    }
    for what, is_reached in limits.items():
        if is_reached:
            hint = "Separate them in several runs."
            raise ParameterError(what, hint=hint, kind="resource-limit")


def _names(lines: Iterator[bytes], *, is_scp: bool) -> list[str]:
    """Return the names in the lines of a list, of whatever kind its first line is."""
    names: list[str] = []
    parse = _named_by_scp if is_scp else None
    bad: list[str] = []
    n_bad = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if parse is None:
            parse = _named_by_json if _is_object(line) else _named_plainly
        try:
            names += parse(line.removesuffix(b"\r"))
        except ValueError as error:
            n_bad += 1
            if n_bad <= MOST_LISTED:
                bad.append(f"line {number} {error}")
    if bad:
        more = f"; {n_bad - MOST_LISTED} more" if n_bad > MOST_LISTED else ""
        raise ParameterError(
            f"the list of recordings cannot be used: {'; '.join(bad)}{more}",
            hint="Correct these lines, or leave them out.",
        )
    return names if parse is _named_plainly else list(dict.fromkeys(names))


def _is_object(line: bytes) -> bool:
    """Tell whether a line is an object of JSON, or at least no name."""
    return line.lstrip().startswith(b'{"')


def _named_plainly(line: bytes) -> list[str]:
    """Return the name that a line is."""
    return [os.fsdecode(line)]


def _named_by_scp(line: bytes) -> list[str]:
    """Return the name in a line of Kaldi's ``wav.scp``, which is behind that of the utterance.

    >>> _named_by_scp(b"meeting-1 /data/meeting 1.wav")
    ['/data/meeting 1.wav']
    """
    _, *names = line.strip().split(maxsplit=1)
    if not names:
        raise ValueError("has an utterance and no file")
    if names[0].endswith(b"|"):
        raise ValueError("is a command, and only files are read: run it first")
    return [os.fsdecode(names[0])]


def _named_by_json(line: bytes) -> list[str]:
    """Return the names in an object of JSON.

    >>> _named_by_json(b'{"audio_filepath": "a.wav", "duration": 3.2}')
    ['a.wav']
    >>> _named_by_json(b'{"id": "a", "sources": [{"type": "file", "source": "a.wav"}]}')
    ['a.wav']
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("is no JSON") from error
    if not isinstance(found, dict):
        raise ValueError("is no object")
    if "schema_version" in found and isinstance(found.get("outputs"), list):
        return [_checked(name) for name in found["outputs"]]
    if "sources" in found:
        return [_checked(_only(found["sources"], "sources"), is_source=True)]
    if "audio_filepath" in found:
        named = found["audio_filepath"]
        return [_checked(_only(named, "files") if isinstance(named, list) else named)]
    raise ValueError("has neither audio_filepath nor sources")


def _only(named: Any, what: str) -> Any:
    """Return the only one of a list."""
    if not isinstance(named, list) or len(named) != 1:
        n = len(named) if isinstance(named, list) else "no list of"
        raise ValueError(f"has {n} {what}, and one file with all channels is read")
    return named[0]


def _checked(named: Any, *, is_source: bool = False) -> str:
    """Return a name that a file can have."""
    if is_source:
        if not isinstance(named, dict) or named.get("type") != "file":
            raise ValueError("has a source that is no file")
        named = named.get("source")
    if not isinstance(named, str) or not named or "\0" in named:
        raise ValueError("names no file")
    try:
        os.fsencode(named)
    except UnicodeEncodeError as error:
        raise ValueError("has a name that no file can have") from error
    return named
