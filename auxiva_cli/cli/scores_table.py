"""The table that ``auxiva evaluate`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from auxiva_cli.cli.console import display_name

__all__ = ["print_scores"]

MEASURES = {
    "SI-SDR": "si_sdr",
    "SI-SIR": "si_sir",
    "SI-SAR": "si_sar",
    "SDR": "sdr",
    "SIR": "sir",
    "SAR": "sar",
}
IMPROVEMENTS = {"SI-SDRi": "si_sdr_improvement", "SDRi": "sdr_improvement"}

_ANY_WIDTH = 10_000


def print_scores(report: dict[str, Any]) -> None:
    """Print a line for every reference, every estimate left over, and the mean.

    Parameters
    ----------
    report : dict
        As ``auxiva evaluate --json`` prints it.
    """
    measures = MEASURES | (IMPROVEMENTS if report["mixture"] else {})
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_footer=len(report["references"]) > 1
    )
    table.add_column("reference", footer="mean in dB", overflow="fold")
    table.add_column("estimate", overflow="fold")
    for title, name in measures.items():
        mean = _decibels(report["mean"][name])
        table.add_column(title, footer=mean, justify="right", no_wrap=True)
    for row in report["references"]:
        values = [_decibels(row[name]) for name in measures.values()]
        table.add_row(_label(row), _label(row["estimate"]), *values)
    for estimate in report["unpaired_estimates"]:
        table.add_row("-", _label(estimate), *("-" for _ in measures))
    # A pipe has no width: nothing is to be folded there.
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=_ANY_WIDTH)).print(table)


def _label(channel: dict[str, Any] | None) -> Text:
    """Return the file's name and the channel, on one line whatever the name is."""
    if channel is None:
        return Text("-")
    name = display_name(Path(channel["file"]).name)
    return Text(name if channel["channel"] == 1 else f"{name} [{channel['channel']}]")


def _decibels(value: float | None) -> str:
    """Return a measure with one decimal, or a dash if it has no meaning."""
    return "-" if value is None else f"{value:.1f}"
