"""Whoever wants to know how the work goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.bss.linalg import Array
from auxiva_cli.listening.mixture import Mixture
from auxiva_cli.listening.stft import Stft
from auxiva_cli.memory import MemoryPlan

__all__ = ["Observer", "Plan"]


@dataclass(frozen=True)
class Plan:
    """What is about to be done with a recording.

    Attributes
    ----------
    n_src : int
        Number of sources.
    n_out : int
        Outputs that are separated: more than sources where a crowd has some, which are then left
        out.
    n_extra : int
        Outputs that take reverberation and noise in the last stage, and are then left out.
    ref_chan : int
        Reference channel, from 0.
    stft : Stft
        The transform.
    memory : MemoryPlan
        What is kept in memory.
    """

    n_src: int
    n_out: int
    n_extra: int
    ref_chan: int
    stft: Stft
    memory: MemoryPlan


class Observer:
    """Is told how the work goes; this one does not listen."""

    def received(self, n_bytes: int) -> None:
        """Hear how much of a stream has come."""

    def opened(self, mixture: Mixture) -> None:
        """Hear which recording it is about."""

    def started(self, plan: Plan) -> None:
        """Hear what is about to be done, once it is known."""

    def advanced(self, step: str, done: int, total: int) -> None:
        """Hear how far a step is, from none to all of it.

        Steps are ``dereverb``, ``levels``, ``survey``, ``count``, ``covariance``, ``tables``,
        ``fit``, ``filters``, ``write`` and ``lower``: once each, those that a recording needs.
        """

    def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
        """Hear the cost.

        Parameters
        ----------
        iteration : Iteration
            Where the algorithm is.
        demixing_matrices : callable
            Gives the matrices ``W`` of the recording at this point, (n_src, n_chan, n_freq), when
            called; up to a scale per source and frequency, zero where there is nothing to separate.
        """
