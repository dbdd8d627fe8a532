"""The check-up: what is wrong with a recording's channels, and what is done about it.

In this order, as each step needs the ones before: channels that are copies, or no microphones of
this room, are left out; delays between devices are undone; steps of gain are undone.  Lost samples
and gains that wander are found, and only said.  Drifting clocks are said, and undone before all
else where that is asked for.  All of it is seen in a sample of the recording.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.fold import Map
from auxiva_cli.errors import Notice
from auxiva_cli.listening.choice import LeftOut, choose_channels, first_of
from auxiva_cli.listening.clocks import windows
from auxiva_cli.listening.delays import (
    SMALLEST_GAP_SECONDS,
    aligned,
    delay_notices,
    device_delays,
    relative_delays,
)
from auxiva_cli.listening.devices import check_devices, device_notices
from auxiva_cli.listening.findings import Findings
from auxiva_cli.listening.glimpses import glimpse
from auxiva_cli.listening.levels import Levels
from auxiva_cli.listening.mixture import Aligned, Mixture, Normalised
from auxiva_cli.listening.survey import Survey
from auxiva_cli.listening.wiring import inverted, mains_hum, wiring_notices

__all__ = ["check_fit", "check_up", "common_levels"]

Array = NDArray[Any]
# Less tells nothing.
SHORTEST_SECONDS = 1.0


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
    lags, dead = np.zeros(mixture.n_chan, int), seen.levels.dead_stretches(rate)
    nothing = Findings(first_of(seen.live, seen.levels.drops_out, ref_chan), rate, lags, dead=dead)
    if np.count_nonzero(seen.live) < 2 or mixture.n_samples < SHORTEST_SECONDS * rate:
        return nothing
    unit = Normalised(mixture, seen.offset, seen.gain)
    sample = glimpse(unit, map=map)
    if sample.sounding_seconds < SHORTEST_SECONDS:
        return nothing
    delays = relative_delays(sample)
    choice = choose_channels(unit, aligned(sample, delays), seen.live, seen.levels, ref_chan)
    kept, ref = choice.kept, choice.ref_chan

    lags[choice.related] = np.round(rate * device_delays(delays, ref)[choice.related])
    on_axis: Mixture = unit
    levels = common_levels(seen.levels, lags)
    if lags.any():
        on_axis = Aligned(unit, lags).common
        sample = glimpse(on_axis, map=map)
    begin = int(max(-lags.min(), 0)) / rate  # of the sample, on the axis of the reference
    others = [c for c in np.flatnonzero(choice.related).tolist() if c != ref]
    spectra = windows(sample)
    devices = check_devices(on_axis, spectra, levels, others, ref, begin, map)
    against = inverted(spectra, np.flatnonzero(kept))
    hum = mains_hum(spectra, np.flatnonzero(kept))
    notices = (
        *choice.notices,
        *delay_notices(lags, ref, rate),
        *device_notices(devices, others, ref),
        *wiring_notices(against, hum),
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
    devices = check_devices(
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
    said = device_notices(devices, others, ref_chan, "which is left as it is", anew)
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
