"""Whatever the system refuses, and whenever: the whole result, or an error and nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

HERE = Path(__file__).parent
MOST = 3  # calls of each kind that fail, each by every error; `make soak` has all of them fail


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile what makes calls fail."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("shim") / "failing_calls.so"
    source = HERE / "failing_calls.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def preloaded(shim: Path) -> dict[str, str]:
    """Return the environment in which calls can fail."""
    return {**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": str(HERE.parents[1])}


FAILING_DISK = """
import ctypes, errno, sys
from auxiva_cli.audio import open_recording
from auxiva_cli.errors import AuxivaError
for index in map(int, sys.argv[2:]):
    ctypes.CDLL(None).fail_call(b"read", index, errno.EIO)
    try:
        with open_recording(sys.argv[1], allow_truncated=True) as recording:
            print(recording.n_samples, [notice.kind for notice in recording.warnings])
    except AuxivaError as error:
        print(error.kind, error.what)
"""


@pytest.mark.parametrize("container", ["flac", "ogg", "mp3", "aiff"])
def test_a_disk_that_fails_is_never_taken_for_damage(
    container: str, shim: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{container}"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (50_000, 2))
    soundfile.write(path, noise, 48_000)
    indices = [1, 2, 5, 15, -1, -2, -5, -15]  # once, or from then on
    ran = subprocess.run(
        [sys.executable, "-c", FAILING_DISK, path, *map(str, indices)],
        env=preloaded(shim),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == ""
    expected = ["50000 []"] * 4 + ["read-error cannot be read: Input/output error"] * 4
    assert ran.stdout.splitlines() == expected


@pytest.mark.parametrize("scenario", ["wav", "flac", "vorbis", "force", "pipe"])
def test_a_call_that_fails_is_an_error_or_makes_no_difference(
    scenario: str, shim: Path, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, HERE / "failing_run.py", tmp_path, str(MOST), scenario],
        env=preloaded(shim),
        capture_output=True,
        text=True,
    )
    assert ran.stderr == ""
    *wrong, summary = ran.stdout.splitlines()
    assert wrong == []
    assert int(summary.split()[0]) > 30
