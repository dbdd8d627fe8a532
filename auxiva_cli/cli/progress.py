"""How the work on one recording goes: the step in a person's words, how far it is, the cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.bss.linalg import Array
from auxiva_cli.cli.console import display_name
from auxiva_cli.cli.wording import clock, counted, duration, signed
from auxiva_cli.listening.mixture import Mixture
from auxiva_cli.observer import Observer, Plan

__all__ = ["COST_DECIMALS", "Progress", "curve"]

CURVE = "▁▂▃▄▅▆▇█"
STAGE_MARK = "│"
COST_DECIMALS = 4
# What a step is to a person, and its usual share of the time; shares are only where the bar begins.
STEPS = {
    "dereverb": ("taking reverberation away", 30),
    "levels": ("looking", 1),
    "survey": ("looking", 1),
    "count": ("counting", 10),
    "covariance": ("listening", 4),
    "tables": ("listening", 7),
    "fit": ("separating", 84),
    "filters": ("separating", 4),
    "write": ("writing", 4),
    "lower": ("writing", 4),
}
LEARNING, APPLYING = ("survey", "covariance", "tables", "fit", "write"), ("levels", "write")
# What a stage is to a person, by the number of bands in its name; the others see every frequency.
COARSEST_BANDS, FINEST_BANDS = 3, 16
FINEST = ("all", "spread", "guided", "given")
# Before so much is done nobody can say how long the rest takes.
KNOWN_SHARE, KNOWN_SECONDS = 0.03, 0.5


class Progress(Observer):
    """Takes down how the work on a recording goes.

    Parameters
    ----------
    name : str
        What the recording is called.
    learns : bool
        Whether filters are learnt, or given.
    has_stages : bool
        Whether they are learnt from coarse to fine.
    now : callable
        Tells the time in seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        learns: bool = True,
        has_stages: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = display_name(name)
        self.facts = ""
        self.word = "looking"
        self.is_listening = False
        self.iteration: Iteration | None = None
        self.pieces: list[list[float]] = []
        self._has_stages = has_stages
        self._now = now
        self._begin = now()
        self._done = dict.fromkeys(LEARNING if learns else APPLYING, 0.0)
        self._share = 0.0

    def received(self, n_bytes: int) -> None:
        """Take down how much has come in."""
        self.word = "listening to the pipe"
        self.facts = f"{n_bytes / 2**20:.1f} MiB so far"
        self.is_listening = True

    def opened(self, mixture: Mixture) -> None:
        """Take down the recording's facts."""
        self.word, self.is_listening = "looking", False
        self.facts = ", ".join(
            (
                f"{mixture.sample_rate / 1000:g} kHz",
                counted(mixture.n_chan, "channel"),
                duration(mixture.n_samples / mixture.sample_rate),
            )
        )

    def started(self, plan: Plan) -> None:
        """Take down what will be done."""
        self.facts += (
            f" → {counted(plan.n_src, 'output')}, about {plan.memory.n_bytes / 2**20:.0f} MiB"
        )

    def advanced(self, step: str, done: int, total: int) -> None:
        """Move on; a step that nobody knows of counts little, and has the word of the last one."""
        word, _ = STEPS.get(step, (self.word, 1))
        if not self.word.startswith(word):
            self.word = word
        self._done[step] = done / total if total else 1.0

    def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
        """Take down the cost; each stage, which has a cost of its own, begins a piece."""
        if self.iteration is None or iteration.number == 0:
            self.pieces.append([])
        self.pieces[-1].append(iteration.cost / iteration.size)
        self.iteration = iteration
        fine = fineness(iteration.stage) if self._has_stages else ""
        self.word = f"separating: {fine}" if fine else "separating"

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._now() - self._begin

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1; it never goes back."""
        shares = {step: STEPS.get(step, ("", 1))[1] for step in self._done}
        done = sum(share * self._done[step] for step, share in shares.items())
        self._share = max(self._share, done / sum(shares.values()))
        return self._share

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take if it goes on as it went; None while nobody knows."""
        if self.share < KNOWN_SHARE or self.elapsed < KNOWN_SECONDS:
            return None
        return self.elapsed * (1 - self.share) / self.share

    @property
    def times(self) -> str:
        """The time that went by, and the time left."""
        left = self.left
        return clock(self.elapsed) + ("" if left is None else f", {clock(left)} left")

    @property
    def cost(self) -> str:
        """The cost per source and frequency, and by how much the last iteration lowered it."""
        if self.iteration is None:
            return ""
        costs = self.pieces[-1]
        fall = f"  fell by {signed(costs[-2] - costs[-1], COST_DECIMALS)}" if costs[1:] else ""
        return (
            f"iteration {self.iteration.done} of {self.iteration.total}  "
            f"cost {signed(costs[-1], COST_DECIMALS)}{fall}"
        )


def fineness(stage: str) -> str:
    """Return what a stage of coarse to fine is to a person; nothing for one that is unknown.

    >>> [fineness(stage) for stage in ("bands-3", "bands-8", "bands-64", "laplace")]
    ['coarse', 'finer', 'finest', 'coarse']
    """
    _, _, bands = stage.partition("-")
    if bands.isdigit():
        n_bands = int(bands)
        return ("coarse", "finer", "finest")[(n_bands > COARSEST_BANDS) + (n_bands > FINEST_BANDS)]
    if stage in FINEST:
        return "finest"
    return "coarse" if stage in ("laplace", "gauss") else ""


def curve(pieces: Sequence[Sequence[float]], width: int) -> str:
    """Draw the cost of each stage as a line of blocks, each on a scale of its own.

    >>> curve([[4.0, 3.0, 2.0, 1.0], [9.0, 7.0]], width=20)
    '█▆▃▁│█▁'
    >>> curve([[4.0, 3.0, 2.0, 1.0], [9.0, 7.0]], width=5)
    '▆▁│▁'
    """
    step = 1
    while True:
        # From its end, so that the last cost is always shown.
        thinned = [piece[::-1][::step][::-1] for piece in pieces]
        drawn = STAGE_MARK.join(map(_blocks, thinned, pieces))
        if len(drawn) <= width or step >= max(map(len, pieces), default=1):
            return drawn[max(len(drawn) - width, 0) :]
        step += 1


def _blocks(shown: Sequence[float], piece: Sequence[float]) -> str:
    """Draw some of the costs of a stage."""
    lowest, span = min(piece), max(piece) - min(piece) or 1.0
    return "".join(CURVE[round((cost - lowest) / span * (len(CURVE) - 1))] for cost in shown)
