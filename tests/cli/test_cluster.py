"""``auxiva separate --cluster``: a scheduler and workers of this machine, some of which die."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import command_line
import pytest
from command_line import ENVIRONMENT, contents, finish, records, start

from auxiva_cli.batch.jobs import Job, OutputChoices, ReadingChoices, Task
from auxiva_cli.config import Settings
from auxiva_cli.errors import AuxivaError

pytest.importorskip("distributed")
pytest.importorskip("threadpoolctl")

from auxiva_cli.batch import scheduler
from auxiva_cli.batch.cluster import Cluster

# In a worker: dies when it opens a recording of such a name, always or as long as a file is there;
# or fails to open it.
DEADLY = """
import errno, os, signal, sys, time

def die(event, arguments):
    is_named = event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike))
    name = os.fsdecode(arguments[0]) if is_named else ""
    if not name.endswith(("deadly.wav", "unlucky.wav", "faulty.wav")):
        return
    if not name.endswith("deadly.wav"):
        try:
            os.unlink(name + ".fate")
        except FileNotFoundError:
            return
    if name.endswith("faulty.wav"):
        raise OSError(errno.EIO, "the disk is broken", name)
    time.sleep(0.1)  # until it is said that the recording is begun
    os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
"""


STARTED = []


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left():
    """End every process of a cluster, and its children, in the end."""
    yield
    for process in STARTED:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    STARTED.clear()


def dask(place, *arguments):
    """Start a process of a cluster."""
    environment = ENVIRONMENT | {"DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "60s"}
    environment["PYTHONPATH"] = os.pathsep.join([os.fspath(place), environment["PYTHONPATH"]])
    environment.pop("PYTHONWARNINGS")
    with (place / f"{arguments[0]}.log").open("wb") as log:
        command = [sys.executable, "-m", "dask", *map(os.fspath, arguments)]
        process = subprocess.Popen(
            command, env=environment, cwd=place, stdout=log, stderr=log, start_new_session=True
        )
    STARTED.append(process)
    return process


def start_scheduler(place):
    """Start a scheduler; return its process and its file."""
    file = place / "scheduler.json"
    process = dask(
        place, "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", file,
        "--no-dashboard", "--no-jupyter",
    )  # fmt: skip
    while not file.exists() and process.poll() is None:
        time.sleep(0.02)
    return process, file


def start_worker(place, file, *arguments):
    """Start workers of one thread, and return their process."""
    return dask(
        place, "worker", "--scheduler-file", file, "--nthreads", "1", "--no-dashboard",
        "--local-directory", place, *arguments,
    )  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Return the scheduler file of two workers, each replaced when it dies."""
    place = tmp_path_factory.mktemp("cluster")
    (place / "sitecustomize.py").write_text(DEADLY)
    _, file = start_scheduler(place)
    start_worker(place, file, "--nworkers", "2", "--memory-limit", "2GiB")
    return file


def separate(*arguments, **kwargs):
    """Run the command in a process of its own; return exit code and both texts."""
    code, stdout, stderr = finish(start(*arguments, **kwargs))
    return code, stdout.decode(), stderr


def comparable(stdout):
    """Return the records of a run but for the times that it took."""
    times = ("seconds", "real_time_factor")
    return {
        name: {field: value for field, value in record.items() if field not in times}
        for name, record in records(stdout).items()
    }


def test_a_cluster_gives_the_same_as_this_machine_also_of_bad_recordings(
    cluster, record, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    talks = [record(f"rec/{k}.wav", seed=k).relative_to(tmp_path) for k in range(3)]
    (tmp_path / "rec/page.wav").write_text("<!DOCTYPE html>")
    arguments = ["rec", "-o", "out", "--json", "--activity", "rttm"]
    here = command_line.separate(*arguments)
    whole = contents(tmp_path / "out")
    there = separate(*arguments, "--force", "--cluster", cluster, cwd=tmp_path)
    assert there[0] == here.exit_code == 1, there[2]
    assert comparable(there[1]) == comparable(here.stdout), there[2]
    assert contents(tmp_path / "out") == whole
    assert len(whole) == 3 * len(talks)
    lines = there[2].splitlines()
    assert re.match(
        r"auxiva: \d workers? at tcp://127\.0\.0\.1:\d+, dashboard at http://", lines[0]
    )
    assert all(line.startswith(("auxiva: ", "[")) for line in lines)


def test_a_recording_whose_worker_dies_is_tried_again_and_three_times_at_most(
    cluster, record, tmp_path
):
    for name in ("a", "deadly", "faulty", "unlucky"):
        record(f"rec/{name}.wav")
        (tmp_path / f"rec/{name}.wav.fate").touch()
    code, stdout, stderr = separate(
        tmp_path / "rec", "-o", tmp_path / "out", "--json", "--cluster", cluster
    )
    outcomes = {Path(name).name: outcome for name, outcome in records(stdout).items()}
    failures = {name: o["error"] for name, o in outcomes.items() if o["status"] == "failed"}
    assert code == 1
    assert failures.keys() == {"deadly.wav"}, stderr
    assert failures["deadly.wav"]["class"] == "resource-limit"
    assert failures["deadly.wav"]["what"].startswith("3 workers died of it")
    assert sorted(contents(tmp_path / "out")) == [
        f"{name}_src{n}.wav" for name in ("a", "faulty", "unlucky") for n in (1, 2)
    ]
    fates = {path.name for path in (tmp_path / "rec").glob("*.fate")}
    assert fates == {"a.wav.fate", "deadly.wav.fate"}


def test_a_killed_command_goes_on_where_it_ended(cluster, record, tmp_path, out):
    talks = [record(f"{k}.wav", seed=k) for k in range(4)]
    assert command_line.separate(*talks, "-o", tmp_path / "whole").exit_code == 0
    process = start(*talks, "-o", out, "--json", "--cluster", cluster)
    process.stdout.readline()
    process.kill()
    finish(process)
    code, _, stderr = separate(*talks, "-o", out, "--skip-existing", "--cluster", cluster)
    assert code == 0, stderr
    assert contents(out) == contents(tmp_path / "whole")


def test_workers_of_another_version_are_refused_before_anything_is_touched(
    cluster, record, tmp_path, out
):
    (tmp_path / "other/auxiva-9.9.dist-info").mkdir(parents=True)
    (tmp_path / "other/auxiva-9.9.dist-info/METADATA").write_text("Name: auxiva\nVersion: 9.9\n")
    paths = os.pathsep.join([os.fspath(tmp_path / "other"), ENVIRONMENT["PYTHONPATH"]])
    code, _, stderr = separate(
        record(), "-o", out, "--cluster", cluster, env={"PYTHONPATH": paths}, cwd=tmp_path
    )
    assert code == 2
    assert stderr.startswith("auxiva: error: cluster: 2 of 2 workers ")
    assert ", not 9.9" in stderr
    assert not out.exists()


def test_what_only_the_command_sees_is_said_with_the_host(cluster, record, tmp_path, out):
    talk = record()
    descriptor = 250
    with talk.open("rb") as file:
        os.dup2(file.fileno(), descriptor)
    try:
        code, _, stderr = separate(
            f"/dev/fd/{descriptor}", "-o", out, "--cluster", cluster, pass_fds=[descriptor]
        )
    finally:
        os.close(descriptor)
    assert code == 1
    assert f"on {os.uname().nodename} do not see '/dev/fd/{descriptor}'" in stderr
    assert f"error: cluster: no worker sees '/dev/fd/{descriptor}'" in stderr
    assert contents(out) == {}


def task_and_jobs(talks, out):
    out.mkdir()
    jobs = [Job(talk.name, (talk,), talk.stem, out) for talk in talks]
    return Task(Settings(n_fft=512, max_iter=5), ReadingChoices(), OutputChoices(out)), jobs


def test_a_scheduler_that_was_lost_is_looked_for_and_given_up(record, tmp_path, out, monkeypatch):
    process, file = start_scheduler(tmp_path)
    task, jobs = task_and_jobs([record()], out)
    said = []

    def tell(text):
        said.append(text)
        if "waiting" in text:
            process.kill()
            process.wait()
            monkeypatch.setattr(scheduler, "CONNECT_SECONDS", 0.5)

    with Cluster(os.fspath(file), patience=0.5) as cluster:
        outcomes = cluster.work(jobs, task, tell)
        with pytest.raises(AuxivaError, match="does not answer") as caught:
            next(outcomes)
    assert caught.value.kind == "cluster"
    assert "no worker to use" in said[1]
    assert "is lost; looking for it" in said[2]
    assert contents(out) == {}


def test_a_scheduler_that_comes_back_is_found_by_its_file(record, tmp_path, out):
    first, file = start_scheduler(tmp_path)
    task, jobs = task_and_jobs([record()], out)
    said = []

    def tell(text):
        said.append(text)
        if "waiting" in text and first.poll() is None:
            first.kill()
            first.wait()
            file.unlink()
        elif "is lost" in text:
            start_worker(tmp_path, start_scheduler(tmp_path)[1])

    with Cluster(os.fspath(file)) as cluster:
        (outcome,) = cluster.work(jobs, task, tell)
    assert outcome.status == "separated"
    assert sorted(contents(out)) == ["talk_src1.wav", "talk_src2.wav"]
    assert any("is back" in text for text in said)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("none.json", None, "cannot be read: No such file"),
        ("list.json", "[]", "is no scheduler file"),
        ("gone.json", json.dumps({"address": "tcp://127.0.0.1:9"}), "does not answer"),
    ],
)
def test_a_scheduler_that_is_not_there_is_said(tmp_path, monkeypatch, name, content, what):
    monkeypatch.setattr(scheduler, "CONNECT_SECONDS", 0.3)
    file = tmp_path / name
    if content is not None:
        file.write_text(content)
    with pytest.raises(AuxivaError, match=what), Cluster(os.fspath(file)):
        pass
