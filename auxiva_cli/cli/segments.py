"""The part of ``auxiva evaluate`` about scores along time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from auxiva_cli.cli.console import print_line
from auxiva_cli.cli.measures import decibels, label, measures_of
from auxiva_cli.cli.table import Column, print_table
from auxiva_cli.cli.wording import clock

if TYPE_CHECKING:
    from auxiva_cli.evaluation import Stretch

__all__ = ["SHORTEST_SECONDS", "print_segments", "segments_report"]

SHORTEST_SECONDS = 0.5
"""In less there is too little for filters of 512 taps."""
CHANGED = "*"


def segments_report(
    stretches: Iterable[Stretch], sample_rate: int, separated: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the scores along time as ``--json`` prints them.

    Parameters
    ----------
    stretches : iterable of Stretch
        In the order of time.
    sample_rate : int, Hz
    separated : list of dict
        File and channel of every estimate.
    """
    report = []
    for stretch in stretches:
        measures = measures_of(stretch.si, stretch.bss)
        paired, owners = stretch.bss.permutation.tolist(), stretch.owners.tolist()
        rows = [
            {
                "silent": not heard,
                "owner": separated[owner] if owner >= 0 else None,
                "owner_changed": owner >= 0 and owner != usual,
                **{name: values[k] for name, values in measures.items()},
            }
            for k, (owner, usual, heard) in enumerate(
                zip(owners, paired, stretch.heard.tolist(), strict=True)
            )
        ]
        report.append(
            {
                "start": round(stretch.start / sample_rate, 3),
                "end": round(stretch.stop / sample_rate, 3),
                "references": rows,
            }
        )
    return report


def print_segments(report: dict[str, Any]) -> None:
    """Print SI-SDR along time, a line a stretch, and where references change their estimate.

    Parameters
    ----------
    report : dict
        As ``auxiva evaluate --json`` prints it.
    """
    segments = report["segments"]
    numbers = range(len(report["references"]))
    changes = [line for k in numbers for line in _changes(segments, k)]
    columns = [Column("from", [_time(each["start"]) for each in segments], is_name=True)]
    for k in numbers:
        cells = [_cell(each["references"][k], bool(changes)) for each in segments]
        columns.append(Column(f"ref {k + 1}", cells))
    print_line("")
    print_line("SI-SDR in dB along time, references in their order:")
    print_table(columns)
    if any(row["silent"] for each in segments for row in each["references"]):
        print_line("silent: 30 dB or more below the reference's mean, left out")
    if changes:
        print_line(f"{CHANGED} another estimate fits better there:")
    for line in changes:
        print_line(line)


def _cell(row: dict[str, Any], with_marks: bool) -> str:
    """Return a score, where some are marked with room for the mark of another estimate."""
    score = "silent" if row["silent"] else decibels(row["si_sdr"])
    mark = CHANGED if row["owner_changed"] else " "
    return score + mark if with_marks else score


def _changes(segments: list[dict[str, Any]], k: int) -> list[str]:
    """Return a line for each time for which another estimate fits reference k better."""
    lines = []
    rows = [(each["references"][k], each) for each in segments]
    for owner, run in groupby(rows, lambda row: row[0]["owner_changed"] and row[0]["owner"]):
        if owner:
            times = [each for _, each in run]
            when = f"{_time(times[0]['start'])}-{_time(times[-1]['end'])}"
            several = {owner["file"]} if owner["channel"] > 1 else set()
            lines.append(f"  ref {k + 1}, {when}: {label(owner, several)}")
    return lines


def _time(seconds: float) -> str:
    """Return a time as on a clock, with its tenths where it has any.

    >>> _time(62.0), _time(62.5)
    ('1:02', '1:02.5')
    """
    tenths = round(10 * seconds)
    return clock(tenths // 10) + (f".{tenths % 10}" if tenths % 10 else "")
