"""Does one channel's gain change?  Steps and slow changes, found in a sample and placed.

The ratio of two channels' levels differs from speaker to speaker.  A gain changes it by the same at
all frequencies, and leaves the phases as they are: frequencies at which the phase is what it was
before heard the same speaker before, and tell by how much the gain has changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from auxiva_cli.listening.clocks import WINDOW_SECONDS, Windows
from auxiva_cli.listening.mixture import Mixture, read_padded

__all__ = ["GainStep", "find_gain_steps", "gain_wander"]

Array = NDArray[Any]
# Within 30 degrees, which one in six frequencies is by chance.
SAME_PHASE = 0.87
# Frequencies with the phase of before: a step of a channel's gain leaves 0.5 to 0.9; headsets of
# speakers who took turns have 0.2.
SAME_SHARE = 0.3
# Change of the ratio (dB) over how far the frequencies differ in it: steps of 3 dB and more at
# least 1, in 142 rooms, with speakers who take turns and walk, at most 0.6.
CLEAR = 0.85
LEAST_STEP_DB = 2.6
# Headsets of speakers who take turns, without any room, look like more.
MOST_STEP_DB = 25.0
# What the ratio may change between steps, as a share of them.
STEADY = 0.45
# Slow changes, from seconds to seconds, over the same: simulated rooms at most 0.61, measured ones
# 0.91; +-2 dB over ten seconds 1.05 in the median.
WANDERS, LEAST_WANDER_DB, WANDER_SHARE = 1.0, 2.0, 0.4
# Windows before and after a step that tell it: more, where speakers take turns, or fewer.
AROUND = (6, 12)
GROUP = 3  # windows, two seconds
FEWEST_FREQUENCIES = 50
FEWEST_WINDOWS = 3
MOST_STEPS = 4
SOFTENING_DB = 0.5
# The size is told by windows near the step and phases that agree within 10 degrees; an error of
# 0.3 dB costs 2 dB of separation, the median error is 0.02.
SIZING, SIZING_PHASE = 8, 0.985
SIZING_WIDTHS_DB = (4.0, 3.0, 2.0, 1.5, 1.0, 1.0, 1.0)
# The place is told from frame to frame, by the levels so long before and after; the median error is
# 1 ms.  It may lie at the edge of a window, where a window weighs little.
FRAME_SECONDS = 0.004
COARSE_SECONDS, FINE_SECONDS = 0.2, 0.03
MARGIN = 0.25
CHUNK_FRAMES = 4096
# Above, a recording may hold nothing.
HIGHEST_HZ = 8000.0


@dataclass(frozen=True)
class GainStep:
    """From a time (s) on, a channel (from 0) is so many dB louder, relative to the reference."""

    channel: int
    time: float
    decibels: float


def find_gain_steps(mixture: Mixture, seen: Windows, channel: int, ref_chan: int) -> list[GainStep]:
    """Find the clear steps of a channel's gain, relative to the reference's, in order of time.

    Parameters
    ----------
    mixture : Mixture
        The recording, in which the steps are placed.
    seen : Windows
        A sample of it.
    channel, ref_chan : int
        From 0.
    """
    steps: list[GainStep] = []
    for _ in range(MOST_STEPS):
        found = _clearest_step(seen, channel, ref_chan)
        if found is None:
            break
        n, decibels = found[0], _size(seen, channel, ref_chan, *found)
        first, last = seen.times[n - 1] - MARGIN, seen.times[n] + WINDOW_SECONDS + MARGIN
        time = _place(mixture, channel, ref_chan, float(first), float(last), decibels)
        steps.append(GainStep(channel, time, decibels))
        seen = _scaled(seen, channel, n, decibels)
    if not steps:
        return []
    # Of a slow change steps are a bad likeness.
    remaining = gain_wander(seen, channel, ref_chan, anyhow=True)
    if remaining > STEADY * min(abs(step.decibels) for step in steps):
        return []
    return sorted(steps, key=lambda step: step.time)


def gain_wander(seen: Windows, channel: int, ref_chan: int, *, anyhow: bool = False) -> float:
    """Return by how many dB the ratio of two channels' levels changes slowly; 0 if not clearly.

    Parameters
    ----------
    seen : Windows
        A sample of the recording.
    channel, ref_chan : int
        From 0.
    anyhow : bool
        Return it in any case.
    """
    cross, power, reference = _products(seen, channel, ref_chan)
    whole = cross.sum(axis=0), power.sum(axis=0), reference.sum(axis=0)
    changes = []
    for start in range(0, len(seen.times) - GROUP + 1, GROUP):
        group = slice(start, start + GROUP)
        part = cross[group].sum(axis=0), power[group].sum(axis=0), reference[group].sum(axis=0)
        changes.append(_change(whole, part))
    sure = np.array([change for change in changes if change[2] > WANDER_SHARE])
    if len(sure) < 2:
        return 0.0
    wander = float(np.ptp(sure[:, 0]))
    least = max(WANDERS * (np.median(sure[:, 1]) + SOFTENING_DB), LEAST_WANDER_DB)
    clear = least <= wander <= MOST_STEP_DB
    return wander if clear or anyhow else 0.0


def _clearest_step(seen: Windows, channel: int, ref_chan: int) -> tuple[int, float] | None:
    """Return before which window the clearest step is, and its size (dB), if there is one."""
    products = _products(seen, channel, ref_chan)
    best, found = CLEAR, None
    places = range(FEWEST_WINDOWS, len(seen.times) - FEWEST_WINDOWS + 1)
    for n, around in product(places, AROUND):
        before = tuple(each[max(n - around, 0) : n].sum(axis=0) for each in products)
        after = tuple(each[n : n + around].sum(axis=0) for each in products)
        same = _same(before, after)
        if np.mean(same) < SAME_SHARE or not _steps(_ratio_of(before, after, same)):
            continue
        change, spread, _ = _change(before, after)
        clear = abs(change) / (spread + SOFTENING_DB)
        if LEAST_STEP_DB <= abs(change) <= MOST_STEP_DB and clear > best:
            best, found = clear, (n, change)
    return found


def _steps(ratio: Array) -> bool:
    """Tell, by counting, whether the median of ratios may be far enough from one for a step."""
    limit = 10 ** (0.99 * LEAST_STEP_DB / 10)
    beyond = max(np.count_nonzero(ratio > limit), np.count_nonzero(ratio < 1 / limit))
    return bool(2 * beyond + 1 >= len(ratio))


def _products(seen: Windows, channel: int, ref_chan: int) -> tuple[Array, Array, Array]:
    """Return cross-spectrum, power of a channel and of the reference, of each window."""
    X, Y = seen.X[channel, :, seen.band], seen.X[ref_chan, :, seen.band]
    return X * Y.conj(), np.square(np.abs(X)), np.square(np.abs(Y))


def _change(before: tuple[Array, ...], after: tuple[Array, ...]) -> tuple[float, float, float]:
    """Return how the ratio changes (dB), how much frequencies differ in it, how many tell it."""
    same = _same(before, after)
    if np.count_nonzero(same) < FEWEST_FREQUENCIES:
        return 0.0, np.inf, 0.0
    ratio = _ratio_of(before, after, same)
    low, change, high = np.percentile(10 * np.log10(ratio), [25, 50, 75])
    return float(change), float(high - low), float(np.mean(same))


def _same(before: tuple[Array, ...], after: tuple[Array, ...]) -> Array:
    """Tell at which frequencies the same is heard before and after, (n_freq,) bool."""
    sounding = np.minimum.reduce([*before[1:], *after[1:]]) > np.finfo(np.float32).tiny
    turned = after[0] * before[0].conj()
    same: Array = sounding & (turned.real > SAME_PHASE * np.abs(turned))
    return same


def _ratio_of(before: tuple[Array, ...], after: tuple[Array, ...], same: Array) -> Array:
    """Return by how much the ratio of the powers changes at some frequencies."""
    ratio: Array = (after[1][same] / after[2][same]) / (before[1][same] / before[2][same])
    return ratio


def _scaled(seen: Windows, channel: int, n: int, decibels: float) -> Windows:
    """Return windows without the step before window ``n``."""
    X = seen.X.copy()
    X[channel, n:] *= np.float32(10 ** (-decibels / 20))
    return replace(seen, X=X)


def _size(seen: Windows, channel: int, ref_chan: int, n: int, roughly: float) -> float:
    """Return the size (dB) of a step before window ``n``: the commonest change of one frequency.

    Where one speaker outweighs the other in a window before and in one after, the change is that of
    the gain; where others do, it is anything, and so is its phase.
    """
    cross, power, reference = _products(seen, channel, ref_chan)
    changes = []
    for i in range(max(n - 1 - SIZING, 0), n - 1):
        for j in range(n + 1, min(n + 1 + SIZING, len(seen.times))):
            turned = cross[j] * cross[i].conj()
            same = turned.real > SIZING_PHASE * np.abs(turned)
            ratio = (power[j] * reference[i])[same] / (power[i] * reference[j])[same]
            changes.append(10 * np.log10(ratio[np.isfinite(ratio) & (ratio > 0)]))
    every = np.concatenate([[], *changes])
    size = roughly
    for width in SIZING_WIDTHS_DB:
        near = every[np.abs(every - size) < width]
        size = float(near.mean()) if len(near) > FEWEST_FREQUENCIES else size
    return size


def _place(
    mixture: Mixture, channel: int, ref_chan: int, first: float, last: float, decibels: float
) -> float:
    """Return where (s) between two times the ratio of two channels steps by so many dB."""
    for side, hop in ((COARSE_SECONDS, COARSE_SECONDS / 100), (FINE_SECONDS, FINE_SECONDS / 30)):
        begin, ratio, step = _ratio(mixture, channel, ref_chan, first - side, last + side, hop)
        n = round(side / hop)
        sums = np.concatenate([[0], np.cumsum(ratio)]) * np.sign(decibels)
        rise = sums[2 * n :] - 2 * sums[n:-n] + sums[: -2 * n]
        time = begin + step * (n + int(rise.argmax()))
        first, last = time - 2 * FINE_SECONDS, time + 2 * FINE_SECONDS
    return max(time, 0.0)


def _ratio(
    mixture: Mixture, channel: int, ref_chan: int, first: float, last: float, hop: float
) -> tuple[float, Array, float]:
    """Return the ratio of two channels' levels from frame to frame.

    Returns
    -------
    begin : float, s
        Middle of the first frame.
    ratio : ndarray of shape (n_frames,), dB
        Mean over the frequencies.
    step : float, s
        From frame to frame.
    """
    rate = mixture.sample_rate
    size, step = max(round(FRAME_SECONDS * rate), 4), max(round(hop * rate), 1)
    begin = round(first * rate)
    n_frames = max((round(last * rate) - begin - size) // step + 1, 3)
    window = np.hanning(size).astype(np.float32)
    bins = slice(1, round(min(HIGHEST_HZ * FRAME_SECONDS, size / 2)) + 1)
    ratios = []
    for done in range(0, n_frames, CHUNK_FRAMES):
        n = min(CHUNK_FRAMES, n_frames - done)
        start = begin + done * step
        waveform = read_padded(mixture, start, start + (n - 1) * step + size)
        both = waveform[[channel, ref_chan]].astype(np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(both, size, axis=-1)[:, ::step]
        spectra = np.abs(scipy.fft.rfft(frames * window))[..., bins]
        spectra = np.maximum(spectra, np.finfo(np.float32).tiny)
        ratios.append(20 * np.log10(spectra[0] / spectra[1]).mean(axis=-1))
    return (begin + size / 2) / rate, np.concatenate(ratios), step / rate
