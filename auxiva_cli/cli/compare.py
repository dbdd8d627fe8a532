"""``auxiva compare``: the algorithms race each other on one recording."""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from auxiva_cli.cli.console import choose_display, display_name, first_sign, say, say_notice
from auxiva_cli.cli.options import sources_option, step_size_option, stft_options
from auxiva_cli.cli.parameters import FILE
from auxiva_cli.cli.recordings import common_length, common_sample_rate, open_all
from auxiva_cli.cli.table import Column, print_table
from auxiva_cli.cli.wording import counted, duration
from auxiva_cli.config import ALGORITHMS, LOUDEST, Algorithm, Settings
from auxiva_cli.errors import MissingExtraError, ParameterError, RecordingError

if TYPE_CHECKING:
    from auxiva_cli.audio import Recording
    from auxiva_cli.cli.race import RaceDisplay
    from auxiva_cli.comparison import Judge, Run
    from auxiva_cli.parallel import Threads

__all__ = ["command"]

ITERATIONS = 200
JSON_VERSION = 1
REPORT_NAMES = ("compare.json", "compare.csv", "compare.png")
PAGE_NAME = "compare.html"
COLUMNS = ("iteration", "seconds", "cost", "si_sir", "si_sdr")
# Decimals: more than is ever reproducible.
PRECISION = 6


@click.command(name="compare", short_help="Race the algorithms on one recording.")
@click.argument("mixture", type=FILE, metavar="MIX")
@click.option(
    "-o",
    "--output-dir",
    required=True,
    type=FILE,
    metavar="DIR",
    help="Directory for the report, made if missing.",
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="A speaker alone, as heard by the reference microphone: adds SI-SDR and SI-SIR. "
    "Repeat it for every speaker; each channel of a file counts as one.",
)
@click.option(
    "-a",
    "--algorithm",
    "algorithms",
    multiple=True,
    type=click.Choice(ALGORITHMS),
    help="One of those to compare; repeat it.  [default: all]",
)
@step_size_option
@click.option(
    "-n",
    "--iterations",
    type=click.IntRange(1),
    metavar="N",
    default=ITERATIONS,
    show_default=True,
    help="Iterations of each.",
)
@click.option(
    "--model",
    type=click.Choice(["laplace", "gauss"]),
    default="laplace",
    show_default=True,
    help="Source model.",
)
@sources_option
@stft_options
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Threads to use.  [default: one per processor]",
)
@click.option(
    "--progress",
    type=click.Choice(["auto", "rich", "none"]),
    default="auto",
    show_default=True,
    help="Progress on standard error; auto is a live race on a terminal.",
)
@click.option(
    "--report",
    is_flag=True,
    help="Also write a page, compare.html, with the sound of each algorithm by a given time (needs "
    "auxiva[report]).",
)
@click.option(
    "--report-at",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Run time after which the algorithms are heard.  [default: when the first settled]",
)
@click.option("-f", "--force", is_flag=True, help="Overwrite a report that exists.")
def command(mixture: Path, output_dir: Path, references: tuple[Path, ...], **options: Any) -> None:
    """Race the algorithms on the recording MIX: how fast does each separate it?

    All start from the same whitened mixture and lower the same cost, each in its own way. The
    report in DIR has the cost, and with references the SI-SDR and the SI-SIR, after every
    iteration and the time that it took: compare.json, compare.csv, and the picture compare.png
    (which needs matplotlib: pip install "auxiva[plot]"). A table tells when each settled, which is
    from when on it was never more than 0.5 dB below its final SI-SIR; without references, never
    more than 0.01 above its final cost per source and frequency. SI-SDR takes longer to measure
    and is known for some iterations only.

    \b
    Examples:
      auxiva compare mix.wav --reference anna.wav --reference ben.wav -o race/
      auxiva compare mix.wav -o race/ -a ipa -a gradient --step-size 1
    """  # fmt: skip
    settings = _settings(options)
    _check_page(options)
    kind = choose_display(options["progress"])
    with first_sign("auxiva: looking ...", is_shown=kind == "rich"):
        import auxiva_cli.comparison  # noqa: F401  (what the race takes)
        from auxiva_cli.audio import check_files, check_targets, prepare_directory

    names = [*REPORT_NAMES, *([PAGE_NAME] if options["report"] else [])]
    reports = [output_dir / name for name in names]
    check_files(reads=[mixture, *references], writes=reports)
    check_targets(reports, overwrite=options["force"])
    with ExitStack() as stack:
        recording, *spoken = open_all(stack, [mixture, *references])
        common_sample_rate([recording, *spoken])
        common_length([recording, *spoken])
        prepare_directory(output_dir)
        runs = _race(recording, spoken, settings, kind, options["threads"])
        _say_notices(recording, runs)
        write_report(output_dir, recording, spoken, runs, overwrite=options["force"])
        if options["report"]:
            _write_page(output_dir, recording, spoken, runs, options)
    show_table(runs)
    say(f"auxiva: the report is in {display_name(str(output_dir))}")


def _settings(options: dict[str, Any]) -> list[Settings]:
    """Return the settings of each algorithm, each named once and in the order of the family."""
    family: tuple[Algorithm, ...] = get_args(Algorithm)
    chosen = [name for name in family if name in (options["algorithms"] or family)]
    step_size, ref_channel = options["step_size"], options["ref_channel"]
    if ref_channel == LOUDEST:
        raise ParameterError("algorithms are compared at one channel, not at the loudest")
    if step_size is not None and "gradient" not in chosen:
        raise ParameterError("--step-size is given, but gradient is not among the algorithms")
    return [
        Settings(
            n_src=options["sources"],
            algorithm=name,
            step_size=step_size if name == "gradient" else None,
            model=options["model"],
            max_iter=options["iterations"],
            tol=0.0,
            n_fft=options["n_fft"],
            hop_length=options["hop"],
            window=options["window"],
            ref_chan=ref_channel,
            motion="off",  # what is raced ends where the look begins
        )
        for name in chosen
    ]


def _race(
    recording: Recording,
    references: list[Recording],
    settings: list[Settings],
    kind: str,
    n_threads: int | None,
) -> list[Run]:
    """Let the algorithms run, one after the other, and show how they fare."""
    from auxiva_cli.cli.race import make_race_display
    from auxiva_cli.comparison import Judge
    from auxiva_cli.parallel import Threads, available_cpus

    try:
        with (
            Threads(n_threads or available_cpus()) as threads,
            make_race_display(kind, recording.name, settings) as display,
        ):
            judge = (
                Judge(recording, references, settings[0], threads=threads) if references else None
            )
            return [_run(recording, each, judge, threads, display) for each in settings]
    except RecordingError as error:
        what = f"{display_name(recording.name)}: {error.what}"
        raise RecordingError(what, hint=error.hint, kind=error.kind) from error


def _run(
    recording: Recording,
    settings: Settings,
    judge: Judge | None,
    threads: Threads,
    display: RaceDisplay,
) -> Run:
    """Let one algorithm run."""
    from auxiva_cli.comparison import race

    display.start(settings.algorithm)
    return race(recording, settings, judge=judge, threads=threads, passed=display.passed)


def _say_notices(recording: Recording, runs: list[Run]) -> None:
    """Say what is odd about the recording, once, and which algorithms failed."""
    said = set()
    for run in runs:
        for notice in run.notices:
            text = f"{run.algorithm}: {notice.text}" if notice.kind == "cost-rose" else notice.text
            if (notice.kind, text) not in said:
                said.add((notice.kind, text))
                say_notice(recording.name, notice.kind, text)


def write_report(
    directory: Path,
    mixture: Recording,
    references: list[Recording],
    runs: list[Run],
    *,
    overwrite: bool,
) -> None:
    """Write the files of the report; the picture only where it can be drawn."""
    from auxiva_cli.audio import write_file

    as_object = json.dumps(_as_object(mixture, references, runs), indent=1, allow_nan=False)
    contents = [f"{as_object}\n".encode(), _as_csv(runs).encode(), _picture(mixture, runs)]
    for name, content in zip(REPORT_NAMES, contents, strict=True):
        if content is not None:
            write_file(directory / name, content, overwrite=overwrite)


def _check_page(options: dict[str, Any]) -> None:
    """Refuse before the race what would fail after it."""
    if not options["report"]:
        if options["report_at"] is not None:
            raise ParameterError("--report-at is about the page of --report")
        return
    from auxiva_cli.report import check_extra

    check_extra()


def _write_page(
    directory: Path,
    mixture: Recording,
    references: list[Recording],
    runs: list[Run],
    options: dict[str, Any],
) -> None:
    """Write the page: the algorithms run once more, to be heard."""
    from auxiva_cli.audio import write_file
    from auxiva_cli.comparison.hearing import moment, page_of
    from auxiva_cli.comparison.picture import draw
    from auxiva_cli.parallel import Threads, available_cpus

    with Threads(options["threads"] or available_cpus()) as threads:
        page = page_of(
            mixture,
            references,
            runs,
            options["report_at"] or moment(runs),
            picture=draw(runs, title=display_name(Path(mixture.name).name)),
            command=shlex.join(["auxiva", *sys.argv[1:]]),
            threads=threads,
        )
    write_file(directory / PAGE_NAME, page, overwrite=options["force"])


def show_table(runs: list[Run]) -> None:
    """Print one line for each algorithm."""
    from auxiva_cli.comparison import speed_ups

    settled = [_settled(run) for run in runs]
    columns = [
        Column("algorithm", [run.algorithm for run in runs], is_name=True),
        Column("settled after", [after for after, _ in settled]),
        Column("time", [time for _, time in settled]),
        Column("speed-up", [f"{each:.1f}" if each else "-" for each in speed_ups(runs)], rank=2),
        Column("ms/iteration", [f"{1000 * run.seconds_per_iteration:.1f}" for run in runs], rank=4),
        Column("cost", [f"{run.best.cost:.4f}" for run in runs], rank=3),
    ]
    if not math.isnan(runs[0].points[0].si_sir):
        columns += [
            Column("SI-SIR", [_decibels(run.best.si_sir) for run in runs]),
            Column("SI-SDR", [_decibels(run.best.si_sdr) for run in runs], rank=1),
        ]
    print_table(columns)


def _settled(run: Run) -> tuple[str, str]:
    """Return after how many iterations, and what time, an algorithm had settled."""
    if run.rose:
        return f"rose at {run.points[-1].iteration}", "-"
    if run.settled is None:
        return "still moving", f"> {run.points[-1].seconds:.2f} s"
    return f"{run.settled.iteration} iterations", f"{run.settled.seconds:.2f} s"


def _decibels(value: float) -> str:
    """Return a measure with one decimal, or a dash if it is not known."""
    return "-" if math.isnan(value) else f"{value:.1f} dB"


def _as_object(mixture: Recording, references: list[Recording], runs: list[Run]) -> dict[str, Any]:
    """Return what ``compare.json`` holds."""
    from auxiva_cli.comparison import speed_ups

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
        return draw(runs, title=_title(mixture, runs[0].settings))
    except MissingExtraError as error:
        say(f"auxiva: compare.png is left out: {error}")
        return None


def _title(mixture: Recording, settings: Settings) -> str:
    """Say what was compared."""
    name, seconds = display_name(Path(mixture.name).name), mixture.n_samples / mixture.sample_rate
    return (
        f"{name}: {counted(mixture.n_chan, 'microphone')}, {duration(seconds)}, "
        f"{settings.max_iter} iterations of each algorithm, model {settings.model}"
    )
