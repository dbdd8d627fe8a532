"""What ``auxiva evaluate`` calls signals and measures, in JSON and in tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from auxiva_cli.cli.console import display_name

if TYPE_CHECKING:
    from auxiva_cli.audio import Recording
    from auxiva_cli.evaluation import Scores

__all__ = ["channels_of", "decibels", "label", "measures_of"]


def channels_of(recordings: list[Recording]) -> list[dict[str, Any]]:
    """Return file and channel, from 1, of every signal."""
    return [
        {"file": recording.name, "channel": i + 1}
        for recording in recordings
        for i in range(recording.n_chan)
    ]


def measures_of(si: Scores, bss: Scores) -> dict[str, list[float | None]]:
    """Return the measures by their names in the report, None where they have no meaning."""
    names = ("sdr", "sir", "sar", "sdr_improvement", "sir_improvement")
    arrays = {
        f"{prefix}{n}": getattr(s, n) for prefix, s in (("si_", si), ("", bss)) for n in names
    }
    return {name: [_defined(value) for value in values] for name, values in arrays.items()}


def label(channel: dict[str, Any] | None, several: set[str]) -> str:
    """Return the file's name, and which channel of several, on one line whatever the name is."""
    if channel is None:
        return "-"
    name = display_name(Path(channel["file"]).name)
    return f"{name} [{channel['channel']}]" if channel["file"] in several else name


def decibels(value: float | None) -> str:
    """Return a measure with one decimal, or a dash if it has no meaning."""
    return "-" if value is None else f"{round(value, 1) + 0.0:.1f}"  # no -0.0


def _defined(value: float) -> float | None:
    """Return a number for JSON, which has no NaN."""
    return None if value != value else round(float(value), 4)
