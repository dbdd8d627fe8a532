"""What was found in a recording, and done to it: the one record that everything tells from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.scaling import sum_to_identity
from auxiva_cli.errors import Notice
from auxiva_cli.listening.choice import LeftOut
from auxiva_cli.listening.clocks import Slip
from auxiva_cli.listening.devices import drift_notices
from auxiva_cli.listening.gains import GainStep
from auxiva_cli.listening.levels import DeadStretch
from auxiva_cli.listening.mixture import Aligned, Excerpt, Levelled, Mixture

__all__ = ["Findings"]

Array = NDArray[Any]
# Clocks whose drifts lie so close together are one.
ONE_PPM = 3.0


@dataclass(frozen=True)
class Findings:
    """What was found in a recording, and done to it.

    Channels count from 0, times are the reference channel's.

    Attributes
    ----------
    ref_chan : int
        Reference channel.
    sample_rate : int
        In Hz.
    lags : ndarray of shape (n_chan,), int
        By how many samples each channel is late: undone.
    left_out : tuple of LeftOut
        Channels that are not used though they carry a signal.
    dead : tuple of DeadStretch
        Where channels are dead: there the outputs are made of the others.
    gain_steps : tuple of GainStep
        Steps of a channel's gain: undone.
    wandering : tuple of (int, float)
        Channels whose gain changes slowly, and by how many dB: not undone.
    drifts : tuple of (int, float)
        Channels whose clock is fast, and by how many ppm: not undone.
    slips : tuple of (int, Slip)
        Channels that lose samples: not undone.
    inverted : tuple of int
        Channels that are wired the wrong way round; both of two.
    hum : tuple of (int, int)
        Channels that hum, and the frequency (Hz) of the mains.
    undone_ppm : ndarray of shape (n_chan,), optional
        By how many ppm the clock of each channel was fast: undone, if anything was.
    notices : tuple of Notice
        What to tell the user.
    """

    ref_chan: int
    sample_rate: int
    lags: Array
    left_out: tuple[LeftOut, ...] = ()
    dead: tuple[DeadStretch, ...] = ()
    gain_steps: tuple[GainStep, ...] = ()
    wandering: tuple[tuple[int, float], ...] = ()
    drifts: tuple[tuple[int, float], ...] = ()
    slips: tuple[tuple[int, Slip], ...] = ()
    inverted: tuple[int, ...] = ()
    hum: tuple[tuple[int, int], ...] = ()
    undone_ppm: Array | None = None
    notices: tuple[Notice, ...] = ()

    def used(self, live: Array) -> Array:
        """Return which of the channels that carry a signal are used, bool of shape (n_chan,)."""
        used: Array = live.copy()
        used[[each.channel for each in self.left_out]] = False
        return used

    def levelled(self, mixture: Mixture) -> Mixture:
        """Return the recording, every channel on its own axis, with the steps of gain undone."""
        steps = tuple(
            (
                step.channel,
                round(step.time * self.sample_rate) + int(self.lags[step.channel]),
                float(10 ** (step.decibels / 20)),
            )
            for step in self.gain_steps
        )
        return Levelled(mixture, steps) if steps else mixture

    def common(self, mixture: Mixture, stretch: tuple[int, int] | None = None) -> Mixture:
        """Return what can be learnt from: where all channels are there, on one axis.

        Parameters
        ----------
        mixture : Mixture
            The recording, every channel on its own axis.
        stretch : tuple of int, optional
            The first sample and the one behind the last, of the reference channel.
        """
        if self.lags.any():
            mixture = Aligned(mixture, self.lags).common
        if stretch is None:
            return mixture
        first, last = (min(max(at - self._begin, 0), mixture.n_samples) for at in stretch)
        return Excerpt(mixture, first, last)

    def begin(self, stretch: tuple[int, int] | None = None) -> int:
        """Return at which sample of the reference channel begins what ``common`` gives."""
        return self._begin if stretch is None else max(stretch[0], self._begin)

    def with_copies(self, G: Array, *, has_rest: bool = False) -> Array:
        """Return filters that give the images at copies, too: those at what they are copies of.

        Parameters
        ----------
        G : ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
            Filters that do not use the channels that are left out.
        has_rest : bool
            Whether the last is the rest.
        """
        copies = [each for each in self.left_out if each.other is not None]
        for each in copies:
            G[:, each.channel] = each.factor * G[:, each.other]
        return sum_to_identity(G, has_rest=has_rest) if copies else G

    def clock_ppm(self) -> Array:
        """Return how fast each clock is, (n_chan,) ppm: channels of one device have one."""
        ppm = np.zeros(len(self.lags))
        if not self.drifts:
            return ppm
        drifts = sorted(self.drifts, key=lambda drift: drift[1])
        values = np.array([value for _, value in drifts])
        for device in np.split(
            np.arange(len(drifts)), np.flatnonzero(np.diff(values) > ONE_PPM) + 1
        ):
            ppm[[drifts[i][0] for i in device]] = np.median(values[device])
        return ppm

    def with_clocks(self, ppm: Array) -> Findings:
        """Return what was found once clocks that were fast by so many ppm had been put right."""
        if not ppm.any():
            return self
        left_out = {each.channel for each in self.left_out}
        others = [c for c in range(len(ppm)) if c != self.ref_chan and c not in left_out]
        drifts = [(c, float(ppm[c])) for c in np.flatnonzero(ppm).tolist()]
        notices = drift_notices(drifts, others, self.ref_chan, ", which is undone")
        return replace(self, undone_ppm=ppm, notices=(*notices, *self.notices))

    def as_dict(self) -> dict[str, Any]:
        """Return the record for JSON, channels from 1."""
        ppm = np.zeros(len(self.lags)) if self.undone_ppm is None else self.undone_ppm
        undone = np.flatnonzero(ppm).tolist()
        drifts = dict(self.drifts) | {c: float(ppm[c]) for c in undone}
        return {
            "left_out": [
                {
                    "channel": each.channel + 1,
                    "why": each.why,
                    "other": None if each.other is None else each.other + 1,
                }
                for each in self.left_out
            ],
            "dead_stretches": [
                {"channel": each.channel + 1, "from_s": each.start, "to_s": each.stop}
                for each in self.dead
            ],
            "delays_ms": [round(1e3 * lag / self.sample_rate, 3) for lag in self.lags.tolist()],
            "gain_steps": [
                {"channel": step.channel + 1, "at_s": step.time, "db": round(step.decibels, 2)}
                for step in self.gain_steps
            ],
            "gain_wanders_db": {str(c + 1): round(change, 2) for c, change in self.wandering},
            "clock_drift_ppm": {str(c + 1): round(ppm, 1) for c, ppm in drifts.items()},
            "resynced": [c + 1 for c in undone],
            "clock_slips": [
                {"channel": c + 1, "at_s": slip.time, "lost_ms": round(1e3 * slip.seconds, 3)}
                for c, slip in self.slips
            ],
            "inverted": [c + 1 for c in self.inverted],
            "hum_hz": {str(c + 1): mains for c, mains in self.hum},
        }

    @property
    def _begin(self) -> int:
        """Where on the reference channel's axis all channels are there."""
        return int(max(-self.lags.min(), 0))
