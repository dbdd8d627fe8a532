"""The names of outputs: made from a template, and refused before anything is computed.

A template has fixed placeholders, and what is made from it cannot leave its directory.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain, repeat, starmap
from pathlib import Path

from auxiva_cli.audio.descriptors import write_error
from auxiva_cli.errors import OutputError, ParameterError

__all__ = [
    "check_files",
    "check_targets",
    "exists",
    "expand_template",
]

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
MOST_LISTED = 3
LONGEST_NAME = 255  # bytes, on every common file system


def expand_template(template: str, *, stem: str, n: int, ext: str, parent: str = "") -> str:
    """Return the name of one output.

    Parameters
    ----------
    template : str
        Such as ``"{parent}_{stem}_src{n}.{ext}"``.  The placeholders are filled in as they are:
        there are no format specifications and no attributes.
    stem : str
        Name of the recording without its suffix.
    n : int
        Number of the output, from 1.
    ext : str
        Suffix of the container without its dot.
    parent : str
        Name of the directory of the recording.

    Returns
    -------
    str
        One component of a path.

    Raises
    ------
    ParameterError
        If the template has other placeholders, or the name would not be a plain one.

    Examples
    --------
    >>> expand_template("{stem}_src{n}.{ext}", stem="meeting", n=2, ext="wav")
    'meeting_src2.wav'
    """
    values = {"parent": parent, "stem": stem, "n": str(n), "ext": ext}

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise _bad_template(template, f"{match[0]!r} is no placeholder")
        return values[match[1]]

    name = PLACEHOLDER.sub(value_of, template)
    if "{" in PLACEHOLDER.sub("", template) or "}" in PLACEHOLDER.sub("", template):
        raise _bad_template(template, "it has a brace without its partner")
    if "/" in name or "\0" in name:
        raise _bad_template(template, "a name cannot hold '/' or NUL")
    if name in ("", ".", ".."):
        raise _bad_template(template, f"{name!r} is not the name of a file")
    if (length := len(os.fsencode(name))) > LONGEST_NAME:
        raise _bad_template(template, f"the name has {length} bytes, {LONGEST_NAME} are allowed")
    return name


def _bad_template(template: str, reason: str) -> ParameterError:
    """Return the error for a template that gives no good name."""
    return ParameterError(
        f"the name template {template!r} is not usable: {reason}",
        hint="Use {parent}, {stem}, {n} and {ext}, as in '{stem}_src{n}.{ext}'.",
    )


def check_targets(outputs: Iterable[Path], *, overwrite: bool = False) -> None:
    """Refuse outputs that exist already, or that no file can take the place of.

    Parameters
    ----------
    outputs : iterable of Path
        The names to be written; a symbolic link counts, wherever it leads.
    overwrite : bool, default=False
        Whether files may be replaced; a directory never is.

    Raises
    ------
    OutputError
        ``output-exists``, or ``write-error`` for a directory that would have to be replaced, or
        a name that the file system refuses.
    """
    existing = [output for output in outputs if exists(output)]
    if overwrite:
        directories = [path for path in existing if path.is_dir() and not path.is_symlink()]
        if directories:
            raise OutputError(
                f"the output {str(directories[0])!r} is a directory",
                hint="Choose another name.",
                kind="write-error",
            )
    elif existing:
        names = ", ".join(repr(str(output)) for output in existing[:MOST_LISTED])
        more = len(existing) - MOST_LISTED
        listed = f"{names}{f' and {more} more' * (more > 0)}"
        raise OutputError(
            f"{listed} {'exist' if len(existing) > 1 else 'exists'} already",
            hint="Choose another directory, or overwrite what is there.",
            kind="output-exists",
        )


def check_files(
    *, reads: Iterable[Path], writes: Iterable[Path], origins: Iterable[str] = ()
) -> None:
    """Refuse a run that would write what it reads, or write one file twice.

    Parameters
    ----------
    reads : iterable of Path
        Every file that the run reads, of whatever kind; those that are missing do not count.
    writes : iterable of Path
        Every file that it writes.  Names that differ in case only, or in how a letter's accent is
        encoded, count as equal, for some file systems take them so.
    origins : iterable of str, optional
        What each of these, or the first of them, is made from.

    Raises
    ------
    OutputError
        ``output-collision``, which lists what would have one name, or ``output-is-input``, by
        whatever name or link.

    Notes
    -----
    There may be millions: they are walked through, and once more only if something is wrong.  Of
    each no more is held than a hash; that two be equal by chance is ruled out by the second walk.
    """
    inputs = {hash(identity) for path in reads if (identity := _identity(path))}
    seen: set[int] = set()
    taken: set[int] = set()
    fold = _Folding()
    for output in writes:
        identity = _identity(output) if fold.is_there(output) else None
        if identity and hash(identity) in inputs:
            _refuse_input(output, identity, reads)
        known = hash(fold(output))
        (taken if known in seen else seen).add(known)
    if not taken:
        return
    same: dict[tuple[str, str], list[tuple[Path, str]]] = defaultdict(list)
    for output, origin in zip(writes, chain(origins, repeat("")), strict=False):
        if hash(fold(output)) in taken:
            same[fold(output)].append((output, origin))
    collisions = {
        tuple(origin for _, origin in outputs): [output for output, _ in outputs]
        for outputs in reversed(same.values())
        if len(outputs) > 1
    }
    if collisions:
        listed = "; ".join(starmap(_collision, reversed(list(collisions.items())[-MOST_LISTED:])))
        more = len(collisions) - MOST_LISTED
        raise OutputError(
            f"several outputs would have one name: {listed}{f'; {more} more' * (more > 0)}",
            hint="Separate these recordings into directories of their own.",
            kind="output-collision",
        )


def _refuse_input(output: Path, identity: tuple[int, int], reads: Iterable[Path]) -> None:
    """Refuse an output that is what the run reads."""
    for recording in reads:
        if _identity(recording) == identity:
            raise OutputError(
                f"the output {str(output)!r} is the input {str(recording)!r} itself",
                hint="Choose another directory or name.",
                kind="output-is-input",
            )


class _Folding:
    """Tells names as the least discerning file system does; knows the directories it has met."""

    def __init__(self) -> None:
        self._directories: dict[str, tuple[str, bool]] = {}

    def __call__(self, output: Path) -> tuple[str, str]:
        """Return what is equal for names that may be one file's."""
        folder, name = os.path.split(output)
        if not name.isascii():
            name = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        return self._directory(folder)[0], name.casefold()

    def is_there(self, output: Path) -> bool:
        """Tell whether the directory of an output is."""
        return self._directory(os.path.split(output)[0])[1]

    def _directory(self, folder: str) -> tuple[str, bool]:
        """Return the true name of a directory, and whether it is there."""
        if (known := self._directories.get(folder)) is None:
            known = os.path.realpath(folder), os.path.isdir(folder or ".")  # noqa: PTH112
            self._directories[folder] = known
        return known


def _collision(origins: tuple[str, ...], outputs: list[Path]) -> str:
    """Say what would have one name, and which."""
    if not all(origins):
        return " = ".join(repr(output.name) for output in outputs)
    if len(set(origins)) == 1:
        return f"{origins[0]!r} is named {len(origins)} times"
    names = list(dict.fromkeys(map(repr, origins)))
    more = len(names) - MOST_LISTED
    *first, last = [*names[:MOST_LISTED], f"{more} more"] if more > 0 else names
    return f"{', '.join(first)} and {last} would give {outputs[0].name!r}"


def exists(path: Path) -> bool:
    """Tell whether a name is taken.

    Parameters
    ----------
    path : Path
        Not followed if it is a symbolic link.

    Returns
    -------
    bool
        False if it could be created.

    Raises
    ------
    OutputError
        ``write-error`` if it could not, for instance because it is too long.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise write_error(error, path.parent) from error
    return True


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from every other one; None if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
