"""Do the channels share one time axis?  Constant delays between recorders, from a sample.

A recorder that was started later lags by the same time for every speaker.  Microphones of one
device differ, too, by the time that sound takes from one to the other: a delay is a device's only
where it leaves a gap that no distance between neighbouring microphones explains.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from auxiva_cli.errors import Notice
from auxiva_cli.listening.glimpses import Glimpses

__all__ = [
    "SMALLEST_GAP_SECONDS",
    "aligned",
    "delay_notices",
    "device_delays",
    "phase_only",
    "relative_delays",
]

Array = NDArray[Any]
LONGEST_SECONDS = 2.0
LOWEST_HZ, HIGHEST_HZ = 100.0, 3800.0
# Height of the peak over the deviation of all the rest.  Channels that have nothing in common
# reach 6; those of 130 simulated rooms, with 2 to 8 microphones from 5 mm to 1 m apart, at least
# 19, and of headsets into which the others leak at -35 dB 15.
CLEAR_PEAK = 10.0
# 1.7 m of air; shorter delays cost nothing, as the window is far longer.
SMALLEST_GAP_SECONDS = 0.005
# A reflection may outdo the direct sound by so little: then no device is late.
REFLECTION = 0.8


def relative_delays(seen: Glimpses, related: float = CLEAR_PEAK) -> Array:
    """Return by how much each channel lags behind another, where that can be told.

    Parameters
    ----------
    seen : Glimpses
        A sample of the recording.
    related : float
        The least peak of the correlation, over its deviation.

    Returns
    -------
    ndarray of shape (n_chan,), s
        Relative to the first of the most channels that have something in common; NaN for those
        that have nothing in common with any of these.

    Notes
    -----
    By the phase-transformed cross-correlation (Knapp and Carter, IEEE Trans. ASSP 24(4), 1976) of
    pairs, the clearest first: neighbours tell their delay more surely than the ends of an array.
    """
    n_chan, n_samples = seen.waveform.shape[1:]
    spectra = scipy.fft.rfft(seen.waveform, 2 * n_samples)
    frequencies = np.linspace(0, seen.sample_rate / 2, spectra.shape[-1])
    spectra = phase_only(spectra)
    spectra[..., (frequencies < LOWEST_HZ) | (frequencies > HIGHEST_HZ)] = 0
    pairs = []
    for first, second in combinations(range(n_chan), 2):
        cross = spectra[:, second] * spectra[:, first].conj()
        height, lag = _peak(scipy.fft.irfft(cross.sum(axis=0)), seen.sample_rate)
        if height < related:  # as the lag changes: a clock drifts, or one joined late
            height, lag = max(_peak(scipy.fft.irfft(each), seen.sample_rate) for each in cross)
        if height >= related:
            pairs.append((height, first, second, lag))
    return _joined(sorted(pairs, reverse=True), n_chan)


def device_delays(delays: Array, ref_chan: int) -> Array:
    """Return what of the delays (s) is the devices': zero where distances may explain them.

    Channels whose delays lie close together belong to one device, which has one delay.  That of the
    reference channel has none, and neither have channels of which nothing is known.
    """
    own = np.zeros(len(delays))
    known = np.flatnonzero(np.isfinite(delays))
    ranked = known[np.argsort(delays[known], kind="stable")]
    gaps = np.flatnonzero(np.diff(delays[ranked]) > SMALLEST_GAP_SECONDS)
    for device in np.split(ranked, gaps + 1):
        own[device] = np.median(delays[device])
    return np.where(np.isfinite(delays), own - own[ref_chan], 0.0)


def delay_notices(lags: Array, ref: int, sample_rate: int) -> list[Notice]:
    """Say which channels are late or early, and that they are aligned."""
    return [
        Notice(
            "channel-delayed",
            f"channel {c + 1} is {1e3 * abs(lags[c]) / sample_rate:.1f} ms "
            f"{'late' if lags[c] > 0 else 'early'} against channel {ref + 1} and is aligned",
        )
        for c in np.flatnonzero(lags).tolist()
    ]


def aligned(seen: Glimpses, delays: Array) -> Glimpses:
    """Undo the delays (s) of the channels of a sample, those that are known."""
    shifts = np.round(np.nan_to_num(delays) * seen.sample_rate).astype(int)
    length = seen.waveform.shape[-1] - int(np.ptp(shifts))
    starts = (shifts - shifts.min()).tolist()
    parts = [seen.waveform[:, c, at : at + length] for c, at in enumerate(starts)]
    waveform = np.stack(parts, axis=1)
    end = round((seen.seconds - seen.starts[-1]) * seen.sample_rate) - max(starts)
    waveform[-1, :, max(end, 0) :] = 0  # beyond the end of a channel
    return replace(seen, waveform=waveform)


def phase_only(spectra: Array) -> Array:
    """Return the phases of spectra, as numbers of size one."""
    # A complex number is divided three times slower than multiplied.
    phases: Array = spectra * (1 / np.maximum(np.abs(spectra), np.finfo(np.float32).tiny))
    return phases


def _peak(correlation: Array, sample_rate: int) -> tuple[float, float]:
    """Return the height of the peak over the deviation of the rest, and its lag (s)."""
    longest = round(LONGEST_SECONDS * sample_rate)
    near = np.concatenate([correlation[-longest:], correlation[: longest + 1]])
    size = np.abs(near)  # negative where one is wired the wrong way
    position = int(size.argmax())
    gap = round(SMALLEST_GAP_SECONDS * sample_rate)
    inner = size[longest - gap : longest + gap + 1]
    if inner.max() >= REFLECTION * size[position]:
        position = longest - gap + int(inner.argmax())
    height = abs(near[position]) / max(near.std(), np.finfo(np.float32).tiny)
    return float(height), (position - longest) / sample_rate


def _joined(pairs: list[tuple[float, int, int, float]], n_chan: int) -> Array:
    """Join pairs (height, first, second, lag), the best first, into delays."""
    delays, tree = np.zeros(n_chan), np.arange(n_chan)
    for _, first, second, lag in pairs:
        if tree[first] != tree[second]:
            joined = tree == tree[second]
            delays[joined] += delays[first] + lag - delays[second]
            tree[joined] = tree[first]
    largest = tree == np.bincount(tree).argmax()
    return np.where(largest, delays - delays[largest.argmax()], np.nan)
