"""The picture of a race: separation against run time, cost against iterations."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from auxiva_cli.comparison.runs import Run
from auxiva_cli.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["STYLES", "Style", "as_png", "draw", "new_figure", "tidy"]


class Style(NamedTuple):
    """How an algorithm is drawn, the same in every picture."""

    label: str
    colour: str
    dashes: str
    width: float


# Colours of Okabe and Ito, which the colour-blind can tell apart; neighbours also differ in dashes.
STYLES = {
    "ipa": Style("IPA", "#D55E00", "-", 2.6),
    "ip2": Style("IP2", "#0072B2", "-", 1.6),
    "iss2": Style("ISS2", "#56B4E9", "--", 1.6),
    "ip": Style("IP", "#009E73", "-", 1.6),
    "iss": Style("ISS", "#E69F00", "--", 1.6),
    "gradient": Style("gradient", "#555555", ":", 1.8),
}
MARK = "#999999"  # of a mark that is explained, whoever's it is
DOTS_PER_INCH = 150
# How much of the time after the last run has settled is still shown.
TIME_MARGIN = 1.25
# Of the cost above the lowest, per source and frequency: below are differences of no use.
LOWEST_COST_GAP = 1e-5


def draw(runs: Sequence[Run], *, title: str) -> bytes:
    """Draw a race.

    Parameters
    ----------
    runs : sequence of Run
        Of one recording.
    title : str
        Its name.

    Returns
    -------
    bytes
        A PNG image.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    """
    figure = new_figure(9.6, 5.0)
    left, right = figure.subplots(1, 2)
    if math.isnan(runs[0].points[0].si_sir):
        _draw_cost(left, runs, "seconds")
    else:
        _draw_separation(left, runs)
    left.set_xlim(0, _last_time(runs))
    left.set_xlabel("run time (s)")
    _draw_cost(right, runs, "iteration")
    right.set_xlim(0, max(run.points[-1].iteration for run in runs))
    right.set_xlabel("iterations")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, parse_math=False)
    _explain(left, runs)
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return as_png(figure)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, its size in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            "pictures need matplotlib", hint='Install it with pip install "auxiva[plot]".'
        ) from error
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def as_png(figure: Figure) -> bytes:
    """Return a figure as a PNG image."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def tidy(axes: Axes) -> None:
    """Leave only the lines that help to read."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#DDDDDD", linewidth=0.7)
    axes.set_axisbelow(True)


def _draw_separation(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the SI-SIR against the time."""
    for run in runs:
        style = STYLES[run.algorithm]
        _plot(axes, run, run.column("seconds"), run.column("si_sir"))
        if run.settled:
            axes.plot(
                run.settled.seconds, run.settled.si_sir, "o", color=style.colour, markersize=7
            )
    axes.set_ylabel("mean SI-SIR (dB)")
    axes.set_title("Separation", loc="left", fontsize=11)
    tidy(axes)


def _draw_cost(axes: Axes, runs: Sequence[Run], against: str) -> None:
    """Draw how far the cost is above the lowest that any run reached."""
    lowest = min(run.best.cost for run in runs)
    for run in runs:
        # What is of no use is drawn as the edge: lines that end there have arrived.
        gap = np.maximum(run.column("cost") - lowest, LOWEST_COST_GAP)
        _plot(axes, run, run.column(against), gap)
        if run.rose:
            axes.plot(
                run.column(against)[-1], gap[-1], "x", color=STYLES[run.algorithm].colour,
                markersize=9, markeredgewidth=2,
            )  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(bottom=LOWEST_COST_GAP)
    axes.set_ylabel(f"above the lowest ({LOWEST_COST_GAP:g} or less),\nper source and frequency")
    axes.set_title("Cost", loc="left", fontsize=11)
    tidy(axes)


def _explain(axes: Axes, runs: Sequence[Run]) -> None:
    """Add what the marks mean to the legend."""
    if not math.isnan(runs[0].points[0].si_sir) and any(run.settled for run in runs):
        axes.plot([], [], "o", color=MARK, markersize=7, label="from here on within 0.5 dB")
    if any(run.rose for run in runs):
        axes.plot([], [], "x", color=MARK, markersize=9, markeredgewidth=2, label="the cost rose")


def _plot(axes: Axes, run: Run, x: np.ndarray, y: np.ndarray) -> None:
    """Draw the line of a run, the fastest algorithm on top."""
    style = STYLES[run.algorithm]
    order = list(STYLES).index(run.algorithm)
    axes.plot(
        x, y, style.dashes, color=style.colour, linewidth=style.width, label=_label(run),
        zorder=3 - order / 10,
    )  # fmt: skip


def _label(run: Run) -> str:
    """Return the name of an algorithm and its verdict."""
    name = STYLES[run.algorithm].label
    if run.rose:
        return f"{name}: cost rose at iteration {run.points[-1].iteration}"
    if run.settled is None:
        return f"{name}: still moving"
    return f"{name}: {run.settled.seconds:.2f} s, {run.settled.iteration} iterations"


def _last_time(runs: Sequence[Run]) -> float:
    """Return where the time axis ends: a little after the last run settled."""
    settled = [TIME_MARGIN * run.settled.seconds for run in runs if run.settled]
    return max(settled, default=0.0) or max(run.points[-1].seconds for run in runs)
