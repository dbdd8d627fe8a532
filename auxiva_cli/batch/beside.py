"""What is written beside the separated files of a recording: who speaks when, and its page.

Everything is taken down while the sources are written, so that nothing is read or separated again,
and nothing of the length of the recording is held but compressed sound in temporary files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.activity import Listener, Turn, format_activity, shares
from auxiva_cli.batch.jobs import Job, OutputChoices
from auxiva_cli.batch.scoring import score
from auxiva_cli.filters import Filters
from auxiva_cli.listening.mixture import Mixture

if TYPE_CHECKING:
    from auxiva_cli.audio import Mp3
    from auxiva_cli.batch.work import Outcome
    from auxiva_cli.report import Lane, Page, Portrait

__all__ = ["Beside"]

Array = NDArray[Any]
# With more sound a page is unwieldy: it stays in files beside it.
MOST_EMBEDDED = 20 * 2**20
BASE64 = 4 / 3


class Beside:
    """Takes down what the separated signals of a recording are like; a context manager.

    Parameters
    ----------
    output : OutputChoices
        What is wanted.
    mixture : Mixture
        The recording.
    filters : Filters
        What separates it.
    """

    def __init__(self, output: OutputChoices, mixture: Mixture, filters: Filters) -> None:
        self._output, self._mixture = output, mixture
        self._n_src, self._n_out = filters.n_src, filters.n_out
        self._stack = ExitStack()
        self._listener: Listener | None = None
        self._portrait: Portrait | None = None
        self._sounds: list[Mp3] = []

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def rewind(self) -> None:
        """Begin again, as the outputs do."""
        self._stack.close()
        if self._output.activity or self._output.report:
            self._listener = Listener(self._n_src, self._mixture.sample_rate)
        if self._output.report:
            from auxiva_cli.audio import Mp3
            from auxiva_cli.report import Portrait

            n_lanes, sample_rate = 1 + self._n_out, self._mixture.sample_rate
            self._portrait = Portrait(n_lanes, self._mixture.n_samples, sample_rate)
            self._sounds = [Mp3(sample_rate) for _ in range(n_lanes)]
            for sound in self._sounds:
                self._stack.callback(sound.close)

    def add(self, mixture: Array, outputs: Array) -> None:
        """Take down the next samples: of the mixture, (n_samples,), and of all outputs."""
        if self._listener is not None:
            self._listener.add(outputs[: self._n_src])
        if self._portrait is not None:
            lanes = np.concatenate([mixture[None], outputs])
            self._portrait.add(lanes)
            for sound, lane in zip(self._sounds, lanes, strict=True):
                sound.add(lane)

    def made(self, outcome: Outcome, drafts: Sequence[Path]) -> dict[Path, bytes]:
        """Return the files and what they hold, now that everything is known.

        Parameters
        ----------
        outcome : Outcome
            What became of the recording.
        drafts : sequence of Path
            Names by which its outputs can be read now.
        """
        if self._listener is None:
            return {}
        output, job, turns = self._output, outcome.job, self._listener.turns()
        made = {
            path: format_activity(
                kind, turns, stem=job.stem, n_src=self._n_src, duration=outcome.duration
            )
            for kind, path in zip(output.activity, output.activity_paths(job), strict=True)
        }
        if self._portrait is not None:
            made |= self._page(outcome, drafts, turns)
        return made

    def _page(
        self, outcome: Outcome, drafts: Sequence[Path], turns: list[Turn]
    ) -> dict[Path, bytes]:
        """Return the page, after the files of its sound if they are not to stand in it."""
        from auxiva_cli.report import recording_page

        n_bytes = BASE64 * sum(sound.finish() for sound in self._sounds)
        sounds = [sound.read() for sound in self._sounds]
        names = self._output.sound_paths(outcome.job, self._n_src)
        how = self._output.report
        links = how == "link" or (how == "fitting" and n_bytes > MOST_EMBEDDED)
        files = dict(zip(names, sounds, strict=True)) if links else {}
        scores = self._scores(outcome, drafts)
        lanes = self._lanes(outcome, turns, [path.name for path in files] or sounds, scores)
        page = recording_page(describe(outcome, lanes, self._output.command))
        return {**files, self._output.page_path(outcome.job): page}

    def _scores(self, outcome: Outcome, drafts: Sequence[Path]) -> list[dict[str, float]]:
        """Return how well every speaker matches a reference, where there are any."""
        paths = self._output.references
        if not paths:
            return [{}] * self._n_src
        return score(paths, drafts[: self._n_src], self._mixture, outcome.out_chans[0])

    def _lanes(
        self,
        outcome: Outcome,
        turns: list[Turn],
        sounds: Sequence[bytes | str],
        scores: list[dict[str, float]],
    ) -> list[Lane]:
        """Return the mixture, the speakers and the rest as the page shows them."""
        from auxiva_cli.report import Lane, decibels

        assert self._portrait is not None
        self._portrait.finish()
        pictures = zip(sounds, self._portrait.peaks, self._portrait.spectrograms(), strict=True)
        (sound, peaks, picture), *others = pictures
        numbers = [*self._output.numbers(self._n_src), *range(self._n_src, self._n_out)]
        levels = dict(zip(numbers, outcome.levels, strict=True))
        files = dict(zip(numbers, outcome.outputs, strict=True))
        spoken = shares(turns, self._n_src, outcome.duration)
        lanes = [Lane("Mixture", sound, peaks.tolist(), picture, note="reference microphone")]
        for k, (sound, peaks, picture) in enumerate(others):
            level = levels.get(k, -math.inf)
            strength = decibels(level) if math.isfinite(level) else ""
            lane = Lane(
                "Rest",
                sound,
                peaks.tolist(),
                picture,
                note=strength,
                level=level if math.isfinite(level) else None,
                file=files[k].name if k in files else "",
            )
            if k < self._n_src:
                share = f"speaks {round(100 * spoken[k])} %"
                lane = replace(
                    lane,
                    label=f"{_noun(outcome).capitalize()} {k + 1}",
                    note=" · ".join(filter(None, [strength, share])),
                    turns=[(turn.start, turn.end) for turn in turns if turn.speaker == k],
                    scores=scores[k],
                    is_speaker=True,
                )
            lanes.append(lane)
        return lanes


def describe(outcome: Outcome, lanes: list[Lane], command: str) -> Page:
    """Return what the page says of an outcome."""
    from auxiva_cli.report import Curve, Page, clock, page_name

    facts = {
        "from": page_name(outcome.job.name),
        "length": clock(outcome.duration),
        "channels": str(outcome.n_chan),
        "sample rate": f"{outcome.sample_rate:,} Hz".replace(",", "\N{THIN SPACE}"),
        f"{_noun(outcome)}s": str(sum(lane.is_speaker for lane in lanes)),
    }
    if outcome.stages:
        facts["iterations"] = str(sum(len(stage.costs) - 1 for stage in outcome.stages))
    if outcome.gain != 1:
        facts["gain"] = f"{20 * math.log10(outcome.gain):.1f} dB"
    return Page(
        name=page_name(_short_name(outcome.job)),
        duration=outcome.duration,
        lanes=lanes,
        facts=facts,
        settings={
            name: str(value)
            for name, value in asdict(outcome.settings).items()
            if value is not None
        },
        warnings=[(notice.kind, page_name(notice.text)) for notice in outcome.notices],
        curves=[
            Curve(stage.name, [cost / outcome.size for cost in stage.costs], stage.converged)
            for stage in outcome.stages
        ],
        command=page_name(command),
        noun=_noun(outcome),
    )


def _noun(outcome: Outcome) -> str:
    """Return what a separated signal is: a speaker, if their number was given or counted."""
    return "output" if outcome.job.is_open and outcome.count is None else "speaker"


def _short_name(job: Job) -> str:
    """Return what a recording is called where there is no doubt about its folder."""
    return job.files[0].name if len(job.files) == 1 and job.files[0].name else job.name
