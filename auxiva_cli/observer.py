"""Whoever wants to know how the work goes."""

from __future__ import annotations

from dataclasses import dataclass

from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.bss.linalg import Array
from auxiva_cli.bss.whitening import Whitening
from auxiva_cli.memory import MemoryPlan
from auxiva_cli.mixture import Mixture
from auxiva_cli.stft import Stft

__all__ = ["Observer", "Plan"]


@dataclass(frozen=True)
class Plan:
    """What is about to be done with a recording.

    Attributes
    ----------
    n_src : int
        Number of sources.
    stft : Stft
        The transform.
    memory : MemoryPlan
        What is kept in memory.
    seconds : float
        How long it will take at most, roughly.
    """

    n_src: int
    stft: Stft
    memory: MemoryPlan
    seconds: float


class Observer:
    """Is told how the work goes; this one does not listen."""

    def opened(self, mixture: Mixture) -> None:
        """Hear which recording it is about."""

    def started(self, plan: Plan) -> None:
        """Hear what is about to be done, once it is known."""

    def whitened(self, whitening: Whitening, channels: Array) -> None:
        """Hear how the channels that carry sound, from 0, are whitened when at unit level."""

    def advanced(self, step: str, done: int, total: int) -> None:
        """Hear how far a step is, from none to all of it.

        Steps are ``levels``, ``survey``, ``covariance``, ``tables``, ``fit``, ``filters``,
        ``write``, ``reorder`` and ``lower``, of which a recording takes those that it needs, each
        once.
        """

    def iterated(self, iteration: Iteration) -> None:
        """Hear the cost."""
