"""Several recordings at once: opening, naming, and what they must have in common."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from auxiva_cli.cli.console import display_name, say
from auxiva_cli.errors import RecordingError

if TYPE_CHECKING:
    from auxiva_cli.audio import Recording

__all__ = ["common_length", "common_sample_rate", "open_all"]

LENGTH_TOLERANCE = 0.1
"""How much lengths may differ, in seconds: what framing may add or cut at the end."""


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


def common_length(recordings: Sequence[Recording]) -> int:
    """Return the length of the shortest recording, and say so where others are longer.

    Parameters
    ----------
    recordings : sequence of Recording
        At least one, all of one sample rate.

    Returns
    -------
    int
        In samples.

    Raises
    ------
    RecordingError
        ``array-mismatch`` if one is much longer than another.
    """
    shortest = min(recordings, key=lambda recording: recording.n_samples)
    longest = max(recordings, key=lambda recording: recording.n_samples)
    excess = longest.n_samples - shortest.n_samples
    if excess > LENGTH_TOLERANCE * shortest.sample_rate:
        raise RecordingError(
            f"{display_name(longest.name)} is {excess / shortest.sample_rate:.2f} s longer "
            f"than {display_name(shortest.name)}",
            hint="References, estimates and mixture must begin together and be equally long.",
            kind="array-mismatch",
        )
    if excess:
        say(
            f"auxiva: lengths differ by up to {excess} samples: "
            f"the first {shortest.n_samples} of every file are compared."
        )
    return shortest.n_samples
