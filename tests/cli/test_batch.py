"""``auxiva separate``: many recordings, some of them bad, and runs that go on where one ended."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from command_line import ENVIRONMENT, QUICK, contents, finish, mixture, records, separate, start

from auxiva_cli.batch.jobs import Job, OutputChoices, ReadingChoices
from auxiva_cli.batch.plan import plan_jobs
from auxiva_cli.batch.pool import Processes
from auxiva_cli.batch.work import Task
from auxiva_cli.cli.main import cli
from auxiva_cli.config import Settings
from auxiva_cli.errors import KINDS, AuxivaError, OutputError, ParameterError, RecordingError

BAD = {
    "empty.wav": b"",
    "page.wav": b"<!DOCTYPE html><html><body>404</body></html>",
    "lfs.wav": b"version https://git-lfs.github.com/spec/v1\n",
    "zeros.wav": bytes(5000),
    "header.wav": b"RIFF\x24\0\0\0WAVEfmt ",
}


@pytest.fixture
def batch(record, tmp_path):
    """Three good recordings among bad ones of every kind, in one directory."""
    for k in range(3):
        record(f"batch/good{k}.wav", seed=k)
    record("batch/mono.wav", n_chan=1)
    record("batch/silent.wav", 0 * mixture())
    whole = (tmp_path / "batch/good0.wav").read_bytes()
    for name, content in {**BAD, "half.wav": whole[: len(whole) // 2]}.items():
        (tmp_path / "batch" / name).write_bytes(content)
    return tmp_path / "batch"


@pytest.mark.parametrize("jobs", [1, 2])
def test_bad_recordings_never_end_a_batch_and_are_listed_last(batch, out, jobs):
    result = separate(batch, "-o", out, "--json", "-j", jobs)
    outcomes = records(result.stdout)
    failed = {
        Path(name).name: outcome["error"]["class"]
        for name, outcome in outcomes.items()
        if outcome["status"] == "failed"
    }
    assert result.exit_code == 1
    assert failed == {
        "empty.wav": "input-empty",
        "half.wav": "input-truncated",
        "header.wav": "malformed",
        "lfs.wav": "not-audio",
        "mono.wav": "too-few-channels",
        "page.wav": "not-audio",
        "silent.wav": "silent",
        "zeros.wav": "not-audio",
    }
    assert sorted(contents(out)) == [f"good{k}_src{n}.wav" for k in range(3) for n in (1, 2)]
    lines = result.stderr.splitlines()
    assert lines[-9].startswith("auxiva: 3 separated, 8 failed, in ")
    assert all(line.startswith("auxiva: error: ") for line in lines[-8:])


def test_fail_fast_ends_the_run_with_the_first_failure(batch, out):
    result = separate(batch, "-o", out, "--json", "--fail-fast")
    assert result.exit_code == 1
    assert [outcome["status"] for outcome in records(result.stdout).values()] == ["failed"]
    assert "auxiva: 1 failed, 10 not done" in result.stderr


def test_a_fault_of_the_program_fails_its_recording_only(record, out, monkeypatch):
    from auxiva_cli.batch import work

    learn = work.learn

    def faulty_learn(mixture, *arguments, **options):
        if mixture.n_samples == 9000:
            raise ZeroDivisionError("of\nzero")
        return learn(mixture, *arguments, **options)

    monkeypatch.setattr(work, "learn", faulty_learn)
    names = [record(f"{k}.wav", n_samples=9000 + 1000 * k) for k in range(2)]
    result = separate(*names, "-o", out, "--json")
    outcomes = records(result.stdout)
    assert result.exit_code == 1
    assert outcomes[str(names[0])]["error"]["class"] == "internal"
    assert outcomes[str(names[0])]["error"]["what"] == "ZeroDivisionError: of\nzero"
    assert outcomes[str(names[1])]["status"] == "separated"
    assert f"{names[0]}: internal: ZeroDivisionError: of\\nzero." in result.stderr
    assert "Traceback" not in result.stderr

    monkeypatch.setenv("AUXIVA_DEBUG", "1")
    assert isinstance(separate(names[0], "-o", out).exception, ZeroDivisionError)


@pytest.mark.parametrize("fault", [MemoryError(), OSError(24, "Too many open files")])
def test_an_exhausted_machine_is_told_from_a_fault_of_the_program(record, out, monkeypatch, fault):
    def exhausted(*arguments, **options):
        raise fault

    monkeypatch.setattr("auxiva_cli.batch.work.learn", exhausted)
    result = separate(record(), "-o", out)
    assert result.exit_code == 1
    assert ": resource-limit: " in result.stderr


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (9,)


def test_a_worker_that_dies_fails_its_own_recording_only(record, out):
    out.mkdir()
    talks = [record(f"{k}.wav", seed=k) for k in range(3)]
    jobs = [Job(talk.name, (talk,), talk.stem, out) for talk in talks]
    jobs.insert(1, Job("deadly", (Deadly(),), "deadly", out))
    task = Task(Settings(n_fft=512, max_iter=5), ReadingChoices(), OutputChoices(out), 1)
    outcomes = {outcome.job.name: outcome for outcome in Processes(2).work(jobs, task)}
    assert outcomes["deadly"].error.kind == "resource-limit"
    assert "exit code 9" in outcomes["deadly"].error.what
    assert [outcomes[talk.name].status for talk in talks] == ["separated"] * 3


class Interrupting:
    """Becomes a path where it is unpickled, after a Ctrl-C for that process."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return after_ctrl_c, (self.path,)


def after_ctrl_c(path):
    signal.raise_signal(signal.SIGINT)
    return path


def test_ctrl_c_does_not_reach_workers_but_through_the_program(record, out):
    out.mkdir()
    talks = [record(f"{k}.wav", seed=k) for k in range(2)]
    jobs = [Job(talk.name, (Interrupting(talk),), talk.stem, out) for talk in talks]
    task = Task(Settings(n_fft=512, max_iter=5), ReadingChoices(), OutputChoices(out), 1)
    outcomes = list(Processes(2).work(jobs, task))
    assert [outcome.status for outcome in outcomes] == ["separated"] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_travels_between_processes(kind):
    for tree in (AuxivaError, OutputError, ParameterError, RecordingError):
        error = pickle.loads(pickle.dumps(tree("3 of 4", hint="Do it.", kind=kind)))
        assert type(error) is tree
        assert (error.what, error.hint, error.kind) == ("3 of 4", "Do it.", kind)


def test_the_outputs_of_a_tree_keep_its_places(record, tmp_path, out):
    for name in ("rec/a.wav", "rec/day/a.flac", "rec/day/b.WAV"):
        record(name)
    (tmp_path / "rec/notes.txt").write_text("no recording")
    (tmp_path / "rec/day/._b.wav").write_text("what a Mac leaves behind")
    assert separate(tmp_path / "rec", "-o", out).exit_code == 0
    assert sorted(contents(out)) == ["a_src1.wav", "a_src2.wav"]
    assert separate(tmp_path / "rec", "-o", out, "-r", "--skip-existing").exit_code == 0
    assert sorted(contents(out)) == [
        f"{stem}_src{n}.wav" for stem in ("a", "day/a", "day/b") for n in (1, 2)
    ]


PLAN = """
import sys, tracemalloc
from pathlib import Path
from auxiva_cli.batch import OutputChoices, ReadingChoices, Task, plan_jobs
from auxiva_cli.config import Settings

task = Task(Settings(), ReadingChoices(), OutputChoices(Path("out")))
plan_jobs([f"{sys.argv[1]}/0000.wav"], task)  # what is imported or kept for good
tracemalloc.start()
jobs = plan_jobs(sys.argv[1:], task)
print(len(jobs), tracemalloc.get_traced_memory()[1])
"""


def test_a_million_names_take_less_than_a_gigabyte(record):
    talk = record("rec/0000.wav", n_samples=100)
    for k in range(1, 2000):
        (talk.parent / f"{k:04}.wav").hardlink_to(talk)
    shown = subprocess.run(
        [sys.executable, "-c", PLAN, talk.parent],
        env=ENVIRONMENT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    n_names, peak = map(int, shown.stdout.split())
    assert n_names == 2000
    assert peak / n_names < 1000


def test_a_tree_is_searched_in_the_order_of_its_names(record, tmp_path, out):
    for name in ("b/2.wav", "b.wav", "a/z/1.wav", "a/y.wav", "b-c/0.wav", "circle.wav"):
        record(f"rec/{name}", n_samples=100)
    (tmp_path / "rec/circle.wav").unlink()
    (tmp_path / "rec/circle.wav").symlink_to("circle.wav")
    (tmp_path / "rec/again").symlink_to(tmp_path / "rec")
    task = Task(Settings(), ReadingChoices(), OutputChoices(out))
    jobs = plan_jobs([os.fspath(tmp_path / "rec")], task, recursive=True)
    found = [job.files[0].relative_to(tmp_path / "rec") for job in jobs]
    assert found == sorted(found)
    assert len(found) == 6
    assert {job.directory for job in jobs} == {out, out / "a", out / "a/z", out / "b", out / "b-c"}


def test_outputs_within_the_searched_tree_are_no_recordings(record, tmp_path):
    record("rec/a.wav")
    for options in ([], ["--force"]):
        result = separate(
            tmp_path / "rec", "-r", "-o", tmp_path / "rec/out", "--all-channels", *options
        )
        assert result.exit_code == 0, result.stderr
    assert sorted(contents(tmp_path / "rec")) == ["a.wav", "out/a_src1.wav", "out/a_src2.wav"]


def test_a_directory_that_cannot_be_searched_is_no_empty_one(record, tmp_path, out):
    record("rec/a.wav")
    (tmp_path / "rec/locked").mkdir(mode=0)
    if os.access(tmp_path / "rec/locked", os.R_OK):
        pytest.skip("this user may read everything")
    result = separate(tmp_path / "rec", "-r", "-o", out)
    assert result.exit_code == 2
    assert "locked' cannot be searched: Permission denied" in result.stderr


@pytest.mark.parametrize(("separator", "option"), [("\n", []), ("\r\n", []), ("\0", ["-0"])])
def test_names_may_come_from_a_list(record, tmp_path, out, separator, option):
    talks = [record("one two.wav"), record("three.wav", seed=1)]
    names = tmp_path / "list"
    names.write_bytes(separator.join([*map(str, talks), ""]).encode())
    assert separate("--files-from", names, *option, "-o", out).exit_code == 0
    assert len(contents(out)) == 4
    assert separate("--files-from", tmp_path / "none", "-o", out).exit_code == 2


def test_a_list_may_come_from_standard_input(record, out):
    arguments = ["separate", *QUICK, "--files-from", "-", "-o", os.fspath(out)]
    result = CliRunner().invoke(cli, arguments, input=f"{record()}\n\n")
    assert result.exit_code == 0
    assert len(contents(out)) == 2


def collide_by_stem(record, out):
    return [record("a/x.wav"), record("b/x.wav", seed=1)], "output-collision"


def collide_by_case(record, out):
    return [record("a/x.wav"), record("b/X.wav")], "output-collision"


def collide_by_accent(record, out):
    return [record("a/\xe9.wav"), record("b/e\u0301.wav")], "output-collision"


def named_twice(record, out):
    return [record("x.wav"), record("x.wav")], "output-collision"


def missing(record, out):
    return [record("x.wav"), "no/such.wav"], "input-missing"


def link_to_nothing(record, out):
    link = record("x.wav").with_name("link.wav")
    link.symlink_to("nothing")
    return [record("x.wav"), link], "input-missing"


def empty_directory(record, out):
    (empty := record("x.wav").with_name("empty")).mkdir()
    return [record("x.wav"), empty], "input-missing"


def output_exists(record, out):
    record("out/x_src2.wav")
    return [record("w.wav"), record("x.wav")], "output-exists"


def output_is_file(record, out):
    out.write_text("in the way")
    return [record("x.wav")], "write-error"


def output_is_input(record, out):
    return [record("x.wav"), record("out/x_src1.wav"), "--force"], "output-is-input"


def output_links_to_input(record, out):
    talk = record("x.wav")
    out.mkdir()
    (out / "x_src1.wav").symlink_to(talk)
    return [talk, "--force"], "output-is-input"


def output_is_hard_link_of_input(record, out):
    talk = record("x.wav")
    out.mkdir()
    (out / "x_src1.wav").hardlink_to(talk)
    return [talk, "--force"], "output-is-input"


def output_is_directory(record, out):
    (out / "x_src2.wav").mkdir(parents=True)
    return [record("x.wav"), "--force"], "write-error"


def several_to_standard_output(record, out):
    return [record("x.wav"), record("y.wav"), "-o", "-"], "bad-parameter"


def several_with_one_stem(record, out):
    return [record("d/x.wav").parent, record("y.wav"), "--stem", "z"], "bad-parameter"


@pytest.mark.parametrize(
    "make",
    [collide_by_stem, collide_by_case, collide_by_accent, named_twice, missing, link_to_nothing,
     empty_directory, output_exists, output_is_file, output_is_input, output_links_to_input,
     output_is_hard_link_of_input, output_is_directory, several_to_standard_output,
     several_with_one_stem],
    ids=lambda make: make.__name__.replace("_", " "),
)  # fmt: skip
def test_what_cannot_go_well_is_refused_before_anything_is_touched(record, tmp_path, out, make):
    arguments, kind = make(record, out)
    before = contents(tmp_path)
    result = separate("-o", out, *arguments)
    assert result.exit_code == 2, result.stderr
    assert result.stderr.startswith(f"auxiva: error: {kind}: ")
    assert result.stderr.count("\n") == 1
    assert contents(tmp_path) == before


def test_a_resumed_batch_does_what_is_missing_and_nothing_else(record, out):
    talks = [record(f"{k}.wav", seed=k) for k in range(3)]
    separate(*talks, "-o", out)
    whole = contents(out)
    (out / "1_src2.wav").unlink()
    kept = (out / "0_src1.wav").stat()
    result = separate(*talks, "-o", out, "--skip-existing", "--json")
    statuses = [records(result.stdout)[str(talk)]["status"] for talk in talks]
    assert statuses == ["skipped", "separated", "skipped"]
    assert contents(out) == whole
    assert (out / "0_src1.wav").stat() == kept


def test_a_killed_batch_is_resumed_to_the_same_bytes(record, tmp_path, out):
    talks = [record(f"{k}.wav", seed=k) for k in range(4)]
    assert separate(*talks, "-o", tmp_path / "whole").exit_code == 0
    process = start(*talks, "-o", out, "--json", "-j", "2")
    process.stdout.readline()
    process.kill()
    finish(process)
    assert separate(*talks, "-o", out, "--skip-existing").exit_code == 0
    assert contents(out) == contents(tmp_path / "whole")


def test_what_a_killed_run_published_in_part_is_not_taken_for_finished(record, tmp_path, out):
    talks = [record(f"{k}.wav", seed=k) for k in range(2)]
    assert separate(*talks, "-o", out).exit_code == 0
    whole = contents(out)
    (out / "1_src1.wav").unlink()
    assert separate(*talks, "-o", out, "--skip-existing").exit_code == 0
    assert contents(out) == whole


def test_force_replaces_outputs(record, out):
    talk = record()
    separate(talk, "-o", out, "-n", 0)
    before = contents(out)
    assert separate(talk, "-o", out).exit_code == 2
    assert contents(out) == before
    assert separate(talk, "-o", out, "--force").exit_code == 0
    assert contents(out).keys() == before.keys()
    assert contents(out) != before


@pytest.mark.parametrize(("jobs", "n_recordings"), [(1, 2), (2, 2), (2, 1)])
def test_jobs_share_processors_and_memory(record, out, monkeypatch, jobs, n_recordings):
    from auxiva_cli import batch
    from auxiva_cli.parallel import available_cpus

    run_jobs, tasks = batch.run_jobs, []

    def noted(jobs, task, **options):
        tasks.append(task)
        return run_jobs(jobs, task, **options)

    monkeypatch.setattr(batch, "run_jobs", noted)
    names = [record(f"{k}.wav", seed=k) for k in range(n_recordings)]
    assert separate(*names, "-o", out, "-j", jobs).exit_code == 0
    n_workers = min(jobs, n_recordings)
    (task,) = tasks
    assert task.n_sharing == n_workers
    assert task.n_threads == max(1, available_cpus() // n_workers)


def of_rank_two(seed=0):
    """A recording of three channels that hold two signals."""
    left, right = mixture(seed=seed)
    return np.array([left, right, 0.5 * left + 0.3 * right])


@pytest.mark.parametrize("options", [[], ["--format", "flac"], ["--pick", "1"]])
def test_a_finished_recording_of_fewer_sources_than_channels_is_skipped(record, out, options):
    talks = [record("a.wav", of_rank_two()), record("b.wav", seed=1)]
    first = records(separate(*talks, "-o", out, "--json", *options).stdout)
    whole = contents(out)
    assert first[str(talks[0])]["settings"]["n_src"] == 2
    again = records(separate(*talks, "-o", out, "--json", "--skip-existing", *options).stdout)
    assert [again[str(talk)]["status"] for talk in talks] == ["skipped", "skipped"]
    assert again[str(talks[0])]["outputs"] == first[str(talks[0])]["outputs"]
    assert contents(out) == whole


def test_of_a_recording_of_fewer_sources_what_is_missing_is_done(record, out):
    talk = record("a.wav", of_rank_two())
    separate(talk, "-o", out)
    whole = contents(out)
    (out / "a_src2.wav").unlink()
    assert separate(talk, "-o", out, "--skip-existing").exit_code == 0
    assert contents(out) == whole


def test_outputs_that_do_not_say_how_many_they_are_count_as_before(record, out):
    talk = record()
    separate(talk, "-o", out)
    for path in out.iterdir():
        samples, rate = soundfile.read(path)
        soundfile.write(path, samples, rate)
    (result,) = records(separate(talk, "-o", out, "--skip-existing", "--json").stdout).values()
    assert result["status"] == "skipped"
    (out / "talk_src2.wav").unlink()
    (result,) = records(separate(talk, "-o", out, "--skip-existing", "--json").stdout).values()
    assert result["status"] == "separated"


def test_outputs_of_an_earlier_run_with_more_speakers_are_named_and_kept(record, out):
    talk = record(n_chan=3)
    separate(talk, "-o", out)
    third = (out / "talk_src3.wav").read_bytes()
    result = separate(talk, "-o", out, "--force", "-s", "2", "--json")
    (shown,) = records(result.stdout).values()
    assert (
        f"{str(out / 'talk_src3.wav')!r} is of an earlier run"
        in {warning["class"]: warning["what"] for warning in shown["warnings"]}["outputs-left"]
    )
    assert len(shown["outputs"]) == 2
    assert (out / "talk_src3.wav").read_bytes() == third


def test_names_up_to_the_number_of_channels_are_checked_where_speakers_are_counted(record, out):
    talk = record(n_chan=3)
    out.mkdir()
    (out / "talk_src3.wav").write_bytes(b"mine")
    result = separate(talk, "-o", out, "-s", "auto")
    assert result.exit_code == 2
    assert "output-exists" in result.stderr
    assert list(contents(out)) == ["talk_src3.wav"]
