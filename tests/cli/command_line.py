"""Short mixtures, ways to run ``auxiva separate`` on them, and what a run left."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from click.testing import CliRunner

from auxiva_cli.cli.main import cli

SAMPLE_RATE = 8000
N_SAMPLES = 12_000
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.fspath(Path(__file__).parents[2]),
    "PYTHONWARNINGS": "error",
}
QUICK = ("--n-fft", "512", "-n", "5")


def mixture(n_chan=2, n_samples=N_SAMPLES, seed=0):
    """Sources that are loud in turn, each heard by every microphone through 32 taps."""
    rng = np.random.default_rng(seed)
    turns = np.sin(np.arange(1, n_chan + 1)[:, None] * np.arange(n_samples) / 900)
    sources = rng.laplace(size=(n_chan, n_samples)) * (np.clip(turns, 0, None) ** 2 + 0.01)
    taps = rng.standard_normal((n_chan, n_chan, 32)) * np.exp(-np.arange(32) / 6)
    taps[range(n_chan), range(n_chan), 0] += 2
    heard = [
        sum(np.convolve(source, h)[:n_samples] for source, h in zip(sources, row, strict=True))
        for row in taps
    ]
    return 0.3 * np.array(heard) / np.abs(heard).max()


def separate(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(cli, ["separate", *QUICK, *map(str, arguments)])


def command(*arguments, quick=QUICK):
    """Return the command as a program with its arguments."""
    return [sys.executable, "-m", "auxiva_cli", "separate", *quick, *map(os.fspath, arguments)]


def start(*arguments, **kwargs):
    """Start the command as a process of its own; ``env`` is added to the environment."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    quick = kwargs.pop("quick", QUICK)
    kwargs["env"] = ENVIRONMENT | kwargs.get("env", {})
    return subprocess.Popen(command(*arguments, quick=quick), **(streams | kwargs))


def finish(process, stdin=None):
    """Wait for a process and all who share its streams; return its exit code and both texts."""
    stdout, stderr = process.communicate(stdin, timeout=60)
    return process.returncode, stdout, (stderr or b"").decode()


def records(stdout):
    """Return the JSON objects of a run, by the name of the input."""
    return {record["input"]: record for record in map(json.loads, stdout.splitlines())}


def contents(directory):
    """Return every file under a directory, hidden ones too, by its relative path."""
    if not directory.is_dir():
        return {}
    files = (Path(place, name) for place, _, names in os.walk(directory) for name in names)
    return {
        os.fspath(file.relative_to(directory)): file.read_bytes()
        for file in files
        if file.is_file()
    }


def heard(directory, stem, n_src=2):
    """Return the separated signals of a recording, (n_src, n_samples) or with channels last."""
    return np.array([soundfile.read(directory / f"{stem}_src{n + 1}.wav")[0] for n in range(n_src)])


def read_until(screen, pattern):
    """Read what a terminal shows until it has shown something."""
    shown = b""
    while not re.search(pattern, shown):
        ready, _, _ = select.select([screen], [], [], 60)
        assert ready, f"the program fell silent after {shown[-300:]!r}"
        shown += os.read(screen, 4096)
    return shown
