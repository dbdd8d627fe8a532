"""The report of ``auxiva compare``: its files, and the table on standard output."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auxiva_cli.audio import Recording, write_file
from auxiva_cli.cli.console import display_name, say
from auxiva_cli.comparison import Run, speed_ups
from auxiva_cli.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["REPORT_NAMES", "print_table", "write_report"]

JSON_VERSION = 1
REPORT_NAMES = ("compare.json", "compare.csv", "compare.png")
COLUMNS = ("iteration", "seconds", "cost", "si_sir", "si_sdr")
# Decimals: more than is ever reproducible.
PRECISION = 6


def write_report(
    directory: Path,
    mixture: Recording,
    references: list[Recording],
    runs: list[Run],
    *,
    overwrite: bool,
) -> None:
    """Write the files of the report; the picture only where it can be drawn."""
    as_object = json.dumps(_as_object(mixture, references, runs), indent=1, allow_nan=False)
    contents = [f"{as_object}\n".encode(), _as_csv(runs).encode(), _picture(mixture, runs)]
    for name, content in zip(REPORT_NAMES, contents, strict=True):
        if content is not None:
            write_file(directory / name, content, overwrite=overwrite)


def print_table(runs: list[Run]) -> None:
    """Print one line for each algorithm."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    judged = not math.isnan(runs[0].points[0].si_sir)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("algorithm", no_wrap=True)
    for title in ("settled after", "time", "speed-up", "ms/iteration", "cost"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("SI-SIR", "SI-SDR") if judged else ():
        table.add_column(title, justify="right", no_wrap=True)
    _add_rows(table, runs, judged=judged)
    # A pipe has no width: nothing is to be folded there.
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=120)).print(table)


def _add_rows(table: Table, runs: list[Run], *, judged: bool) -> None:
    """Add the line of each algorithm."""
    for run, speed_up in zip(runs, speed_ups(runs), strict=True):
        best, settled = run.best, run.settled
        if run.rose:
            verdict = [f"rose at {run.points[-1].iteration}", "-"]
        elif settled is None:
            verdict = ["still moving", f"> {run.points[-1].seconds:.2f} s"]
        else:
            verdict = [f"{settled.iteration} iterations", f"{settled.seconds:.2f} s"]
        table.add_row(
            run.algorithm,
            *verdict,
            f"{speed_up:.1f}" if speed_up else "-",
            f"{1000 * run.seconds_per_iteration:.1f}",
            f"{best.cost:.4f}",
            *([_decibels(best.si_sir), _decibels(best.si_sdr)] if judged else []),
        )


def _decibels(value: float) -> str:
    """Return a measure with one decimal, or a dash if it is not known."""
    return "-" if math.isnan(value) else f"{value:.1f} dB"


def _as_object(mixture: Recording, references: list[Recording], runs: list[Run]) -> dict[str, Any]:
    """Return what ``compare.json`` holds."""
    shared = runs[0].settings
    return {
        "version": JSON_VERSION,
        "mixture": mixture.name,
        "references": [reference.name for reference in references],
        "sample_rate": mixture.sample_rate,
        "channels": mixture.n_chan,
        "samples": mixture.n_samples,
        "model": shared.model,
        "iterations": shared.max_iter,
        "algorithms": [
            {
                "algorithm": run.algorithm,
                "step_size": run.settings.step_size,
                "rose_at": run.points[-1].iteration if run.rose else None,
                "settled_iteration": run.settled and run.settled.iteration,
                "settled_seconds": run.settled and round(run.settled.seconds, PRECISION),
                "speed_up": speed_up and round(speed_up, 2),
                **{
                    name: [_number(getattr(point, name)) for point in run.points]
                    for name in COLUMNS
                },
            }
            for run, speed_up in zip(runs, speed_ups(runs), strict=True)
        ],
    }


def _as_csv(runs: list[Run]) -> str:
    """Return what ``compare.csv`` holds: a line for each iteration of each algorithm."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("algorithm", *COLUMNS))
    for run in runs:
        for point in run.points:
            values = [_number(getattr(point, name)) for name in COLUMNS]
            writer.writerow([run.algorithm, *("" if value is None else value for value in values)])
    return text.getvalue()


def _number(value: float) -> float | None:
    """Return a number for files, None for what is not known."""
    return None if math.isnan(value) else round(value, PRECISION)


def _picture(mixture: Recording, runs: list[Run]) -> bytes | None:
    """Draw the picture, or say what is missing for it."""
    from auxiva_cli.comparison.picture import draw

    try:
        return draw(runs, title=display_name(Path(mixture.name).name))
    except MissingExtraError as error:
        say(f"auxiva: compare.png is left out: {error}")
        return None
