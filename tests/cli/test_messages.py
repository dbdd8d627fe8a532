"""What is said on standard error: one grammar, line by line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import mixture, separate

from auxiva_cli.batch import Job, Outcome
from auxiva_cli.bss.auxiva import StageTrace
from auxiva_cli.cli.report import result_line
from auxiva_cli.config import Settings
from auxiva_cli.errors import KINDS, NOTICE_KINDS, RecordingError

LONG = 96_000  # samples, which are not too few for comfort
ERROR = re.compile(rf"auxiva: error: (?:.+: )?(?:{'|'.join(KINDS)}): .+")
WARNING = re.compile(rf"auxiva: warning: .+: (?:{'|'.join(NOTICE_KINDS)}): .+")
REMARK = re.compile(r"auxiva: (?!error|warning).+")
RESULT = re.compile(
    r"(?P<number>\[\d+/\d+\] )?(?P<name>.+?)  (?:"
    r"(?P<n>\d+)(?: of \d+)? (?:speaker|output)s?(?: \((?:sure|or (?P<m>\d+): -s (?P=m))\))?  "
    r"[−\d. ]+ dB  (?:\d+ iterations?, (?:settled, )?cost −?\d+\.\d\d  )?\d[\d.:]*(?: s)?(?: → .+)?"
    rf"|skipped: its outputs are there|failed: (?:{'|'.join(KINDS)}): .+)"
)


def kinds_of(stderr: str) -> list[str]:
    """Return what each line is; every line is something."""
    grammar = {"error": ERROR, "warning": WARNING, "remark": REMARK, "result": RESULT}
    kinds = []
    for line in stderr.splitlines():
        found = [kind for kind, pattern in grammar.items() if pattern.fullmatch(line)]
        assert len(found) == 1, (line, found)
        kinds += found
    return kinds


@pytest.fixture
def good(record):
    return [record(f"good{k}.wav", seed=k, n_samples=LONG) for k in range(3)]


@pytest.fixture
def bad(record, tmp_path):
    (tmp_path / "page.wav").write_text("<html>")
    clipped = mixture(n_samples=LONG)
    clipped[0] = clipped[0].clip(-0.02, 0.02)
    return [
        record("mono.wav", n_chan=1),
        tmp_path / "page.wav",
        record("cl.wav", clipped),
    ]


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_line_of_a_good_batch_is_a_result_but_the_last(good, out, jobs):
    result = separate(*good, "-o", out, "-j", jobs)
    assert kinds_of(result.stderr) == ["result", "result", "result", "remark"]
    numbers = [RESULT.fullmatch(line)["number"] for line in result.stderr.splitlines()[:3]]
    assert numbers == ["[1/3] ", "[2/3] ", "[3/3] "]


def test_every_line_of_a_bad_batch_is_of_the_grammar(good, bad, out):
    separate(good[0], "-o", out)
    result = separate(*good, *bad, "-o", out, "--skip-existing", "-v")
    kinds = kinds_of(result.stderr)
    assert kinds.count("result") == 6
    assert kinds.count("warning") == 2  # of the one that is clipped, and separated badly
    assert kinds[-3:] == ["remark", "error", "error"]
    assert "auxiva: 3 separated, 1 skipped, 2 failed, in " in result.stderr
    assert "; exit code 1, because of these:" in result.stderr


def test_one_recording_is_one_line(good, out):
    result = separate(good[0], "-o", out)
    assert kinds_of(result.stderr) == ["result"]
    assert result.stderr.startswith(f"{good[0]}  2 speakers (sure)  0.0 ")
    assert result.stderr.endswith(f"→ {out}/good0_src{{1..2}}.wav\n")


def test_a_failure_of_one_recording_is_one_error(bad, out):
    assert kinds_of(separate(bad[0], "-o", out).stderr) == ["error"]


def test_verbose_lists_each_output_with_its_level(good, out):
    lines = separate(good[0], "-o", out, "-v").stderr.splitlines()
    assert lines[1] == f"auxiva: {out}/good0_src1.wav     0.0 dB"
    assert lines[2].startswith(f"auxiva: {out}/good0_src2.wav  ")


def test_quiet_says_only_what_failed(good, bad, out):
    result = separate(*good, *bad, "-o", out, "--quiet")
    assert kinds_of(result.stderr) == ["error", "error"]


def outcome(**changes) -> Outcome:
    job = Job("meeting.wav", (Path("meeting.wav"),), "meeting", Path("out"))
    facts = {
        "settings": Settings(n_src=3),
        "status": "separated",
        "seconds": 1.44,
        "outputs": tuple(Path(f"out/meeting_src{n}.wav") for n in (1, 2, 3)),
        "levels": (-0.0, -1.21, -2.5),
        "stages": (
            StageTrace("a", (9.0, 5.0), False, False),
            StageTrace("b", (1.0, -23.1), True, False),
        ),
        "size": 10,
    }
    return Outcome(job, **facts | changes)


def test_the_lasting_line_says_what_matters():
    assert result_line(outcome()) == (
        "meeting.wav  3 speakers  0.0 −1.2 −2.5 dB  2 iterations, settled, cost −2.31  1.4 s → "
        "out/meeting_src{1..3}.wav"
    )
    one = outcome(levels=(-1.21,), outputs=(Path("out/meeting_src2.wav"),), stages=(), seconds=75.0)
    assert result_line(one) == (
        "meeting.wav  1 of 3 speakers  −1.2 dB  1:15 → out/meeting_src2.wav"
    )


@pytest.mark.parametrize("width", [40, 50, 60, 80, 100, 120])
def test_on_a_terminal_the_lasting_line_leaves_out_what_does_not_fit(width):
    line = result_line(outcome(), width)
    assert len(line) < width
    assert line.startswith("meeting.wav  3 speakers  ")
    assert line.endswith("1.4 s → out/meeting_src{1..3}.wav" if width >= 60 else "1.4 s → out/")
    assert ("cost −2.31" in line) == (width >= 80)


def test_on_a_terminal_a_failure_is_one_line_and_said_whole_at_the_end():
    error = RecordingError("what is wrong " * 20, kind="malformed")
    line = result_line(outcome(status="failed", error=error), 80)
    assert line.startswith("meeting.wav  failed: malformed: what is wrong")
    assert line.endswith("…")
    assert len(line) < 80
    assert result_line(outcome(status="failed", error=error)).count("what is wrong") == 20
