"""The race of ``auxiva compare``, while it goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from auxiva_cli.cli.console import display_name
from auxiva_cli.cli.progress import curve
from auxiva_cli.cli.wording import signed
from auxiva_cli.config import Settings

if TYPE_CHECKING:
    from auxiva_cli.comparison import Point

__all__ = ["LiveRace", "RaceDisplay", "make_race_display"]

# Columns of the bar and of the curve; and of what is never cut: names, counts, times, dB and gaps.
LEAST_WIDTH, MOST_WIDTH = 8, 24
OTHERS_WIDTH = 51


class RaceDisplay(ExitStack):
    """Shows the race; this one shows nothing.  A context manager."""

    def start(self, algorithm: str) -> None:
        """Hear that it is the turn of an algorithm."""

    def passed(self, point: Point) -> None:
        """Hear how far it is."""


class LiveRace(RaceDisplay):
    """A line for each algorithm: how far it is, after what time, and the curve of what it reached.

    It is drawn before the race, and when a point has been passed, while the clock stands still.
    """

    def __init__(self, name: str, settings: Sequence[Settings]) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__()
        self._name = display_name(name)
        self._total = settings[0].max_iter
        self._points: dict[str, list[Point]] = {each.algorithm: [] for each in settings}
        self._running: list[Point] = []
        self._console = Console(stderr=True)
        self._live = Live(self.render(), console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveRace:
        self.enter_context(self._live)
        return super().__enter__()

    def start(self, algorithm: str) -> None:
        """Turn to the line of an algorithm."""
        self._running = self._points[algorithm]

    def passed(self, point: Point) -> None:
        """Move the bar of the algorithm that runs, and lengthen its curve."""
        self._running.append(point)
        self._live.update(self.render(), refresh=True)

    def render(self) -> Any:
        """Return what the display shows now."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        room = max(self._console.width - OTHERS_WIDTH, 0)
        curve_width = min(room // 2, MOST_WIDTH) if room >= 2 * LEAST_WIDTH else 0
        bar_width = min(room - curve_width, MOST_WIDTH)
        table = Table.grid(padding=(0, 2, 0, 0))
        for algorithm, points in self._points.items():
            done = points[-1].iteration if points else 0
            table.add_row(
                Text(algorithm, style="bold" if points is self._running else ""),
                ProgressBar(total=self._total, completed=done, width=bar_width),
                Text(f"{done}/{self._total}"),
                *(_reached(points, curve_width) if points else ()),
            )
        return Group(Text(self._name, style="bold"), table)


def _reached(points: Sequence[Point], curve_width: int) -> list[Any]:
    """Return the last columns of a line: the time, what was reached by then, and its curve."""
    from rich.text import Text

    now = points[-1]
    values = [point.cost if math.isnan(now.si_sir) else point.si_sir for point in points]
    cost, si_sir = signed(now.cost, 3), signed(now.si_sir, 1)
    label = f"cost {cost}" if math.isnan(now.si_sir) else f"SI-SIR {si_sir} dB"
    drawn = curve([values], curve_width) if curve_width else ""
    told = [f"{now.seconds:.2f} s", label]
    return [*(Text(text, no_wrap=True) for text in told), Text(drawn, style="cyan", no_wrap=True)]


def make_race_display(kind: str, name: str, settings: Sequence[Settings]) -> RaceDisplay:
    """Return the display of a kind: only ``rich`` is one."""
    return LiveRace(name, settings) if kind == "rich" else RaceDisplay()
