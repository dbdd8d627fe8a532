"""Plan and do what a command that writes separated recordings was asked for."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auxiva_cli.cli.console import say_error
from auxiva_cli.config import Settings
from auxiva_cli.errors import AuxivaError, ParameterError

if TYPE_CHECKING:
    from auxiva_cli.cli.plan import Job
    from auxiva_cli.cli.work import Outcome, Task
    from auxiva_cli.filters import Filters

__all__ = ["run"]

STANDARD_OUTPUT = "-"


def run(
    inputs: Sequence[str],
    settings: Settings,
    options: dict[str, Any],
    *,
    filters: Filters | None = None,
) -> int:
    """Separate recordings, or apply filters to them, as the options say.

    Parameters
    ----------
    inputs : sequence of str
        Files and directories, ``-`` for standard input.
    settings : Settings
        How filters are learnt.
    options : dict
        The options of ``output_options``, ``reading_options`` and ``run_options``.
    filters : Filters, optional
        Applied instead of learning any.

    Returns
    -------
    int
        The exit code: 0 all done, 1 some recording failed, 2 nothing was touched.
    """
    try:
        jobs, task = _plan(inputs, settings, options, filters)
    except AuxivaError as error:
        say_error(None, error)
        return 2
    return _run(jobs, task, options)


def _plan(
    inputs: Sequence[str], settings: Settings, options: dict[str, Any], filters: Filters | None
) -> tuple[list[Job], Task]:
    """Check everything, and return what there is to do; nothing was touched if that fails."""
    from auxiva_cli.cli.find import find_recordings
    from auxiva_cli.cli.plan import (
        OutputChoices,
        ReadingChoices,
        check_jobs,
        make_jobs,
        prepare_directories,
        settle_outputs,
    )
    from auxiva_cli.cli.work import Task

    names = [*inputs, *_listed(options["files_from"], options["nul"])]
    _check_together(names, options)
    reading = ReadingChoices(
        array=options["array"],
        allow_truncated=options["allow_truncated"],
        zero_nonfinite=options["nonfinite"] == "zero",
        stdin_name=options["stdin_name"],
    )
    output = OutputChoices(
        directory=Path(options["output_dir"]),
        container=options["container"].upper(),
        subtype=options["subtype"],
        template=options["name_template"],
        all_channels=options["all_channels"],
        pick=options["pick"],
        overwrite=options["force"],
        skip_existing=options["skip_existing"],
        to_stdout=options["output_dir"] == STANDARD_OUTPUT,
    )
    found = find_recordings(names, recursive=options["recursive"], outputs=output.directory)
    jobs = make_jobs(found, settings, reading, output, stem=options["stem"])
    _check_single(jobs, options)
    check_jobs(jobs, settings, output)
    jobs = settle_outputs(jobs, output)
    n_threads = _threads_per_job(options["threads"], min(options["jobs"], len(jobs)))
    save_filters = options.get("save_filters")
    task = Task(
        settings,
        reading,
        output,
        n_threads,
        filters=filters,
        learn_from=options.get("learn_from"),
        save_filters=None if save_filters is None else Path(save_filters),
    )
    _check_filters_file(task)
    if not output.to_stdout and not options["dry_run"]:
        prepare_directories(jobs)
    return jobs, task


def _run(jobs: Sequence[Job], task: Task, options: dict[str, Any]) -> int:
    """Do the jobs, show their outcomes, and return the exit code."""
    from auxiva_cli.cli.progress import choose_display
    from auxiva_cli.cli.report import Report

    report = Report(
        task,
        len(jobs),
        as_json=options["as_json"],
        quiet=options["quiet"],
        as_table=choose_display(options["progress"]) == "rich",
    )
    with closing(_outcomes(jobs, task, options)) as outcomes, report:
        for outcome in outcomes:
            report.add(outcome)
            if outcome.error is not None and options["fail_fast"]:
                break
    return report.exit_code


def _outcomes(
    jobs: Sequence[Job], task: Task, options: dict[str, Any]
) -> Generator[Outcome, None, None]:
    """Yield what becomes of the jobs: those that are done already, then the others."""
    from auxiva_cli.cli.work import Outcome

    for job in jobs:
        outputs = tuple(task.output.paths_of(job))
        if job.is_done:
            yield Outcome(job, "skipped", outputs=outputs)
        elif options["dry_run"]:
            yield Outcome(job, "planned", outputs=outputs)
    if not options["dry_run"]:
        yield from _separated([job for job in jobs if not job.is_done], task, options)


def _separated(
    jobs: Sequence[Job], task: Task, options: dict[str, Any]
) -> Generator[Outcome, None, None]:
    """Do jobs in this process or in several, and yield their outcomes."""
    from auxiva_cli.cli.find import is_stream
    from auxiva_cli.cli.pool import work_in_processes
    from auxiva_cli.cli.progress import choose_display, make_display
    from auxiva_cli.cli.work import separate_recording

    # Standard input, and what the shell opened for this process, only this one can read.
    here = [job for job in jobs if any(map(is_stream, job.files))]
    anywhere = [job for job in jobs if job not in here]
    n_workers = min(options["jobs"], len(anywhere))
    if n_workers < 2:
        here, anywhere = list(jobs), []
    kind = "none" if options["quiet"] else choose_display(options["progress"])
    for job in here:
        with make_display(kind, job.name) as display:
            outcome = separate_recording(job, task, display)
        yield outcome
    yield from work_in_processes(anywhere, task, n_workers)


def _listed(files_from: str | None, nul: bool) -> list[str]:
    """Return the names in the list of files, if there is one."""
    from auxiva_cli.cli.find import read_list

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
    to_stdout = options["output_dir"] == STANDARD_OUTPUT
    template = options["name_template"]
    rules = {
        "no recording was named": not names,
        "standard input can be read only once": [*names, options["files_from"]].count("-") > 1,
        "--array takes files, not standard input": options["array"] and "-" in names,
        "-o - and --json both write to standard output": to_stdout and options["as_json"],
        "-o - writes WAV only": to_stdout and options["container"] != "wav",
        "-o - writes sound, and standard output is a terminal": to_stdout and sys.stdout.isatty(),
        "-0 is about --files-from": options["nul"] and options["files_from"] is None,
        "--force and --skip-existing contradict each other": options["force"]
        and options["skip_existing"],
        "--name-template needs {n}, to tell sources apart": "{n}" not in template
        and options["pick"] is None,
    }
    for text, is_broken in rules.items():
        if is_broken:
            raise ParameterError(text, hint="See the command's --help.")


def _check_single(jobs: Sequence[Job], options: dict[str, Any]) -> None:
    """Refuse several recordings where only one makes sense."""
    for option, is_given in (
        ("-o -", options["output_dir"] == STANDARD_OUTPUT),
        ("--stem", options["stem"] is not None),
        ("--save-filters", options.get("save_filters") is not None),
    ):
        if is_given and len(jobs) > 1:
            raise ParameterError(
                f"{option} takes a single recording, not {len(jobs)}",
                hint="See the command's --help.",
            )


def _check_filters_file(task: Task) -> None:
    """Refuse to overwrite a file of filters, unless that is asked for."""
    from auxiva_cli.audio import check_targets

    if task.save_filters is not None:
        check_targets([task.save_filters], overwrite=task.output.overwrite)


def _threads_per_job(threads: int | None, n_jobs: int) -> int:
    """Return how many threads a recording gets."""
    from auxiva_cli.parallel import available_cpus

    return threads or max(1, available_cpus() // n_jobs)
