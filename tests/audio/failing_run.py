"""Runs of the command in each of which one system call fails, and what is wrong with them.

Started with ``failing_calls.c`` preloaded: ``python failing_run.py DIRECTORY MOST SCENARIO ...``
makes recordings in a directory and sweeps over the calls of runs, over ``MOST`` of each kind at
most (0: all), and over all scenarios, if none is named.  Every run is a fork of a process that
has all modules loaded, so that what fails is work.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from auxiva_cli.cli.main import cli

SHIM = ctypes.CDLL(None)
ERRORS = {
    "read": (errno.EIO, errno.EINTR),
    "pread": (errno.EIO, errno.EINTR),
    "write": (errno.ENOSPC, errno.EIO, errno.EINTR),
    "open": (errno.EACCES, errno.EIO, errno.ENOSPC, errno.EINTR),
    "fsync": (errno.EIO, errno.EINTR),
    "ftruncate": (errno.EIO,),
    "linkat": (errno.EIO, errno.EACCES, errno.ENOSPC),
    "rename": (errno.EIO, errno.EACCES),
    "mkdir": (errno.EACCES,),
}
QUICK = ["-q", "-n", "3", "--n-fft", "512", "--threads", "1"]
SCENARIOS = {
    "wav": ["in.wav", "-o", "out"],
    "flac": ["in.flac", "-o", "out", "--format", "flac"],
    "vorbis": ["in.ogg", "-o", "out"],
    "force": [
        "in.wav",
        "-o",
        "out",
        "--force",
        "--activity",
        "rttm",
        "--save-filters",
        "out/f.npz",
    ],
    "pipe": ["-", "-o", "-"],
}


def make_recordings() -> None:
    """Make short recordings of two channels, each of every kind that is read in its own way."""
    rng = np.random.default_rng(0)
    n_samples = 9000
    turns = np.sin(np.arange(1, 3)[:, None] * np.arange(n_samples) / 900)
    sources = rng.laplace(size=(2, n_samples)) * (np.clip(turns, 0, None) ** 2 + 0.01)
    heard = np.array([[1, 0.6], [0.5, 1]]) @ sources
    heard *= 0.3 / np.abs(heard).max()
    for name in ("in.wav", "in.flac", "in.ogg"):
        soundfile.write(name, heard.T, 8000)


def run(scenario: str, call: str, index: int, error: int) -> None:
    """Run the command, in which a call fails; ends the process."""
    stdin = os.open("in.wav" if scenario == "pipe" else os.devnull, os.O_RDONLY)
    if scenario == "pipe":
        read_end, write_end = os.pipe()
        os.write(write_end, os.read(stdin, 2**16))  # as much as fits
        os.close(write_end)
        os.dup2(read_end, 0)
    else:
        os.dup2(stdin, 0)
    for descriptor in (1, 2):
        os.dup2(
            os.open(f"said{descriptor}", os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600), descriptor
        )
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(os.dup(0)), os.fdopen(1, "w"), os.fdopen(2, "w")
    )  # fmt: skip
    SHIM.fail_call(call.encode(), index, error)
    cli(["separate", *QUICK, *SCENARIOS[scenario]], prog_name="auxiva")


def load_everything() -> None:
    """Run once in this process, so that no run has anything to import."""
    for name in ("in.wav", "in.flac", "in.ogg"):
        for kind in ("wav", "flac"):
            with contextlib.suppress(SystemExit):
                cli(["separate", *QUICK, name, "-o", "loaded", "--force", "--format", kind])


def attempt(scenario: str, call: str, index: int, error: int) -> tuple[int, int]:
    """Run the command in a fork, with a call that fails; return exit code and number of calls."""
    shutil.rmtree("out", ignore_errors=True)
    if scenario == "force":
        shutil.copytree("old", "out")
    child = os.fork()
    if child == 0:
        code = 70
        try:
            run(scenario, call, index, error)
        except SystemExit as leaving:
            code = leaving.code or 0
        finally:
            n_calls = SHIM.count_calls()
            SHIM.fail_call(b"", 0, 0)
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            Path("n_calls").write_text(str(n_calls))
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, int(Path("n_calls").read_text())


def left() -> dict[str, bytes]:
    """Return every file of the outputs, and standard output."""
    out = Path("out")
    files = {path.name: path.read_bytes() for path in out.iterdir()} if out.is_dir() else {}
    return {**files, "standard output": Path("said1").read_bytes()}


def wrongs(scenario: str, code: int, whole: dict[str, bytes]) -> Iterator[str]:
    """Say what is wrong with a run."""
    before = {path.name: path.read_bytes() for path in Path("old").iterdir()}
    now = left()
    if code == 0:
        if now != whole:
            yield "exit 0, but the outputs are others"
    elif code not in (1, 2):
        yield f"exit {code}"
    elif scenario == "force":
        if now != {**before, "standard output": b""}:
            yield f"not as it was before: {sorted(now)}"
    elif now.keys() != {"standard output"} or not whole["standard output"].startswith(
        now["standard output"]
    ):
        yield f"files of a run that failed: {sorted(now)}"
    said = Path("said2").read_text().splitlines()
    foreign = [line for line in said if not line.startswith("auxiva: ")]
    if foreign or any(": internal: " in line for line in said):
        yield f"said {said}"
    if code in (1, 2) and not any(line.startswith("auxiva: error: ") for line in said):
        yield "no word of an error"
    if litter := os.listdir("tmp"):  # noqa: PTH208
        yield f"litter: {litter}"


def sweep(most: int, scenarios: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong, over scenarios and every call, error and index."""
    load_everything()
    Path("old").mkdir()
    code, _ = attempt("force", "", 0, 0)
    for name in os.listdir("out"):  # noqa: PTH208
        Path("old", name).write_bytes(b"old")
    n_runs = 0
    for scenario in scenarios:
        code, _ = attempt(scenario, "", 0, 0)
        whole = left()
        inputs = [Path(name).read_bytes() for name in ("in.wav", "in.flac", "in.ogg")]
        if code != 0:
            yield f"{scenario}: exit {code} without a fault: {Path('said2').read_text()}"
            continue
        for call, errors in ERRORS.items():
            _, n_calls = attempt(scenario, call, 0, 0)
            indices = np.unique(np.linspace(1, n_calls, min(n_calls, most)).astype(int))
            for error, index in itertools.product(errors, indices):
                n_runs += 1
                code, _ = attempt(scenario, call, int(index), error)
                for wrong in wrongs(scenario, code, whole):
                    place = f"{scenario}: {call} {index} of {n_calls}: {errno.errorcode[error]}"
                    yield f"{place}: {wrong}"
        if inputs != [Path(name).read_bytes() for name in ("in.wav", "in.flac", "in.ogg")]:
            yield f"{scenario}: the inputs were changed"
    print(f"{n_runs} runs")


def main() -> None:
    """Sweep in a directory; the exit code tells whether anything is wrong."""
    os.chdir(sys.argv[1])
    make_recordings()
    Path("tmp").mkdir()
    tempfile.tempdir = os.path.abspath("tmp")  # noqa: PTH100
    found = 0
    for wrong in sweep(int(sys.argv[2]) or 10**9, sys.argv[3:] or list(SCENARIOS)):
        print(wrong)
        found += 1
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
