"""What the devices do to their channels: clocks that drift or slip, gains that step or wander."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auxiva_cli.bss.fold import Map
from auxiva_cli.errors import Notice
from auxiva_cli.listening.clocks import Slip, Windows, find_drift, find_slip
from auxiva_cli.listening.gains import GainStep, find_gain_steps, gain_wander
from auxiva_cli.listening.levels import Levels
from auxiva_cli.listening.mixture import Mixture

__all__ = ["Devices", "check_devices", "device_notices", "drift_notices"]

Array = NDArray[Any]


class Devices(NamedTuple):
    """What the devices of channels do to them, as ``Findings`` holds it."""

    gain_steps: tuple[GainStep, ...]
    wandering: tuple[tuple[int, float], ...]
    drifts: tuple[tuple[int, float], ...]
    slips: tuple[tuple[int, Slip], ...]


def check_devices(
    mixture: Mixture,
    sample: Windows,
    levels: Levels,
    channels: list[int],
    ref: int,
    begin: float,
    map: Map,
) -> Devices:
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

    def check(c: int) -> Devices:
        dead = np.any(levels.dead[:, [c, ref]], axis=1)
        seen = sample.without(dead, levels.length / mixture.sample_rate)
        phases = seen.phases(c, ref)
        drift = find_drift(phases, seen.times)
        slip = None if drift else find_slip(phases, seen.times)
        steps = find_gain_steps(mixture, seen, c, ref)
        wander = 0.0 if steps else gain_wander(seen, c, ref)
        return Devices(
            tuple(replace(step, time=step.time + begin) for step in steps),
            ((c, wander),) if wander else (),
            ((c, drift.ppm),) if drift else (),
            ((c, replace(slip, time=slip.time + begin)),) if slip else (),
        )

    checked = list(map(check, channels))
    return Devices(
        tuple(step for each in checked for step in each.gain_steps),
        tuple(found for each in checked for found in each.wandering),
        tuple(found for each in checked for found in each.drifts),
        tuple(found for each in checked for found in each.slips),
    )


def device_notices(
    devices: Devices,
    others: list[int],
    ref: int,
    steps_are: str = "which is undone",
    clocks_are: str = ": resync it, or record all channels with one clock",
) -> list[Notice]:
    """Say what the devices do: where all do the same, it is the reference that does it."""
    notices = drift_notices(devices.drifts, others, ref, clocks_are)
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


def drift_notices(
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


def _whose(
    found: Sequence[tuple[int, Any]], others: list[int], ref: int, sign: ArrayLike
) -> list[tuple[int, Any]]:
    """Blame the reference, once, for what was found in all of several other channels."""
    if len(others) > 1 and [c for c, _ in found] == others:
        return [(ref, np.median([value for _, value in found], axis=0) * sign)]
    return list(found)
