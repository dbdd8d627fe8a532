"""Where recordings come from: names, devices, standard input in every state."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from wav_builders import AUDIO, N_SAMPLES, RATE, fmt, wav

from auxiva_cli.audio import open_recording
from auxiva_cli.audio.samples import ENCODINGS, StoredSamples
from auxiva_cli.errors import OutputError, RecordingError

RECORDING = wav(fmt(), AUDIO)
OPEN_STANDARD_INPUT = """
from auxiva_cli.audio import open_recording
from auxiva_cli.errors import AuxivaError
try:
    with open_recording("-"{allowed}) as recording:
        recording.read(0, recording.n_samples)
        print(recording.name, recording.n_samples)
except AuxivaError as error:
    print(error.kind, error)
"""


def standard_input_report(
    prefix: str = "",
    environment: dict[str, str] | None = None,
    allowed: str = "",
    **options: Any,
) -> str:
    """Open standard input in a process of its own and return what comes of it."""
    ran = subprocess.run(
        [sys.executable, "-c", prefix + OPEN_STANDARD_INPUT.replace("{allowed}", allowed)],
        capture_output=True, check=True, timeout=20,
        env={**os.environ, **(environment or {})}, **options,
    )  # fmt: skip
    assert ran.stderr == b""
    return ran.stdout.decode().strip()


def test_standard_input_may_be_a_pipe_a_file_or_the_rest_of_a_file(tmp_path: Path) -> None:
    assert standard_input_report(input=RECORDING) == f"- {N_SAMPLES}"
    path = tmp_path / "a"
    path.write_bytes(b"a line before\n" + RECORDING)
    with path.open("rb", buffering=0) as file:
        file.seek(14)
        assert standard_input_report(stdin=file) == f"- {N_SAMPLES}"


def test_standard_input_without_a_recording_says_why() -> None:
    assert standard_input_report(input=b"").startswith("input-empty no data came through the pipe")
    assert "pipefail" in standard_input_report(stdin=subprocess.DEVNULL)
    closed = standard_input_report(prefix="import os; os.close(0)")
    assert closed.startswith("input-closed standard input is closed")
    master, terminal = os.openpty()
    assert standard_input_report(stdin=terminal).startswith("input-closed standard input is a term")
    os.close(master)
    os.close(terminal)


def test_a_stream_that_is_no_recording_is_not_read_to_its_end() -> None:
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        assert standard_input_report(stdin=endless.stdout).startswith("not-audio")
        endless.kill()


def test_a_recording_may_last_no_longer_than_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(RECORDING)
    open_recording(path, max_duration=N_SAMPLES / RATE).close()
    with pytest.raises(RecordingError, match=r"0\.0 s, 0\.02 s are allowed") as failure:
        open_recording(path, max_duration=0.02)
    assert failure.value.kind == "resource-limit"


@pytest.mark.parametrize("n_samples", [1, N_SAMPLES - 1, N_SAMPLES, N_SAMPLES + 1])
def test_of_a_stream_as_much_is_taken_as_is_allowed(tmp_path: Path, n_samples: int) -> None:
    report = standard_input_report(input=RECORDING, allowed=f", max_duration={n_samples / RATE}")
    assert report == f"- {min(n_samples, N_SAMPLES)}"


def test_a_stream_that_never_ends_is_read_as_far_as_is_asked_for() -> None:
    head = wav(fmt(), b"", data_size=2**32 - 1)
    endless = ["sh", "-c", f"printf '{''.join(f'{chr(92)}{byte:03o}' for byte in head)}'; yes"]
    with subprocess.Popen(endless, stdout=subprocess.PIPE) as stream:
        report = standard_input_report(stdin=stream.stdout, allowed=", max_duration=60")
        stream.kill()
    assert report == f"- {60 * RATE}"


def test_a_stream_leaves_room_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nearly_full = os.statvfs_result((1, 2**12, 10**6, 10**6, 2**12, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: nearly_full)
    fifo = tmp_path / "a.wav"
    os.mkfifo(fifo)
    with subprocess.Popen(
        ["sh", "-c", 'cat /dev/stdin > "$0"', fifo], stdin=subprocess.PIPE
    ) as cat:
        cat.stdin.write(RECORDING)
        cat.stdin.close()
        with pytest.raises(OutputError, match="No space left") as failure:
            open_recording(fifo)
    assert failure.value.kind == "no-space"


def test_a_stream_that_does_not_fit_says_so(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    report = standard_input_report(
        prefix=limit, input=RECORDING, environment={"TMPDIR": str(tmp_path)}
    )
    assert report.startswith("no-space File too large: ")
    assert str(tmp_path) in report
    assert list(tmp_path.iterdir()) == []


def test_a_file_called_dash_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-").write_bytes(RECORDING)
    with open_recording("./-") as recording:
        assert recording.n_samples == N_SAMPLES


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("missing.wav", "input-missing", "No such file"),
        ("", "input-missing", "No such file"),
        ("a\0b", "input-missing", "null"),
        (".", "not-audio", "directory"),
        ("/dev/null", "not-audio", "device"),
        ("/dev/zero", "not-audio", "device"),
        ("loop", "read-error", "symbolic links"),
    ],
)
def test_a_name_without_a_recording_is_named_for_what_it_is(
    name: str, kind: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    with pytest.raises(RecordingError, match=words) as failure:
        open_recording(name)
    assert failure.value.kind == kind


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="needs a file that fails to be read"
)
def test_an_input_output_error_while_reading_is_an_error_of_ours() -> None:
    store = StoredSamples(os.open("/proc/self/mem", os.O_RDONLY), ENCODINGS["PCM_16"], 1)
    with pytest.raises(RecordingError, match="Input/output error") as failure:
        store.read(0, 10)
    store.close()
    assert failure.value.kind == "read-error"
