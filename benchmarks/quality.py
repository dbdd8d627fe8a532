"""Measure how well speakers are separated, beside the peers and the best linear filter.

Writes the tables of ``QUALITY.md`` beside this file.  It takes hours; what has been measured is
kept and written when it is stopped, by Ctrl-C or after some minutes, and it goes on from there::

    git worktree add ../auxiva-0.1 bf6134e
    python -m benchmarks.quality --speech DIR --beside ../auxiva-0.1 --minutes 10
    python -m benchmarks.quality --speech DIR --what lengths --mixtures 5
    benchmarks/.venv/bin/python -m benchmarks.quality --speech DIR --what peers --mixtures 5

``--speech`` is a folder of recordings of one speaker each, at 16 kHz, as many as possible.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auxiva_cli.evaluation import si_bss_eval
from auxiva_cli.listening.stft import fast_n_fft
from benchmarks.mixtures import Example
from benchmarks.report import table, write_part
from benchmarks.rooms import GROUPS, LENGTHS, ONE, RT60, Group, lengths_group, read_people
from benchmarks.scores import Score, Scores
from benchmarks.separators import (
    PEERS,
    Timed,
    best_linear_filter,
    itself,
    of_checkout,
    other_half,
    ours,
    published,
    timed,
)

HERE = Path(__file__).parent
RESULTS = HERE / "QUALITY.md"
# What a mixture has to gain to count as separated, and what counts as worse, in dB.
SEPARATED, WORSE = 3.0, 1.0
ITSELF, PUBLISHED, BEFORE, OURS = "mixture", "published", "0.1", "ours"
BEST, FAIR = "best linear filter", "learnt on the other half"
SHORTER = "ours, 512 ms"
METHODS: dict[str, Timed] = {
    name: timed(separator)
    for name, separator in {
        ITSELF: itself,
        PUBLISHED: published,
        OURS: ours(),
        BEST: best_linear_filter,
        FAIR: other_half,
        SHORTER: lambda example: ours(n_fft=fast_n_fft(0.512, example.sample_rate))(example),
        **PEERS,
    }.items()
}
COMPARED = (ITSELF, PUBLISHED, BEFORE, OURS, BEST, FAIR)


@dataclass(frozen=True)
class Quality(Score):
    """What a method made of a mixture.

    Attributes
    ----------
    sdr, sir : float
        SI-SDR and SI-SIR in dB, means over the speakers.
    seconds : float
        Of the processor.
    """

    sdr: float
    sir: float
    seconds: float


def measure(group: Group, number: int, name: str, example: Example, method: Timed) -> Quality:
    """Separate a mixture, and compare the outputs with the speakers."""
    estimates, seconds = method(example)
    scores = si_bss_eval(example.references, estimates)
    sdr, sir = float(np.mean(scores.sdr)), float(np.mean(scores.sir))
    return Quality(group.name, number, name, sdr, sir, seconds)


def measure_all(
    groups: Sequence[Group],
    methods: Mapping[str, Timed],
    scores: Scores[Quality],
    *,
    speech: Path,
    n_mixtures: int,
    seed: int,
    until: float,
) -> bool:
    """Score what has not been scored yet, until a time; return whether that is all."""
    people = read_people(speech)
    missing: set[str] = set()
    for group, number in itertools.product(groups, range(n_mixtures)):
        left = [name for name in methods if (group.name, number, name) not in scores]
        if not set(left) - missing:
            continue
        if time.monotonic() > until:
            return False
        example = group.example(people, number, seed)
        for name in left:
            if name in missing:
                continue
            try:
                found = measure(group, number, name, example, methods[name])
            except ImportError as error:
                print(f"{name}: left out, {error}")
                missing.add(name)
                continue
            scores.add(found)
            print(found, flush=True)
    return True


def compared_table(scores: Scores[Quality]) -> str:
    """Return the SI-SDR of all methods in each group."""
    rows = []
    for group in GROUPS:
        found = scores.common(group.name, COMPARED)
        if found[OURS]:
            rows.append(
                [group.name, f"{len(found[OURS])}", *(f"{_sdr(found[m]):.1f}" for m in COMPARED)]
            )
    return table(("", "mixtures", *COMPARED), rows)


def single_table(scores: Scores[Quality]) -> str:
    """Return what becomes of single mixtures in each group of several speakers."""
    rows = []
    for group in GROUPS:
        found = scores.common(group.name, COMPARED)
        if not found[OURS] or group.name == ONE:
            continue
        own, gains = found[OURS], _over(found[OURS], found[ITSELF])
        over_published, over_before = (_over(own, found[name]) for name in (PUBLISHED, BEFORE))
        rows.append(
            [
                group.name,
                f"{np.mean([each.sir for each in own]):.1f}",
                f"{np.sum(gains < SEPARATED)}",
                f"{np.sum(over_published < -WORSE)}",
                f"{np.sum(over_before < -WORSE)}",
                f"{np.sum(over_before > WORSE)}",
                f"{over_before.min():+.1f}",
                f"{over_before.max():+.1f}",
                f"{_seconds(own) / _seconds(found[BEFORE]):.2f}",
            ]
        )
    header = (
        "",
        "SI-SIR, dB",
        f"gained under {SEPARATED:g} dB",
        "below published",
        "below 0.1",
        "above 0.1",
        "worst",
        "best",
        "time",
    )
    return table(header, rows)


def peers_table(scores: Scores[Quality]) -> str:
    """Return the SI-SDR of the peers, on the mixtures that they were given."""
    tried = [name for name in PEERS if any(scores.common(g.name, [name])[name] for g in GROUPS)]
    names = [PUBLISHED, OURS, *tried]
    rows = []
    for group in GROUPS:
        found = scores.common(group.name, names)
        if tried and found[OURS]:
            rows.append(
                [group.name, f"{len(found[OURS])}", *(f"{_sdr(found[m]):.1f}" for m in names)]
            )
    return table(("", "mixtures", *names), rows)


def lengths_table(scores: Scores[Quality]) -> str:
    """Return what the window of 1 s gains over the one of half a second."""
    rows = []
    for n_src, seconds in LENGTHS:
        cells = []
        for rt60 in RT60:
            name = lengths_group(n_src, seconds, rt60).name
            found = scores.common(name, (OURS, SHORTER))
            over = _over(found[OURS], found[SHORTER])
            cells.append(
                f"{over.mean():+.1f} ({over.min():+.1f}; {len(over)})" if len(over) else ""
            )
        rows.append([f"{n_src} speakers, {seconds} s", *cells])
    return table(("", *(f"RT60 {rt60} s" for rt60 in RT60)), rows)


def _sdr(own: Sequence[Quality]) -> float:
    """Return the mean SI-SDR in dB."""
    return float(np.mean([each.sdr for each in own]))


def _over(own: Sequence[Quality], other: Sequence[Quality]) -> np.ndarray:
    """Return by how many dB each mixture is better."""
    return np.array([a.sdr - b.sdr for a, b in zip(own, other, strict=True)])


def _seconds(own: Sequence[Quality]) -> float:
    """Return the processor time in all."""
    return sum(each.seconds for each in own)


def main() -> None:
    """Simulate, measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--speech", type=Path, required=True, help="folder of one-speaker recordings"
    )
    parser.add_argument("--beside", type=Path, help="checkout of version 0.1")
    parser.add_argument("--what", choices=("groups", "lengths", "peers"), default="groups")
    parser.add_argument("--only", default="", help="groups whose names have this in them")
    parser.add_argument("--mixtures", type=int, default=20, help="of each group")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after these, for now")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    groups, names = GROUPS, [name for name in COMPARED if name in METHODS]
    if options.what == "lengths":
        groups = tuple(lengths_group(*length, rt60) for length in LENGTHS for rt60 in RT60)
        names = [OURS, SHORTER]
    elif options.what == "peers":
        names = list(PEERS)
    methods = {name: METHODS[name] for name in names}
    if options.beside and options.what == "groups":
        methods[BEFORE] = of_checkout(options.beside.resolve())
    name = options.speech.resolve().name
    scores = Scores(HERE / ".quality" / f"{name}-{options.seed}.jsonl", Quality)
    try:
        done = measure_all(
            [group for group in groups if options.only in group.name],
            methods,
            scores,
            speech=options.speech,
            n_mixtures=options.mixtures,
            seed=options.seed,
            until=time.monotonic() + 60 * options.minutes,
        )
    except KeyboardInterrupt:
        done = False
    for part, text in (
        ("compared", compared_table(scores)),
        ("single", single_table(scores)),
        ("lengths", lengths_table(scores)),
        ("peers", peers_table(scores)),
    ):
        write_part(part, text, RESULTS)
    print("All is measured." if done else "There is more to measure: run it again.")


if __name__ == "__main__":
    main()
