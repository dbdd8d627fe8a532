"""On a terminal: a live display while the work goes, and then the lines that stay."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from command_line import ENVIRONMENT, contents, finish, read_until, start

WIDTH = 80
LONG = 96_000  # samples, which are not too few for comfort
ON_TERMINAL = {"TERM": "xterm", "COLUMNS": str(WIDTH)}
MOVEMENT = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def lasting(shown):
    """Return the lines that are left when all is over, by what was erased."""
    lines = [""]
    for part in re.split(rb"(\x1b\[[0-9;?]*[A-Za-z]|\r\n|\r|\n)", shown):
        if part == b"\x1b[2K":
            lines[-1] = ""
        elif part.endswith(b"A") and part.startswith(b"\x1b["):
            lines.pop()
        elif part.endswith(b"\n"):
            lines.append("")
        elif part and not MOVEMENT.fullmatch(part) and part != b"\r":
            lines[-1] += part.decode()
    return [line for line in lines if line.strip()]


def unfolded(lines):
    """Return lines as they were before they were folded: what goes on begins with spaces."""
    return re.split(r"\n(?!  )", "\n".join(lines))


def test_of_one_recording_one_line_is_left(record, out, terminal):
    screen, stderr = terminal
    process = start(record(n_samples=LONG), "-o", out, stderr=stderr, env=ON_TERMINAL)
    shown = read_until(screen, rb"/(?:talk_src\{1\.\.2\}\.wav)?\r?\n")
    assert process.wait(timeout=60) == 0
    process.stdout.close()
    (line,) = lasting(shown)
    assert "  2 speakers (sure)  " in line


@pytest.mark.parametrize("name", ["separate", "compare"])
def test_something_is_shown_before_numpy_is_imported(record, terminal, name):
    screen, stderr = terminal
    script = (
        "import sys; sys.modules['numpy'] = None; sys.argv[0] = 'auxiva'\n"
        "from auxiva_cli.__main__ import main; main()"
    )
    line = [sys.executable, "-c", script, name, record(), "-o", "out"]
    process = subprocess.Popen(line, stderr=stderr, env=ENVIRONMENT | ON_TERMINAL)
    assert read_until(screen, rb"\w+").startswith(b"auxiva: looking ...")
    assert process.wait(timeout=60) != 0


@pytest.mark.parametrize(("jobs", "width"), [("1", 60), ("2", WIDTH)])
def test_a_batch_has_a_footer_and_a_line_for_each_recording(
    record, tmp_path, terminal, jobs, width
):
    screen, stderr = terminal
    names = [
        record("mono.wav", n_chan=1),
        *(record(f"{k}.wav", seed=k, n_samples=LONG) for k in range(2)),
    ]
    process = start(
        *(name.name for name in names), "-o", "out", "-j", jobs, stderr=stderr,
        env={**ON_TERMINAL, "COLUMNS": str(width)}, cwd=tmp_path,
    )  # fmt: skip
    shown = read_until(screen, rb"auxiva: error: .*too-few-channels: [^$]*microphone\.\r?\n")
    assert process.wait(timeout=60) == 1
    process.stdout.close()
    assert f"[0/3] {jobs} running".encode() in shown
    lines = lasting(shown)
    assert all(len(line) < width for line in lines), lines
    assert not any(line.startswith("[") for line in lines)
    assert len(unfolded(lines)) == 5, lines
    assert unfolded(lines)[-2].startswith("auxiva: 2 separated, 1 failed, in ")


def test_a_pipe_is_listened_to_with_a_word_about_it(record, out, terminal):
    screen, stderr = terminal
    process = start("-", "-o", out, stdin=subprocess.PIPE, stderr=stderr, env=ON_TERMINAL)
    content = record().read_bytes()
    process.stdin.write(content[:20_000])
    process.stdin.flush()
    read_until(screen, rb"listening to the pipe, 0:\d\d, 0\.0 MiB so far")
    finish(process, content[20_000:])
    assert process.returncode == 0
    assert sorted(contents(out)) == ["stdin_src1.wav", "stdin_src2.wav"]
