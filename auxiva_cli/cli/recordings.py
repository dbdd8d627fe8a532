"""Several recordings at once: opening, naming, and what they must have in common."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from auxiva_cli.cli.console import display_name
from auxiva_cli.errors import RecordingError

if TYPE_CHECKING:
    from auxiva_cli.audio import Recording

__all__ = ["common_sample_rate", "open_all"]


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
                f"{display_name(str(path))}: {error.what}", hint=error.hint, kind=error.kind
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
                f"{display_name(other.name)} has a sample rate of {other.sample_rate} Hz, "
                f"but {display_name(first.name)} of {first.sample_rate} Hz",
                hint="Resample them to one rate first.",
                kind="array-mismatch",
            )
    return first.sample_rate
