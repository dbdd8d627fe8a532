"""The recordings that the command line names: files and directories."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from auxiva_cli.errors import ParameterError

__all__ = ["BESIDE", "STANDARD_INPUT", "find_recordings", "is_stream"]

STANDARD_INPUT = Path("-")
# Ends the name of a directory of outputs beside a recording.
BESIDE = "_separated"
# What is taken from a directory; anything may be named by itself.
SUFFIXES = {
    ".wav", ".wave", ".flac", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64",
    ".ogg", ".oga", ".opus", ".mp3",
}  # fmt: skip


def is_stream(file: Path) -> bool:
    """Tell whether a file can be read only once, and perhaps only by this process."""
    return file == STANDARD_INPUT or not _may_be(file, Path.is_file, unknown=True)


def find_recordings(
    inputs: Sequence[str], *, recursive: bool, outputs: Path | None
) -> Iterator[tuple[Path, Path]]:
    """Yield the recordings among files and directories, each with its place in the output tree.

    Parameters
    ----------
    inputs : sequence of str
        As they were named; ``-`` is standard input, ``./-`` a file.
    recursive : bool
        Search directories in directories, too.
    outputs : Path or None
        The output directory; what an earlier run left in it, or beside a recording, is none.

    Yields
    ------
    file : Path
        The recording.
    subdirectory : Path
        Of the output directory; for the files of a directory that is searched recursively, where
        they were found in it.

    Raises
    ------
    ParameterError
        If something that is named does not exist, or a directory holds no recording or cannot be
        read.
    """
    for name in inputs:
        path = Path(name)
        if name == "-":
            yield STANDARD_INPUT, Path()
        elif _may_be(path, Path.is_dir):
            yield from _in_directory(path, recursive=recursive, outputs=outputs)
        elif _may_be(path, Path.exists, unknown=True):
            yield path.absolute() if path == STANDARD_INPUT else path, Path()
        else:
            raise ParameterError(
                f"{name!r} does not exist",
                hint="Check the spelling of the name.",
                kind="input-missing",
            )


def _may_be(path: Path, question: Callable[[Path], bool], *, unknown: bool = False) -> bool:
    """Answer a question about a name; what the system does not tell, reading it will."""
    try:
        return question(path)
    except OSError:
        return unknown
    except ValueError:  # a NUL in the name
        return False


def _in_directory(
    directory: Path, *, recursive: bool, outputs: Path | None
) -> Iterator[tuple[Path, Path]]:
    """Yield the recordings in a directory, in the order of their names; hidden files are none."""
    is_empty = True
    searched = [(directory, Path(), _entries(directory))]
    while searched:
        place, subdirectory, entries = searched[-1]
        if (entry := next(entries, None)) is None:
            searched.pop()
        elif not _tells(entry.is_dir):
            if _is_recording(entry):
                is_empty = False
                yield place / entry.name, subdirectory
        elif recursive and _is_searched(entry) and not _is_same(place / entry.name, outputs):
            below = place / entry.name
            searched.append((below, subdirectory / entry.name, _entries(below)))
    if is_empty:
        raise ParameterError(
            f"no recording in the directory {str(directory)!r}",
            hint="" if recursive else "Search the directories in it with --recursive.",
            kind="input-missing",
        )


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    """Return what is in a directory, in the order of the names."""
    try:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda entry: entry.name, reverse=True)
    except OSError as error:
        raise ParameterError(
            f"the directory {str(directory)!r} cannot be searched: {error.strerror}",
            hint="Check who may read it.",
            kind="read-error",
        ) from error
    while entries:  # each is let go when it is handed out
        yield entries.pop()


def _is_searched(entry: os.DirEntry[str]) -> bool:
    """Tell whether a directory in a directory is searched; a link to one is not."""
    is_ours = entry.name.endswith(BESIDE)
    return not entry.name.startswith(".") and not is_ours and not entry.is_symlink()


def _is_recording(entry: os.DirEntry[str]) -> bool:
    """Tell whether what was found in a directory is taken; a link to nothing is, and fails."""
    if entry.name.startswith(".") or Path(entry.name).suffix.lower() not in SUFFIXES:
        return False
    return _tells(entry.is_file) or not Path(entry.path).exists()


def _tells(question: Callable[[], bool]) -> bool:
    """Answer a question about what was found; no, where links lead in circles."""
    try:
        return question()
    except OSError:
        return False


def _is_same(path: Path, other: Path | None) -> bool:
    """Tell whether two names lead to one directory."""
    return other is not None and other.exists() and path.samefile(other)
