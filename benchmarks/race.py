"""Race the update rules over simulated rooms, and write the result into RACE.md.

make race SPEECH=folder     # mono recordings of one speaker each, of one sample rate
make race                   # the synthetic voices of sample_audio
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.audio import open_recording
from auxiva_cli.comparison import Judge, Run, race
from auxiva_cli.comparison.picture import STYLES, as_png, new_figure, tidy
from auxiva_cli.comparison.runs import SIR_TOLERANCE
from auxiva_cli.config import Algorithm, Settings
from auxiva_cli.mixture import ArrayMixture
from auxiva_cli.parallel import Threads, available_cpus
from auxiva_cli.simulation import simulate_room

HERE = Path(__file__).parent
SAMPLE_AUDIO = HERE.parent / "sample_audio"
# Natural gradient is left out: its time is that of the step size that one happens to choose.
RULES: tuple[Algorithm, ...] = ("ipa", "ip2", "iss2", "ip", "iss")
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
COLUMNS = ("sources", "snr", "room", "algorithm", "iterations", "seconds", "settled",
           "ms_per_iteration", "si_sir")  # fmt: skip
CURVE_POINTS = 400
# Rooms of each kind, by the number of sources.
N_ROOMS = {2: 10, 3: 10, 4: 10, 6: 5}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """How one algorithm fared on one mixture.

    Attributes
    ----------
    n_src, snr, room : int
        Which mixture: its speakers, its signal-to-noise ratio in dB, its room.
    run : Run
        What the algorithm did.
    """

    n_src: int
    snr: int
    room: int
    run: Run

    @property
    def iterations(self) -> int:
        """Iterations until it settled; all of them if it did not."""
        return (self.run.settled or self.run.points[-1]).iteration

    @property
    def seconds(self) -> float:
        """Time until it settled; all of it if it did not."""
        return (self.run.settled or self.run.points[-1]).seconds


class SirJudge(Judge):
    """Leaves out the SI-SDR, which takes longer to measure than an iteration."""

    def si_sdr(self, W: Array, whitening: object) -> float:
        """Return NaN."""
        return math.nan


def main() -> None:
    """Run the race and write its table, its picture and its numbers."""
    options = _parse()
    speakers, sample_rate = _read_speech(options.speech)
    results = []
    for n_src in options.sources:
        if n_src > len(speakers):
            print(f"{n_src} sources are left out: there are only {len(speakers)} speakers")
            continue
        for snr in options.snr:
            results += _race_rooms(speakers, sample_rate, n_src, snr, options)
    _write_numbers(results, HERE / "race.csv")
    (HERE / "race.png").write_bytes(_draw(results))
    _write_table(results, HERE / "RACE.md")


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


def _read_speech(folder: Path | None) -> tuple[list[Array], int]:
    """Return the speakers' recordings and their sample rate."""
    paths = sorted(folder.iterdir()) if folder else sorted(SAMPLE_AUDIO.glob("*_ref*.flac"))
    speakers, rates = [], set()
    for path in paths:
        with open_recording(path) as recording:
            speakers.append(recording.read(0, recording.n_samples)[0])
            rates.add(recording.sample_rate)
    (sample_rate,) = rates
    return speakers, sample_rate


def _race_rooms(
    speakers: Sequence[Array],
    sample_rate: int,
    n_src: int,
    snr: int,
    options: argparse.Namespace,
) -> Iterator[Result]:
    """Race through the rooms of one kind; the same rooms and speakers at every SNR."""
    for number in range(options.rooms or N_ROOMS[n_src]):
        chosen = np.random.default_rng(number).permutation(len(speakers))[:n_src]
        length = round(options.seconds * sample_rate)
        scene = simulate_room(
            [speakers[k][:length] for k in chosen], sample_rate=sample_rate, snr=snr, seed=number
        )
        mixture = ArrayMixture(scene.mixture, sample_rate)
        references = [ArrayMixture(scene.references, sample_rate)]
        with Threads(options.threads) as threads:
            for rule in RULES:
                settings = Settings(
                    algorithm=rule, model="laplace", max_iter=options.iterations, tol=0.0
                )
                judge = SirJudge(mixture, references, settings, threads=threads)
                run = race(mixture, settings, judge=judge, threads=threads, passed=_ignore)
                result = Result(n_src, snr, number, run)
                print(
                    f"{n_src} sources, {snr} dB, room {number}: {rule} {result.iterations} "
                    f"iterations, {result.seconds:.2f} s, {run.best.si_sir:.1f} dB",
                    flush=True,
                )
                yield result


def _ignore(point: object) -> None:
    """Show nothing on the way."""


def _select(results: Sequence[Result], n_src: int, snr: int, rule: str) -> list[Result]:
    """Return the results of one algorithm on the rooms of one kind."""
    return [
        result
        for result in results
        if (result.n_src, result.snr, result.run.algorithm) == (n_src, snr, rule)
    ]


def _kinds(results: Sequence[Result]) -> list[tuple[int, int]]:
    """Return the kinds of rooms: number of sources, SNR."""
    return sorted({(result.n_src, result.snr) for result in results})


def _write_numbers(results: Sequence[Result], path: Path) -> None:
    """Write one line for each run."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for result in results:
            run = result.run
            writer.writerow(
                (
                    result.n_src, result.snr, result.room, run.algorithm, result.iterations,
                    f"{result.seconds:.4f}", int(run.settled is not None),
                    f"{1000 * run.seconds_per_iteration:.2f}", f"{run.best.si_sir:.2f}",
                )
            )  # fmt: skip


def _write_table(results: Sequence[Result], path: Path) -> None:
    """Put the tables into their place in the text."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    tables = "\n\n".join([_time_table(results), _cost_table(results)])
    path.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")


def _time_table(results: Sequence[Result]) -> str:
    """Return the table of the times until the algorithms settled."""
    labels = [STYLES[rule].label for rule in RULES]
    lines = [
        _row("sources", "SNR", *labels, "IP ÷ IPA", "to where IP ends"),
        _row(*["---:"] * (len(RULES) + 4)),
    ]
    for n_src, snr in _kinds(results):
        found = {rule: _select(results, n_src, snr, rule) for rule in RULES}
        cells = [_time_cell(found[rule]) for rule in RULES]
        ratio = _mean_seconds(found["ip"]) / _mean_seconds(found["ipa"])
        same = _same_separation(found["ip"], found["ipa"])
        lines.append(_row(n_src, f"{snr} dB", *cells, f"**{ratio:.1f}**", same))
    return "\n".join(lines)


def _same_separation(slow: Sequence[Result], fast: Sequence[Result]) -> str:
    """Return how many times sooner the fast ones are where the slow ones end, in the median room.

    And in how many rooms they never get there.
    """
    ratios = []
    for there, here in zip(slow, fast, strict=True):
        goal = there.run.best.si_sir - SIR_TOLERANCE
        seconds = [_seconds_to(result.run, goal) for result in (there, here)]
        ratios.append(seconds[0] / seconds[1])
    n_never = ratios.count(0.0)
    return f"{np.median(ratios):.1f}" + (f" (never in {n_never} of {len(ratios)})" * (n_never > 0))


def _seconds_to(run: Run, goal: float) -> float:
    """Return from when on a run is never again below a SI-SIR; infinity if it ends below."""
    below = np.flatnonzero(run.column("si_sir") < goal)
    first = int(below[-1]) + 1 if len(below) else 0
    # At the start no time has passed; half an iteration is the least that can be told.
    least = run.seconds_per_iteration / 2
    return max(run.points[first].seconds, least) if first < len(run.points) else math.inf


def _time_cell(results: Sequence[Result]) -> str:
    """Return the mean time and the mean number of iterations; a bound if some did not settle."""
    bound = "" if all(result.run.settled for result in results) else "≥ "
    iterations = np.mean([result.iterations for result in results])
    return f"{bound}{_mean_seconds(results):.2f} s ({iterations:.0f})"


def _mean_seconds(results: Sequence[Result]) -> float:
    """Return the mean time until the algorithm settled."""
    return float(np.mean([result.seconds for result in results]))


def _cost_table(results: Sequence[Result]) -> str:
    """Return the table of the time of an iteration, and of where the algorithms end."""
    labels = [STYLES[rule].label for rule in RULES]
    lines = [_row("sources", "SNR", *labels), _row(*["---:"] * (len(RULES) + 2))]
    for n_src, snr in _kinds(results):
        cells = []
        for rule in RULES:
            runs = [result.run for result in _select(results, n_src, snr, rule)]
            milliseconds = 1000 * np.mean([run.seconds_per_iteration for run in runs])
            si_sir = np.mean([run.best.si_sir for run in runs])
            cells.append(f"{milliseconds:.1f} ms, {si_sir:.1f} dB")
        lines.append(_row(n_src, f"{snr} dB", *cells))
    return "\n".join(lines)


def _row(*cells: object) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def _draw(results: Sequence[Result]) -> bytes:
    """Draw the mean SI-SIR against the run time, one panel for each kind of room."""
    sources = sorted({n_src for n_src, _ in _kinds(results)})
    ratios = sorted({snr for _, snr in _kinds(results)}, reverse=True)
    figure = new_figure(2.9 * len(sources) + 0.6, 2.3 * len(ratios) + 0.9)
    panels = figure.subplots(len(ratios), len(sources), squeeze=False, sharey="col")
    for row, snr in zip(panels, ratios, strict=True):
        for axes, n_src in zip(row, sources, strict=True):
            _draw_panel(axes, results, n_src, snr)
        row[0].set_ylabel(f"SNR {snr} dB\nmean SI-SIR (dB)")
    for axes, n_src in zip(panels[0], sources, strict=True):
        axes.set_title(f"{n_src} sources", fontsize=11)
    for axes in panels[-1]:
        axes.set_xlabel("run time (s)")
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(RULES),
        frameon=False,
    )  # fmt: skip
    return as_png(figure)


def _draw_panel(axes: object, results: Sequence[Result], n_src: int, snr: int) -> None:
    """Draw one kind of room."""
    end = 1.2 * _mean_seconds(_select(results, n_src, snr, "ip"))
    seconds = np.linspace(0, end, CURVE_POINTS)
    for order, rule in enumerate(RULES):
        style = STYLES[rule]
        curves = [_reached(result.run, seconds) for result in _select(results, n_src, snr, rule)]
        axes.plot(
            seconds, np.mean(curves, axis=0), style.dashes, color=style.colour,
            linewidth=style.width, label=style.label, zorder=3 - order / 10,
        )  # fmt: skip
    axes.set_xlim(0, end)
    tidy(axes)


def _reached(run: Run, seconds: Array) -> Array:
    """Return the SI-SIR that a run had reached at these times."""
    last_passed = np.searchsorted(run.column("seconds"), seconds, side="right") - 1
    values: Array = run.column("si_sir")[last_passed]
    return values


if __name__ == "__main__":
    main()
