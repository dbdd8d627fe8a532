"""``auxiva separate`` interrupted: at once, with the right exit code, and without litter.

A signal is sent at an event (a line was printed, a pipe is full), never after a while.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from command_line import contents, finish, read_until, start

# The cost of this recording keeps falling for many minutes.
LONG = {"n_chan": 4, "n_samples": 100_000}
ENDLESS = ("--n-fft", "512", "-n", "1000000", "--tol", "0", "--model", "laplace")
SIGNALS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"),
           (signal.SIGHUP, 129, "hung up")]  # fmt: skip
each_signal = pytest.mark.parametrize(
    ("number", "code", "word"), SIGNALS, ids=[word for *_, word in SIGNALS]
)


def end(process, number, code, word):
    """Send a signal, and hold the process to a prompt end, and all who share its streams."""
    process.send_signal(number)
    begin = time.monotonic()
    returned, stdout, stderr = finish(process)
    assert returned == code, stderr
    assert time.monotonic() - begin < 5  # it is far less, but the machine may be busy
    assert stderr.endswith(f"auxiva: {word}\n")
    assert "Traceback" not in stderr
    return stdout, stderr


@each_signal
def test_separating_ends_at_a_signal(record, out, number, code, word):
    process = start(record(**LONG), "-o", out, "--progress", "tqdm", quick=ENDLESS)
    os.read(process.stderr.fileno(), 1)  # the first iteration is shown
    end(process, number, code, word)
    assert contents(out) == {}


@each_signal
def test_reading_a_pipe_ends_at_a_signal(record, out, number, code, word):
    process = start("-", "-o", out, stdin=subprocess.PIPE)
    os.write(process.stdin.fileno(), record().read_bytes()[:10_000])
    os.write(process.stdin.fileno(), bytes(2**20))  # more than a pipe holds: it is being read
    process.send_signal(number)
    assert process.wait(timeout=60) == code
    process.stdin.close()
    process.stdin = None
    assert finish(process)[2] == f"auxiva: {word}\n"
    assert contents(out) == {}


@each_signal
def test_writing_to_a_pipe_ends_at_a_signal(record, number, code, word):
    reader, writer = os.pipe()
    process = start(record(n_samples=200_000), "-o", "-", stdout=writer)
    os.close(writer)
    os.read(reader, 1)  # more than a pipe holds is to come: it is being written
    end(process, number, code, word)
    os.close(reader)


@each_signal
def test_workers_end_with_a_signal_to_the_program(record, out, number, code, word):
    talks = [record(f"{k}.wav", seed=k, **LONG) for k in range(3)]
    process = start(
        record("mono.wav", n_chan=1), *talks, "-o", out, "-j", "2", "--json", quick=ENDLESS
    )
    assert b"too-few-channels" in process.stdout.readline()  # the workers are at work
    _, stderr = end(process, number, code, word)
    assert "auxiva: 1 failed, 3 not done" in stderr
    assert contents(out) == {}


def test_ctrl_c_reaches_all_processes_of_a_terminal_and_one_line_is_said(record, out):
    talks = [record("mono.wav", n_chan=1), *(record(f"{k}.wav", seed=k, **LONG) for k in range(2))]
    process = start(*talks, "-o", out, "-j", "2", "--json", quick=ENDLESS, start_new_session=True)
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    code, _, stderr = finish(process)
    assert code == 130
    assert all(line.startswith(("auxiva: ", "[1/3] ")) for line in stderr.splitlines())
    assert contents(out) == {}


def test_workers_end_when_the_program_is_killed(record, out):
    talks = [record("mono.wav", n_chan=1), *(record(f"{k}.wav", seed=k, **LONG) for k in range(2))]
    process = start(*talks, "-o", out, "-j", "2", "--json", quick=ENDLESS)
    process.stdout.readline()
    process.kill()
    finish(process)  # which waits for the workers, who hold its standard error
    assert contents(out) == {}


def test_what_was_done_before_a_signal_stays(record, out, tmp_path):
    talk, fifo = record(), tmp_path / "fifo.wav"
    os.mkfifo(fifo)
    process = start(talk, fifo, "-o", out, "--json")
    process.stdout.readline()
    _, stderr = end(process, signal.SIGINT, 130, "interrupted")
    assert "auxiva: 1 separated, 1 not done" in stderr
    assert sorted(contents(out)) == ["talk_src1.wav", "talk_src2.wav"]


def test_a_second_signal_does_not_keep_the_first_from_cleaning_up(record, out):
    process = start(record(**LONG), "-o", out, "--progress", "tqdm", quick=ENDLESS)
    os.read(process.stderr.fileno(), 1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    code, _, stderr = finish(process)
    assert code in (130, 143)
    assert "Traceback" not in stderr


def ignore_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_a_signal_that_the_caller_ignores_stays_ignored(record, out):
    options = {"quick": ENDLESS, "preexec_fn": ignore_interrupts}
    process = start(record(**LONG), "-o", out, "--progress", "tqdm", **options)
    os.read(process.stderr.fileno(), 1)
    process.send_signal(signal.SIGINT)
    end(process, signal.SIGTERM, 143, "terminated")


ON_TERMINAL = {"TERM": "xterm", "COLUMNS": "80"}
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


@each_signal
def test_the_cursor_is_shown_again_after_a_signal(record, out, terminal, number, code, word):
    screen, stderr = terminal
    process = start(record(**LONG), "-o", out, stderr=stderr, env=ON_TERMINAL, quick=ENDLESS)
    shown = read_until(screen, b"cost")
    assert HIDE_CURSOR in shown
    process.send_signal(number)
    shown += read_until(screen, f"auxiva: {word}".encode())
    assert process.wait(timeout=60) == code
    process.stdout.close()
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)
    assert contents(out) == {}


@pytest.mark.parametrize(
    "environment",
    [{"COLUMNS": "0"}, {"COLUMNS": "1"}, {"COLUMNS": "abc"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}],
    ids=lambda environment: "=".join(*environment.items()),
)
def test_a_terminal_of_any_kind_is_left_as_it_was(record, out, terminal, environment):
    screen, stderr = terminal
    process = start(record(), "-o", out, stderr=stderr, env=ON_TERMINAL | environment)
    assert process.wait(timeout=60) == 0
    process.stdout.close()
    shown = os.read(screen, 2**16)
    assert b"Traceback" not in shown
    assert shown.rfind(SHOW_CURSOR) >= shown.rfind(HIDE_CURSOR)
    if environment == {"TERM": "dumb"}:
        assert b"\x1b" not in shown
