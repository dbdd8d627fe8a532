"""The page of a recording: everything in one file, which needs no network.

Names come from outside.  They are text wherever they stand: Jinja escapes them, data for the script
are JSON without ``<``, and the page allows no script but its own, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from auxiva_cli.errors import MissingExtraError
from auxiva_cli.report.advice import ADVICE
from auxiva_cli.report.chart import curve, silhouette, timeline

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = [
    "Curve",
    "Lane",
    "Page",
    "check_extra",
    "clock",
    "decibels",
    "outlines",
    "page_name",
    "recording_page",
    "render",
]

TEMPLATES = Path(__file__).parent / "templates"
SUFFIX = ".html"
# Each as bright as the others, on a light page and on a dark one; neighbours differ most.
N_COLOURS = 8


def page_name(name: str | Path) -> str:
    """Return a file's name as text, whatever bytes it is made of."""
    return os.fsencode(name).decode(errors="replace")


@dataclass(frozen=True)
class Lane:
    """A signal: the mixture, a speaker, or the rest.

    Attributes
    ----------
    label : str
        What it is called.
    sound : bytes or str
        MP3 to stand in the page, or the name of the file beside it.
    peaks : sequence of float
        Highest magnitude in each column of its waveform.
    spectrogram : bytes
        PNG.
    note : str
        What is said below its name.
    turns : list of (float, float)
        Start and end of each stretch in which it speaks, in seconds.
    level : float or None
        In dB relative to the strongest speaker.
    file : str
        Name of its file beside the page, if it was written.
    scores : dict
        How well it matches its reference, in dB, by the names of the measures.
    is_speaker : bool
        Whether it is one.
    """

    label: str
    sound: bytes | str
    peaks: Sequence[float]
    spectrogram: bytes
    note: str = ""
    turns: list[tuple[float, float]] = field(default_factory=list)
    level: float | None = None
    file: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    is_speaker: bool = False

    @property
    def is_embedded(self) -> bool:
        """Whether the sound is in the page."""
        return isinstance(self.sound, bytes)

    @property
    def sound_url(self) -> str:
        """Where the page finds the sound."""
        if isinstance(self.sound, bytes):
            return f"data:audio/mpeg;base64,{base64.b64encode(self.sound).decode()}"
        return _address(self.sound)

    @property
    def picture_url(self) -> str:
        """The picture itself, as an address."""
        return f"data:image/png;base64,{base64.b64encode(self.spectrogram).decode()}"

    @property
    def file_url(self) -> str:
        """The file beside the page, as an address."""
        return _address(self.file)

    @property
    def file_name(self) -> str:
        """The file beside the page, as text."""
        return page_name(self.file)

    @property
    def seconds(self) -> float:
        """How long it speaks."""
        return sum(end - start for start, end in self.turns)


@dataclass(frozen=True)
class Curve:
    """The cost at every iteration of a stage."""

    name: str
    costs: Sequence[float]
    converged: bool

    @property
    def path(self) -> str:
        """The line that is drawn."""
        return curve(self.costs)


@dataclass(frozen=True)
class Page:
    """What the page of a recording says.

    Attributes
    ----------
    name : str
        Of the recording, as text.
    duration : float
        In seconds.
    lanes : sequence of Lane
        The mixture, then the speakers, then the rest if it was written.
    facts, settings : dict
        What there is to say in a word or two, by its name.
    warnings : sequence of (str, str)
        Kind and text.
    curves : sequence of Curve
        How learning went.
    command : str
        The command line that makes it again.
    noun : str
        What the separated signals are called: speakers, or outputs where nobody was counted.
    """

    name: str
    duration: float
    lanes: Sequence[Lane]
    facts: dict[str, str]
    settings: dict[str, str]
    warnings: Sequence[tuple[str, str]]
    curves: Sequence[Curve]
    command: str
    noun: str = "speaker"

    @property
    def speakers(self) -> Sequence[Lane]:
        """The lanes of the speakers."""
        return [lane for lane in self.lanes if lane.is_speaker]

    @property
    def measures(self) -> list[str]:
        """Names of the scores that a speaker has."""
        return list(dict.fromkeys(name for lane in self.speakers for name in lane.scores))

    @property
    def summary(self) -> dict[str, Any]:
        """What the index says of the recording."""
        return {
            "name": self.name,
            "seconds": round(self.duration, 3),
            "speakers": len(self.speakers),
            "levels": [lane.level for lane in self.speakers],
            "warnings": [kind for kind, _ in self.warnings],
            "timelines": [timeline(lane.turns, self.duration) for lane in self.speakers],
        }


def recording_page(page: Page) -> bytes:
    """Return the HTML file of a recording.

    Raises
    ------
    MissingExtraError
        Without Jinja.
    """
    return render("page", "player.js", page=page, advice=ADVICE, **outlines(page.lanes))


def outlines(lanes: Sequence[Lane]) -> dict[str, Any]:
    """Return what the lanes of a player are drawn from, as its template names it."""
    loudest = max(float(max(lane.peaks, default=0.0)) for lane in lanes)
    return {
        "outlines": [silhouette(lane.peaks, loudest) for lane in lanes],
        "n_columns": max(len(lanes[0].peaks) - 1, 1),
    }


def check_extra() -> None:
    """Refuse to begin a run whose pages could not be made.

    Raises
    ------
    MissingExtraError
        Without Jinja or matplotlib.
    """
    _environment()
    if not all(map(find_spec, ("matplotlib", "PIL"))):
        raise _missing_extra()


def render(template: str, script_name: str, **values: Any) -> bytes:
    """Return an HTML file from a template of ours, with its script and style inside."""
    script = (TEMPLATES / script_name).read_text()
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = (
        _environment()
        .get_template(f"{template}{SUFFIX}")
        .render(
            style=(TEMPLATES / "style.css").read_text(),
            script=script,
            script_hash=allowed,
            **values,
        )
    )
    return page.encode(errors="replace")


@cache
def _environment() -> Environment:
    """Return what fills in templates."""
    try:
        import jinja2
    except ImportError as error:
        raise _missing_extra() from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["clock"] = clock
    environment.filters["clock_tenths"] = _clock_tenths
    environment.filters["colour"] = _colour
    environment.filters["decibels"] = decibels
    environment.filters["minus"] = lambda text: str(text).replace("-", "\N{MINUS SIGN}")
    return environment


def clock(seconds: float) -> str:
    """Return a time as people write it.

    >>> clock(3723.45), clock(7.04)
    ('1:02:03', '0:07')
    """
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def decibels(level: float) -> str:
    """Return a level with its unit; what rounds to zero has no sign."""
    return f"{round(level, 1) + 0.0:.1f} dB".replace("-", "\N{MINUS SIGN}")


def _clock_tenths(seconds: float) -> str:
    """Return a time with one decimal."""
    return f"{clock(seconds)}.{int(10 * seconds) % 10}"


def _colour(n: int) -> str:
    """Return the style that gives a lane its colour; the mixture has none."""
    return f"--own: var(--s{(n - 1) % N_COLOURS + 1 if n else 0})"


def _missing_extra() -> MissingExtraError:
    """Return the error for packages that are not there."""
    return MissingExtraError(
        "pages need Jinja2 and matplotlib", hint='Install them with pip install "auxiva[report]".'
    )


def _address(name: str) -> str:
    """Return the relative address of a file; with a dot in front no name is taken for a scheme."""
    return f"./{quote(os.fsencode(name))}"
