"""Race the update rules over simulated rooms, and write the result into RACE.md.

make race SPEECH=folder     # mono recordings of one speaker each, of one sample rate
make race                   # the synthetic voices of sample_audio
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.audio import open_recording
from auxiva_cli.comparison import Judge, race
from auxiva_cli.config import Settings
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.parallel import Threads, available_cpus
from auxiva_cli.simulation import Scene, simulate_room
from benchmarks.race_report import RULES, Result, write_report

if TYPE_CHECKING:
    from auxiva_cli.bss.whitening import Whitening
    from auxiva_cli.comparison import Point

HERE = Path(__file__).parent
SAMPLE_AUDIO = HERE.parent / "sample_audio"
# Rooms of each kind, by the number of sources.
N_ROOMS = {2: 10, 3: 10, 4: 10, 6: 5}

Array = NDArray[np.float64]


class SirJudge(Judge):
    """Leaves out the SI-SDR, which takes longer to measure than an iteration."""

    def si_sdr(self, W: Array, whitening: Whitening) -> float:
        """Return NaN."""
        return math.nan


def main() -> None:
    """Run the race and write its table, its picture and its numbers."""
    options = _parse()
    speakers, sample_rate = read_speech(options.speech)
    results: list[Result] = []
    for n_src in options.sources:
        if n_src > len(speakers):
            print(f"{n_src} sources are left out: there are only {len(speakers)} speakers")
            continue
        for snr in options.snr:
            results += _race_rooms(speakers, sample_rate, n_src, snr, options)
    write_report(results, HERE)


def _parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("speech", nargs="?", type=Path, help="folder of speech, a speaker a file")
    parser.add_argument("--sources", type=int, nargs="+", choices=N_ROOMS, default=list(N_ROOMS))
    parser.add_argument("--snr", type=int, nargs="+", default=[5, 15, 25], help="dB")
    parser.add_argument("--rooms", type=int, help="rooms of each kind")
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=15.0, help="length of a mixture")
    parser.add_argument("--threads", type=int, default=available_cpus())
    return parser.parse_args()


def read_speech(folder: Path | None) -> tuple[list[Array], int]:
    """Return the speakers' recordings and their sample rate."""
    paths = sorted(folder.iterdir()) if folder else sorted(SAMPLE_AUDIO.glob("*_ref*.flac"))
    speakers, rates = [], set()
    for path in paths:
        with open_recording(path) as recording:
            speakers.append(recording.read(0, recording.n_samples)[0])
            rates.add(recording.sample_rate)
    (sample_rate,) = rates
    return speakers, sample_rate


def make_rooms(
    speakers: Sequence[Array], sample_rate: int, n_src: int, snr: int, n_rooms: int, seconds: float
) -> Iterator[Scene]:
    """Yield the rooms of one kind; the same rooms and speakers at every SNR."""
    for number in range(n_rooms):
        chosen = np.random.default_rng(number).permutation(len(speakers))[:n_src]
        length = round(seconds * sample_rate)
        yield simulate_room(
            [speakers[k][:length] for k in chosen], sample_rate=sample_rate, snr=snr, seed=number
        )


def _race_rooms(
    speakers: Sequence[Array],
    sample_rate: int,
    n_src: int,
    snr: int,
    options: argparse.Namespace,
) -> Iterator[Result]:
    """Race through the rooms of one kind."""
    n_rooms = options.rooms or N_ROOMS[n_src]
    rooms = make_rooms(speakers, sample_rate, n_src, snr, n_rooms, options.seconds)
    for number, scene in enumerate(rooms):
        mixture = ArrayMixture(scene.mixture, sample_rate)
        references = [ArrayMixture(scene.references, sample_rate)]
        with Threads(options.threads) as threads:
            for rule in RULES:
                settings = Settings(
                    algorithm=rule, model="laplace", max_iter=options.iterations, tol=0.0
                )
                judge = SirJudge(mixture, references, settings, threads=threads)
                run = race(mixture, settings, judge=judge, threads=threads, passed=ignore)
                result = Result(n_src, snr, number, run)
                print(
                    f"{n_src} sources, {snr} dB, room {number}: {rule} {result.iterations} "
                    f"iterations, {result.seconds:.2f} s, {run.best.si_sir:.1f} dB",
                    flush=True,
                )
                yield result


def ignore(point: Point) -> None:
    """Show nothing on the way."""


if __name__ == "__main__":
    main()
