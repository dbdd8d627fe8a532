"""What became of the recordings of a run: the exit code, the summary, the lines of JSON."""

from __future__ import annotations

import json
import math
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any

from auxiva_cli.audio import exists
from auxiva_cli.batch import Job, Outcome, Workers
from auxiva_cli.cli.console import (
    display_name,
    print_line,
    say,
    say_error,
    say_notice,
    terminal_width,
    with_options,
)
from auxiva_cli.cli.wording import (
    HOUR,
    clock,
    count_record,
    counted,
    duration,
    files,
    signed,
    speakers,
)
from auxiva_cli.errors import AuxivaError, Notice
from auxiva_cli.motion import Motion

__all__ = ["SCHEMA_VERSION", "Report", "result_line"]

SCHEMA_VERSION = 1
STATUSES = ("separated", "skipped", "planned", "failed")


class Report:
    """Shows each outcome as it comes, and in the end how the run went; knows the exit code.

    A context manager; leaving it, however that comes about, lists what failed.

    Parameters
    ----------
    jobs : sequence of Job
        What there is to do.
    workers : Workers, optional
        Who works on them beside this process.
    as_json : bool
        Print one JSON object a recording on standard output.
    quiet : bool
        Say only what failed.
    verbose : bool
        Also list the outputs of each recording with their levels.
    plans : bool
        The outcomes are plans, which a script may want: on standard output.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        workers: Workers | None = None,
        as_json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        plans: bool = False,
    ) -> None:
        self._n_jobs = len(jobs)
        self._workers = workers
        self._as_json = as_json
        self._quiet = quiet
        self._verbose = verbose
        self._plans = plans
        self._counts: Counter[str] = Counter()
        self._failures: list[tuple[str, AuxivaError]] = []
        self._pace = Pace(jobs)

    @property
    def failures(self) -> list[tuple[str, AuxivaError]]:
        """The recordings that failed so far, and why."""
        return self._failures

    @property
    def exit_code(self) -> int:
        """1 if a recording failed, else 0."""
        return 1 if self._failures else 0

    def add(self, outcome: Outcome) -> None:
        """Take in an outcome and show it."""
        self._counts[outcome.status] += 1
        self._pace.add(outcome)
        name, error = outcome.job.name, outcome.error
        if error is not None:
            self._failures.append((name, error))
        if error is not None and (self._quiet or self._n_jobs == 1):
            say_error(name, error)
        elif self._plans and not self._as_json:
            print_line(result_line(outcome))
        elif not self._quiet and not self._plans:
            self._show(outcome)
        if self._as_json:
            print_line(json.dumps(_as_object(outcome), allow_nan=False))

    def footer(self) -> str:
        """Return one line about a run of several recordings, while it goes."""
        n_done = self._counts.total()
        if self._n_jobs == 1 or self._quiet:
            return ""
        n_failed = self._counts["failed"]
        workers = self._workers
        is_far = workers is not None and bool(workers.address)
        facts = [
            f"{workers.n_running if workers else 1} running",
            counted(workers.n_workers, "worker") if workers and is_far else "",
            f"{n_failed} failed" if n_failed else "",
            *self._pace.facts(in_hours=is_far),
        ]
        return f"[{n_done}/{self._n_jobs}] {' · '.join(filter(None, facts))}"

    def __enter__(self) -> Report:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say how a run of several recordings went, the failures last."""
        if self._quiet or self._plans or self._n_jobs == 1:
            return
        counts = {status: self._counts[status] for status in STATUSES}
        counts["not done"] = self._n_jobs - self._counts.total()
        shown = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        meaning = "; exit code 1, because of these:" if self._failures and error is None else ""
        say(f"auxiva: {shown}, in {duration(self._pace.elapsed)}{meaning}")
        for name, failure in self._failures:
            say_error(name, failure)

    def _show(self, outcome: Outcome) -> None:
        """Show an outcome: its warnings, and one line."""
        for notice in _by_channel(outcome.notices):
            say_notice(outcome.job.name, notice.kind, notice.text)
        width = terminal_width()
        number = f"[{self._counts.total()}/{self._n_jobs}] "
        say((number if width is None and self._n_jobs > 1 else "") + result_line(outcome, width))
        if self._verbose and outcome.status == "separated":
            for line in _table(outcome):
                say(f"auxiva: {line}")


class Pace:
    """How fast a run goes, by the sizes of its files, which are known before they are read."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._begin = time.monotonic()
        self._bytes_left = sum(map(_size, jobs))
        self._bytes_done = 0
        self._seconds_done = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._begin

    def add(self, outcome: Outcome) -> None:
        """Take in an outcome; only what was separated took its time."""
        size = _size(outcome.job)
        self._bytes_left -= size
        if outcome.status == "separated":
            self._bytes_done += size
            self._seconds_done += outcome.duration

    def facts(self, *, in_hours: bool = False) -> list[str]:
        """Return how fast it goes, and the time left, as far as they are known."""
        if not self._bytes_done:
            return []
        left = self.elapsed * self._bytes_left / self._bytes_done
        rate = self._seconds_done / self.elapsed
        speed = f"{rate / HOUR:.2g} h of sound a second" if in_hours else f"{rate:.3g}× real time"
        return [speed, f"{clock(left)} left"]


def _size(job: Job) -> int:
    """Return the bytes of a job's files, as far as they are known."""
    try:
        return sum(file.stat().st_size for file in job.files)
    except (OSError, ValueError):
        return 0


def result_line(outcome: Outcome, width: int | None = None) -> str:
    """Return one line about a recording.

    Parameters
    ----------
    outcome : Outcome
        What became of it.
    width : int, optional
        Columns that are there: what matters least is left out where it does not fit.
    """
    name = display_name(outcome.job.name)
    n_sources = len(outcome.outputs) - (outcome.rest is not None)
    written = outcome.outputs[:n_sources], outcome.outputs[n_sources:], outcome.beside
    outputs = display_name(", ".join(filter(None, map(files, written))))
    if outcome.error is not None:
        error = display_name(str(with_options(outcome.error)))
        line = f"{name}  failed: {outcome.error.kind}: {error}"
        # All of it is said once more at the end.
        return line if width is None or len(line) < width else f"{line[: width - 2]}…"
    if outcome.status == "skipped":
        return f"{name}  skipped: its outputs are there"
    if outcome.status == "planned":
        return f"{name}  would write {outputs or 'to standard output'}{_in_the_way(outcome)}"
    n_src, n_written = outcome.settings.asked_n_src or 0, outcome.n_written
    said = speakers(n_src, outcome.count, is_known=not outcome.job.is_open)
    said = said if n_written == n_src else f"{n_written} of {said}"
    said += " and the rest" if outcome.settings.rest else ""
    levels = " ".join(signed(level, 1) for level in outcome.levels) + " dB"
    verdict, cost = _verdict(outcome)
    took, arrow = duration(outcome.seconds), " → " if outputs else ""
    end = f"{took}{arrow}{outputs}"
    directories = ", ".join({f"{display_name(str(path.parent))}/": "" for path in outcome.outputs})
    moves = _moves(outcome.motion)
    variants = [
        (name, said, moves, levels, verdict, end),
        (name, said, moves or levels, cost, end),
        (name, said, moves or cost, end),
        (name, said, end),
        (name, said, f"{took}{arrow}{directories}"),
    ]
    lines = ["  ".join(filter(None, variant)) for variant in variants]
    return next((line for line in lines if width is None or len(line) < width), lines[-1])


def _moves(motion: Motion | None) -> str:
    """Say who moves, and that the filters follow."""
    if motion is None or not motion.moving:
        return ""
    starts: dict[int, float] = {}
    for segment in motion.segments:
        starts.setdefault(segment.source, segment.start)
    sources = [
        f"source {k + 1}" + (f", from {clock(starts[k])}" if k in starts else "")
        for k in motion.moving
    ]
    who = "a speaker moves" if len(sources) == 1 else f"{len(sources)} speakers move"
    return f"{who} ({'; '.join(sources)}): filters follow"


def _in_the_way(outcome: Outcome) -> str:
    """Say which outputs of a plan are there already."""
    wanted = (*outcome.outputs, *outcome.beside)
    n_there = sum(map(exists, wanted))
    if not n_there:
        return ""
    if n_there == len(wanted):
        return f", which {'exist' if n_there > 1 else 'exists'} already"
    return f", {n_there} of which {'exist' if n_there > 1 else 'exists'} already"


def _verdict(outcome: Outcome) -> tuple[str, str]:
    """Return how learning ended, at length and in short; nothing where filters were given."""
    if not outcome.stages:
        return "", ""
    last = outcome.stages[-1]
    iterations = counted(sum(len(stage.costs) - 1 for stage in outcome.stages), "iteration")
    cost = f"cost {signed(last.costs[-1] / outcome.size, 2)}"
    return f"{iterations}, {'settled, ' if last.converged else ''}{cost}", cost


def _table(outcome: Outcome) -> list[str]:
    """Return a line for each output, with its level."""
    names = [display_name(str(path)) for path in outcome.outputs]
    names = names or [f"channel {n + 1}" for n in range(len(outcome.levels))]
    width = max(map(len, names))
    return [
        f"{name:<{width}}  {signed(level, 1):>6} dB"
        for name, level in zip(names, outcome.levels, strict=False)
    ]


def _by_channel(notices: Sequence[Notice]) -> list[Notice]:
    """Return the notices, those about one channel in one."""
    merged: dict[str, Notice] = {}
    for i, notice in enumerate(notices):
        channel = re.search(r"\bchannel (\d+)\b", notice.text)
        key = channel[0] if channel else str(i)
        text = f"{merged[key].text}; {notice.kind}: {notice.text}" if key in merged else notice.text
        merged[key] = Notice(merged[key].kind if key in merged else notice.kind, text)
    return list(merged.values())


def _sums(outcome: Outcome) -> bool:
    """Tell whether the outputs sum to what a channel recorded."""
    return len(set(outcome.out_chans)) == 1 and not outcome.settings.dereverb


def _for_manifests(outcome: Outcome) -> str | list[str]:
    """Return the speakers as manifests of NeMo name files: one as such, several in a list."""
    paths = [] if outcome.error else outcome.outputs
    names = [str(path) for path in paths if path != outcome.rest]
    return names[0] if len(names) == 1 else names


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
        "audio_filepath": _for_manifests(outcome),
        "rest": outcome.rest and str(outcome.rest),
        "duration": round(outcome.duration, 6) or None,
        "sha256": list(outcome.digests),
        "beside": [str(path) for path in outcome.beside],
        "error": error and {"class": error.kind, "what": error.what, "hint": error.hint},
        "warnings": [{"class": notice.kind, "what": notice.text} for notice in outcome.notices],
        "check_up": outcome.findings and outcome.findings.as_dict(),
        "count": count_record(outcome.count),
        "motion": outcome.motion and outcome.motion.as_dict(),
        "output_channels": [c + 1 for c in outcome.out_chans],
        "outputs_sum": _sums(outcome) if outcome.out_chans else None,
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
