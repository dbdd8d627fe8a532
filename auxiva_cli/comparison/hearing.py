"""What a race sounds like: one speaker, as each algorithm has separated it by a given time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from auxiva_cli.audio import Mp3, Recording
from auxiva_cli.bss.linalg import Array
from auxiva_cli.comparison.picture import STYLES
from auxiva_cli.comparison.runs import Point, Run
from auxiva_cli.filters import apply_filters
from auxiva_cli.listening.mixture import Excerpt, Mixture
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads
from auxiva_cli.report import Lane, Portrait, Race, Runner, clock, decibels, page_name, race_page
from auxiva_cli.separation import Learnt, learn

__all__ = ["moment", "page_of"]

LONGEST_HEARD = 300.0  # seconds


def moment(runs: Sequence[Run]) -> float:
    """Return the run time (s) at which to listen: when the first had settled.

    Where none has, it is half the time of the quickest.
    """
    settled = [run.settled.seconds for run in runs if run.settled]
    return min(settled, default=min(run.points[-1].seconds for run in runs) / 2)


def page_of(
    recording: Recording,
    references: Sequence[Mixture],
    runs: Sequence[Run],
    seconds: float,
    *,
    picture: bytes,
    command: str,
    threads: Threads,
) -> bytes:
    """Return the HTML page of a race.

    Parameters
    ----------
    recording : Recording
        On which they raced.
    references : sequence of Mixture
        The first one's first channel is the speaker that is heard.  Without any, it is the
        strongest output of whichever has the lowest cost at the time.
    runs : sequence of Run
        How they fared.
    seconds : float
        Run time after which they are heard.
    picture : bytes
        PNG of the curves.
    command : str
        The command line.
    threads : Threads
        Works on several blocks at a time.

    Raises
    ------
    MissingExtraError
        Without Jinja or matplotlib.
    """
    points = [reached(run, seconds) for run in runs]
    n_samples = min(recording.n_samples, round(LONGEST_HEARD * recording.sample_rate))
    # Iterations give the same in every run: each algorithm is run again, for as many as it had.
    heard = _Heard(
        [
            learn(
                recording,
                replace(run.settings, max_iter=point.iteration),
                threads=threads,
                observer=Observer(),
            )
            for run, point in zip(runs, points, strict=True)
        ],
        n_samples,
        threads,
    )
    best = min(range(len(runs)), key=lambda k: points[k].cost)
    speaker = heard.paired(references[0] if references else None, best)
    labels = [STYLES[run.algorithm].label for run in runs]
    notes = [_note(point) for point in points]
    return race_page(
        Race(
            name=page_name(Path(recording.name).name),
            duration=n_samples / recording.sample_rate,
            lanes=_lanes(recording, heard, speaker, labels, notes),
            seconds=seconds,
            runners=list(map(_runner, labels, runs, points)),
            facts={
                "length": clock(recording.n_samples / recording.sample_rate),
                "channels": str(recording.n_chan),
                "speakers": str(heard.learnt[0].filters.n_src),
                "model": runs[0].settings.model,
            },
            picture=picture,
            command=page_name(command),
        )
    )


def reached(run: Run, seconds: float) -> Point:
    """Return the last point that a run had reached by a time, the lowest if its cost rose."""
    by_then = [point for point in run.points if point.seconds <= seconds] or [run.points[0]]
    return min(by_then, key=lambda point: point.cost) if run.rose else by_then[-1]


@dataclass(frozen=True)
class _Heard:
    """What several algorithms have learnt, applied side by side to the beginning of a recording."""

    learnt: Sequence[Learnt]
    n_samples: int
    threads: Threads

    @property
    def ref_chan(self) -> int:
        """The channel at which they are heard."""
        return self.learnt[0].filters.ref_chan

    def stretches(self) -> Iterator[list[Array]]:
        """Yield the sources of each algorithm, (n_src, n_stretch), stretch by stretch."""
        channels = np.array([self.ref_chan])
        applied = [
            apply_filters(
                each.filters,
                Excerpt(each.mixture, 0, self.n_samples),
                channels,
                each.survey,
                threads=self.threads,
            )
            for each in self.learnt
        ]
        for images in zip(*applied, strict=True):
            yield [each[:, 0] for each in images]

    def paired(self, reference: Mixture | None, best: int) -> list[int]:
        """Return which source of each algorithm is the speaker."""
        n_src = self.learnt[0].filters.n_src
        cross, energy = np.zeros((2, len(self.learnt), n_src))
        position = 0
        for sources in self.stretches():
            n = sources[0].shape[-1]
            target = sources[best][0] if reference is None else reference.read(position, n)[0]
            for k, each in enumerate(sources):
                cross[k] += each[:, : len(target)] @ target
                energy[k] += np.einsum("kt,kt->k", each, each)
            position += n
        likeness = np.divide(cross**2, energy, out=np.zeros_like(energy), where=energy > 0)
        return [int(k) for k in likeness.argmax(axis=1)]


def _lanes(
    recording: Recording,
    heard: _Heard,
    speaker: Sequence[int],
    labels: Sequence[str],
    notes: Sequence[str],
) -> list[Lane]:
    """Return the mixture, and the speaker as each algorithm has separated it."""
    n_lanes, rate = 1 + len(speaker), recording.sample_rate
    portrait = Portrait(n_lanes, heard.n_samples, rate)
    with ExitStack() as stack:
        sounds = [Mp3(rate) for _ in range(n_lanes)]
        for sound in sounds:
            stack.callback(sound.close)
        position = 0
        for sources in heard.stretches():
            n = sources[0].shape[-1]
            mixture = recording.read(position, n)[heard.ref_chan]
            lanes = np.array(
                [mixture, *(each[k] for each, k in zip(sources, speaker, strict=True))]
            )
            portrait.add(lanes)
            for sound, lane in zip(sounds, lanes, strict=True):
                sound.add(lane)
            position += n
        portrait.finish()
        for sound in sounds:
            sound.finish()
        contents = [sound.read() for sound in sounds]
    return [
        Lane(label, content, peaks.tolist(), picture, note=note)
        for label, content, peaks, picture, note in zip(
            ["Mixture", *labels],
            contents,
            portrait.peaks,
            portrait.spectrograms(),
            ["reference microphone", *notes],
            strict=True,
        )
    ]


def _note(point: Point) -> str:
    """Say where an algorithm was."""
    iterations = f"{point.iteration} iteration{'s' if point.iteration != 1 else ''}"
    known = point.si_sir == point.si_sir
    return f"{iterations} · SI-SIR {decibels(point.si_sir)}" if known else iterations


def _runner(label: str, run: Run, point: Point) -> Runner:
    """Return the row of an algorithm."""
    settled, time = "still moving", f"> {run.points[-1].seconds:.2f} s"
    if run.rose:
        settled, time = f"cost rose at {run.points[-1].iteration}", "–"
    elif run.settled:
        settled, time = f"{run.settled.iteration} iterations", f"{run.settled.seconds:.2f} s"
    best = run.best
    return Runner(
        label, settled, time, point.iteration, point.cost, point.si_sir, best.cost, best.si_sir
    )
