"""Several files as one recording, for arrays that record their microphones apart."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.audio.containers import check_plausible
from auxiva_cli.audio.recording import Recording, open_recording
from auxiva_cli.audio.samples import Dtype
from auxiva_cli.errors import Notice, RecordingError

__all__ = ["open_array"]

FINEST_LAST = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")


def open_array(
    paths: Sequence[str | os.PathLike[str]],
    *,
    length_tolerance: float = 0.1,
    allow_truncated: bool = False,
    max_duration: float = math.inf,
) -> Recording:
    """Open files whose channels, one file after the other, are those of one recording.

    Parameters
    ----------
    paths : sequence of path-like
        One file per microphone, or per group of them, in the order of the channels.
    length_tolerance : float, default=0.1
        By how many seconds the files may differ in length; the shortest one counts.
    allow_truncated : bool, default=False
    max_duration : float, optional
        As in `open_recording`.

    Returns
    -------
    Recording
        Under the name of its first file.

    Raises
    ------
    RecordingError
        As `open_recording` does, with the file in question in the message, or
        ``array-mismatch`` if the files do not belong together.
    """
    with ExitStack() as opened:
        microphones = [
            opened.enter_context(_open(path, allow_truncated, max_duration)) for path in paths
        ]
        _check_alike(microphones)
        notices = _check_lengths(microphones, length_tolerance)
        first = microphones[0]
        is_double = any(microphone.dtype == "float64" for microphone in microphones)
        dtype: Dtype = "float64" if is_double else "float32"
        return Recording(
            name=first.name,
            path=first.path,
            sample_rate=first.sample_rate,
            n_chan=sum(microphone.n_chan for microphone in microphones),
            n_samples=min(microphone.n_samples for microphone in microphones),
            subtype=max((microphone.subtype for microphone in microphones), key=_fineness),
            container=first.container,
            dtype=dtype,
            warnings=notices,
            store=_Files(tuple(microphones), dtype, opened.pop_all()),
        )


@dataclass(frozen=True)
class _Files:
    """The samples of several recordings."""

    microphones: tuple[Recording, ...]
    dtype: Dtype
    opened: ExitStack

    def read(self, start: int, n_samples: int) -> NDArray[Any]:
        """Return a block with the channels of every file."""
        blocks = [microphone.read(start, n_samples) for microphone in self.microphones]
        return np.concatenate(blocks, dtype=self.dtype)

    def check_unchanged(self) -> None:
        """Raise ``read-error`` if a file was written to."""
        for microphone in self.microphones:
            microphone.check_unchanged()

    def close(self) -> None:
        """Close every file."""
        self.opened.close()


def _open(path: str | os.PathLike[str], allow_truncated: bool, max_duration: float) -> Recording:
    """Open one file, and say which one it was if that fails."""
    try:
        return open_recording(path, allow_truncated=allow_truncated, max_duration=max_duration)
    except RecordingError as error:
        raise RecordingError(
            f"{_label(path)}: {error.what}", hint=error.hint, kind=error.kind
        ) from error


def _check_alike(microphones: Sequence[Recording]) -> None:
    """Refuse files that cannot be the channels of one recording."""
    if len(microphones) < 2:
        raise RecordingError(
            f"an array of {len(microphones)} files",
            hint="Name one file per microphone, at least two.",
            kind="too-few-channels",
        )
    first = microphones[0]
    check_plausible(sum(microphone.n_chan for microphone in microphones), first.sample_rate)
    for microphone in microphones:
        if microphone.sample_rate != first.sample_rate:
            raise RecordingError(
                f"{_label(first.path)} has {first.sample_rate} Hz, "
                f"{_label(microphone.path)} has {microphone.sample_rate} Hz",
                hint="Microphones of one array must share a sample rate, and its clock.",
                kind="array-mismatch",
            )


def _check_lengths(microphones: Sequence[Recording], tolerance: float) -> tuple[Notice, ...]:
    """Collect the files' notices; refuse lengths that differ by more than the tolerance."""
    notices = [
        Notice(notice.kind, f"{_label(microphone.path)}: {notice.text}")
        for microphone in microphones
        for notice in microphone.warnings
    ]
    shortest, longest = (
        choose(microphones, key=lambda microphone: microphone.n_samples) for choose in (min, max)
    )
    difference = longest.n_samples - shortest.n_samples
    text = (
        f"{_label(shortest.path)} has {shortest.n_samples} samples, "
        f"{_label(longest.path)} has {longest.n_samples}"
    )
    if difference > tolerance * shortest.sample_rate:
        seconds = difference / shortest.sample_rate
        raise RecordingError(
            f"{text}: {seconds:.3f} s apart, {tolerance:g} s are allowed",
            hint="Cut the files to what was recorded at the same time.",
            kind="array-mismatch",
        )
    if difference:
        notices.append(Notice("array-lengths-differ", f"{text}; the shortest counts"))
    return tuple(notices)


def _fineness(subtype: str) -> int:
    """Rank encodings; those that are not kept in outputs come first."""
    return FINEST_LAST.index(subtype) if subtype in FINEST_LAST else -1


def _label(path: str | os.PathLike[str]) -> str:
    """Return a file's name for a message."""
    return repr(Path(os.fsdecode(path)).name)
