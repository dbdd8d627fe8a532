"""Fit what tells speakers from what is left of a separation, and measure how well they are counted.

Speech comes from a folder of one-speaker recordings: every other one to fit, the rest to measure.
They are put into random rooms, with other speakers, reverberation, noise, levels and ways to talk
in each.  What a trial separation of each tells is kept in a file, from which all else follows::

    python -m benchmarks.counting measure --speech DIR --split tune --last 1000 tune.jsonl
    python -m benchmarks.counting measure --speech DIR --split report --last 200 rest.jsonl
    python -m benchmarks.counting fit tune.jsonl
    python -m benchmarks.counting report rest.jsonl

Cases that the file holds are not measured again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.optimize import minimize

from auxiva_cli.listening.counting import WEIGHTS, count_speakers
from auxiva_cli.listening.glimpses import decimated
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads
from auxiva_cli.simulation import Talk, simulate_room
from auxiva_cli.trial import trial_features

Array = NDArray[Any]
SPLITS = ("tune", "report")
N_CHAN, N_CHAN_SHARES = (2, 3, 4, 5, 6, 8), (0.3, 0.2, 0.2, 0.1, 0.1, 0.1)
FULL_SHARE = 0.4  # of the cases have as many speakers as microphones
SECONDS, RT60 = (15, 30, 30, 60), (0.15, 0.25, 0.35, 0.45, 0.6)
SNR, LEVELS = (10, 15, 20, 25, 30), (0, 0, -3, -6, -10)
CROWD = 24
# What a trial listens to has no more.
SAMPLE_RATE = 8000
# So long takes each of those who talk in turns at least until all have spoken.
LEAST_SECONDS_EACH = 5
# How much weights that tell more than they must are held back.
PULL = 0.5
LEAST = 1e-9
STANDARD = tuple(WEIGHTS.values())


@dataclass(frozen=True)
class Case:
    """A recording that is simulated, and how many speak in it."""

    number: int
    kind: str
    n_src: int
    n_chan: int
    seconds: int
    rt60: float
    noise: str
    snr: float
    levels: tuple[float, ...]
    seed: int


@dataclass(frozen=True)
class Known:
    """A case, and the ``features`` of the outputs of its trial, (n_features, n_src)."""

    case: Case
    features: Array

    def likelihood(self, weights: Sequence[float]) -> float:
        """Return the probability of as many speakers as there are."""
        told = count_speakers(self.features, weights).probabilities
        return told[self.case.n_src - 1] if self.case.n_src <= len(told) else 0.0


def draw(number: int, split: str) -> Case:
    """Draw a case."""
    rng = np.random.default_rng((number, SPLITS.index(split), 16))
    n_chan = int(rng.choice(N_CHAN, p=N_CHAN_SHARES))
    n_src = n_chan if rng.random() < FULL_SHARE else int(rng.integers(1, n_chan + 1))
    seconds, rt60 = int(rng.choice(SECONDS)), float(rng.choice(RT60))
    kind = str(rng.choice(["all", "turns", "streams"])) if n_src > 1 else "all"
    if kind == "turns" and seconds < LEAST_SECONDS_EACH * n_src:
        kind = "streams"
    noise, snr = str(rng.choice(["white", "babble"])), float(rng.choice(SNR))
    levels = (0.0, *(float(rng.choice(LEVELS)) for _ in range(n_src - 1)))
    seed = 700_000 + number + 1_000_000 * SPLITS.index(split)
    return Case(number, kind, n_src, n_chan, seconds, rt60, noise, snr, levels, seed)


def voices(speech: Path, split: str) -> list[Array]:
    """Return the speakers of a split, at the sample rate of the cases."""
    paths = sorted(path for path in speech.iterdir() if path.suffix in {".wav", ".flac"})
    return [_read(path) for path in paths[SPLITS.index(split) :: len(SPLITS)]]


def _read(path: Path) -> Array:
    """Read speech."""
    samples, sample_rate = soundfile.read(path, dtype="float32")
    step = 2 * sample_rate // SAMPLE_RATE
    samples = samples[: len(samples) // step * step]
    return decimated(samples, len(samples) * SAMPLE_RATE // sample_rate).astype(float)


def simulate(case: Case, people: Sequence[Array]) -> Array:
    """Return what the microphones hear, (n_chan, n_samples)."""
    rng = np.random.default_rng((case.seed, 7))
    order = rng.permutation(len(people))
    n_each = min(-(-case.seconds // 14), len(people) // case.n_src)
    unit = [people[i] / people[i].std() for i in order]
    seats = [
        np.concatenate(
            [np.roll(each, rng.integers(len(each))) for each in unit[k * n_each : (k + 1) * n_each]]
        )
        for k in range(case.n_src)
    ]
    return simulate_room(
        seats,
        sample_rate=SAMPLE_RATE,
        n_mics=case.n_chan,
        rt60=case.rt60,
        snr=case.snr,
        noise=case.noise,
        crowd=unit[::-1][:CROWD] if case.noise == "babble" else None,
        levels=case.levels,
        seed=case.seed,
        talk=Talk(case.kind, duration=case.seconds),
    ).mixture


def measure(speech: Path, split: str, numbers: Iterable[int]) -> Iterator[Known]:
    """Simulate cases, and separate each on trial."""
    people = voices(speech, split)
    with Threads(1) as threads:
        for number in numbers:
            case = draw(number, split)
            mixture = ArrayMixture(simulate(case, people), SAMPLE_RATE)
            yield Known(case, trial_features(mixture, 0, None, threads, Observer()))


def fit(known: Sequence[Known]) -> Array:
    """Return the weights that make the true numbers likeliest."""
    spread = np.concatenate([each.features for each in known], axis=1).std(axis=1)
    scale = np.where(spread > 0, spread, 1)

    def cost(scaled: Array) -> float:
        told = [each.likelihood(scaled / scale) for each in known]
        pull = PULL * np.sum(scaled[1:] ** 2)
        return float(pull - np.sum(np.log(np.maximum(told, LEAST))))

    fitted: Array = minimize(cost, scale * STANDARD, method="L-BFGS-B").x / scale
    return fitted


def report(known: Sequence[Known], weights: Sequence[float] = STANDARD) -> str:
    """Return the tables of how well speakers are counted."""
    groups = {
        "all": known,
        "30 s and more": [each for each in known if each.case.seconds >= 30],
        "15 s": [each for each in known if each.case.seconds < 30],
        "2 to 4 microphones": [each for each in known if each.case.n_chan <= 4],
        "5 to 8 microphones": [each for each in known if each.case.n_chan > 4],
        "one speaker": [each for each in known if each.case.n_src == 1],
        "as many speakers": [each for each in known if each.case.n_chan == each.case.n_src],
    }
    lines = [
        "| cases | number | likeliest is right | written is right | fewer files than speakers "
        "| off by more than one | sure | right where sure |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, group in groups.items():
        if group:
            lines.append(f"| {title} | {len(group)} | {_figures(group, weights)} |")
    return "\n".join(lines) + "\n\n" + _confusion(known, weights)


def _figures(known: Sequence[Known], weights: Sequence[float]) -> str:
    """Return the cells of one row."""
    counts = [count_speakers(each.features, weights) for each in known]
    truth = np.array([each.case.n_src for each in known])
    likeliest = np.array([1 + int(np.argmax(count.probabilities)) for count in counts])
    written = np.array([count.n_src for count in counts])
    sure = np.array([count.sure for count in counts])
    shares = [
        np.mean(likeliest == truth),
        np.mean(written == truth),
        np.mean(written < truth),
        np.mean(np.abs(likeliest - truth) > 1),
        np.mean(sure),
        np.mean((likeliest == truth)[sure]) if sure.any() else np.nan,
    ]
    return " | ".join(f"{100 * share:.0f} %" for share in shares)


def _confusion(known: Sequence[Known], weights: Sequence[float]) -> str:
    """Return how often each number was written for each true one."""
    most = max(each.case.n_chan for each in known)
    table = np.zeros((most, most), int)
    for each in known:
        table[each.case.n_src - 1, count_speakers(each.features, weights).n_src - 1] += 1
    head = " | ".join(map(str, range(1, most + 1)))
    rows = [f"| {n + 1} | {' | '.join(str(k or '') for k in row)} |" for n, row in enumerate(table)]
    return "\n".join([f"| speakers \\ files | {head} |", "|---" * (most + 1) + "|", *rows])


def save(path: Path, known: Iterable[Known]) -> None:
    """Add what is known of cases to a file, one by one."""
    with path.open("a") as file:
        for each in known:
            json.dump({"case": asdict(each.case), "features": each.features.tolist()}, file)
            file.write("\n")
            file.flush()


def load(path: Path) -> list[Known]:
    """Read what ``save`` wrote."""
    records = map(json.loads, path.read_text().splitlines())
    return [Known(Case(**each["case"]), np.array(each["features"])) for each in records]


def main() -> None:
    """Run a command of the three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("measure", "fit", "report"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--split", choices=SPLITS, default="tune")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=200)
    options = parser.parse_args()
    if options.command == "measure":
        there = {each.case.number for each in load(options.file)} if options.file.exists() else {}
        numbers = [n for n in range(options.first, options.last) if n not in there]
        save(options.file, measure(options.speech, options.split, numbers))
    elif options.command == "fit":
        print(dict(zip(WEIGHTS, np.round(fit(load(options.file)), 3).tolist(), strict=True)))
    else:
        print(report(load(options.file)))


if __name__ == "__main__":
    main()
