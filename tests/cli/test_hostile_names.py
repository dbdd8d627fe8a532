"""Names that lead nowhere good: unreadable, unsearchable, endless, too long; nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from command_line import ENVIRONMENT, QUICK, contents

# Root may read everything: without these capabilities it is a user like any other.
AS_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
needs_user = pytest.mark.skipif(
    bool(AS_USER) and shutil.which("setpriv") is None, reason="root reads everything"
)


def run(*arguments, command="separate", stdin=subprocess.DEVNULL):
    """Run the command as an ordinary user."""
    quick = QUICK if command == "separate" else ()
    line = [*AS_USER, sys.executable, "-W", "error", "-m", "auxiva_cli", command, *quick]
    return subprocess.run(
        [*line, *map(os.fspath, arguments)],
        env=ENVIRONMENT,
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@needs_user
@pytest.mark.parametrize("named", ["argument", "list", "directory", "array"])
def test_an_unreadable_recording_fails_alone_however_it_was_named(record, out, tmp_path, named):
    good, bad = record("in/good.wav"), record("in/bad.wav")
    bad.chmod(0)
    names = tmp_path / "names.txt"
    names.write_text(f"{bad}\n{good}\n")
    arguments = {
        "argument": [bad, good],
        "list": ["--files-from", names],
        "directory": [good.parent],
        "array": ["--array", bad, good],
    }[named]
    result = run(*arguments, "-o", out, "--json")
    assert result.returncode == 1
    assert "Permission denied" in result.stderr
    assert "standard output" not in result.stderr
    done = sorted(contents(out))
    assert done == ([] if named == "array" else ["good_src1.wav", "good_src2.wav"])


@needs_user
def test_a_recording_in_a_directory_that_cannot_be_searched_fails_alone(record, out):
    bad, good = record("closed/bad.wav"), record("good.wav")
    bad.parent.chmod(0)
    result = run(bad, good, "-o", out)
    bad.parent.chmod(0o700)
    assert result.returncode == 1
    assert "bad.wav" in result.stderr
    assert "standard output" not in result.stderr
    assert sorted(contents(out)) == ["good_src1.wav", "good_src2.wav"]


@needs_user
@pytest.mark.parametrize("place", ["closed/out", "x" * 300])
def test_an_output_directory_that_cannot_be_made_is_named(record, tmp_path, place):
    talk = record()
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0)
    result = run(talk, "-o", tmp_path / place)
    closed.chmod(0o700)
    assert result.returncode == 2
    assert place[:6] in result.stderr
    assert "standard output" not in result.stderr


@needs_user
def test_filters_that_cannot_be_written_are_known_before_the_work(record, out, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    for place in (closed / "seats.npz", closed / "deeper" / "seats.npz"):
        result = run(record(), "-o", out, "--save-filters", place)
        assert result.returncode == 2
        assert "closed" in result.stderr
        assert contents(out) == {}


def test_filters_go_into_a_directory_that_is_made_for_them(record, out, tmp_path):
    place = tmp_path / "new" / "seats.npz"
    assert run(record(), "-o", out, "--save-filters", place).returncode == 0
    assert place.is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--files-from", "/dev/zero"],
        ["--files-from", "/dev/zero", "-0"],
        ["talk.wav", "--threads", "1000000000"],
        ["talk.wav", "--jobs", "1000000000"],
        ["x" * 300 + ".wav"],
        ["a\n\x1b[2Jb.wav"],
    ],
)
def test_what_would_take_all_memory_or_time_is_refused_at_once(record, out, tmp_path, arguments):
    record()
    arguments = [tmp_path / each if each == "talk.wav" else each for each in arguments]
    result = run(*arguments, "-o", out)
    assert result.returncode == 2
    assert all(line.startswith("auxiva:") for line in result.stderr.splitlines())
    assert contents(out) == {}


@pytest.mark.parametrize("filters", ["/dev/zero", "/dev/null", ".", "missing.npz"])
def test_what_is_no_file_of_filters_is_refused_at_once(record, out, filters):
    result = run(filters, record(), "-o", out, command="apply")
    assert result.returncode == 1
    assert result.stderr.startswith(f"auxiva: error: {filters}: bad-filters: ")


def test_a_list_may_begin_with_a_byte_order_mark(record, out, tmp_path):
    names = tmp_path / "names.txt"
    names.write_bytes(b"\xef\xbb\xbf" + f"{record()}\r\n".encode())
    assert run("--files-from", names, "-o", out).returncode == 0
    names.write_text(str(record()), encoding="utf-16")
    result = run("--files-from", names, "-o", out, "--force")
    assert result.returncode == 2
    assert "UTF-16" in result.stderr


def test_closed_standard_output_is_told_from_other_errors(record, out):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        line = [
            sys.executable,
            "-m",
            "auxiva_cli",
            "separate",
            *QUICK,
            record(),
            "-o",
            out,
            "--json",
        ]
        shown = subprocess.run(
            line, env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert shown.returncode == 1
    assert b"cannot write to standard output: No space left" in shown.stderr


def test_the_record_is_enough_to_run_again(record, out):
    settings = json.loads(run(record(), "-o", out, "--json").stdout)["settings"]
    assert None not in [settings[name] for name in ("n_src", "n_fft", "hop_length", "ref_chan")]
