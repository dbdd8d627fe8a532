"""The check-up: what is wrong with a recording's channels, and what is done about it.

In this order, as each step needs the ones before: channels that are copies, or no microphones of
this room, are left out; delays between devices are undone; steps of gain are undone.  Lost samples
and gains that wander are found, and only said.  Drifting clocks are said, and undone before all
else where that is asked for.  All of it is seen in a sample of the recording.  What was found is
one record: the notices, the JSON and the filters tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auxiva_cli.bss.fold import Map
from auxiva_cli.bss.scaling import sum_to_identity
from auxiva_cli.errors import Notice
from auxiva_cli.listening.choice import LeftOut, choose_channels, first_of
from auxiva_cli.listening.clocks import Slip, Windows, find_drift, find_slip, windows
from auxiva_cli.listening.delays import (
    SMALLEST_GAP_SECONDS,
    aligned,
    device_delays,
    relative_delays,
)
from auxiva_cli.listening.gains import GainStep, find_gain_steps, gain_wander
from auxiva_cli.listening.glimpses import glimpse
from auxiva_cli.listening.levels import DeadStretch, Levels
from auxiva_cli.listening.mixture import Aligned, Excerpt, Levelled, Mixture, Normalised
from auxiva_cli.listening.survey import Survey
from auxiva_cli.listening.wiring import inverted, mains_hum

__all__ = ["Findings", "check_fit", "check_up", "common_levels"]

Array = NDArray[Any]
# Less tells nothing.
SHORTEST_SECONDS = 1.0
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

    def with_copies(self, G: Array) -> Array:
        """Return filters that give the images at copies, too: those at what they are copies of.

        Parameters
        ----------
        G : ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
            Filters that do not use the channels that are left out.
        """
        copies = [each for each in self.left_out if each.other is not None]
        for each in copies:
            G[:, each.channel] = each.factor * G[:, each.other]
        return sum_to_identity(G) if copies else G

    def clock_ppm(self) -> Array:
        """Return how fast each clock is, (n_chan,) ppm: channels of one device have one."""
        ppm = np.zeros(len(self.lags))
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
        notices = _drift_notices(drifts, others, self.ref_chan, ", which is undone")
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


def check_up(
    mixture: Mixture, seen: Survey, *, ref_chan: int | None = None, map: Map = map
) -> Findings:
    """Find what is wrong with the channels of a recording.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    seen : Survey
        What a look at its waveform told.
    ref_chan : int, optional
        The reference channel that was asked for, from 0; it is not left out.
    map : callable, optional
        How a function is mapped over stretches of the recording, in their order.

    Raises
    ------
    RecordingError
        ``channels-dependent``, if all channels are copies of one.
    """
    rate = mixture.sample_rate
    dead = seen.levels.dead_stretches(rate)
    if np.count_nonzero(seen.live) < 2 or mixture.n_samples < SHORTEST_SECONDS * rate:
        return Findings(
            first_of(seen.live, seen.levels.drops_out, ref_chan),
            rate,
            lags=np.zeros(mixture.n_chan, int),
            dead=dead,
        )
    unit = Normalised(mixture, seen.offset, seen.gain)
    sample = glimpse(unit, map=map)
    if sample.sounding_seconds < SHORTEST_SECONDS:
        return Findings(
            first_of(seen.live, seen.levels.drops_out, ref_chan),
            rate,
            lags=np.zeros(mixture.n_chan, int),
            dead=dead,
        )
    delays = relative_delays(sample)
    choice = choose_channels(unit, aligned(sample, delays), seen.live, seen.levels, ref_chan)
    kept, ref = choice.kept, choice.ref_chan

    lags = np.zeros(mixture.n_chan, int)
    lags[choice.related] = np.round(rate * device_delays(delays, ref)[choice.related])
    on_axis: Mixture = unit
    levels = common_levels(seen.levels, lags)
    if lags.any():
        on_axis = Aligned(unit, lags).common
        sample = glimpse(on_axis, map=map)
    begin = int(max(-lags.min(), 0)) / rate  # of the sample, on the axis of the reference
    others = [c for c in np.flatnonzero(choice.related).tolist() if c != ref]
    spectra = windows(sample)
    devices = _check_devices(on_axis, spectra, levels, others, ref, begin, map)
    against = inverted(spectra, np.flatnonzero(kept))
    hum = mains_hum(spectra, np.flatnonzero(kept))
    notices = (
        *choice.notices,
        *_delay_notices(lags, ref, rate),
        *_device_notices(devices, others, ref),
        *_wiring_notices(against, hum),
    )
    left_out = tuple(_unscaled(each, seen.gain) for each in choice.left_out)
    return Findings(ref, rate, lags, left_out, dead, *devices, against, hum, notices=notices)


def check_fit(
    mixture: Mixture, seen: Survey, lags: Array, ref_chan: int, used: Array, *, map: Map = map
) -> list[Notice]:
    """Say where given filters do not fit the devices of a recording.

    Parameters
    ----------
    mixture, seen, map
        As for ``check_up``.
    lags : ndarray of shape (n_chan,), int
        By how many samples each channel is late, as far as the filters undo it.
    ref_chan : int
        Their reference channel.
    used : ndarray of shape (n_chan,), bool
        Channels that they use.
    """
    others = [c for c in np.flatnonzero(used & seen.live).tolist() if c != ref_chan]
    on_axis: Mixture = Normalised(mixture, seen.offset, seen.gain)
    if lags.any():
        on_axis = Aligned(on_axis, lags).common
    if not seen.live[ref_chan] or on_axis.n_samples < SHORTEST_SECONDS * mixture.sample_rate:
        return []
    sample = glimpse(on_axis, map=map)
    if sample.sounding_seconds < SHORTEST_SECONDS:
        return []
    delays = device_delays(relative_delays(sample), ref_chan)
    levels, begin = common_levels(seen.levels, lags), int(max(-lags.min(), 0))
    devices = _check_devices(
        on_axis, windows(sample), levels, others, ref_chan, begin / mixture.sample_rate, map
    )
    late = [
        Notice(
            "channel-delayed",
            f"channel {c + 1} is {1e3 * abs(delays[c]):.1f} ms "
            f"{'late' if delays[c] > 0 else 'early'} against channel {ref_chan + 1}, more than "
            "the filters undo: learn them anew",
        )
        for c in others
        if abs(delays[c]) > SMALLEST_GAP_SECONDS
    ]
    anew = ", more than the filters undo: learn them anew"
    said = _device_notices(devices, others, ref_chan, "which is left as it is", anew)
    return [*late, *said]


def common_levels(levels: Levels, lags: Array) -> Levels:
    """Return the levels of where all channels are there, on one axis."""
    if not lags.any():
        return levels
    starts = lags - min(lags.min(), 0)
    return levels.moved(starts, levels.n_samples - int(starts.max()))


def _unscaled(left_out: LeftOut, gain: Array) -> LeftOut:
    """Return a copy of another channel as it is before each is brought near unit level."""
    if left_out.other is None:
        return left_out
    ratio = float(gain[left_out.other] / gain[left_out.channel])
    return replace(left_out, factor=left_out.factor * ratio)


class _Devices(NamedTuple):
    """What the devices of channels do to them, as ``Findings`` holds it."""

    gain_steps: tuple[GainStep, ...]
    wandering: tuple[tuple[int, float], ...]
    drifts: tuple[tuple[int, float], ...]
    slips: tuple[tuple[int, Slip], ...]


def _check_devices(
    mixture: Mixture,
    sample: Windows,
    levels: Levels,
    channels: list[int],
    ref: int,
    begin: float,
    map: Map,
) -> _Devices:
    """Compare clocks and gains of channels with those of the reference.

    Parameters
    ----------
    mixture : Mixture
        The recording, on one axis.
    sample : Windows
        A sample of it.
    levels : Levels
        Where channels are dead: there is nothing to compare.
    channels : list of int
        Which channels to compare.
    ref : int
        The reference channel.
    begin : float, s
        Where the mixture begins, on the axis of the reference channel.
    map : callable
        How a function is mapped over channels.
    """

    def check(c: int) -> _Devices:
        dead = np.any(levels.dead[:, [c, ref]], axis=1)
        seen = sample.without(dead, levels.length / mixture.sample_rate)
        phases = seen.phases(c, ref)
        drift = find_drift(phases, seen.times)
        slip = None if drift else find_slip(phases, seen.times)
        steps = find_gain_steps(mixture, seen, c, ref)
        wander = 0.0 if steps else gain_wander(seen, c, ref)
        return _Devices(
            tuple(replace(step, time=step.time + begin) for step in steps),
            ((c, wander),) if wander else (),
            ((c, drift.ppm),) if drift else (),
            ((c, replace(slip, time=slip.time + begin)),) if slip else (),
        )

    checked = list(map(check, channels))
    return _Devices(
        tuple(step for each in checked for step in each.gain_steps),
        tuple(found for each in checked for found in each.wandering),
        tuple(found for each in checked for found in each.drifts),
        tuple(found for each in checked for found in each.slips),
    )


def _delay_notices(lags: Array, ref: int, sample_rate: int) -> list[Notice]:
    """Say which channels are late or early, and that they are aligned."""
    return [
        Notice(
            "channel-delayed",
            f"channel {c + 1} is {1e3 * abs(lags[c]) / sample_rate:.1f} ms "
            f"{'late' if lags[c] > 0 else 'early'} against channel {ref + 1} and is aligned",
        )
        for c in np.flatnonzero(lags).tolist()
    ]


def _device_notices(
    devices: _Devices,
    others: list[int],
    ref: int,
    steps_are: str = "which is undone",
    clocks_are: str = ": resync it, or record all channels with one clock",
) -> list[Notice]:
    """Say what the devices do: where all do the same, it is the reference that does it."""
    notices = _drift_notices(devices.drifts, others, ref, clocks_are)
    for c, (seconds, time) in _whose(
        [(c, np.array([slip.seconds, slip.time])) for c, slip in devices.slips],
        others,
        ref,
        [-1, 1],
    ):
        text = (
            f"channel {c + 1} {'loses' if seconds > 0 else 'repeats'} {1e3 * abs(seconds):.1f} ms "
            f"at about {time:.1f} s: separate what is before and after on its own"
        )
        notices.append(Notice("clock-slip", text))
    steps = [(s.channel, np.array([s.decibels, s.time])) for s in devices.gain_steps]
    for c, (decibels, time) in _whose(steps, others, ref, [-1, 1]):
        text = (
            f"channel {c + 1} becomes {abs(decibels):.1f} dB "
            f"{'louder' if decibels > 0 else 'quieter'} at {time:.2f} s, {steps_are}"
        )
        notices.append(Notice("gain-step", text))
    for c, decibels in _whose(devices.wandering, others, ref, 1):
        text = (
            f"the gain of channel {c + 1} changes slowly by {decibels:.1f} dB: "
            "record with automatic gain off"
        )
        notices.append(Notice("gain-wanders", text))
    return notices


def _drift_notices(
    drifts: Sequence[tuple[int, float]], others: list[int], ref: int, then: str
) -> list[Notice]:
    """Say which clocks drift, and what is done, or to be done, about it."""
    return [
        Notice(
            "clock-drift",
            f"the clock of channel {c + 1} is {abs(ppm):.0f} ppm {'fast' if ppm > 0 else 'slow'}, "
            f"{60 * abs(ppm) / 1e3:.1f} ms a minute{then}",
        )
        for c, ppm in _whose(drifts, others, ref, -1)
    ]


def _wiring_notices(against: tuple[int, ...], hum: tuple[tuple[int, int], ...]) -> list[Notice]:
    """Say which channels are wired the wrong way round, and which hum."""
    notices = []
    if len(against) == 2:
        text = (
            f"channels {against[0] + 1} and {against[1] + 1} swing against each other: "
            "one is wired the wrong way round, and its outputs are as it is"
        )
        notices.append(Notice("polarity-inverted", text))
    elif against:
        for c in against:
            text = f"channel {c + 1} is wired the wrong way round, and its outputs are as it is"
            notices.append(Notice("polarity-inverted", text))
    if hum:
        which = ", ".join(str(c + 1) for c, _ in hum)
        text = (
            f"channel{'s' if len(hum) > 1 else ''} {which} hum{'' if len(hum) > 1 else 's'} "
            f"at {hum[0][1]} Hz and its multiples: look for a ground loop"
        )
        notices.append(Notice("hum", text))
    return notices


def _whose(
    found: Sequence[tuple[int, Any]], others: list[int], ref: int, sign: ArrayLike
) -> list[tuple[int, Any]]:
    """Blame the reference, once, for what was found in all of several other channels."""
    if len(others) > 1 and [c for c, _ in found] == others:
        return [(ref, np.median([value for _, value in found], axis=0) * sign)]
    return list(found)
