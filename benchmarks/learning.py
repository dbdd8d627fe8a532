"""Measure how well long recordings are separated by how much of them is learnt from.

Writes its part of ``RESULTS.md``.  Several people of a folder speak one after the other from each
seat of a simulated room, for 5 min: all at once, or by turns.  What has been measured is kept, and
it goes on from there::

    python -m benchmarks.learning --speech DIR --minutes 10
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auxiva_cli import memory, separate
from auxiva_cli.evaluation import si_bss_eval
from auxiva_cli.observer import Observer, Plan
from benchmarks.mixtures import Example
from benchmarks.report import table, write_part
from benchmarks.rooms import GROUPS, lengths_group, read_people
from benchmarks.scores import Score, Scores

SCORES = Path(__file__).parent / ".learning" / "scores.jsonl"
MINUTES = 5
KINDS = (
    *(lengths_group(n_src, 60 * MINUTES, rt60) for n_src in (2, 3, 4) for rt60 in (0.2, 0.45)),
    next(group for group in GROUPS if group.name.startswith(f"turns, {MINUTES} min")),
)
DEFAULT = memory.FRAMES_PER_SOURCE
EVERYTHING = "all"
FRAMES = (50, 80, 125, DEFAULT, 250, 350)
METHODS = (*map(str, FRAMES), EVERYTHING)


@dataclass(frozen=True)
class Learning(Score):
    """What became of a recording.

    Attributes
    ----------
    sdr : float
        SI-SDR in dB, the mean over the speakers.
    n_frames : int
        How many frames were learnt from.
    seconds : float
        Of the processor.
    """

    sdr: float
    n_frames: int
    seconds: float


class Planned(Observer):
    """Takes down how many frames are learnt from."""

    n_frames = 0

    def started(self, plan: Plan) -> None:
        """Take it down."""
        self.n_frames = plan.memory.n_sample


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, required=True, help="folder of recordings")
    parser.add_argument("--mixtures", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after these, for now")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    until = time.monotonic() + 60 * arguments.minutes
    people, scores = read_people(arguments.speech), Scores(SCORES, Learning)
    for number in range(arguments.mixtures):
        group, example = KINDS[number % len(KINDS)], None
        for method in METHODS:
            if ("", number, method) in scores or time.monotonic() > until:
                continue
            example = example or group.example(people, number, arguments.seed)
            scores.add(learnt_from(method, example, number))
    write_part("learning", learning_part(scores))


def learnt_from(method: str, example: Example, number: int) -> Learning:
    """Separate, with so many frames an output to learn from."""
    if method != EVERYTHING:
        memory.FRAMES_PER_SOURCE = int(method)
    planned, begin = Planned(), time.process_time()
    found = separate(
        example.mixture,
        example.sample_rate,
        n_src=len(example.references),
        ref_chan=0,
        motion="off",
        learn_all=method == EVERYTHING,
        n_threads=1,
        observer=planned,
    )
    seconds = time.process_time() - begin
    sdr = float(np.mean(si_bss_eval(example.references, found.sources).sdr))
    return Learning("", number, method, sdr, planned.n_frames, seconds)


def learning_part(scores: Scores[Learning]) -> str:
    """Describe how well they were separated."""
    common = scores.common("", METHODS)
    reference = np.array([own.sdr for own in common[EVERYTHING]])
    seconds = sum(own.seconds for own in common[EVERYTHING])
    n_frames = sum(own.n_frames for own in common[EVERYTHING])
    rows = []
    for method, found in common.items():
        lost = np.array([own.sdr for own in found]) - reference
        label = f"{method}, the default" if method == str(DEFAULT) else method
        rows.append(
            [
                label,
                f"{100 * sum(own.n_frames for own in found) / n_frames:.0f} %",
                f"{np.mean([own.sdr for own in found]):.2f}",
                f"{lost.mean():+.2f}",
                f"{lost.min():+.2f}",
                f"{sum(own.seconds for own in found) / seconds:.2f}",
            ]
        )
    header = ["frames an output", "learnt from", "SI-SDR, dB", "to all", "worst", "time"]
    return (
        "## How much is learnt from\n\n`python -m benchmarks.learning --speech DIR` measures this "
        f"part again.\n\n{len(reference)} simulated recordings of {MINUTES} min, two to four "
        "speakers and as many microphones, all at once or by turns, RT60 0.15 to 0.5 s. An even "
        "sample of the frames that sound; what the worst mixture lost to learning from all; "
        f"processor time relative to that.\n\n{table(header, rows)}"
    )


if __name__ == "__main__":
    main()
