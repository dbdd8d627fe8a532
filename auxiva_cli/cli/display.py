"""What is shown while a run goes: a live display, plain lines now and then, one bar, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, TypeVar

from auxiva_cli.batch import Job, Task
from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.bss.linalg import Array
from auxiva_cli.cli.console import say
from auxiva_cli.cli.progress import Progress, curve
from auxiva_cli.cli.wording import clock, shortened
from auxiva_cli.listening.mixture import Mixture
from auxiva_cli.observer import Observer

__all__ = [
    "BarDisplay",
    "Display",
    "LiveDisplay",
    "PlainDisplay",
    "make_display",
]

SomeProgress = TypeVar("SomeProgress", bound=Progress)
REFRESH_PER_SECOND = 8
WORD_WIDTH, TIMES_WIDTH = 19, 22
BAR_WIDTHS = 8, 40
SAY_EVERY = 10.0  # s
LONG = 300.0  # s, a recording of which it is said that it is being worked on


class Display(ExitStack):
    """Shows how a run goes; this one shows nothing.  A context manager.

    Parameters
    ----------
    task : Task
        What is the same for all recordings.
    footer : callable
        Gives one line about the run as a whole, which may be empty.
    """

    def __init__(self, task: Task, footer: Callable[[], str] = str) -> None:
        super().__init__()
        self._task = task
        self._footer = footer

    def watch(self, job: Job) -> AbstractContextManager[Observer]:
        """Return an observer of one recording."""
        return nullcontext(Observer())

    def aside(self) -> AbstractContextManager[None]:
        """Return a context in which lines are printed, to stay."""
        return nullcontext()

    def _progress(self, job: Job, kind: type[SomeProgress]) -> SomeProgress:
        """Return what takes down how a recording goes."""
        has_stages = len(self._task.settings.stages()) > 1
        return kind(job.name, learns=self._task.filters is None, has_stages=has_stages)


class PlainDisplay(Display):
    """A line when a long recording begins, and at most one every ten seconds: for logs."""

    def watch(self, job: Job) -> AbstractContextManager[Observer]:
        """Return what says how a recording goes."""
        return nullcontext(self._progress(job, PlainProgress))


class PlainProgress(Progress):
    """Says how a recording goes, when there is something to say."""

    _said = 0.0

    def received(self, n_bytes: int) -> None:
        """Say how much has come in."""
        super().received(n_bytes)
        self._say(self.facts)

    def opened(self, mixture: Mixture) -> None:
        """Say that a long recording begins."""
        super().opened(mixture)
        if mixture.n_samples / mixture.sample_rate >= LONG:
            say(f"auxiva: {self.name}: {self.facts}")

    def advanced(self, step: str, done: int, total: int) -> None:
        """Say how far it is."""
        super().advanced(step, done, total)
        self._say(f"{100 * self.share:.0f} %", self.cost)

    def _say(self, *facts: str) -> None:
        """Say something, unless something was said just before."""
        if self.elapsed - self._said >= SAY_EVERY:
            self._said = self.elapsed
            told = ", ".join(fact.replace("  ", ", ") for fact in (*facts, self.times) if fact)
            say(f"auxiva: {self.name}: {self.word}, {told}")


class BarDisplay(Display):
    """One plain bar a recording, with the cost behind it, for notebooks."""

    @contextmanager
    def watch(self, job: Job) -> Iterator[Observer]:
        """Return what moves the bar."""
        bar = self._progress(job, Bar)
        try:
            yield bar
        finally:
            bar.close()


class Bar(Progress):
    """A bar of tqdm's."""

    _bar: Any = None

    def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
        """Move the bar."""
        from tqdm import tqdm

        super().iterated(iteration, demixing_matrices)
        if self._bar is None:
            self._bar = tqdm(
                total=iteration.total, desc=self.name, unit="it", file=sys.stderr, ascii=True
            )
        cost = iteration.cost / iteration.size
        self._bar.set_postfix_str(f"{self.word}, cost={cost:.4f}", refresh=False)
        self._bar.update(iteration.done - self._bar.n)

    def close(self) -> None:
        """End the line of the bar."""
        if self._bar is not None:
            self._bar.close()


class LiveDisplay(Display):
    """The recording that is worked on, and the run as a whole, at the bottom of a terminal."""

    def __init__(self, task: Task, footer: Callable[[], str] = str) -> None:
        from rich.console import Console

        super().__init__(task, footer)
        self._console = Console(stderr=True)
        self._progress_shown: Progress | None = None
        self._live = self._new_live()

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        self.callback(lambda: self._live.stop())  # which is another one by then
        return super().__enter__()

    @contextmanager
    def watch(self, job: Job) -> Iterator[Observer]:
        """Show a recording while it is worked on."""
        self._progress_shown = self._progress(job, Progress)
        try:
            yield self._progress_shown
        finally:
            self._progress_shown = None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Make room for lines that stay."""
        self._live.stop()
        try:
            yield
        finally:
            self._live = self._new_live()
            self._live.start(refresh=True)

    def _new_live(self) -> Any:
        """Return what draws."""
        from rich.live import Live

        return Live(
            get_renderable=self.render,
            console=self._console,
            transient=True,
            refresh_per_second=REFRESH_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def render(self) -> Any:
        """Return what is shown now."""
        from rich.console import Group
        from rich.text import Text

        width = self._console.width
        progress = self._progress_shown
        lines = [] if progress is None else drawn(progress, width)
        if footer := self._footer():
            lines.append(Text(footer, style="bold"))
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)


def drawn(progress: Progress, width: int) -> list[Any]:
    """Return the three lines about a recording: what it is, how far it is, and its cost."""
    from rich.text import Text

    name = shortened(progress.name, max(width - len(progress.facts) - 2, width // 3))
    if progress.is_listening:
        facts = f"{progress.word}, {clock(progress.elapsed)}, {progress.facts}"
        return [Text.assemble((progress.name, "bold"), "  ", facts)]
    bar_width = max(BAR_WIDTHS[0], min(width - WORD_WIDTH - TIMES_WIDTH - 8, BAR_WIDTHS[1]))
    filled = round(progress.share * bar_width)
    lines = [
        Text.assemble((name, "bold"), "  ", (progress.facts, "dim")),
        Text.assemble(
            f"{progress.word:<{WORD_WIDTH}}",
            ("━" * filled, "cyan"),
            ("─" * (bar_width - filled), "dim"),
            f" {100 * progress.share:3.0f} %  {progress.times}",
        ),
    ]
    if cost := progress.cost:
        room = max(width - len(cost) - 2, 1)
        lines.append(Text.assemble(cost, "  ", (curve(progress.pieces, room), "cyan")))
    return lines


def make_display(kind: str, task: Task, footer: Callable[[], str] = str) -> Display:
    """Return a display of the kind ``rich``, ``plain``, ``tqdm`` or ``none``."""
    displays = {"rich": LiveDisplay, "plain": PlainDisplay, "tqdm": BarDisplay, "none": Display}
    return displays[kind](task, footer)
