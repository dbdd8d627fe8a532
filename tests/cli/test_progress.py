"""Progress: what the displays show, without a terminal, whatever a recording is called."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from command_line import SAMPLE_RATE, mixture
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from auxiva_cli import separate
from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.cli.progress import (
    CURVE,
    CURVE_WIDTH,
    Display,
    LiveDisplay,
    TqdmDisplay,
    choose_display,
    curve,
    make_display,
)
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.observer import Observer

HOSTILE_NAMES = ["[bold]a[/nothing].wav", "a\nb\r.wav", "\x1b[2J.wav", "\u2028", "\udcff.wav", ""]
NAMES = ["talk.wav", *HOSTILE_NAMES]


def feed(observer: Observer) -> None:
    """Show a whole separation."""
    observer.opened(ArrayMixture(mixture(), SAMPLE_RATE))
    separate(mixture(), SAMPLE_RATE, n_fft=512, max_iter=6, n_threads=1, observer=observer)


def drawn(display: LiveDisplay, width: int = 80, **kwargs: bool) -> str:
    """Return what a live display shows now."""
    screen = io.StringIO()
    Console(file=screen, width=width, **kwargs).print(display._render())
    return screen.getvalue()


def no_matrices() -> Any:
    raise AssertionError("nobody looks at them")


def iteration(cost: float, done: int = 1, stage: str = "laplace") -> Iteration:
    return Iteration(stage, done, done, 9, cost, 2)


def test_the_live_display_shows_the_recording_the_plan_the_steps_and_the_cost() -> None:
    display = LiveDisplay("talk.wav")
    feed(display)
    shown = drawn(display, width=160)
    assert "talk.wav" in shown
    assert f"{SAMPLE_RATE} Hz, 2 channels, 1.5 s → 2 sources; window 512, hop 128" in shown
    assert "MiB" in shown
    for step in ("survey", "covariance", "tables", "fit"):
        (line,) = [line for line in shown.splitlines() if line.startswith(f"{step} ")]
        assert "100%" in line
    assert "iteration 6 of 6, cost" in shown


def test_the_live_display_shows_the_fall_of_the_cost_within_a_stage() -> None:
    display = LiveDisplay("talk.wav")
    display.iterated(iteration(100.0), no_matrices)
    assert "fell by 0 " in drawn(display)
    display.iterated(iteration(87.5, 2), no_matrices)
    assert "laplace: iteration 2 of 9, cost 87.5  fell by 12.5  █▁" in drawn(display)
    display.iterated(iteration(7.0, 3, "bands-3"), no_matrices)
    assert "bands-3: iteration 3 of 9, cost 7  fell by 0  ▁" in drawn(display)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("width", [1, 20, 80])
def test_no_name_upsets_the_live_display(name: str, width: int) -> None:
    display = LiveDisplay(name)
    display.opened(ArrayMixture(mixture(), SAMPLE_RATE))
    display.advanced("survey", 1, 3)
    display.iterated(iteration(1.0), no_matrices)
    shown = drawn(display, width)
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert shown.encode()


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    assert "[bold]a[/nothing].wav" in drawn(LiveDisplay("[bold]a[/nothing].wav"))


def test_without_colour_nothing_is_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    display = LiveDisplay("talk.wav")
    display.iterated(iteration(1.0), no_matrices)
    shown = drawn(display, force_terminal=True)
    assert "\x1b[3" not in shown  # colours; bold and dim are \x1b[1 and \x1b[2


def test_before_anything_is_known_the_name_is_shown() -> None:
    assert drawn(LiveDisplay("talk.wav")).strip() == "talk.wav"


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_bar_is_plain_and_ends_at_its_goal(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with TqdmDisplay(name) as display:
        feed(display)
    shown = capsys.readouterr().err
    assert shown.isascii() or not name.isascii()
    assert "\x1b" not in shown
    last = shown.rstrip("\n").split("\r")[-1]
    assert "\n" not in last
    assert "100%" in last
    assert "6/6" in last
    assert "cost=" in last


def test_the_bar_ends_at_its_goal_when_stages_settle_early(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with TqdmDisplay("talk.wav") as display:
        separate(
            mixture(), SAMPLE_RATE, n_fft=512, max_iter=30, tol=0.9, n_threads=1, observer=display
        )
    assert "30/30" in capsys.readouterr().err.split("\r")[-1]


@pytest.mark.parametrize("kind", ["rich", "tqdm", "none"])
def test_a_display_that_hears_nothing_shows_nothing(
    capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    with make_display(kind, "talk.wav"):
        pass
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "100%" not in captured.err


def test_no_display_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with make_display("none", "talk.wav") as display:
        assert type(display) is Display
        feed(display)
    assert capsys.readouterr() == ("", "")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("is_terminal", "term", "kind"),
    [(True, "xterm", "rich"), (True, "dumb", "none"), (True, "", "none"), (False, "xterm", "none")],
)
def test_auto_is_live_on_a_terminal_that_can_move(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, term: str, kind: str
) -> None:
    monkeypatch.setattr(sys, "stderr", Screen() if is_terminal else io.StringIO())
    monkeypatch.setenv("TERM", term)
    assert choose_display("auto") == kind
    assert choose_display("tqdm") == "tqdm"


costs = st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=100)


@given(costs)
def test_the_curve_has_a_block_for_each_of_the_last_costs(costs: list[float]) -> None:
    drawn = curve(costs)
    assert len(drawn) == min(len(costs), CURVE_WIDTH)
    assert set(drawn) <= set(CURVE)


@given(costs)
def test_the_curve_is_as_high_as_the_costs(costs: list[float]) -> None:
    shown, heights = costs[-CURVE_WIDTH:], [CURVE.index(block) for block in curve(costs)]
    by_cost = [height for _, height in sorted(zip(shown, heights, strict=True))]
    assert by_cost == sorted(by_cost)
    if max(shown) > min(shown):
        assert (min(heights), max(heights)) == (0, len(CURVE) - 1)
