"""The diarisation error rate: how much of the speech is told of the wrong speaker, or not at all.

At every moment ``r`` speakers talk, ``h`` are said to, and ``c`` of those are the right ones, once
speakers are paired so that ``c`` lasts longest.  In the reference's speech ``∫ r dt`` the rate
counts (NIST, The 2009 Rich Transcription Meeting Recognition Evaluation Plan, section 6.1; no
collar)

    missed ∫ max(r - h, 0) dt,  false alarms ∫ max(h - r, 0) dt,  confusion ∫ min(r, h) - c dt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from auxiva_cli.errors import ParameterError

__all__ = ["DiarisationError", "diarisation_error"]

Stretches = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class DiarisationError:
    """Seconds of speech that are missed, invented or told of the wrong speaker, and of all."""

    missed: float
    false_alarm: float
    confusion: float
    speech: float

    @property
    def rate(self) -> float:
        """The diarisation error rate; above 1 if more is invented than there is."""
        return (self.missed + self.false_alarm + self.confusion) / self.speech


def diarisation_error(
    reference: Sequence[Stretches], hypothesis: Sequence[Stretches]
) -> DiarisationError:
    """Compare who speaks when with who was said to.

    Parameters
    ----------
    reference, hypothesis : sequence of sequences of (float, float)
        Start and end, in seconds, of every turn of every speaker; turns of one may overlap.

    Raises
    ------
    ParameterError
        If nobody speaks in the reference.
    """
    both = [*reference, *hypothesis]
    borders = np.unique([time for own in both for turn in own for time in turn])
    seconds = np.diff(borders)
    active = np.array([_active(own, borders) for own in both]).reshape(len(both), len(seconds))
    R, H = active[: len(reference)], active[len(reference) :]
    speech = float((R @ seconds).sum())
    if not speech:
        raise ParameterError("nobody speaks in the reference", hint="Give one with turns.")
    together = (R * seconds) @ H.T
    pairs = linear_sum_assignment(together, maximize=True)
    r, h = R.sum(axis=0), H.sum(axis=0)
    return DiarisationError(
        missed=float(np.maximum(r - h, 0) @ seconds),
        false_alarm=float(np.maximum(h - r, 0) @ seconds),
        confusion=float(np.minimum(r, h) @ seconds - together[pairs].sum()),
        speech=speech,
    )


def _active(turns: Stretches, borders: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell, 0 or 1, between which borders one speaks."""
    changes = np.zeros(len(borders))
    for start, end in turns:
        changes[np.searchsorted(borders, start)] += 1
        changes[np.searchsorted(borders, end)] -= 1
    return (np.cumsum(changes)[:-1] > 0).astype(float)
