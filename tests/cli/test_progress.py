"""Progress: what is told of one recording, on a terminal and off it, whatever it is called."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import SAMPLE_RATE, mixture
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from auxiva_cli import separate
from auxiva_cli.batch import Job, Outcome, OutputChoices, ReadingChoices, Task
from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.cli.console import choose_display
from auxiva_cli.cli.display import BarDisplay, LiveDisplay, PlainProgress, drawn, make_display
from auxiva_cli.cli.progress import CURVE, STAGE_MARK, Progress, curve, fineness
from auxiva_cli.cli.race import LiveRace
from auxiva_cli.cli.report import Report
from auxiva_cli.comparison import Point
from auxiva_cli.config import GIVEN, SCHEDULES, Settings
from auxiva_cli.errors import RecordingError
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.observer import Observer

HOSTILE_NAMES = ["[bold]a[/nothing].wav", "a\nb\r.wav", "\x1b[2J.wav", "\u2028", "\udcff.wav", ""]
NAMES = ["talk.wav", *HOSTILE_NAMES]
TASK = Task(Settings(), ReadingChoices(), OutputChoices(Path("out")))


def job(name: str) -> Job:
    return Job(name, (Path("talk.wav"),), "talk", Path("out"))


class FarWorkers:
    """Workers somewhere else, of which two of three are at work."""

    fewest, address, n_workers, n_running = 1, "tcp://there", 3, 2

    def work(self, jobs: Any, task: Task, tell: Any) -> Any:
        return iter(())


def test_the_footer_of_a_cluster_counts_its_workers_and_hours_of_sound(tmp_path: Path) -> None:
    jobs = [Job(f"{k}.wav", (tmp_path / f"{k}.wav",), f"{k}", tmp_path) for k in range(4)]
    for each in jobs:
        each.files[0].write_bytes(bytes(1000))
    report = Report(jobs, workers=FarWorkers(), as_json=False)
    assert report.footer() == "[0/4] 2 running · 3 workers"
    hours = {"sample_rate": 16_000, "n_samples": 16_000 * 3600}
    report.add(Outcome(jobs[0], Settings(), "separated", **hours))
    error = RecordingError("It is silent", kind="silent")
    report.add(Outcome(jobs[1], Settings(), "failed", error=error))
    begin, *facts, left = report.footer().split(" · ")
    assert [begin, *facts[:2]] == ["[2/4] 2 running", "3 workers", "1 failed"]
    assert re.fullmatch(r"\S+ h of sound a second", facts[2])
    assert re.fullmatch(r"\d+:\d\d left", left)


class Clock:
    """A clock that stands until it is moved."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def feed(observer: Observer, **settings: Any) -> None:
    """Show a whole separation."""
    options = {"n_fft": 512, "max_iter": 6, "n_threads": 1} | settings
    observer.opened(ArrayMixture(mixture(), SAMPLE_RATE))
    separate(mixture(), SAMPLE_RATE, observer=observer, **options)


def lines(progress: Progress, width: int = 80) -> list[str]:
    """Return the lines of the live display."""
    return [line.plain for line in drawn(progress, width)]


def no_matrices() -> Any:
    raise AssertionError("nobody looks at them")


def iteration(cost: float, number: int = 0, stage: str = "bands-3", done: int = 1) -> Iteration:
    return Iteration(stage, number, done, 9, cost, 2)


def test_the_live_display_tells_the_recording_the_plan_the_step_and_the_cost() -> None:
    progress = Progress("talk.wav")
    feed(progress)
    first, second, third = lines(progress, 160)
    assert first.startswith("talk.wav  8 kHz, 2 channels, 1.5 s → 2 outputs, about ")
    assert first.endswith(" MiB")
    assert second.startswith("separating: finest ")
    assert re.match(r"iteration (\d+) of \1  cost ", third)


def test_cost_is_per_source_and_frequency_and_falls_within_its_stage_only() -> None:
    progress = Progress("talk.wav")
    progress.iterated(iteration(100.0), no_matrices)
    assert progress.cost == "iteration 1 of 9  cost 50.0000"
    progress.iterated(iteration(87.5, 1), no_matrices)
    assert progress.cost == "iteration 1 of 9  cost 43.7500  fell by 6.2500"
    progress.iterated(iteration(-700.0, 0, "bands-8"), no_matrices)
    assert progress.cost == "iteration 1 of 9  cost −350.0000"
    assert lines(progress)[-1].endswith("█▁│▁")


def test_there_is_a_word_for_every_stage() -> None:
    plans = {plan for schedule in SCHEDULES.values() for plan in schedule} | {GIVEN}
    assert all(fineness(plan.name) for plan in plans)


@pytest.mark.parametrize(
    ("stage", "word"),
    [("laplace", "separating: coarse"), ("bands-3", "separating: coarse"),
     ("bands-6", "separating: finer"), ("bands-64", "separating: finest"),
     ("all", "separating: finest"), ("something-new", "separating"), ("", "separating")],
)  # fmt: skip
def test_stages_are_told_in_words(stage: str, word: str) -> None:
    progress = Progress("talk.wav")
    progress.iterated(iteration(1.0, stage=stage), no_matrices)
    assert progress.word == word
    progress.advanced("fit", 1, 2)
    assert progress.word == word


def test_a_single_stage_is_neither_coarse_nor_fine() -> None:
    progress = Progress("talk.wav", has_stages=False)
    progress.iterated(iteration(1.0, stage="laplace"), no_matrices)
    assert progress.word == "separating"


def test_steps_are_told_in_words_and_unknown_ones_keep_the_last() -> None:
    progress, words = Progress("talk.wav"), []
    for step in ("survey", "covariance", "check-up", "tables", "fit", "filters", "write"):
        progress.advanced(step, 1, 2)
        words.append(progress.word)
    assert words == ["looking", *3 * ["listening"], *2 * ["separating"], "writing"]


steps = st.tuples(
    st.sampled_from(["survey", "covariance", "tables", "fit", "filters", "write", "lower", "new"]),
    st.integers(0, 5),
)


@given(st.lists(steps))
def test_the_bar_never_goes_back_and_stays_within_its_bounds(told: list[tuple[str, int]]) -> None:
    progress, shares = Progress("talk.wav"), [0.0]
    for step, done in told:
        progress.advanced(step, done, 5)
        shares.append(progress.share)
    assert shares == sorted(shares)
    assert shares[-1] <= 1


def test_a_whole_separation_ends_at_the_end_of_the_bar() -> None:
    progress = Progress("talk.wav")
    feed(progress)
    progress.advanced("write", 3, 3)
    assert progress.share == 1
    assert progress.times == "0:00" or progress.times.endswith(", 0:00 left")


def test_the_time_left_follows_what_has_happened() -> None:
    clock = Clock()
    progress = Progress("talk.wav", learns=False, now=clock)
    assert progress.times == "0:00"
    progress.advanced("levels", 1, 1)  # a fifth of it
    clock.seconds = 30.0
    assert progress.times == "0:30, 2:00 left"
    progress.advanced("write", 1, 2)
    assert progress.times == "0:30, 0:20 left"


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("width", [1, 20, 40, 60, 80, 120])
def test_no_name_upsets_the_live_display_and_nothing_wraps(name: str, width: int) -> None:
    display = LiveDisplay(TASK, lambda: "[7/24] 2 running · 1 failed · 12× real time · 3:10 left")
    with display.watch(job(name)) as progress:
        progress.opened(ArrayMixture(mixture(), SAMPLE_RATE))
        progress.advanced("survey", 1, 3)
        for number in range(100):
            progress.iterated(iteration(float(number), number), no_matrices)
        screen = io.StringIO()
        display._console = Console(file=screen, width=width)
        display._console.print(display.render())
    shown = screen.getvalue()
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert len(shown.splitlines()) == 4
    assert max(map(len, shown.splitlines())) <= width


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_race_fits_and_cuts_no_number(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    race = LiveRace("talk.wav", [Settings(algorithm="gradient"), Settings(algorithm="ipa")])
    race.start("gradient")
    for k in range(50):
        race.passed(Point(k, 123.4, -98.7, k / 4 - 20, 0.0))
    screen = Console(width=width, file=io.StringIO())
    screen.print(race.render())
    shown = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "49/" in shown
    assert "123.40 s  SI-SIR −7.8 dB" in shown
    assert "…" not in shown
    assert shown.count("\n") == 3


def test_the_race_is_shown_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with LiveRace("talk.wav", [Settings(algorithm="gradient"), Settings(algorithm="ipa")]):
        shown = capsys.readouterr().err
    assert re.search(r"talk\.wav.*\n.*gradient.* 0/\d+.*\n.*ipa.* 0/\d+", shown)


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    assert "[bold]a[/nothing].wav" in lines(Progress("[bold]a[/nothing].wav"))[0]


def test_of_a_long_name_the_end_is_shown() -> None:
    assert lines(Progress("very/" * 40 + "talk.wav"), 80)[0].rstrip().endswith("very/talk.wav")


def test_without_colour_nothing_is_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    progress, screen = Progress("talk.wav"), io.StringIO()
    progress.iterated(iteration(1.0), no_matrices)
    Console(file=screen, force_terminal=True).print(Text("\n").join(drawn(progress, 80)))
    assert "\x1b[3" not in screen.getvalue()  # colours; bold and dim are \x1b[1 and \x1b[2


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_bar_is_plain_and_ends_at_its_goal(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with BarDisplay(TASK).watch(job(name)) as observer:
        feed(observer, max_iter=30, tol=0.9)  # stages settle early
    shown = capsys.readouterr().err
    assert shown.isascii() or not name.isascii()
    assert "\x1b" not in shown
    last = shown.rstrip("\n").split("\r")[-1]
    assert "\n" not in last
    assert re.search(r"100%.* (\d+)/\1 ", last)
    assert "separating: finest, cost=" in last


@pytest.mark.parametrize("kind", ["rich", "plain", "tqdm", "none"])
def test_a_display_that_hears_nothing_shows_nothing(
    capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    with make_display(kind, TASK) as display, display.watch(job("talk.wav")), display.aside():
        pass
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "%" not in captured.err


def test_no_display_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with make_display("none", TASK) as display, display.watch(job("talk.wav")) as observer:
        feed(observer)
    assert capsys.readouterr() == ("", "")


def test_off_a_terminal_at_most_one_line_is_said_every_ten_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    progress = PlainProgress("talk.wav", now=clock)
    for second in range(35):
        clock.seconds = float(second)
        progress.advanced("survey", second + 1, 100)
        progress.iterated(iteration(100.0 - second, second), no_matrices)
        progress.advanced("fit", second + 1, 100)
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 3
    assert all(line.startswith("auxiva: talk.wav: ") for line in shown)
    assert shown[0].startswith("auxiva: talk.wav: looking, 9 %, iteration 1 of 9, cost 45.5000, ")


@pytest.mark.parametrize(("seconds", "n_lines"), [(299, 0), (300, 1)])
def test_off_a_terminal_a_line_tells_that_a_long_recording_begins(
    capsys: pytest.CaptureFixture[str], seconds: int, n_lines: int
) -> None:
    waveform = mixture(n_samples=1000).repeat(seconds, axis=1)
    PlainProgress("talk.wav").opened(ArrayMixture(waveform, 1000))
    shown = capsys.readouterr().err.splitlines()
    assert shown == n_lines * ["auxiva: talk.wav: 1 kHz, 2 channels, 5:00"]


class Screen(io.StringIO):
    encoding = "utf-8"

    def __init__(self, encoding: str = "utf-8", *, is_terminal: bool = True) -> None:
        super().__init__()
        self.encoding, self.is_terminal = encoding, is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.mark.parametrize(
    ("screen", "term", "kind"),
    [(Screen(), "xterm", "rich"), (Screen(), "dumb", "plain"), (Screen(), "", "plain"),
     (Screen("ascii"), "xterm", "plain"), (Screen(is_terminal=False), "xterm", "plain")],
)  # fmt: skip
def test_auto_is_live_on_a_terminal_that_can_move_and_draw(
    monkeypatch: pytest.MonkeyPatch, screen: Screen, term: str, kind: str
) -> None:
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", term)
    assert choose_display("auto") == kind
    assert choose_display("tqdm") == "tqdm"


pieces = st.lists(
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=60), min_size=1, max_size=8
)


@given(pieces, st.integers(1, 100))
def test_the_curve_fits_and_ends_with_the_last_cost(costs: list[list[float]], width: int) -> None:
    drawn = curve(costs, width)
    assert 0 < len(drawn) <= width
    assert set(drawn) <= {*CURVE, STAGE_MARK}
    assert drawn[-1] == curve(costs, 1000)[-1]


@given(pieces)
def test_each_piece_of_the_curve_is_as_high_as_its_costs(costs: list[list[float]]) -> None:
    drawn = curve(costs, 1000).split(STAGE_MARK)
    assert len(drawn) == len(costs)
    for shown, blocks in zip(costs, drawn, strict=True):
        heights = [CURVE.index(block) for block in blocks]
        by_cost = [height for _, height in sorted(zip(shown, heights, strict=True))]
        assert by_cost == sorted(by_cost)
        if max(shown) > min(shown):
            assert (min(heights), max(heights)) == (0, len(CURVE) - 1)
