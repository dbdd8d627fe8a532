"""How the work goes, while it goes: a live display, one plain bar, or nothing; and a race."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.bss.linalg import Array
from auxiva_cli.cli.console import display_name
from auxiva_cli.config import Settings
from auxiva_cli.listening.mixture import Mixture
from auxiva_cli.observer import Observer, Plan

if TYPE_CHECKING:
    from auxiva_cli.comparison import Point

__all__ = [
    "Display",
    "LiveDisplay",
    "LiveRace",
    "RaceDisplay",
    "TqdmDisplay",
    "choose_display",
    "make_display",
    "make_race_display",
]

CURVE = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 40
RACE_BAR_WIDTH = 24
RACE_CURVE_POINTS = 24


class Display(Observer):
    """Shows the progress of one recording; this one shows nothing.  A context manager."""

    def __init__(self, name: str) -> None:
        self.name = display_name(name)

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was found."""


class TqdmDisplay(Display):
    """One plain bar with the cost behind it, for logs and notebooks."""

    _bar: Any = None

    def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
        """Move the bar."""
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(
                total=iteration.total, desc=self.name, unit="it", file=sys.stderr, ascii=True
            )
        self._bar.set_postfix_str(f"{iteration.stage}, cost={iteration.cost:.6g}", refresh=False)
        self._bar.update(iteration.done - self._bar.n)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the line of the bar."""
        if self._bar is not None:
            self._bar.close()


class LiveDisplay(Display):
    """The recording's facts, a bar with the time left, the cost, its fall, and its curve."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        super().__init__(name)
        self._facts = ""
        self._costs: list[float] = []
        self._stage = ""
        self._bars = Progress(
            TextColumn("{task.description:<10}", markup=False),
            BarColumn(bar_width=CURVE_WIDTH),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
        )
        self._tasks: dict[str, Any] = {}
        self._live = Live(
            get_renderable=self._render,
            console=Console(stderr=True),
            transient=True,
            refresh_per_second=8,
        )

    def __enter__(self) -> LiveDisplay:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the display."""
        self._live.__exit__(kind, error, traceback)

    def opened(self, mixture: Mixture) -> None:
        """Take down the recording's facts."""
        seconds = mixture.n_samples / mixture.sample_rate
        self._facts = f"{mixture.sample_rate} Hz, {mixture.n_chan} channels, {seconds:.1f} s"

    def started(self, plan: Plan) -> None:
        """Take down what will be done."""
        self._facts += (
            f" → {plan.n_src} sources; window {plan.stft.n_fft}, hop {plan.stft.hop_length}; "
            f"takes about {plan.memory.n_bytes / 2**20:.0f} MiB"
        )

    def advanced(self, step: str, done: int, total: int) -> None:
        """Move the bar of a step."""
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total)
        self._bars.update(self._tasks[step], completed=done)

    def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
        """Draw the cost."""
        if iteration.stage != self._stage:
            self._stage, self._costs = iteration.stage, []
        self._costs.append(iteration.cost)
        self._iteration = iteration

    def _render(self) -> Any:
        """Return what the display shows now."""
        from rich.console import Group
        from rich.text import Text

        lines: list[Any] = [
            Text(self.name, style="bold"),
            Text(self._facts, style="dim"),
            self._bars,
        ]
        if self._costs:
            fall = self._costs[-2] - self._costs[-1] if len(self._costs) > 1 else 0.0
            lines.append(
                Text.assemble(
                    f"{self._stage}: iteration {self._iteration.done} of {self._iteration.total}, ",
                    "cost ",
                    (f"{self._costs[-1]:.6g}", "bold"), f"  fell by {fall:.3g}  ",
                    (curve(self._costs), "cyan"),
                )
            )  # fmt: skip
        return Group(*lines)


def curve(costs: list[float]) -> str:
    """Draw numbers as a line of blocks, the last ``CURVE_WIDTH`` of them.

    >>> curve([4.0, 3.0, 2.0, 1.0])
    '█▆▃▁'
    """
    shown = costs[-CURVE_WIDTH:]
    lowest, span = min(shown), max(shown) - min(shown) or 1.0
    return "".join(CURVE[round((cost - lowest) / span * (len(CURVE) - 1))] for cost in shown)


def choose_display(kind: str) -> str:
    """Return the kind of display: ``auto`` is ``rich`` on a terminal that can move, or ``none``."""
    if kind != "auto":
        return kind
    is_capable = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    return "rich" if is_capable else "none"


def make_display(kind: str, name: str) -> Display:
    """Return the display of a kind, ``rich``, ``tqdm`` or ``none``, for a recording."""
    return {"rich": LiveDisplay, "tqdm": TqdmDisplay, "none": Display}[kind](name)


class RaceDisplay:
    """Shows the race; this one shows nothing.  A context manager."""

    def __enter__(self) -> RaceDisplay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was found."""

    def start(self, algorithm: str) -> None:
        """Hear that it is the turn of an algorithm."""

    def passed(self, point: Point) -> None:
        """Hear how far it is."""


class LiveRace(RaceDisplay):
    """A line for each algorithm: how far it is, after what time, and the curve of what it reached.

    It is drawn only when a point has been passed, while the clock stands still.
    """

    def __init__(self, name: str, settings: Sequence[Settings]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._name = display_name(name)
        self._total = settings[0].max_iter
        self._points: dict[str, list[Point]] = {each.algorithm: [] for each in settings}
        self._running: list[Point] = []
        self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)

    def __enter__(self) -> LiveRace:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the display."""
        self._live.__exit__(kind, error, traceback)

    def start(self, algorithm: str) -> None:
        """Turn to the line of an algorithm."""
        self._running = self._points[algorithm]

    def passed(self, point: Point) -> None:
        """Move the bar of the algorithm that runs, and lengthen its curve."""
        self._running.append(point)
        self._live.update(self._render(), refresh=True)

    def _render(self) -> Any:
        """Return what the display shows now."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2, 0, 0))
        for algorithm, points in self._points.items():
            done = points[-1].iteration if points else 0
            table.add_row(
                Text(algorithm, style="bold" if points is self._running else ""),
                ProgressBar(total=self._total, completed=done, width=RACE_BAR_WIDTH),
                Text(f"{done}/{self._total}"),
                *(_reached(points) if points else ()),
            )
        return Group(Text(self._name, style="bold"), table)


def _reached(points: Sequence[Point]) -> list[Any]:
    """Return the last columns of a line: the time, what was reached by then, and its curve."""
    from rich.text import Text

    now = points[-1]
    values = [point.cost if math.isnan(now.si_sir) else point.si_sir for point in points]
    label = f"cost {now.cost:.3f}" if math.isnan(now.si_sir) else f"SI-SIR {now.si_sir:.1f} dB"
    thinned = values[:: -(-len(values) // RACE_CURVE_POINTS)]
    return [Text(f"{now.seconds:.2f} s"), Text(label), Text(curve(thinned), style="cyan")]


def make_race_display(kind: str, name: str, settings: Sequence[Settings]) -> RaceDisplay:
    """Return the display of a kind: ``rich``, ``none``, or ``auto`` by what the terminal can do."""
    return LiveRace(name, settings) if choose_display(kind) == "rich" else RaceDisplay()
