"""What became of the recordings of a run: the exit code, the summary, the lines of JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict
from types import TracebackType
from typing import Any

from auxiva_cli.batch import Outcome
from auxiva_cli.cli.console import (
    display_name,
    print_line,
    say,
    say_error,
    say_notice,
    with_options,
)
from auxiva_cli.errors import AuxivaError

__all__ = ["SCHEMA_VERSION", "Report"]

SCHEMA_VERSION = 1
STATUSES = ("separated", "skipped", "planned", "failed")


class Report:
    """Shows each outcome as it comes, and in the end how the run went; knows the exit code.

    A context manager; leaving it, however that comes about, lists what failed.

    Parameters
    ----------
    n_jobs : int
        How many recordings there are.
    as_json : bool
        Print one JSON object a recording on standard output.
    quiet : bool
        Say only what failed.
    as_table : bool
        Show the outputs of a recording in a table, on a terminal.
    """

    def __init__(self, n_jobs: int, *, as_json: bool, quiet: bool, as_table: bool) -> None:
        self._n_jobs = n_jobs
        self._as_json = as_json
        self._quiet = quiet
        self._as_table = as_table
        self._counts: Counter[str] = Counter()
        self._failures: list[tuple[str, AuxivaError]] = []

    @property
    def exit_code(self) -> int:
        """1 if a recording failed, else 0."""
        return 1 if self._failures else 0

    def add(self, outcome: Outcome) -> None:
        """Take in an outcome and show it."""
        self._counts[outcome.status] += 1
        if outcome.error is not None:
            self._failures.append((outcome.job.name, outcome.error))
            say_error(outcome.job.name, outcome.error)
        elif not self._quiet:
            self._show(outcome)
        if self._as_json:
            print_line(json.dumps(_as_object(outcome), allow_nan=False))

    def __enter__(self) -> Report:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say how a run of several recordings went, the failures last."""
        if self._quiet or self._n_jobs == 1:
            return
        counts = {status: self._counts[status] for status in STATUSES}
        counts["not done"] = self._n_jobs - self._counts.total()
        shown = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        say(f"auxiva: {shown}")
        for name, failure in self._failures:
            say_error(name, failure)

    def _show(self, outcome: Outcome) -> None:
        """Show an outcome that is no failure."""
        for notice in outcome.notices:
            say_notice(outcome.job.name, notice.kind, notice.text)
        if self._as_table and outcome.outputs and outcome.status == "separated":
            _print_table(outcome)
        else:
            say(_line(outcome))


def _line(outcome: Outcome) -> str:
    """Return one line about a recording that did not fail."""
    name = display_name(outcome.job.name)
    if outcome.status == "skipped":
        return f"{name}: skipped, its outputs are there"
    if outcome.status == "planned":
        outputs = ", ".join(display_name(str(path)) for path in outcome.outputs)
        return f"{name}: would write {outputs or 'to standard output'}"
    levels = ", ".join(f"{level:.1f}" for level in outcome.levels)
    outputs = ", ".join(display_name(str(path)) for path in outcome.outputs)
    return (
        f"{name}: {len(outcome.levels)} sources ({levels} dB) in {outcome.seconds:.1f} s"
        f"{': ' if outputs else ''}{outputs}"
    )


def _print_table(outcome: Outcome) -> None:
    """Show the outputs of a recording with their levels."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    name = Text(display_name(outcome.job.name), style="bold")
    times_real = outcome.duration / outcome.seconds
    facts = f"  {outcome.seconds:.1f} s, {times_real:.0f} times faster than real time"
    table = Table("output", "level")
    table.columns[1].justify = "right"
    for path, level in zip(outcome.outputs, outcome.levels, strict=False):
        table.add_row(Text(display_name(str(path)), overflow="fold"), f"{level:.1f} dB")
    Console(stderr=True).print(name + Text(facts, style="dim"), table, sep="\n")


def _as_object(outcome: Outcome) -> dict[str, Any]:
    """Return the JSON object of a recording, as docs/json.md describes it."""
    error = outcome.error and with_options(outcome.error)
    speed = outcome.seconds / outcome.duration if outcome.duration else None
    last = outcome.stages[-1] if outcome.stages else None
    return {
        "schema_version": SCHEMA_VERSION,
        "input": outcome.job.name,
        "status": outcome.status,
        "outputs": [str(path) for path in outcome.outputs],
        "sha256": list(outcome.digests),
        "error": error and {"class": error.kind, "what": error.what, "hint": error.hint},
        "warnings": [{"class": notice.kind, "what": notice.text} for notice in outcome.notices],
        "check_up": outcome.findings and outcome.findings.as_dict(),
        "output_channels": [c + 1 for c in outcome.out_chans],
        "outputs_sum": len(set(outcome.out_chans)) == 1 if outcome.out_chans else None,
        "sample_rate": outcome.sample_rate or None,
        "channels": outcome.n_chan or None,
        "samples": outcome.n_samples or None,
        "levels_db": [level if math.isfinite(level) else None for level in outcome.levels],
        "gain": outcome.gain,
        "passes": outcome.n_passes,
        "frames": outcome.frames and asdict(outcome.frames),
        "iterations": sum(len(stage.costs) - 1 for stage in outcome.stages),
        "cost": last and last.costs[-1],
        "converged": last and last.converged,
        "stages": [
            {"name": stage.name, "costs": list(stage.costs), "converged": stage.converged}
            for stage in outcome.stages
        ],
        "seconds": round(outcome.seconds, 3),
        "real_time_factor": speed and round(speed, 4),
        "settings": asdict(outcome.settings),
    }
