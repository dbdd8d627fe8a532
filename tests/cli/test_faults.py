"""``auxiva separate`` on machines that fail: full disks, broken ones, and what is left behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import subprocess

import pytest
from command_line import contents, finish, separate, start


@contextlib.contextmanager
def files_limited_to(n_bytes):
    """Let no file grow beyond a size: to a program, that is a disk that is full there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Header, samples, and behind them which of how many outputs it is.
OUTPUT_BYTES = 44 + 2 * 12_000 + 24


@pytest.mark.parametrize("container", ["wav", "flac"])
def test_a_disk_full_anywhere_leaves_what_was_there_and_nothing_else(record, out, container):
    talk = record()
    options = ["-o", out, "--format", container]
    assert separate(talk, *options, "-n", 0).exit_code == 0
    before = contents(out)
    largest = max(map(len, before.values()))
    for n_bytes in [*range(0, largest - 1000, 1000), 43, 44, 45]:
        with files_limited_to(n_bytes):
            result = separate(talk, *options, "--force")
        assert result.exit_code == 1
        assert ": no-space: " in result.stderr
        assert contents(out) == before


def test_a_disk_as_large_as_the_outputs_is_large_enough(record, out):
    talk = record()
    with files_limited_to(OUTPUT_BYTES):
        assert separate(talk, "-o", out).exit_code == 0


@pytest.mark.parametrize("is_there", [False, True])
def test_where_the_filters_do_not_fit_nothing_else_appears(record, out, tmp_path, is_there):
    filters = tmp_path / "elsewhere" / "filters.npz"
    line = (record(), "-o", out, "--save-filters", filters, "--activity", "rttm", "--force")
    if is_there:
        assert separate(*line, "-n", 0).exit_code == 0
        assert filters.stat().st_size > OUTPUT_BYTES
    before = contents(out), contents(filters.parent)
    with files_limited_to(OUTPUT_BYTES):
        result = separate(*line)
    assert result.exit_code == 1
    assert ": no-space: File too large: " in result.stderr
    assert f"free in {str(filters.parent)!r}" in result.stderr
    assert (contents(out), contents(filters.parent)) == before


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))


@pytest.mark.parametrize("optimize", ["0", "1"])
def test_no_safety_rests_on_assertions(record, out, optimize):
    environment = {"PYTHONOPTIMIZE": optimize}
    process = start(record(), "-o", out, env=environment, preexec_fn=limit_files)
    code, _, stderr = finish(process)
    assert (code, contents(out)) == (1, {})
    assert ": no-space: File too large: 48088 bytes needed, " in stderr


def test_a_stream_that_does_not_fit_into_the_temporary_directory_is_an_error(record, out):
    content = record().read_bytes()
    process = start("-", "-o", out, stdin=subprocess.PIPE, preexec_fn=limit_files)
    code, _, stderr = finish(process, content)
    assert (code, contents(out)) == (1, {})
    assert "-: no-space: File too large: " in stderr


@pytest.mark.parametrize("succeeding", [0, 1, 3, 5])
def test_a_disk_that_cannot_be_read_any_more_is_an_error(record, out, monkeypatch, succeeding):
    calls = iter(range(10**6))
    pread = os.pread

    def failing_pread(*arguments):
        if next(calls) >= succeeding:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pread(*arguments)

    talk = record()
    monkeypatch.setattr(os, "pread", failing_pread)
    result = separate(talk, "-o", out)
    assert result.exit_code == 1
    assert "read-error: cannot be read: Input/output error" in result.stderr
    assert contents(out) == {}


@pytest.mark.parametrize("call", ["write", "fsync", "link", "ftruncate"])
def test_a_disk_that_cannot_be_written_any_more_is_an_error(record, out, monkeypatch, call):
    def failing(*arguments, **options):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    talk = record()
    monkeypatch.setattr(os, call, failing)
    result = separate(talk, "-o", out)
    monkeypatch.undo()
    assert result.exit_code == 1
    assert "write-error: cannot write in" in result.stderr
    assert "Input/output error" in result.stderr
    assert contents(out) == {}


def test_a_recording_that_may_not_be_read_fails_alone(record, out):
    locked, talk = record("locked.wav"), record("talk.wav")
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        pytest.skip("this user may read everything")
    result = separate(locked, talk, "-o", out)
    assert result.exit_code == 1
    assert "locked.wav: read-error: cannot be read: Permission denied" in result.stderr
    assert len(contents(out)) == 2


def test_a_directory_that_may_not_be_written_is_refused_before_work(record, out):
    out.mkdir(mode=0o555)
    if os.access(out, os.W_OK):
        pytest.skip("this user may write everywhere")
    result = separate(record(), "-o", out)
    assert result.exit_code == 2
    assert "write-error: cannot write in" in result.stderr


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONWARNINGS": "error"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii:strict", "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "0"},
    ],
)
def test_the_environment_does_not_matter(record, out, tmp_path, environment):
    name = "\xe9\u202e\u4e2d.wav"
    talk = record(name)
    assert separate(talk, "-o", tmp_path / "expected").exit_code == 0
    code, stdout, stderr = finish(start(talk, "-o", out, env=environment))
    assert (code, stdout) == (0, b""), stderr
    assert contents(out) == contents(tmp_path / "expected")
    assert "\x1b" not in stderr
    assert "\u202e" not in stderr
    *warnings, _ = stderr.splitlines()
    assert [": short: " in line for line in warnings] == [True]


def test_a_directory_that_another_program_has_locked_is_said_and_waited_for(record, out):
    out.mkdir()
    lock = os.open(out, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    process = start(record(), "-o", out)
    said = process.stderr.readline().decode()
    assert said == f"auxiva: {str(out)!r} is locked by another program; waiting for it\n"
    assert contents(out) == {}
    os.close(lock)
    code, _, stderr = finish(process)
    assert (code, len(contents(out))) == (0, 2), stderr
