"""``auxiva separate``: the speakers of recordings, one file each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auxiva_cli.cli.console import say_error
from auxiva_cli.cli.options import output_options, reading_options, run_options, separation_options
from auxiva_cli.config import Settings
from auxiva_cli.errors import AuxivaError, ParameterError

if TYPE_CHECKING:
    from auxiva_cli.cli.plan import Job
    from auxiva_cli.cli.work import Outcome, Task

__all__ = ["command"]


@click.command(name="separate", short_help="Separate the speakers of recordings, one file each.")
@click.argument("inputs", nargs=-1, metavar="INPUT...", type=click.Path(allow_dash=True))
@output_options
@separation_options
@reading_options
@run_options
def command(inputs: tuple[str, ...], **options: Any) -> None:
    r"""Separate the speakers of each INPUT into files of their own.

    An INPUT is a recording with at least as many microphones as speakers (WAV, FLAC and what
    else libsndfile reads), a directory of them, or - for standard input. The speakers and the
    microphones must not move. The outputs, DIR/{stem}_src1.wav and so on in order of falling
    energy, sum to the reference microphone.

    \b
    Examples:
      auxiva separate meeting.wav -o out/
      auxiva separate recordings/ -o out/ --recursive --jobs 2 --skip-existing
      ffmpeg -i talk.mkv -f wav - | auxiva separate - -o out/ --stdin-name talk

    Exit codes: 0 all separated or skipped; 1 some recording failed, the others are done;
    2 the command line is wrong, nothing was touched; 130 interrupted.
    """
    jobs, task = _plan(inputs, options)
    sys.exit(_run(jobs, task, options))


def _plan(inputs: Sequence[str], options: dict[str, Any]) -> tuple[list[Job], Task]:
    """Check everything, and return what there is to do; nothing was touched if that fails."""
    from auxiva_cli.cli.plan import (
        OutputChoices,
        ReadingChoices,
        find_recordings,
        plan_jobs,
        prepare_directories,
    )
    from auxiva_cli.cli.work import Task

    try:
        names = [*inputs, *_listed(options["files_from"], options["nul"])]
        _check_together(names, options)
        settings = _settings(options)
        reading = ReadingChoices(
            array=options["array"],
            allow_truncated=options["allow_truncated"],
            zero_nonfinite=options["nonfinite"] == "zero",
        )
        to_stdout = options["output_dir"] == "-"
        output = OutputChoices(
            directory=Path(options["output_dir"]),
            container=options["container"].upper(),
            subtype=options["subtype"],
            template=options["name_template"],
            all_channels=options["all_channels"],
            pick=options["pick"],
            overwrite=options["force"],
            skip_existing=options["skip_existing"],
            to_stdout=to_stdout,
        )
        found = find_recordings(names, recursive=options["recursive"])
        stem = options["stem"]
        if names == ["-"]:
            stem = stem or Path(options["stdin_name"]).stem
        jobs = plan_jobs(found, settings, reading, output, stem=stem)
        if not to_stdout and not options["dry_run"]:
            prepare_directories(jobs)
        n_threads = _threads_per_job(options["threads"], min(options["jobs"], max(len(jobs), 1)))
    except AuxivaError as error:
        say_error(None, error)
        sys.exit(2)
    return jobs, Task(settings, reading, output, n_threads)


def _run(jobs: Sequence[Job], task: Task, options: dict[str, Any]) -> int:
    """Do the jobs, show their outcomes, and return the exit code."""
    from auxiva_cli.cli.progress import choose_display
    from auxiva_cli.cli.report import Report

    report = Report(
        task,
        as_json=options["as_json"],
        quiet=options["quiet"],
        as_table=choose_display(options["progress"]) == "rich",
        summarise=len(jobs) > 1,
    )
    for outcome in _outcomes(jobs, task, options):
        report.add(outcome)
        if outcome.error is not None and options["fail_fast"]:
            break
    return report.close()


def _outcomes(jobs: Sequence[Job], task: Task, options: dict[str, Any]) -> Iterator[Outcome]:
    """Yield what becomes of the jobs: those that are done already, then the others."""
    from auxiva_cli.cli.pool import work_in_processes
    from auxiva_cli.cli.progress import choose_display, make_display
    from auxiva_cli.cli.work import Outcome, separate_recording

    for job in jobs:
        outputs = tuple(task.output.paths(job.directory, job.stem, job.n_src or 1))
        if job.is_done:
            yield Outcome(job, "skipped", outputs=outputs)
        elif options["dry_run"]:
            yield Outcome(job, "planned", outputs=outputs)
    if options["dry_run"]:
        return
    waiting = [job for job in jobs if not job.is_done]
    if options["jobs"] > 1 and len(waiting) > 1:
        yield from work_in_processes(waiting, task, min(options["jobs"], len(waiting)))
        return
    kind = "none" if options["quiet"] else choose_display(options["progress"])
    for job in waiting:
        with make_display(kind, job.name) as display:
            outcome = separate_recording(job, task, display)
        yield outcome


def _settings(options: dict[str, Any]) -> Settings:
    """Return the settings that the options ask for."""
    ref_channel = options["ref_channel"]
    return Settings(
        n_src=options["sources"],
        algorithm=options["algorithm"],
        step_size=options["step_size"],
        model=options["model"],
        max_iter=options["iterations"],
        tol=options["tol"],
        n_fft=options["n_fft"],
        hop_length=options["hop"],
        window=options["window"],
        ref_chan=None if ref_channel is None else ref_channel - 1,
    )


def _listed(files_from: str | None, nul: bool) -> list[str]:
    """Return the names in the list of files, if there is one."""
    from auxiva_cli.cli.plan import read_list

    if files_from is None:
        return []
    try:
        names = sys.stdin.buffer.read() if files_from == "-" else Path(files_from).read_bytes()
    except OSError as error:
        raise ParameterError(
            f"the list {files_from!r} cannot be read: {error.strerror}", kind="input-missing"
        ) from error
    return read_list(names, b"\0" if nul else b"\n")


def _check_together(names: Sequence[str], options: dict[str, Any]) -> None:
    """Refuse options that do not go together."""
    one = len(names) == 1 or options["array"]
    to_stdout = options["output_dir"] == "-"
    reads_stdin = [*names, options["files_from"]].count("-")
    rules: list[tuple[Callable[[], bool], str]] = [
        (lambda: not names, "no recording was named"),
        (lambda: reads_stdin > 1, "standard input can be read only once"),
        (lambda: options["array"] and "-" in names, "--array takes files, not standard input"),
        (lambda: to_stdout and not one, "-o - takes a single recording"),
        (lambda: to_stdout and options["as_json"], "-o - and --json both write to standard output"),
        (lambda: to_stdout and options["container"] != "wav", "-o - writes WAV only"),
        (lambda: bool(options["stem"]) and not one, "--stem names a single recording"),
        (
            lambda: options["force"] and options["skip_existing"],
            "--force and --skip-existing contradict each other",
        ),
    ]
    for is_broken, text in rules:
        if is_broken():
            raise ParameterError(text, hint="See auxiva separate --help.")


def _threads_per_job(threads: int | None, n_jobs: int) -> int:
    """Return how many threads a recording gets."""
    from auxiva_cli.parallel import available_cpus

    return threads or max(1, available_cpus() // n_jobs)
