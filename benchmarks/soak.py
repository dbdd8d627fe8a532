"""Hours of hard use: kills, thousands of recordings, gigabytes, a day of sound.

    python -m benchmarks.soak [--kills N] [--seed N] [--batch N] [--cluster N] [--gigabytes N]
                              [--hours N]

Prints its figures, and leaves with 1 if something was lost, half-written or left behind.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 16_000
SAMPLES = Path(__file__).parents[1] / "sample_audio" / "two_speakers_mix.wav"
COMMAND = [sys.executable, "-W", "error", "-m", "auxiva_cli", "separate", "-s", "2"]
KILL_SECONDS = 5.0
SET_FILES = 3  # two outputs, and who speaks when
QUICK = ["-n", "4", "--n-fft", "1024"]
RECORDINGS, KILLED_AFTER = 20, (0.2, 2.0)  # of the kills; seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000, help="SIGKILLs at random moments")
    parser.add_argument("--batch", type=int, default=10_000, help="short recordings in a batch")
    parser.add_argument("--cluster", type=int, default=300, help="recordings for dying workers")
    parser.add_argument("--gigabytes", type=float, default=6.0, help="size of one WAV file")
    parser.add_argument("--hours", type=float, default=24.0, help="length of one recording")
    parser.add_argument("--seed", type=int, default=0, help="other moments of the kills")
    asked = parser.parse_args()
    faults = 0
    parts: list[tuple[Callable[[Path, float], int], float]] = [
        (partial(kills, seed=asked.seed), asked.kills),
        (batch, asked.batch),
        (cluster, asked.cluster),
        (by_path, asked.gigabytes),
        (by_pipe, asked.gigabytes),
        (day, asked.hours),
    ]
    for part, amount in parts:
        if amount:
            with tempfile.TemporaryDirectory(prefix="auxiva-soak-") as place:
                faults += part(Path(place), amount)
    print(f"{faults} faults")
    return 1 if faults else 0


def kills(place: Path, count: float, *, seed: int = 0) -> int:
    """Kill a batch again and again, each time resumed: whole files, and the same in the end.

    A set of which a kill leaves only some files must be completed by the next run.
    """
    recordings = place / "in"
    recordings.mkdir()
    voice, _ = soundfile.read(SAMPLES, stop=2 * SAMPLE_RATE)
    for k in range(RECORDINGS):
        soundfile.write(recordings / f"{k:02}.wav", np.roll(voice, 997 * k, axis=0), SAMPLE_RATE)
    whole, killed = place / "whole", place / "killed"
    line = [*COMMAND, *QUICK, str(recordings), "--activity", "rttm", "--skip-existing", "-q"]
    run([*line, "-o", str(whole)])
    line += ["-o", str(killed)]
    draw = random.Random(seed)
    damaged, torn = 0, set[str]()
    for _ in range(int(count)):
        if len(list(killed.glob("[!.]*"))) == SET_FILES * RECORDINGS:
            shutil.rmtree(killed)
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(draw.uniform(*KILLED_AFTER))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        files = list(killed.glob("[!.]*"))
        damaged += sum(path.read_bytes() != (whole / path.name).read_bytes() for path in files)
        sets = Counter(path.stem.partition("_")[0] for path in files)
        torn |= {stem for stem, n_files in sets.items() if n_files < SET_FILES}
    run(line)
    strays = {path.name for path in killed.iterdir()} ^ {path.name for path in whole.iterdir()}
    print(
        f"{count:.0f} kills: {damaged} damaged files, {len(torn)} sets that the next run had to "
        f"complete, {len(strays)} strays or missing"
    )
    return damaged + len(strays)


def batch(place: Path, count: float) -> int:
    """Separate thousands of short recordings in one run."""
    recordings, out = place / "in", place / "out"
    recordings.mkdir()
    voice, _ = soundfile.read(SAMPLES, stop=2 * SAMPLE_RATE)
    for k in range(int(count)):
        soundfile.write(recordings / f"{k:05}.wav", voice, SAMPLE_RATE)
    line = [*COMMAND, "-n", "2", "--n-fft", "512", str(recordings), "-o", str(out), "-q", "-j", "2"]
    seconds, peak = run(line)
    missing = 2 * int(count) - len(list(out.iterdir()))
    print(f"{count:.0f} recordings: {seconds:.0f} s, {peak} MiB, {missing} outputs missing")
    return abs(missing)


def cluster(place: Path, count: float) -> int:
    """Separate recordings on a cluster whose workers die, and by a command that dies."""
    recordings, whole = place / "in", place / "whole"
    recordings.mkdir()
    voice, _ = soundfile.read(SAMPLES)
    voice = np.tile(voice, (10, 1))[: 10 * SAMPLE_RATE]
    for k in range(int(count)):
        rolled = np.roll(voice, 997 * k, axis=0)
        soundfile.write(recordings / f"{k:03}.wav", rolled, SAMPLE_RATE)
    line = [*COMMAND, *QUICK, str(recordings), "-q"]
    run([*line, "-o", str(whole), "-j", "2"])
    faults = 0
    with Workers(place) as workers:
        line += ["--cluster", str(workers.file)]
        figures = {}
        for n in (1, 2):
            workers.resize(n)
            begin = time.monotonic()
            seconds, code = timed([*line, "-o", str(place / f"by{n}")], lambda: None)
            figures[n] = count / (time.monotonic() - begin)
            faults += compared(whole, place / f"by{n}", f"{n} workers, exit code {code}")
        print(
            f"{figures[1]:.2f} and {figures[2]:.2f} recordings a second by 1 and 2 workers "
            f"({figures[2] / figures[1]:.2f} times), {1000 * seconds / count:.1f} ms of the "
            "command's time each"
        )
        workers.resize(3)
        out = place / "deadly"
        _, code = timed([*line, "-o", str(out)], workers.kill_one)
        title = f"{count:.0f} recordings, {workers.n_killed} workers killed, exit code {code}"
        faults += compared(whole, out, title)
        out, begin, n_killed = place / "killed", time.monotonic(), 0
        again = [*line, "-o", str(out), "--skip-existing"]
        while time.monotonic() < begin + 0.8 * count / figures[2]:
            process = subprocess.Popen(again, stderr=subprocess.DEVNULL)
            time.sleep(KILL_SECONDS)
            n_killed += process.poll() is None
            process.kill()
            process.wait()
        _, code = timed(again, lambda: None)
        title = f"{count:.0f} recordings, the command killed {n_killed} times, exit code {code}"
        faults += compared(whole, out, title)
    return faults


def timed(line: list[str], meanwhile: Callable[[], None]) -> tuple[float, int]:
    """Run a command, do something every few seconds; return its CPU time (s) and exit code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(line)
    while True:
        try:
            process.wait(KILL_SECONDS)
            break
        except subprocess.TimeoutExpired:
            meanwhile()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, process.returncode


def compared(whole: Path, out: Path, title: str) -> int:
    """Count the files of a directory that are missing, too many, or of other bytes."""
    strays = {path.name for path in out.iterdir()} ^ {path.name for path in whole.iterdir()}
    same = [path for path in out.iterdir() if path.name not in strays]
    other = sum(path.read_bytes() != (whole / path.name).read_bytes() for path in same)
    print(f"{title}: {len(strays)} strays or missing, {other} of other bytes")
    return len(strays) + other


class Workers:
    """A scheduler and workers of this machine; a context manager."""

    def __init__(self, place: Path) -> None:
        self.file = place / "scheduler.json"
        self.n_killed = 0
        self._place = place
        self._draw = random.Random(0)
        self._workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Workers:
        self._scheduler = self._dask("scheduler", "--host", "127.0.0.1", "--port", "0")
        while not self.file.exists():
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self._workers, self._scheduler):
            process.kill()
            process.wait()

    def resize(self, n_workers: int) -> None:
        """Have so many workers."""
        while len(self._workers) < n_workers:
            self._workers.append(self._dask("worker", "--no-nanny", "--nthreads", "1"))

    def kill_one(self) -> None:
        """Kill a worker, and start another."""
        process = self._workers.pop(self._draw.randrange(len(self._workers)))
        process.kill()
        process.wait()
        self.n_killed += 1
        self.resize(len(self._workers) + 1)

    def _dask(self, *arguments: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(self.file)]
        with (self._place / "cluster.log").open("ab") as log:
            return subprocess.Popen([*line, "--no-dashboard"], stdout=log, stderr=log)


def by_path(place: Path, gigabytes: float) -> int:
    """Separate a WAV file of more than 4 GiB."""
    recording = sparse(place / "long.wav", int(gigabytes * 2**30 / 4 / SAMPLE_RATE))
    line = [*COMMAND, *QUICK, str(recording), "-o", str(place / "out"), "-q"]
    return _long(line, place, recording, f"{gigabytes:g} GiB by path")


def by_pipe(place: Path, gigabytes: float) -> int:
    """Separate as much from a pipe."""
    recording = sparse(place / "long.wav", int(gigabytes * 2**30 / 4 / SAMPLE_RATE))
    line = ["sh", "-c", f"cat '{recording}' | exec \"$@\"", "sh", *COMMAND, *QUICK, "-"]
    line += ["-o", str(place / "out"), "-q", "--stem", "long"]
    return _long(line, place, recording, f"{gigabytes:g} GiB by pipe")


def day(place: Path, hours: float) -> int:
    """Separate a day in which somebody talks for a few seconds every ten minutes."""
    recording = sparse(place / "long.wav", int(3600 * hours))
    line = [*COMMAND, *QUICK, str(recording), "-o", str(place / "out"), "-q"]
    return _long(line, place, recording, f"{hours:g} h")


def _long(line: list[str], place: Path, recording: Path, title: str) -> int:
    """Run a command on a long recording, and compare the lengths."""
    seconds, peak = run(line)
    n_samples = soundfile.info(recording).frames
    outputs = sorted((place / "out").iterdir())
    faults = 2 - len(outputs) + sum(soundfile.info(p).frames != n_samples for p in outputs)
    print(f"{title}: {seconds:.0f} s, {peak} MiB, {faults} faults")
    return faults


def sparse(path: Path, seconds: int) -> Path:
    """Write two channels of silence, a file with holes, with talk every ten minutes."""
    voice, _ = soundfile.read(SAMPLES, dtype="int16")
    frames = seconds * SAMPLE_RATE
    with soundfile.SoundFile(
        path, "w", SAMPLE_RATE, channels=2, subtype="PCM_16", format="RF64"
    ) as file:
        file.seek(frames - 1)
        file.write(np.zeros((1, 2), np.int16))
        for start in range(0, max(frames - len(voice), 1), 600 * SAMPLE_RATE):
            file.seek(start)
            file.write(voice[: frames - start])
    return path


def run(line: list[str]) -> tuple[float, int]:
    """Run a command; return how long it took (s), and the peak of its memory (MiB)."""
    begin = time.monotonic()
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or said:
        print(f"exit code {process.returncode}: {said[-500:]}")
    return time.monotonic() - begin, usage.ru_maxrss // 1024


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
