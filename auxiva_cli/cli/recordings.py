"""Several recordings at once: opening, naming, and what they must have in common."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from auxiva_cli.errors import RecordingError

if TYPE_CHECKING:
    from auxiva_cli.audio import Recording

__all__ = ["common_sample_rate", "one_line", "open_all"]


def one_line(name: str | os.PathLike[str]) -> str:
    r"""Return a file name with all escaped that would break or recolour a line.

    Parameters
    ----------
    name : path-like

    Returns
    -------
    str

    Examples
    --------
    >>> print(one_line("two\nlines.wav"))
    two\nlines.wav
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in os.fspath(name))


def open_all(stack: ExitStack, paths: Sequence[Path]) -> list[Recording]:
    """Open recordings that are closed with the stack.

    Parameters
    ----------
    stack : ExitStack
    paths : sequence of Path

    Returns
    -------
    list of Recording

    Raises
    ------
    RecordingError
        The first that cannot be read, with the name of its file.
    """
    from auxiva_cli.audio import open_recording

    recordings = []
    for path in paths:
        try:
            recordings.append(stack.enter_context(open_recording(path)))
        except RecordingError as error:
            raise RecordingError(
                f"{one_line(path)}: {error.what}", hint=error.hint, kind=error.kind
            ) from error
    return recordings


def common_sample_rate(recordings: Sequence[Recording]) -> int:
    """Return the one sample rate of all recordings.

    Parameters
    ----------
    recordings : sequence of Recording
        At least one.

    Returns
    -------
    int
        In Hz.

    Raises
    ------
    RecordingError
        ``array-mismatch`` if their sample rates differ.
    """
    first, *others = recordings
    for other in others:
        if other.sample_rate != first.sample_rate:
            raise RecordingError(
                f"{one_line(other.name)} has a sample rate of {other.sample_rate} Hz, "
                f"but {one_line(first.name)} of {first.sample_rate} Hz",
                hint="Resample them to one rate first.",
                kind="array-mismatch",
            )
    return first.sample_rate
