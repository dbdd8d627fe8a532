"""What came out of the race: its numbers, its table and its picture."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.comparison import Run
from auxiva_cli.comparison.picture import STYLES, as_png, new_figure, tidy
from auxiva_cli.comparison.runs import SIR_TOLERANCE
from auxiva_cli.config import Algorithm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RULES", "Result", "write_report"]

# Natural gradient is left out: its time is that of the step size that one happens to choose.
RULES: tuple[Algorithm, ...] = ("ipa", "ip2", "iss2", "ip", "iss")
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
COLUMNS = ("sources", "snr", "room", "algorithm", "iterations", "seconds", "settled",
           "ms_per_iteration", "si_sir")  # fmt: skip
CURVE_POINTS = 400

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """How one algorithm fared on one mixture.

    Attributes
    ----------
    n_src, snr, room : int
        Which mixture: its speakers, its signal-to-noise ratio in dB, its room.
    run : Run
        What the algorithm did.
    """

    n_src: int
    snr: int
    room: int
    run: Run

    @property
    def iterations(self) -> int:
        """Iterations until it settled; all of them if it did not."""
        return (self.run.settled or self.run.points[-1]).iteration

    @property
    def seconds(self) -> float:
        """Time until it settled; all of it if it did not."""
        return max((self.run.settled or self.run.points[-1]).seconds, _least_seconds(self.run))


def write_report(results: Sequence[Result], folder: Path) -> None:
    """Write the numbers, the picture, and the tables into their place in the text."""
    _write_numbers(results, folder / "race.csv")
    (folder / "race.png").write_bytes(_draw(results))
    _write_tables(results, folder / "RACE.md")


def _select(results: Sequence[Result], n_src: int, snr: int, rule: str) -> list[Result]:
    """Return the results of one algorithm on the rooms of one kind."""
    return [
        result
        for result in results
        if (result.n_src, result.snr, result.run.algorithm) == (n_src, snr, rule)
    ]


def _kinds(results: Sequence[Result]) -> list[tuple[int, int]]:
    """Return the kinds of rooms: number of sources, SNR."""
    return sorted({(result.n_src, result.snr) for result in results})


def _write_numbers(results: Sequence[Result], path: Path) -> None:
    """Write one line for each run."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for result in results:
            run = result.run
            writer.writerow(
                (
                    result.n_src, result.snr, result.room, run.algorithm, result.iterations,
                    f"{result.seconds:.4f}", int(run.settled is not None),
                    f"{1000 * run.seconds_per_iteration:.2f}", f"{run.best.si_sir:.2f}",
                )
            )  # fmt: skip


def _write_tables(results: Sequence[Result], path: Path) -> None:
    """Put the tables into their place in the text."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    tables = "\n\n".join([_time_table(results), _cost_table(results)])
    path.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")


def _time_table(results: Sequence[Result]) -> str:
    """Return the table of the times until the algorithms settled."""
    labels = [STYLES[rule].label for rule in RULES]
    lines = [
        _row("sources", "SNR", *labels, "IP ÷ IPA", "to where IP ends"),
        _row(*["---:"] * (len(RULES) + 4)),
    ]
    for n_src, snr in _kinds(results):
        found = {rule: _select(results, n_src, snr, rule) for rule in RULES}
        cells = [_time_cell(found[rule]) for rule in RULES]
        ratio = _mean_seconds(found["ip"]) / _mean_seconds(found["ipa"])
        same = _same_separation(found["ip"], found["ipa"])
        lines.append(_row(n_src, f"{snr} dB", *cells, f"**{ratio:.1f}**", same))
    return "\n".join(lines)


def _same_separation(slow: Sequence[Result], fast: Sequence[Result]) -> str:
    """Return how many times sooner the fast ones are where the slow ones end, in the median room.

    And in how many rooms they never get there.
    """
    ratios = []
    for there, here in zip(slow, fast, strict=True):
        goal = there.run.best.si_sir - SIR_TOLERANCE
        seconds = [_seconds_to(result.run, goal) for result in (there, here)]
        ratios.append(seconds[0] / seconds[1])
    n_never = ratios.count(0.0)
    return f"{np.median(ratios):.1f}" + (f" (never in {n_never} of {len(ratios)})" * (n_never > 0))


def _seconds_to(run: Run, goal: float) -> float:
    """Return from when on a run is never again below a SI-SIR; infinity if it ends below."""
    below = np.flatnonzero(run.column("si_sir") < goal)
    first = int(below[-1]) + 1 if len(below) else 0
    if first == len(run.points):
        return math.inf
    return max(run.points[first].seconds, _least_seconds(run))


def _least_seconds(run: Run) -> float:
    """Return half the time of an iteration: at the start none has passed, but less is not told."""
    return run.seconds_per_iteration / 2


def _time_cell(results: Sequence[Result]) -> str:
    """Return the mean time and the mean number of iterations; a bound if some did not settle."""
    bound = "" if all(result.run.settled for result in results) else "≥ "
    iterations = np.mean([result.iterations for result in results])
    return f"{bound}{_mean_seconds(results):.2f} s ({iterations:.0f})"


def _mean_seconds(results: Sequence[Result]) -> float:
    """Return the mean time until the algorithm settled."""
    return float(np.mean([result.seconds for result in results]))


def _cost_table(results: Sequence[Result]) -> str:
    """Return the table of the time of an iteration, and of where the algorithms end."""
    labels = [STYLES[rule].label for rule in RULES]
    lines = [_row("sources", "SNR", *labels), _row(*["---:"] * (len(RULES) + 2))]
    for n_src, snr in _kinds(results):
        cells = []
        for rule in RULES:
            runs = [result.run for result in _select(results, n_src, snr, rule)]
            milliseconds = 1000 * np.mean([run.seconds_per_iteration for run in runs])
            si_sir = np.mean([run.best.si_sir for run in runs])
            cells.append(f"{milliseconds:.1f} ms, {si_sir:.1f} dB")
        lines.append(_row(n_src, f"{snr} dB", *cells))
    return "\n".join(lines)


def _row(*cells: object) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def _draw(results: Sequence[Result]) -> bytes:
    """Draw the mean SI-SIR against the run time, one panel for each kind of room."""
    sources = sorted({n_src for n_src, _ in _kinds(results)})
    ratios = sorted({snr for _, snr in _kinds(results)}, reverse=True)
    figure = new_figure(2.9 * len(sources) + 0.6, 2.3 * len(ratios) + 0.9)
    panels = figure.subplots(len(ratios), len(sources), squeeze=False, sharey="col")
    for row, snr in zip(panels, ratios, strict=True):
        for axes, n_src in zip(row, sources, strict=True):
            _draw_panel(axes, results, n_src, snr)
        row[0].set_ylabel(f"SNR {snr} dB\nmean SI-SIR (dB)")
    for axes, n_src in zip(panels[0], sources, strict=True):
        axes.set_title(f"{n_src} sources", fontsize=11)
    for axes in panels[-1]:
        axes.set_xlabel("run time (s)")
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(RULES),
        frameon=False,
    )  # fmt: skip
    return as_png(figure)


def _draw_panel(axes: Axes, results: Sequence[Result], n_src: int, snr: int) -> None:
    """Draw one kind of room."""
    end = 1.2 * _mean_seconds(_select(results, n_src, snr, "ip"))
    seconds = np.linspace(0, end, CURVE_POINTS)
    for order, rule in enumerate(RULES):
        style = STYLES[rule]
        curves = [_reached(result.run, seconds) for result in _select(results, n_src, snr, rule)]
        axes.plot(
            seconds, np.mean(curves, axis=0), style.dashes, color=style.colour,
            linewidth=style.width, label=style.label, zorder=3 - order / 10,
        )  # fmt: skip
    axes.set_xlim(0, end)
    tidy(axes)


def _reached(run: Run, seconds: Array) -> Array:
    """Return the SI-SIR that a run had reached at these times."""
    last_passed = np.searchsorted(run.column("seconds"), seconds, side="right") - 1
    values: Array = run.column("si_sir")[last_passed]
    return values
