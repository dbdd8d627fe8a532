"""Whatever the system refuses, and whenever: the whole result, or an error and nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("scenario", ["wav", "flac", "vorbis", "force", "pipe"])
def test_a_call_that_fails_is_an_error_or_makes_no_difference(
    scenario: str, shim: Path, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, HERE / "failing_run.py", tmp_path, str(MOST), scenario],
        env={**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
    )
    assert ran.stderr == ""
    *wrong, summary = ran.stdout.splitlines()
    assert wrong == []
    assert int(summary.split()[0]) > 30
