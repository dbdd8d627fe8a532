"""Natural gradient with small and big steps, in simulated rooms, into gradient.png and RACE.md.

A part of `make race`: without a step to choose, an update rule cannot fail as this one does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from auxiva_cli.comparison import Run, race
from auxiva_cli.comparison.picture import STYLES, as_png, new_figure, tidy
from auxiva_cli.config import Settings
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.parallel import Threads
from benchmarks.race import ignore, make_rooms, read_speech

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HERE = Path(__file__).parent
BEGIN, END = "<!-- steps -->", "<!-- end of steps -->"
SNR = 15  # dB
# From a step at which it creeps to one at which it fails; 0.3 is the default.
STEPS = {0.1: "#56B4E9", 0.3: "#0072B2", 1.0: "#333333", 2.0: "#CC79A7"}
LOWEST = 1e-3  # of the cost above the lowest: below nobody hears a difference


def main() -> None:
    """Run natural gradient with each step in each room, and IPA, which tells the lowest cost."""
    options = _parse()
    speakers, sample_rate = read_speech(options.speech)
    kinds: dict[int, list[list[Run]]] = {}
    for n_src in options.sources:
        if n_src <= len(speakers):
            rooms = make_rooms(speakers, sample_rate, n_src, SNR, options.rooms, options.seconds)
            mixtures = [ArrayMixture(scene.mixture, sample_rate) for scene in rooms]
            kinds[n_src] = [_run(mixture, options) for mixture in mixtures]
    (HERE / "gradient.png").write_bytes(_draw(kinds))
    path = HERE / "RACE.md"
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    path.write_text(f"{before}{BEGIN}\n{_table(kinds)}\n{END}{after}", encoding="utf-8")


def _parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("speech", nargs="?", type=Path, help="folder of speech, a speaker a file")
    parser.add_argument("--sources", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--rooms", type=int, default=10, help="rooms of each kind")
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=15.0, help="length of a mixture")
    return parser.parse_args()


def _run(mixture: ArrayMixture, options: argparse.Namespace) -> list[Run]:
    """Return the runs in one room: IPA, then natural gradient with each step."""
    common = Settings(model="laplace", max_iter=options.iterations, tol=0.0)
    settings = [common, *(_with_step(common, step) for step in STEPS)]
    with Threads(1) as threads:
        return [
            race(mixture, each, judge=None, threads=threads, passed=ignore) for each in settings
        ]


def _with_step(settings: Settings, step: float) -> Settings:
    """Return the settings of natural gradient."""
    return Settings(
        algorithm="gradient",
        step_size=step,
        model=settings.model,
        max_iter=settings.max_iter,
        tol=settings.tol,
    )


def _table(kinds: dict[int, list[list[Run]]]) -> str:
    """Return in how many rooms the cost rose, and how far above the lowest the others end."""
    titles = [f"step {step:g}" for step in STEPS]
    lines = [
        f"| sources | {' | '.join(titles)} |",
        f"| {' | '.join(['---:'] * (len(STEPS) + 1))} |",
    ]
    for n_src, rooms in kinds.items():
        cells = [_cell([(room[0], room[k]) for room in rooms]) for k in range(1, len(STEPS) + 1)]
        lines.append(f"| {n_src} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(pairs: Sequence[tuple[Run, Run]]) -> str:
    """Say how natural gradient with one step fared, beside IPA in the same rooms."""
    rose = [run.points[-1].iteration for _, run in pairs if run.rose]
    above = [run.best.cost - ipa.best.cost for ipa, run in pairs if not run.rose]
    failed = f"rose in {len(rose)} of {len(pairs)}, after {np.median(rose):.0f}" if rose else ""
    rest = f"{np.mean(above):+.3f}" if above else ""
    return "; ".join(filter(None, (failed, rest)))


def _draw(kinds: dict[int, list[list[Run]]]) -> bytes:
    """Draw the cost against the iterations, one panel for each number of sources."""
    figure = new_figure(2.9 * len(kinds) + 0.6, 3.8)
    panels = figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0]
    for axes, (n_src, rooms) in zip(panels, kinds.items(), strict=True):
        for runs in rooms:
            _draw_room(axes, runs)
        axes.set_title(f"{n_src} sources", fontsize=11)
        axes.set_xlabel("iterations")
        axes.set_yscale("log")
        axes.set_xlim(0)
        axes.set_ylim(bottom=LOWEST)
        tidy(axes)
    panels[0].set_ylabel("cost above the lowest,\nper source and frequency")
    panels[0].plot([], [], color=STYLES["ipa"].colour, linewidth=2, label="IPA")
    for step, colour in STEPS.items():
        panels[0].plot([], [], color=colour, linewidth=2, label=f"gradient, step {step:g}")
    panels[0].plot([], [], "x", color="#333333", label="the cost rose: the end of a run")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return as_png(figure)


def _draw_room(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the runs in one room, each as a thin line."""
    lowest = min(run.best.cost for run in runs)
    colours = [STYLES["ipa"].colour, *STEPS.values()]
    for run, colour in zip(runs, colours, strict=True):
        above = np.maximum(run.column("cost") - lowest, LOWEST)
        axes.plot(run.column("iteration"), above, color=colour, linewidth=0.8, alpha=0.8)
        if run.rose:
            axes.plot(run.points[-1].iteration, above[-1], "x", color=colour, markersize=5)


if __name__ == "__main__":
    main()
