"""Separate hours of sound with the command, and write its memory and time into RESULTS.md."""

from __future__ import annotations

import argparse
import json
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
from scipy.optimize import linear_sum_assignment

from benchmarks.mixtures import Example, find_example
from benchmarks.report import describe_machine, table, write_part

AUXIVA = str(Path(sys.executable).parent / "auxiva")
HOUR = 3600


@dataclass(frozen=True)
class Run:
    """One run of the command.

    Attributes
    ----------
    seconds : float
        Wall time from process start to exit.
    peak : int
        Largest resident memory, in bytes.
    costs : list of float
        The cost after each iteration of the last stage.
    """

    seconds: float
    peak: int
    costs: list[float]


def main() -> None:
    """Measure everything and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rooms", type=Path, metavar="DIR", help="folder of {name}_mix.wav and {name}_refs.wav"
    )
    parser.add_argument("--iterations", type=int, default=20, metavar="N")
    arguments = parser.parse_args()
    machine = describe_machine()
    four, two = (find_example(n_chan, arguments.rooms) for n_chan in (4, 2))
    n_iter = str(arguments.iterations)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bounded = ["-n", n_iter, "--max-memory", "512MiB"]
        rows = []
        for label, example, seconds, options in (
            ("1 h, 4 ch, 512 MiB", four, HOUR, bounded),
            ("3 h, 4 ch, 512 MiB", four, 3 * HOUR, bounded),
            ("10 min, 2 ch", two, HOUR / 6, ["-n", n_iter]),
        ):
            run = separate(compose(example, seconds, folder / "long.wav"), folder, options)
            rows.append(row(label, run, seconds))
        streamed = compare_streamed(four, folder, n_iter)
    write_part("long", long_part(machine, rows, streamed, arguments.iterations))


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


def separate(recording: Path, folder: Path, options: Sequence[str]) -> Run:
    """Run the command on a recording and wait for it, with an eye on its memory."""
    command = [AUXIVA, "separate", str(recording), "-o", str(folder / "out"), "--force", "--json"]
    report = folder / "report.json"
    begin = time.perf_counter()
    with report.open("wb") as stdout:
        process = subprocess.Popen([*command, "--quiet", *options], stdout=stdout)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    stages = json.loads(report.read_text(encoding="utf-8"))["stages"]
    kibibyte = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_maxrss * kibibyte, stages[-1]["costs"])


def compare_streamed(example: Example, folder: Path, n_iter: str) -> tuple[float, float]:
    """Separate ten minutes in memory and streamed.

    Returns
    -------
    difference : float, dB
        How far what differs lies below the outputs, paired by likeness.
    cost : float
        Relative difference of the final costs.
    """
    recording = compose(example, HOUR / 6, folder / "long.wav")
    options = ["-n", n_iter, "--tol", "0", "--subtype", "float"]
    runs, outputs = [], []
    for budget in ("8GiB", "512MiB"):
        runs.append(separate(recording, folder, [*options, "--max-memory", budget]))
        paths = sorted((folder / "out").glob("long_src*.wav"))
        outputs.append(np.array([soundfile.read(path, dtype="float32")[0] for path in paths]))
    in_memory, streamed = outputs
    errors = [[np.sum((a - b) ** 2) for b in in_memory] for a in streamed]
    pairs = linear_sum_assignment(errors)  # sources of like levels may come in another order
    difference = np.array(errors)[pairs].sum() / np.sum(in_memory**2)
    final_in_memory, final_streamed = (run.costs[-1] for run in runs)
    cost = abs(final_streamed - final_in_memory) / abs(final_in_memory)
    return -10 * float(np.log10(max(difference, 1e-30))), cost


def row(label: str, run: Run, seconds: float) -> list[str]:
    """Return a row of the table."""
    share = 100 * run.seconds / seconds
    return [label, f"{run.seconds:.1f}", f"{share:.2f} %", f"{run.peak / 2**20:.0f}"]


def long_part(
    machine: str, rows: Sequence[Sequence[str]], streamed: tuple[float, float], n_iter: int
) -> str:
    """Describe long recordings."""
    difference, cost = streamed
    header = ["", "wall time, s", "of real time", "peak memory, MiB"]
    return (
        "## Long recordings\n\n`make bench-long` measures this part again.\n\n"
        f"{machine}\n16 kHz, 16 bits, {n_iter} iterations, default model, from process start to "
        f"exit.\n\n{table(header, rows)}\n"
        "Ten minutes, 4 channels, with 512 MiB (the first iterations see a sample, then all is "
        "streamed) against everything in memory: what differs lies "
        f"{difference:.0f} dB below the outputs; their final costs differ by {cost:.0e}.\n"
    )


if __name__ == "__main__":
    main()
