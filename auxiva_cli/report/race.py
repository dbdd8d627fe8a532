"""The page of a race: one speaker, as each algorithm has separated it by a given time."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from auxiva_cli.report.page import Lane, outlines, render

__all__ = ["Race", "Runner", "race_page"]


@dataclass(frozen=True)
class Runner:
    """One algorithm: where it was at the given time, and how it ended.

    Attributes
    ----------
    label : str
        Its name.
    settled, time : str
        After how many iterations it had settled, and when; or what became of it.
    iteration : int
        Iterations done by the given time.
    cost, final_cost : float
        Per source and frequency.
    si_sir, final_si_sir : float
        In dB; NaN without references.
    """

    label: str
    settled: str
    time: str
    iteration: int
    cost: float
    si_sir: float
    final_cost: float
    final_si_sir: float


@dataclass(frozen=True)
class Race:
    """What the page of a race says.

    Attributes
    ----------
    name : str
        Of the recording, as text.
    duration : float
        Of what is heard, in seconds.
    lanes : sequence of Lane
        The mixture, then one speaker as each algorithm has separated it.
    seconds : float
        Run time after which it is heard.
    runners : sequence of Runner
        The algorithms, in the order of the lanes.
    facts : dict
        What there is to say in a word or two, by its name.
    picture : bytes
        PNG of the curves.
    command : str
        The command line that makes it again.
    """

    name: str
    duration: float
    lanes: Sequence[Lane]
    seconds: float
    runners: Sequence[Runner]
    facts: dict[str, str]
    picture: bytes
    command: str

    @property
    def is_judged(self) -> bool:
        """Whether there were references."""
        return all(runner.si_sir == runner.si_sir for runner in self.runners)

    @property
    def picture_url(self) -> str:
        """The picture itself, as an address."""
        return f"data:image/png;base64,{base64.b64encode(self.picture).decode()}"


def race_page(race: Race) -> bytes:
    """Return the HTML file of a race.

    Raises
    ------
    MissingExtraError
        Without Jinja.
    """
    return render("race", "player.js", page=race, **outlines(race.lanes))
