"""Where recordings come from: names, devices, standard input in every state."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from wav_builders import AUDIO, N_SAMPLES, fmt, wav

from auxiva_cli.audio import open_recording
from auxiva_cli.audio.samples import ENCODINGS, StoredSamples
from auxiva_cli.errors import RecordingError

RECORDING = wav(fmt(), AUDIO)
OPEN_STANDARD_INPUT = """
from auxiva_cli.audio import open_recording
from auxiva_cli.errors import AuxivaError
try:
    with open_recording("-") as recording:
        recording.read(0, recording.n_samples)
        print(recording.name, recording.n_samples)
except AuxivaError as error:
    print(error.kind, error)
"""


def standard_input_report(
    prefix: str = "", environment: dict[str, str] | None = None, **options: Any
) -> str:
    """Open standard input in a process of its own and return what comes of it."""
    ran = subprocess.run(
        [sys.executable, "-c", prefix + OPEN_STANDARD_INPUT],
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


def test_a_recording_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(RECORDING)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(RecordingError, match="Permission denied") as failure:
        open_recording(path)
    assert failure.value.kind == "read-error"


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="needs a file that fails to be read"
)
def test_an_input_output_error_while_reading_is_an_error_of_ours() -> None:
    store = StoredSamples(os.open("/proc/self/mem", os.O_RDONLY), ENCODINGS["PCM_16"], 1)
    with pytest.raises(RecordingError, match="Input/output error") as failure:
        store.read(0, 10)
    store.close()
    assert failure.value.kind == "read-error"
