"""How the work goes, while it goes: a live display, one plain bar, or nothing."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.cli.console import display_name
from auxiva_cli.mixture import Mixture
from auxiva_cli.observer import Observer, Plan

__all__ = ["Display", "LiveDisplay", "TqdmDisplay", "choose_display", "make_display"]

CURVE = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 40


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

    def iterated(self, iteration: Iteration) -> None:
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
            f"takes about {plan.seconds:.0f} s and {plan.memory.n_bytes / 2**20:.0f} MiB"
        )

    def advanced(self, step: str, done: int, total: int) -> None:
        """Move the bar of a step."""
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total)
        self._bars.update(self._tasks[step], completed=done)

    def iterated(self, iteration: Iteration) -> None:
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
