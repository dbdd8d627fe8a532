"""What recordings that are used together must have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auxiva_cli.errors import RecordingError

if TYPE_CHECKING:
    from auxiva_cli.audio import Recording

__all__ = ["common_sample_rate"]


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
                f"{other.name} has a sample rate of {other.sample_rate} Hz, "
                f"but {first.name} of {first.sample_rate} Hz",
                hint="Resample them to one rate first.",
                kind="array-mismatch",
            )
    return first.sample_rate
