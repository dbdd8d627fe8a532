"""Look through a recording before work starts: is it whole, which channels carry sound.

One pass over the waveform.  What makes separation meaningless is an error; what only weakens it
is a notice, and the work goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from auxiva_cli.bss.fold import Map
from auxiva_cli.bss.linalg import Array
from auxiva_cli.errors import Notice, RecordingError
from auxiva_cli.listening.levels import DeadStretch, Levels, cell_length, cell_powers
from auxiva_cli.listening.mixture import Mixture, chosen_channels, is_usable

__all__ = ["Survey", "count_nonfinite", "survey"]

CELLS_PER_STRETCH = 25
# What rounding leaves of a constant channel is not a signal.
CONSTANT_SHARE = 1e-12
# Of the strongest channel's power: single precision does not hold filters between such channels.
LEAST_SHARE = 1e-30
CLIPPED_SHARE = 1e-3
CREST_LIMIT_DB = 36.0
LEVEL_LIMIT_DB = 12.0
UNEVEN_LIMIT_DB = 60.0
OFFSET_SHARE = 0.1  # of the power of a channel


@dataclass(frozen=True)
class Survey:
    """What one pass over a mixture tells.

    Attributes
    ----------
    offset : ndarray of shape (n_chan,)
        Mean of each channel, where it is large enough to matter, else zero: silence stays silent.
    rms : ndarray of shape (n_chan,)
        Root mean square of each channel about its mean.
    live : ndarray of shape (n_chan,), bool
        Channels that carry a signal at all.
    peak : ndarray of shape (n_chan,)
        Largest magnitude of each channel.
    levels : Levels
        How loud each channel is, when.
    notices : tuple of Notice
        What to tell the user.
    """

    offset: Array
    rms: Array
    peak: Array
    live: Array
    levels: Levels
    notices: tuple[Notice, ...]

    @property
    def level(self) -> float:
        """A power of two that brings the loudest channel near unit level."""
        return float(self.gain[self.rms.argmax()])

    @property
    def gain(self) -> Array:
        """Powers of two that bring each channel near unit level without rounding: (n_chan,)."""
        exponent = np.log2(self.rms, out=np.zeros_like(self.rms), where=self.live)
        return np.where(self.live, 2.0 ** -np.round(exponent), 0.0)


def count_nonfinite(mixture: Mixture) -> tuple[int, int, float]:
    """Return how many samples are not finite, and channel and time (s) of the first."""
    count, channel, seconds = 0, 0, 0.0
    length = _stretch_length(mixture)
    for start in range(0, mixture.n_samples, length):
        bad = ~is_usable(mixture.read(start, min(length, mixture.n_samples - start)))
        if bad.any() and not count:
            position = int(bad.any(axis=0).argmax())
            channel = int(bad[:, position].argmax())
            seconds = (start + position) / mixture.sample_rate
        count += int(bad.sum())
    return count, channel, seconds


def survey(
    mixture: Mixture, *, map: Map = map, advanced: Callable[[int, int], None] | None = None
) -> Survey:
    """Look through a mixture.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    map : callable, optional
        How a function is mapped over stretches of it, in their order.
    advanced : callable, optional
        Told how many samples of how many have been seen.

    Raises
    ------
    RecordingError
        If there is no sample, one that is not finite, or no channel that carries a signal.
    """
    if not mixture.n_samples:
        raise RecordingError(
            "the recording holds no samples", hint="Check its export.", kind="input-empty"
        )
    length = _stretch_length(mixture)
    starts = range(0, mixture.n_samples, length)
    sums, squares = np.zeros((2, len(starts), mixture.n_chan))
    peaks = _Peaks(mixture.n_chan)
    cells = []
    for i, seen in enumerate(map(partial(_look, mixture, length), starts)):
        if not is_usable(seen.peak).all():
            raise _nonfinite_error(mixture)
        sums[i], squares[i] = seen.sums, seen.squares
        peaks.update(seen)
        cells.append(seen.cells)
        if advanced is not None:
            advanced(min((i + 1) * length, mixture.n_samples), mixture.n_samples)
    offset = sums.sum(axis=0) / mixture.n_samples
    power = squares.sum(axis=0) / mixture.n_samples
    variance = power - offset**2
    live = (variance > CONSTANT_SHARE * power) & (variance > LEAST_SHARE * variance.max())
    if not live.any():
        raise RecordingError(
            f"all {mixture.n_chan} channels are silent",
            hint="Check the recording, and which channels were exported.",
            kind="silent",
        )
    rms = np.sqrt(np.where(live, variance, 0))
    offset = np.where(offset**2 > OFFSET_SHARE * rms**2, offset, 0)
    levels = Levels(np.concatenate(cells), cell_length(mixture.sample_rate), mixture.n_samples)
    notices = [
        *_level_notices(offset, rms, live, chosen_channels(mixture)),
        *_peak_notices(peaks, rms, live, mixture),
        *_dropout_notices(levels.dead_stretches(mixture.sample_rate)),
    ]
    return Survey(offset, rms, peaks.value, live, levels, tuple(notices))


class _Stretch(NamedTuple):
    """What a stretch of samples holds, per channel."""

    sums: Array
    squares: Array
    peak: Array
    peak_count: Array
    peak_position: Array
    cells: Array


def _look(mixture: Mixture, length: int, start: int) -> _Stretch:
    """Look at the stretch that begins at ``start``."""
    stretch = mixture.read(start, min(length, mixture.n_samples - start)).astype(float)
    size = np.abs(stretch)
    position = size.argmax(axis=1)
    peak = np.take_along_axis(size, position[:, None], axis=1)
    with np.errstate(over="ignore", invalid="ignore"):  # of samples that will be refused
        sums, squares = stretch.sum(axis=1), np.einsum("ct,ct->c", stretch, stretch)
        cells = cell_powers(stretch, cell_length(mixture.sample_rate))
    return _Stretch(
        sums=sums,
        squares=squares,
        peak=peak[:, 0],
        peak_count=np.sum(size == peak, axis=1),
        peak_position=start + position,
        cells=cells,
    )


class _Peaks:
    """Highest absolute sample of each channel: its value, how often it occurs, and where first."""

    def __init__(self, n_chan: int) -> None:
        self.value = np.zeros(n_chan)
        self.count = np.zeros(n_chan, int)
        self.position = np.zeros(n_chan, int)

    def update(self, seen: _Stretch) -> None:
        """Take in the highest samples of a stretch."""
        higher, equal = seen.peak > self.value, seen.peak == self.value
        self.position = np.where(higher, seen.peak_position, self.position)
        self.count = np.where(higher, seen.peak_count, self.count + equal * seen.peak_count)
        self.value = np.maximum(self.value, seen.peak)


def _level_notices(offset: Array, rms: Array, live: Array, chosen: Array) -> list[Notice]:
    """Remark on channels that are dead, far apart in level, or offset."""
    notices = [
        Notice("channel-dead", f"channel {c + 1} carries no signal and is left out")
        for c in np.flatnonzero(~live & chosen)
    ]
    channels = np.flatnonzero(live)
    weakest, strongest = channels[rms[live].argmin()], channels[rms[live].argmax()]
    apart = _decibels(rms[strongest] / rms[weakest])
    if apart > UNEVEN_LIMIT_DB:
        text = f"channel {weakest + 1} is {apart:.0f} dB below channel {strongest + 1}"
        notices.append(Notice("channels-uneven", text))
    shifted = np.flatnonzero(live & (offset != 0))
    if len(shifted):
        worst = shifted[np.abs(offset[shifted]).argmax()]
        text = (
            f"channel {worst + 1} has a DC offset of {offset[worst]:.3g}; "
            "the outputs carry equal shares of it"
        )
        notices.append(Notice("dc-offset", text))
    return notices


def _peak_notices(peaks: _Peaks, rms: Array, live: Array, mixture: Mixture) -> list[Notice]:
    """Remark on samples that are clipped, stand out alone, or are far above full scale."""
    notices = []
    for c in np.flatnonzero(live):
        clipped = peaks.count[c] / mixture.n_samples
        if clipped > CLIPPED_SHARE:
            text = f"{100 * clipped:.1f} % of channel {c + 1} is clipped at {peaks.value[c]:.3g}"
            notices.append(Notice("clipped", text))
        crest = _decibels(peaks.value[c] / rms[c])
        if crest > CREST_LIMIT_DB:
            seconds = peaks.position[c] / mixture.sample_rate
            text = f"channel {c + 1} peaks {crest:.0f} dB above its mean level at {seconds:.3f} s"
            notices.append(Notice("outlier", text))
    highest = _decibels(peaks.value.max())
    if highest > LEVEL_LIMIT_DB:
        text = f"samples reach {highest:.0f} dB above full scale: is the scale right?"
        notices.append(Notice("level-high", text))
    return notices


def _dropout_notices(stretches: Sequence[DeadStretch]) -> list[Notice]:
    """Remark on channels that are dead for a while."""
    notices = []
    for c, dead in groupby(stretches, key=attrgetter("channel")):
        times = [(each.start, each.stop) for each in dead]
        seconds = sum(stop - start for start, stop in times)
        text = (
            f"channel {c + 1} drops out for about {seconds:.1f} s, first at {times[0][0]:.1f} s; "
            "the outputs there are made of the other channels"
        )
        notices.append(Notice("channel-dropout", text))
    return notices


def _decibels(ratio: float) -> float:
    """Return an amplitude ratio in dB."""
    return float(20 * np.log10(ratio))


def _stretch_length(mixture: Mixture) -> int:
    """Return the samples of one stretch."""
    return CELLS_PER_STRETCH * cell_length(mixture.sample_rate)


def _nonfinite_error(mixture: Mixture) -> RecordingError:
    """Say where samples are not finite."""
    count, channel, seconds = count_nonfinite(mixture)
    return RecordingError(
        f"{count} sample{'s are' if count > 1 else ' is'} NaN, infinite or beyond any scale, "
        f"the first in channel {channel + 1} at {seconds:.3f} s",
        hint="Export the recording again, or have zeros put there.",
        kind="input-nonfinite",
    )
