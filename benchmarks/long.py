"""Separate seconds to hours with the command; write its time and memory into RESULTS.md."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.mixtures import Example, find_example
from benchmarks.report import describe_machine, table, write_part

AUXIVA = str(Path(sys.executable).parent / "auxiva")
HOUR = 3600
CHANNELS = (2, 4)
SECONDS = (5, 15, 60, 300, 600, HOUR, 10 * HOUR)


@dataclass(frozen=True)
class Run:
    """One run of the command.

    Attributes
    ----------
    seconds : float
        Wall time from process start to exit.
    peak : int
        Largest resident memory, in bytes.
    """

    seconds: float
    peak: int


def main() -> None:
    """Measure everything and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rooms", type=Path, metavar="DIR", help="folder of {name}_mix.wav and {name}_refs.wav"
    )
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=SECONDS, help="lengths of the recordings"
    )
    arguments = parser.parse_args()
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [[length(seconds)] for seconds in arguments.seconds]
        for n_chan in CHANNELS:
            example = find_example(n_chan, arguments.rooms)
            for own, seconds in zip(rows, arguments.seconds, strict=True):
                recording = compose(example, seconds, folder / "long.wav")
                own += cells(separate(recording, folder), seconds)
    write_part("long", long_part(machine, rows))


def compose(example: Example, seconds: float, path: Path) -> Path:
    """Write a long 16-bit recording: the mixture again and again, never twice the same.

    Each time its speakers begin elsewhere, at another level, with a little other noise.
    """
    rng = np.random.default_rng(0)
    n_chan, n_samples = example.mixture.shape
    remaining = round(seconds * example.sample_rate)
    with soundfile.SoundFile(path, "w", example.sample_rate, n_chan, "PCM_16") as file:
        while remaining:
            waveform = np.roll(example.mixture, rng.integers(n_samples), axis=-1)
            waveform = waveform * 10 ** (rng.uniform(-6, 0) / 20)
            waveform += 1e-4 * rng.standard_normal(waveform.shape)
            file.write(waveform[:, :remaining].T)
            remaining -= min(n_samples, remaining)
    return path


def separate(recording: Path, folder: Path) -> Run:
    """Run the command on a recording and wait for it, with an eye on its memory."""
    command = [AUXIVA, "separate", str(recording), "-o", str(folder / "out"), "--force", "--quiet"]
    begin = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    kibibyte = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_maxrss * kibibyte)


def length(seconds: float) -> str:
    """Return a length in words."""
    unit, name = next(u for u in ((HOUR, "h"), (60, "min"), (1, "s")) if seconds >= u[0])
    return f"{seconds / unit:g} {name}"


def cells(run: Run, seconds: float) -> list[str]:
    """Return what a row of the table says of one run."""
    return [f"{run.seconds:.1f}", f"{seconds / run.seconds:.0f}", f"{run.peak / 2**20:.0f}"]


def long_part(machine: str, rows: Sequence[Sequence[str]]) -> str:
    """Describe recordings of all lengths."""
    header = ["", *(f"{n} ch: {c}" for n in CHANNELS for c in ("s", "times real time", "MiB"))]
    return (
        "## Time and memory by length\n\n`make bench-long` measures this part again.\n\n"
        f"{machine}\n16 kHz, 16 bits, all defaults, from process start to exit; peak memory.\n\n"
        f"{table(header, rows)}"
    )


if __name__ == "__main__":
    main()
