"""What a user may not read, search or write: said for what it is, whoever runs the tests."""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from wav_builders import AUDIO, fmt, wav

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
REPORT = """
import sys
from pathlib import Path
from auxiva_cli.audio import *
from auxiva_cli.errors import AuxivaError
for line in sys.argv[1:]:
    try:
        eval(line)
        print("done")
    except AuxivaError as error:
        print(error.kind, error.what)
"""


def obey_permissions() -> None:
    """Give up what makes permissions mean nothing to root."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                os._exit(77)


def report(*lines: str) -> list[str]:
    """Return what comes of expressions for somebody who may not do everything."""
    ran = subprocess.run(
        [sys.executable, "-c", REPORT, *lines],
        preexec_fn=obey_permissions,
        capture_output=True,
        text=True,
    )
    if ran.returncode == 77:
        pytest.skip("root cannot give up its rights here")
    assert ran.stderr == ""
    return ran.stdout.splitlines()


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """Return a directory that may not be searched, with a recording in it."""
    directory = tmp_path / "closed"
    directory.mkdir()
    (directory / "a.wav").write_bytes(wav(fmt(), AUDIO))
    directory.chmod(0)
    yield directory
    directory.chmod(stat.S_IRWXU)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to give up root's rights")
def test_what_may_not_be_read_is_named(closed: Path, tmp_path: Path) -> None:
    unreadable = tmp_path / "unreadable.wav"
    unreadable.write_bytes(wav(fmt(), AUDIO))
    unreadable.chmod(0)
    for path in (unreadable, closed / "a.wav"):
        opened, counted = report(f"open_recording({str(path)!r})", f"count_channels({str(path)!r})")
        assert opened == "read-error cannot be read: Permission denied"
        assert counted == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to give up root's rights")
def test_where_nothing_may_be_written_is_named(closed: Path, tmp_path: Path) -> None:
    readable = tmp_path / "readable"
    readable.mkdir(0o500)
    for directory in (closed, closed / "below", readable):
        path = f"Path({str(directory)!r})"
        said = report(
            f"prepare_directory({path})",
            f"open_outputs([{path} / 'a.wav'], OutputFormat(8000, 1, 10))",
            f"write_file({path} / 'a.npz', b'', overwrite=True)",
        )
        for line in said:
            assert line.startswith("write-error cannot write in ")
            assert line.endswith(": Permission denied")
        if directory != readable:
            (line,) = report(f"check_targets([{path} / 'a.wav'])")
            assert line.startswith("write-error cannot write in ")
