"""``auxiva separate``: the speakers of recordings, one file each."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auxiva_cli.cli.console import choose_display, first_sign, say, say_error
from auxiva_cli.cli.grouped import GroupedCommand, settings_option
from auxiva_cli.cli.options import (
    RunOptions,
    learning_options,
    output_options,
    reading_options,
    run_options,
    separation_options,
)
from auxiva_cli.cli.parameters import DURATION, NAME
from auxiva_cli.config import Settings
from auxiva_cli.errors import AuxivaError, ParameterError

if TYPE_CHECKING:
    from auxiva_cli.batch import Job, Task, Workers
    from auxiva_cli.filters import Filters

__all__ = ["command", "run"]

STANDARD_STREAM = "-"


@click.command(
    name="separate",
    cls=GroupedCommand,
    short_help="Separate the speakers of recordings, one file each.",
)
@click.argument("inputs", nargs=-1, metavar="INPUT...", type=NAME)
@output_options
@separation_options
@settings_option
@learning_options
@reading_options
@click.option(
    "--max-duration",
    type=DURATION,
    metavar="TIME",
    default="48:00:00",
    show_default=True,
    help="Refuse a longer recording; ends listening to standard input.",
)
@run_options
def command(inputs: tuple[str, ...], **options: Any) -> None:
    """Separate the speakers of each INPUT into files of their own.

    An INPUT is a recording with at least as many microphones as speakers (WAV, FLAC and what
    else libsndfile reads), a directory of them, or - for standard input. The speakers and the
    microphones must not move. The outputs, DIR/{stem}_src1.wav and so on in order of falling
    energy, sum to the reference microphone.

    \b
    Examples:
      auxiva separate meeting.wav
      auxiva separate recordings/ -o out/ --recursive --jobs 2 --skip-existing
      ffmpeg -i talk.mkv -f wav - | auxiva separate - -o out/ --stdin-name talk

    The environment sets defaults: AUXIVA_SEPARATE_JOBS=2 is --jobs 2.

    Exit codes: 0 all separated or skipped; 1 some recording failed, the others are done;
    2 the command line is wrong, nothing was touched; 130 interrupted.
    """
    record = options.pop("settings")
    settings = Settings(
        n_src=options.pop("sources"),
        algorithm=options.pop("algorithm"),
        step_size=options.pop("step_size"),
        model=options.pop("model"),
        max_iter=options.pop("iterations"),
        tol=options.pop("tol"),
        n_fft=options.pop("n_fft"),
        hop_length=options.pop("hop"),
        window=options.pop("window"),
        ref_chan=options.pop("ref_channel"),
        max_memory=options.pop("max_memory"),
        channels=options.pop("channels"),
        resync=options.pop("resync"),
        dereverb=options.pop("dereverb"),
        learn_all=options.pop("learn_all"),
        motion=options.pop("motion"),
        rest=options.pop("rest"),
    )
    reads = [] if record is None else [record]
    sys.exit(run(inputs, settings, RunOptions(**options), reads=reads))


def run(
    inputs: Sequence[str],
    settings: Settings,
    options: RunOptions,
    *,
    filters: Filters | None = None,
    reads: Sequence[Path] = (),
) -> int:
    """Separate recordings, or apply filters to them, as the options say.

    Parameters
    ----------
    inputs : sequence of str
        Files and directories, ``-`` for standard input.
    settings : Settings
        How filters are learnt.
    options : RunOptions
        Everything else.
    filters : Filters, optional
        Applied instead of learning any.
    reads : sequence of Path
        What the command has read besides.

    Returns
    -------
    int
        The exit code: 0 all done, 1 some recording failed, 2 nothing was touched.
    """
    if options.jobs > 1:
        from auxiva_cli.workers import prepare_workers

        prepare_workers()
    kind = "none" if options.quiet else choose_display(options.progress)
    with first_sign("auxiva: looking ...", is_shown=kind == "rich"):
        from auxiva_cli.batch import plan_jobs, prepare_outputs

    with ExitStack() as stack:
        try:
            names = [*inputs, *_listed(options)]
            _check_together(names, options)
            task = _task(settings, options, filters)
            read = (options.files_from, options.activity_from, options.cluster)
            jobs = plan_jobs(
                names,
                task,
                recursive=options.recursive,
                stem=options.stem,
                reads=[*reads, *(Path(name) for name in read if name)],
                dry_run=options.dry_run,
            )
            if options.dry_run:
                return _show_plan(jobs, task, options)
            workers = stack.enter_context(_workers(jobs, options))
            prepare_outputs(jobs, task)
        except AuxivaError as error:
            say_error(None, error)
            return 2
        return _run(jobs, task, options, kind, workers)


def _show_plan(jobs: Sequence[Job], task: Task, options: RunOptions) -> int:
    """Say what would be done."""
    from auxiva_cli.batch import unworked
    from auxiva_cli.cli.report import Report

    with Report(jobs, as_json=options.as_json, quiet=options.quiet, plans=True) as report:
        for job in jobs:
            report.add(unworked(job, task, "skipped" if job.is_done else "planned"))
    return report.exit_code


def _workers(
    jobs: Sequence[Job], options: RunOptions
) -> AbstractContextManager[Workers] | AbstractContextManager[None]:
    """Return who works on the recordings beside this process, if anybody does."""
    from auxiva_cli.batch import Processes

    if options.cluster is not None:
        from auxiva_cli.batch.cluster import Cluster

        return Cluster(options.cluster, n_threads=options.threads)
    n_workers = min(options.jobs, len(jobs))
    return nullcontext(Processes(n_workers)) if n_workers > 1 else nullcontext()


def _run(
    jobs: Sequence[Job], task: Task, options: RunOptions, kind: str, workers: Workers | None
) -> int:
    """Do the jobs, show their outcomes, and return the exit code."""
    from auxiva_cli.batch import run_jobs, write_index
    from auxiva_cli.cli.display import make_display
    from auxiva_cli.cli.report import Report

    report = Report(
        jobs,
        workers=workers,
        as_json=options.as_json,
        quiet=options.quiet,
        verbose=options.verbose,
    )
    display = make_display(kind, task, report.footer)
    is_here = workers is None or not workers.address
    task = task.shared_by(workers.n_workers if workers and is_here else 1, options.threads)

    def tell(text: str) -> None:
        if not options.quiet:
            with display.aside():
                say(f"auxiva: {text}")

    outcomes = run_jobs(jobs, task, workers=workers, watch=display.watch, tell=tell)
    with report, display, closing(outcomes):
        for outcome in outcomes:
            with display.aside():
                report.add(outcome)
            if outcome.error is not None and options.fail_fast:
                break
        write_index(jobs, task.output, report.failures)
    return report.exit_code


def _task(settings: Settings, options: RunOptions, filters: Filters | None) -> Task:
    """Return what the options ask for, of every recording."""
    from auxiva_cli.activity import read_rttm
    from auxiva_cli.batch import OutputChoices, ReadingChoices, Task
    from auxiva_cli.listening.turns import settings_for_turns

    turns = None
    if options.activity_from is not None:
        turns = list(read_rttm(options.activity_from).values())
        settings = settings_for_turns(settings, turns)
    return Task(
        settings,
        ReadingChoices(
            array=options.array,
            allow_truncated=options.allow_truncated,
            max_duration=options.max_duration,
            audio_track=options.audio_track,
            zero_nonfinite=options.nonfinite == "zero",
            stdin_name=options.stdin_name,
        ),
        OutputChoices(
            directory=None if options.output_dir is None else Path(options.output_dir),
            container=options.container.upper(),
            subtype=options.subtype,
            template=options.name_template,
            all_channels=options.all_channels,
            pick=options.pick,
            mask=options.mask,
            overwrite=options.force,
            skip_existing=options.skip_existing,
            to_stdout=options.output_dir == STANDARD_STREAM,
            activity=tuple(dict.fromkeys(options.activity)),
            report=(options.report_audio or "fitting") if options.report else None,
            references=options.references,
            save_filters=options.save_filters,
            command=shlex.join(["auxiva", *sys.argv[1:]]),
        ),
        filters=filters,
        learn_from=options.learn_from,
        activity_from=turns,
    )


def _listed(options: RunOptions) -> list[str]:
    """Return the names in the list of files, if there is one."""
    from auxiva_cli.batch.lists import read_list

    if options.files_from is None:
        return []
    separator = b"\0" if options.nul else b"\n"
    try:
        if options.files_from == STANDARD_STREAM:
            return read_list(sys.stdin.buffer, separator)
        with Path(options.files_from).open("rb") as stream:
            return read_list(stream, separator, name=options.files_from)
    except OSError as error:
        raise ParameterError(
            f"the list {options.files_from!r} cannot be read: {error.strerror}",
            kind="input-missing",
        ) from error


def _check_together(names: Sequence[str], options: RunOptions) -> None:
    """Refuse options that do not go together."""
    to_stdout = options.output_dir == STANDARD_STREAM
    is_one_by_one = not options.array and options.files_from is None
    are_files = is_one_by_one and "-" not in names and not any(map(os.path.isdir, names))
    rules = {
        "no recording was named": not names,
        "-o is needed, unless every recording is named as a file": options.output_dir is None
        and not are_files,
        "standard input can be read only once": [*names, options.files_from].count("-") > 1,
        "--array takes files, not standard input": options.array and "-" in names,
        "-o - and --json both write to standard output": to_stdout and options.as_json,
        "-o - writes WAV only": to_stdout and options.container != "wav",
        "-o - writes sound, and standard output is a terminal": to_stdout and sys.stdout.isatty(),
        "-o - has no place for the files of --report and --activity": to_stdout
        and (options.report or bool(options.activity)),
        "--report-audio is about the page of --report": options.report_audio is not None
        and not options.report,
        "--reference is about the page of --report, of all sources at one microphone": bool(
            options.references
        )
        and (not options.report or options.all_channels or options.pick is not None),
        "--cluster has workers of its own, --jobs are processes of this machine": options.cluster
        is not None
        and options.jobs > 1,
        "-o - and --cluster: only this machine has standard output": to_stdout
        and options.cluster is not None,
        "-0 is about --files-from": options.nul and options.files_from is None,
        "--force and --skip-existing contradict each other": options.force
        and options.skip_existing,
        "--name-template needs {n}, to tell sources apart": "{n}" not in options.name_template
        and options.pick is None,
    }
    for text, is_broken in rules.items():
        if is_broken:
            raise ParameterError(text, hint="See the command's --help.")
    if options.report:
        from auxiva_cli.report import check_extra

        check_extra()
