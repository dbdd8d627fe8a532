"""Measure how well mixtures are recognised, before and after their separation.

Writes ``RECOGNITION.md`` beside this file.  Synthetic voices read known sentences, or the
recordings of a folder with transcripts are taken; rooms are simulated, separated, and each
sentence is recognised.  It takes hours; what has been measured is kept and written when it is
stopped, by Ctrl-C or after some minutes, and it goes on from there::

    python -m benchmarks.recognise --minutes 10
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.recognition.recogniser import Recogniser, pronounced_words
from benchmarks.recognition.report import write_report
from benchmarks.recognition.scenes import KINDS, Kind, SpokenExample, make
from benchmarks.recognition.scores import Heard
from benchmarks.recognition.scoring import measure
from benchmarks.recognition.speech import Sentence, find_sentences
from benchmarks.recognition.voices import missing_programs, read_aloud
from benchmarks.scores import Scores
from benchmarks.separators import best_linear_filter, ours, published

Array = NDArray[Any]
HERE = Path(__file__).parent
CACHE = HERE / ".recognition"
PACKAGES = "flite festival festvox-kdlpc16k"  # of Debian
# Where there are more microphones than speakers; elsewhere it is "ours".
REST = "ours, --rest --mask"
METHODS: dict[str, Callable[[SpokenExample], Array]] = {
    "image": lambda example: example.references,
    "mixture": lambda example: np.repeat(example.mixture[:1], len(example.references), axis=0),
    "published model": published,
    "ours": ours(),
    "ours, --dereverb": ours(dereverb=True),
    "ours, --dereverb --mask": ours(dereverb=True, mask=True),
    REST: ours(rest=True, mask=True),
    "best linear filter": partial(best_linear_filter, n_fft=8192),
}


def understandable(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Return the sentences whose words all have a known pronunciation."""
    known = pronounced_words()
    return [
        sentence for sentence in sentences if sentence.words and known.issuperset(sentence.words)
    ]


def methods_for(kind: Kind) -> list[str]:
    """Return what is tried on a kind of room."""
    return [name for name in METHODS if name != REST or kind.n_mics > kind.n_src]


def measure_all(
    kinds: Sequence[Kind],
    n_mixtures: int,
    sentences: Sequence[Sentence],
    scores: Scores[Heard],
    *,
    seed: int,
    n_each: int | None,
    until: float,
) -> bool:
    """Score what has not been scored yet, until a time; return whether that is all."""
    recogniser = Recogniser(sorted({sentence.words for sentence in sentences}))
    for number, kind in itertools.product(range(n_mixtures), kinds):
        left = [name for name in methods_for(kind) if (kind.name, number, name) not in scores]
        if not left:
            continue
        example = make(kind, sentences, seed + number)
        for name in left:
            if time.monotonic() > until:
                return False
            estimates = METHODS[name](example)
            found = measure(
                kind.name,
                number,
                name,
                example=example,
                estimates=estimates,
                recogniser=recogniser,
                n_each=n_each,
            )
            scores.add(found)
            print(found, flush=True)
    return True


def possible(kinds: Sequence[Kind], sentences: Sequence[Sentence]) -> list[Kind]:
    """Return the kinds of rooms for which there are enough people."""
    n_people = len({sentence.speaker for sentence in sentences})
    for kind in kinds:
        if kind.n_people > n_people:
            print(f"{kind.name}: left out, takes {kind.n_people} people, and there are {n_people}")
    return [kind for kind in kinds if kind.n_people <= n_people]


def main() -> None:
    """Have the sentences read, measure, and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--speech", type=Path, help="folder of recordings with transcripts")
    names = [kind.name for kind in KINDS]
    parser.add_argument("--kinds", nargs="+", default=names, choices=names, metavar="KIND")
    parser.add_argument("--mixtures", type=int, default=8, help="of each kind")
    parser.add_argument("--each", type=int, help="sentences of each speaker to recognise, not all")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after these, for now")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    speech = options.speech or CACHE / "voices"
    if not options.speech:
        if missing := missing_programs():
            parser.error(f"no {' and no '.join(missing)}: apt-get install {PACKAGES}")
        read_aloud(speech)
    sentences = understandable(find_sentences(speech))
    if not sentences:
        parser.error(f"no recording in {speech} has a transcript of known words")
    kinds = possible([kind for kind in KINDS if kind.name in options.kinds], sentences)
    name = speech.resolve().name
    scores = Scores(CACHE / f"{name}-{options.seed}-{options.each or 'all'}.jsonl", Heard)
    until = time.monotonic() + 60 * options.minutes
    try:
        done = measure_all(
            kinds,
            options.mixtures,
            sentences,
            scores,
            seed=options.seed,
            n_each=options.each,
            until=until,
        )
    except KeyboardInterrupt:
        done = False
    tried = {kind.name: methods_for(kind) for kind in KINDS}
    write_report(scores, tried, tuple(METHODS), name, HERE)
    print("All is measured." if done else "There is more to measure: run it again.")


if __name__ == "__main__":
    main()
