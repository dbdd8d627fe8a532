"""Hours of hard use: kills, thousands of recordings, gigabytes, a day of sound.

    python -m benchmarks.soak [--kills N] [--batch N] [--gigabytes N] [--hours N] [--seed N]

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
COMMAND = [sys.executable, "-W", "error", "-m", "auxiva_cli", "separate"]
QUICK = ["-n", "4", "--n-fft", "1024"]
RECORDINGS, KILLED_AFTER = 20, (0.2, 2.0)  # of the kills; seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000, help="SIGKILLs at random moments")
    parser.add_argument("--batch", type=int, default=10_000, help="short recordings in a batch")
    parser.add_argument("--gigabytes", type=float, default=6.0, help="size of one WAV file")
    parser.add_argument("--hours", type=float, default=24.0, help="length of one recording")
    parser.add_argument("--seed", type=int, default=0, help="other moments of the kills")
    asked = parser.parse_args()
    faults = 0
    parts: list[tuple[Callable[[Path, float], int], float]] = [
        (partial(kills, seed=asked.seed), asked.kills),
        (batch, asked.batch),
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
    run([*COMMAND, *QUICK, str(recordings), "-o", str(whole), "-q"])
    draw = random.Random(seed)
    damaged, torn = 0, set[str]()
    for _ in range(int(count)):
        if len(list(killed.glob("*.wav"))) == 2 * RECORDINGS:
            shutil.rmtree(killed)
        line = [*COMMAND, *QUICK, str(recordings), "-o", str(killed), "--skip-existing", "-q"]
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(draw.uniform(*KILLED_AFTER))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        outputs = list(killed.glob("*.wav"))
        damaged += sum(path.read_bytes() != (whole / path.name).read_bytes() for path in outputs)
        sets = Counter(path.name.partition("_")[0] for path in outputs)
        torn |= {stem for stem, n_files in sets.items() if n_files == 1}
    run([*COMMAND, *QUICK, str(recordings), "-o", str(killed), "--skip-existing", "-q"])
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
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        print(f"exit code {done.returncode}: {done.stderr[-500:]}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return time.monotonic() - begin, peak


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
