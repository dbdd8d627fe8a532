"""What can be known to go wrong with outputs before anything is computed."""

from __future__ import annotations

import tempfile
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from auxiva_cli.audio.descriptors import write_error
from auxiva_cli.errors import OutputError

__all__ = [
    "check_absent",
    "check_distinct",
    "check_not_inputs",
    "check_replaceable",
    "exists",
    "prepare_directory",
]


def prepare_directory(directory: Path) -> None:
    """Make a directory unless it is there, and try whether files can be written in it.

    Parameters
    ----------
    directory : Path
        Missing parents are made, too.

    Raises
    ------
    OutputError
        ``write-error`` or ``no-space``.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except FileExistsError as error:
        raise OutputError(
            f"{str(directory)!r} is not a directory", hint="Choose another one.", kind="write-error"
        ) from error
    except OSError as error:
        raise write_error(error, directory) from error


def check_absent(outputs: Iterable[Path]) -> None:
    """Refuse outputs that exist already.

    Parameters
    ----------
    outputs : iterable of Path
        The names to be written; a symbolic link counts, wherever it leads.

    Raises
    ------
    OutputError
        ``output-exists``, or ``write-error`` for a name that the file system refuses.
    """
    existing = [output for output in outputs if exists(output)]
    if existing:
        names = ", ".join(repr(str(output)) for output in existing[:3])
        more = f" and {len(existing) - 3} more" if len(existing) > 3 else ""
        raise OutputError(
            f"{names}{more} exists already",
            hint="Choose another directory, or overwrite with --force.",
            kind="output-exists",
        )


def check_replaceable(outputs: Iterable[Path]) -> None:
    """Refuse outputs that no file can take the place of.

    Parameters
    ----------
    outputs : iterable of Path
        The names to be written.

    Raises
    ------
    OutputError
        ``write-error`` for a directory, or for a name that the file system refuses.
    """
    for output in outputs:
        if exists(output) and output.is_dir() and not output.is_symlink():
            raise OutputError(
                f"the output {str(output)!r} is a directory",
                hint="Choose another name.",
                kind="write-error",
            )


def check_distinct(outputs: Iterable[Path]) -> None:
    """Refuse outputs that would overwrite one another, on any common file system.

    Parameters
    ----------
    outputs : iterable of Path
        All names of one run.  Names that differ in case only, or in how a letter's
        accent is encoded, count as equal.

    Raises
    ------
    OutputError
        ``output-collision``, which lists them.
    """
    same: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for output in outputs:
        folded = unicodedata.normalize("NFC", output.name).casefold()
        same[output.parent, unicodedata.normalize("NFC", folded)].append(output)
    collisions = [names for names in same.values() if len(names) > 1]
    if collisions:
        listed = "; ".join(" = ".join(repr(name.name) for name in names) for names in collisions)
        raise OutputError(
            f"several outputs would have one name: {listed}",
            hint="Separate these recordings into directories of their own.",
            kind="output-collision",
        )


def check_not_inputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse outputs that are inputs, by whatever name or link.

    Parameters
    ----------
    outputs, inputs : iterable of Path
        All names of one run.

    Raises
    ------
    OutputError
        ``output-is-input``.
    """
    recordings = {_identity(path): path for path in inputs}
    recordings.pop(None, None)
    for output in outputs:
        if (recording := recordings.get(_identity(output))) is not None:
            raise OutputError(
                f"the output {str(output)!r} is the recording {str(recording)!r} itself",
                hint="Choose another directory or name.",
                kind="output-is-input",
            )


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
