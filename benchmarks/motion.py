"""Measure how speakers who move are found and followed, and that nobody is who sits.

Speech comes from a folder of one-speaker recordings: every other one to choose by, the rest to
report on.  Each case has speakers, a room and a seed of its own.  What comes of each is kept in a
file, a line each, from which the tables are printed::

    python -m benchmarks.motion measure --speech DIR --group static --last 120 cases.jsonl
    python -m benchmarks.motion measure --speech DIR --group "one of two" --last 24 cases.jsonl
    python -m benchmarks.motion report cases.jsonl

Cases that the file holds are not measured again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from auxiva_cli import SeparationResult, separate
from auxiva_cli.config import Following
from auxiva_cli.errors import ParameterError
from auxiva_cli.evaluation import si_bss_eval
from auxiva_cli.simulation import Scene, Talk, Walk, simulate_room

Array = NDArray[Any]
SPLITS = ("report", "tune")
GROUPS = ("static", "one of two", "one of three", "two of two", "anybody", "in 5 minutes")
# Of who sits: short recordings are many, as they are the hardest.
SECONDS, SECONDS_SHARES = (10, 15, 20, 30, 60, 120, 300), (0.2, 0.2, 0.2, 0.18, 0.14, 0.06, 0.02)
TALKS: dict[str, Talk] = {
    "all": Talk("all"),
    "turns": Talk("turns"),
    "turns, overlapping": Talk("turns", overlap=0.3),
    "turns, pauses": Talk("turns", pauses=(6.0, 2.5)),
    "streams": Talk("streams"),
}
WALK_SECONDS, LONG_SECONDS = 24, 300
# So long takes each of those who talk in turns at least until all have spoken.
LEAST_SECONDS_EACH = 6


@dataclass(frozen=True)
class Case:
    """A recording that is simulated, and who walks in it, when, and how far."""

    group: str
    number: int
    talk: str
    n_src: int
    n_chan: int
    seconds: int
    rt60: float
    noise: Literal["white", "fan", "babble"]
    snr: float
    movers: tuple[int, ...]
    metres: float
    start: float
    stop: float
    back: bool
    seed: int


def draw(group: str, number: int, split: str) -> Case:
    """Draw a case."""
    rng = np.random.default_rng((number, SPLITS.index(split), GROUPS.index(group), 31))
    seed = 1_000_000 * SPLITS.index(split) + 10_000 * GROUPS.index(group) + number
    metres, how = float(np.round(rng.uniform(1.5, 3.3), 2)), int(rng.integers(3))
    if group in ("static", "anybody"):
        n_chan = int(rng.integers(2, 5))
        n_src = int(rng.integers(2, n_chan + 1))
        seconds = int(rng.choice(SECONDS, p=SECONDS_SHARES))
        talk = str(rng.choice([*TALKS]))
        noise = str(rng.choice(["white", "fan", "babble"], p=(0.6, 0.2, 0.2)))
        snr = float(rng.choice([15, 20, 25, 30]))
        rt60 = float(np.round(rng.uniform(0.15, 0.5), 3))
        if talk.startswith("turns") and seconds < LEAST_SECONDS_EACH * n_src:
            talk = "streams"
    else:
        n_src = n_chan = 3 if group == "one of three" else 2
        seconds = LONG_SECONDS if group == "in 5 minutes" else WALK_SECONDS
        talk, noise, snr, rt60 = "all", "white", 25.0, float(rng.choice([0.2, 0.4]))
    movers: tuple[int, ...] = (int(rng.integers(n_src)),)
    start, stop = ((0.0, 1.0), (1 / 3, 2 / 3), (0.0, 1.0))[how]
    if group == "static":
        movers = ()
    elif group == "two of two":
        movers = (0, 1)
    elif group == "anybody":
        seconds = max(seconds, 15)
    elif group == "in 5 minutes":
        start, stop, how = 0.45, 0.55, 1
    times = round(start * seconds, 2), round(stop * seconds, 2)
    return Case(
        group,
        number,
        talk,
        n_src,
        n_chan,
        seconds,
        rt60,
        noise,
        snr,  # type: ignore[arg-type]
        movers,
        metres,
        *times,
        how == 2,
        seed,
    )


def voices(speech: Path, split: str) -> list[Array]:
    """Return the speakers of a split, at unit power."""
    paths = sorted(path for path in speech.iterdir() if path.suffix in {".wav", ".flac"})
    people = [soundfile.read(path)[0] for path in paths[SPLITS.index(split) :: len(SPLITS)]]
    return [person / person.std() for person in people]


def simulate(case: Case, people: Sequence[Array], sample_rate: int = 16000) -> Scene:
    """Put voices, several one after the other where one does not last, into a room."""
    rng = np.random.default_rng((case.seed, 7))
    order = rng.permutation(len(people))
    n_each = min(-(-case.seconds // 14), len(people) // case.n_src)
    seats = [
        np.concatenate(
            [
                np.roll(people[i], rng.integers(len(people[i])))
                for i in order[k * n_each : (k + 1) * n_each]
            ]
        )
        for k in range(case.n_src)
    ]
    for attempt in range(20):  # not every room has a way as long
        try:
            metres = case.metres - 0.1 * (attempt // 2)
            walk = Walk(metres, case.start, case.stop, case.back)
            return simulate_room(
                seats,
                sample_rate=sample_rate,
                n_mics=case.n_chan,
                rt60=case.rt60,
                snr=case.snr,
                noise=case.noise,
                crowd=[people[i] for i in order[::-1][:16]] if case.noise == "babble" else None,
                seed=case.seed + 100_000 * attempt,
                talk=_talk(case),
                walks=dict.fromkeys(case.movers, walk),
            )
        except ParameterError:
            continue
    raise RuntimeError(f"no room for {case}")


def _talk(case: Case) -> Talk:
    return replace(TALKS[case.talk], duration=float(case.seconds))


@dataclass(frozen=True)
class Result:
    """What came of a case.

    Attributes
    ----------
    case : Case
    scores : tuple of float
        How much each source seems to move, as the program orders them.
    moving : tuple of int
        Whom the filters follow.
    right : bool
        Whether the first of them, if anybody moves, is one who does.
    off, auto : float, dB
        Mean SI-SDR with one set of filters, and with ``motion="auto"``.
    seconds : tuple of float
        Processor time of both.
    """

    case: Case
    scores: tuple[float, ...]
    moving: tuple[int, ...]
    right: bool
    off: float
    auto: float
    seconds: tuple[float, float]


def measure(case: Case, people: Sequence[Array]) -> Result:
    """Simulate a case and separate it with ``motion="auto"``, and without unless nobody moves.

    Raises
    ------
    AssertionError
        If nobody was found to move and yet another byte came out; every fifth time that is tried.
    """
    scene = simulate(case, people)
    auto, seconds_auto = _separate(scene, case.n_src, "auto")
    motion = auto.motion
    moving = motion.moving if motion is not None else ()
    off, seconds_off = auto, seconds_auto
    if moving or case.movers or case.number % 5 == 0:
        off, seconds_off = _separate(scene, case.n_src, "off")
    if not moving:
        assert off.sources.tobytes() == auto.sources.tobytes()
    before, after = (si_bss_eval(scene.references, run.sources) for run in (off, auto))
    return Result(
        case,
        tuple(np.round(motion.scores, 3).tolist()) if motion is not None else (),
        moving,
        bool(moving) and moving[0] in {int(after.permutation[k]) for k in case.movers},
        float(before.sdr.mean()),
        float(after.sdr.mean()),
        (seconds_off, seconds_auto),
    )


def _separate(scene: Scene, n_src: int, motion: Following) -> tuple[SeparationResult, float]:
    """Return the result, and the processor time that it took."""
    start = time.process_time()
    found = separate(scene.mixture, scene.sample_rate, n_src=n_src, motion=motion, n_threads=1)
    return found, round(time.process_time() - start, 3)


def save(path: Path, results: Iterable[Result]) -> None:
    """Add results to a file, one by one."""
    with path.open("a") as file:
        for each in results:
            file.write(json.dumps(asdict(each)) + "\n")
            file.flush()


def load(path: Path) -> list[Result]:
    """Read what ``save`` wrote."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        record = json.loads(line)
        record["case"]["movers"] = tuple(record["case"]["movers"])
        found.append(Result(**{**record, "case": Case(**record["case"])}))
    return found


def report(results: Sequence[Result]) -> str:
    """Return the tables."""
    walks = [
        "| | walks | found | the right one | one set of filters | `--motion auto` | time |",
        "|---|---|---|---|---|---|---|",
    ]
    still = [
        "| nobody moves | recordings | taken for motion | SI-SDR lost in these |",
        "|---|---|---|---|",
    ]
    for group in GROUPS:
        own = [each for each in results if each.case.group == group]
        if own and group != "static":
            walks.append(f"| {group} | {len(own)} | {_followed(own)} |")
    for title, chosen in _static_groups():
        own = [each for each in results if not each.case.movers and chosen(each.case)]
        if own:
            alarms = [each for each in own if each.moving]
            lost = ", ".join(f"{each.off - each.auto:.1f}" for each in alarms)
            still.append(f"| {title} | {len(own)} | {len(alarms)} | {lost} |")
    return "\n".join([*walks, "", *still])


def _followed(own: Sequence[Result]) -> str:
    """Return the cells of a row on walks."""
    found = [each for each in own if each.moving]
    ratio = float(np.median([each.seconds[1] / each.seconds[0] for each in own]))
    return " | ".join(
        (
            str(len(found)),
            str(sum(each.right for each in found)),
            f"{np.mean([each.off for each in own]):.1f}",
            f"{np.mean([each.auto for each in own]):.1f}",
            f"{ratio:.1f} x",
        )
    )


def _static_groups() -> Iterator[tuple[str, Callable[[Case], bool]]]:
    """Yield kinds of recordings in which nobody moves."""
    yield "all", lambda case: True
    yield "10 to 20 s", lambda case: case.seconds <= 20
    yield "30 s to 5 min", lambda case: case.seconds > 20
    for talk in TALKS:
        yield f"talk: {talk}", lambda case, talk=talk: case.talk == talk  # type: ignore[misc]
    for n_src in (2, 3, 4):
        yield f"{n_src} speakers", lambda case, n_src=n_src: case.n_src == n_src  # type: ignore[misc]


def main() -> None:
    """Run a command of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("measure", "report"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--split", choices=SPLITS, default="report")
    parser.add_argument("--group", choices=GROUPS, default="static")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=24)
    options = parser.parse_args()
    if options.command == "report":
        print(report(load(options.file)))
        return
    there = {(each.case.group, each.case.number) for each in load(options.file)}
    people = voices(options.speech, options.split)
    numbers = [n for n in range(options.first, options.last) if (options.group, n) not in there]
    cases = (draw(options.group, n, options.split) for n in numbers)
    save(options.file, (measure(case, people) for case in cases))


if __name__ == "__main__":
    main()
