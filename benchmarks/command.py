"""The command as its users run it, from process start to exit."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.mixtures import Example, save_wav

__all__ = ["measure_command"]

AUXIVA = str(Path(sys.executable).parent / "auxiva")
# Everything that `auxiva separate` imports.
IMPORTS = "import auxiva_cli.cli.main, auxiva_cli.batch.jobs, auxiva_cli.cli.progress, " + (
    "auxiva_cli.cli.report, auxiva_cli.cli.separate, auxiva_cli.batch.work"
)
N_ROUNDS = 5


def measure_command(example: Example) -> dict[str, float]:
    """Return the median wall time (s) of ways to run the command on a recording, alternating."""
    with tempfile.TemporaryDirectory() as folder:
        one = str(save_wav(Path(folder) / "one.wav", example))
        two = str(save_wav(Path(folder) / "two.wav", example))
        out = str(Path(folder) / "out")

        def separate(*arguments: str) -> list[str]:
            return [AUXIVA, "separate", *arguments, "-o", out, "-n", "30", "--force", "--quiet"]

        ways: dict[str, Callable[[], None]] = {
            "start-up: the interpreter and all imports": _alone([sys.executable, "-c", IMPORTS]),
            "`auxiva separate`": _alone(separate(one)),
            "`auxiva separate --model laplace`": _alone(separate(one, "--model", "laplace")),
            "`auxiva separate --threads 1`": _alone(separate(one, "--threads", "1")),
            "two recordings, one run after the other": _in_turn([separate(one), separate(two)]),
            "two recordings, two runs side by side": _together([separate(one), separate(two)]),
            "two recordings, `-j 2`": _alone(separate(one, two, "-j", "2")),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(N_ROUNDS):
            for name, run in ways.items():
                begin = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - begin)
    return {name: median(times) for name, times in seconds.items()}


def _alone(command: Sequence[str]) -> Callable[[], None]:
    """Return a function that runs a command."""
    return lambda: _wait([subprocess.Popen(command)])


def _in_turn(commands: Sequence[Sequence[str]]) -> Callable[[], None]:
    """Return a function that runs commands one after the other."""

    def run() -> None:
        for command in commands:
            _wait([subprocess.Popen(command)])

    return run


def _together(commands: Sequence[Sequence[str]]) -> Callable[[], None]:
    """Return a function that runs commands at the same time."""
    return lambda: _wait([subprocess.Popen(command) for command in commands])


def _wait(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait for processes, all of which have to succeed."""
    for process in processes:
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, process.args)
