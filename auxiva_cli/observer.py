"""Whoever wants to know how the work goes."""

from __future__ import annotations

from dataclasses import dataclass

from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.bss.linalg import Array
from auxiva_cli.bss.whitening import Whitening
from auxiva_cli.memory import MemoryPlan
from auxiva_cli.stft import Stft

__all__ = ["Observer", "Plan"]


@dataclass(frozen=True)
class Plan:
    """What is about to be done with a recording."""

    n_src: int
    n_chan: int
    n_samples: int
    sample_rate: int
    stft: Stft
    memory: MemoryPlan


class Observer:
    """Is told how the work goes; this one does not listen."""

    def started(self, plan: Plan) -> None:
        """Hear what is about to be done, once it is known."""

    def whitened(self, whitening: Whitening, channels: Array) -> None:
        """Hear how the channels that carry sound, from 0, are whitened when at unit level."""

    def advanced(self, step: str, done: int, total: int) -> None:
        """Hear how far a step is: ``survey``, ``covariance``, ``fit`` or ``write``."""

    def iterated(self, iteration: Iteration) -> None:
        """Hear the cost."""
