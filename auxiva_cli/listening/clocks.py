"""Does a channel's clock run as the reference's does?  Drift and lost samples, from a sample.

Of one speaker in a room the phases of the cross-spectrum of two channels stay what they are, up to
the last reflection.  A clock that drifts turns them all at ``ε f``, a slip of ``s`` seconds turns
them once by ``s f``: nothing in a room does that to its reflections, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from auxiva_cli.listening.delays import phase_only
from auxiva_cli.listening.glimpses import Glimpses

__all__ = ["Drift", "Slip", "Windows", "find_drift", "find_slip", "windows"]

Array = NDArray[Any]
WINDOW_SECONDS = 1.0
STEP_SECONDS = WINDOW_SECONDS / 2
LOWEST_HZ, HIGHEST_HZ = 300.0, 3500.0
MOST_PPM, LEAST_PPM = 300.0, 8.0
# Of recordings so long, in quarters of a step, fewer frequencies are searched: an hour has plenty.
MOST_STEPS = 2**13
FREQUENCIES_AT_A_TIME = 16
# Agreement of the phases with the drift undone over that without: clocks that drift by 20 ppm for
# 14 s at least 1.4, rooms at most 1.2, but for speakers who take turns and walk (1.3 and 3.9).
DRIFT_GAIN = 1.2
# Agreement of windows far apart over that of neighbours, the drift undone, among reflections:
# clocks at least 0.62, but where speakers took one turn each; people who walk at most 0.33.  Of the
# windows before and after a slip over those of either side: slips at least 0.8, turns 0.
DRIFT_LASTS = 0.5
# Reflections lie so far from the direct sound.
DIRECT_SECONDS, LATEST_SECONDS = 0.001, 0.2
# Agreement of the windows before and after, a slip undone, over that among either: slips at least
# 0.8; speakers who took turns or walked at most 0.5, one walking in a dry room 0.8 with 0.4 ms.
SLIP_AGREEMENT, SLIP_SECONDS = 0.7, 0.001
# The same without a slip undone.
SLIP_DISAGREEMENT = 0.3
# Below, windows do not agree: channels without anything in common reach 0.003 over a recording, and
# 0.02 over a few windows; rooms, a drift or a slip undone, have at least 0.06.
LEAST_AGREEMENT, LEAST_OF_A_SIDE = 0.01, 0.03
FEWEST_WINDOWS = 3
# Of more windows, part of the frequencies tells as much.
WINDOWS_FOR_EVERY_FREQUENCY = 25


@dataclass(frozen=True)
class Windows:
    """Spectra of windows of a second, half a second apart.

    Attributes
    ----------
    X : ndarray of shape (n_chan, n_windows, n_freq), complex
        The spectra, at frequencies 1 Hz apart.
    times : ndarray of shape (n_windows,), s
        Where the windows begin.
    """

    X: Array
    times: Array

    @property
    def band(self) -> slice:
        """The frequencies that voices fill, as far as the sample rate allows."""
        return slice(round(LOWEST_HZ), min(round(HIGHEST_HZ), self.X.shape[-1]))

    def without(self, cells: Array, seconds: float) -> Windows:
        """Return the windows that touch none of some cells of so many seconds, (n_cells,) bool."""
        if not cells.any():
            return self
        before = np.concatenate([[0], np.cumsum(cells)])
        first = np.floor(self.times / seconds).astype(int)
        last = np.ceil((self.times + WINDOW_SECONDS) / seconds).astype(int)
        untouched = before[np.minimum(last, len(cells))] == before[np.minimum(first, len(cells))]
        return Windows(self.X[:, untouched], self.times[untouched])

    def phases(self, channel: int, ref_chan: int) -> Array:
        """Return the phases of a channel relative to another, (n_windows, n_freq), size one."""
        cross = self.X[channel] * self.X[ref_chan].conj()
        cross[:, : self.band.start] = 0
        cross[:, self.band.stop :] = 0
        return phase_only(cross)


@dataclass(frozen=True)
class Drift:
    """A clock that runs fast (positive) or slow, in parts per million of the reference's.

    Sample ``n`` of the channel holds what the reference hears at sample ``n (1 + ppm / 1e6)``, up
    to a delay.
    """

    ppm: float


@dataclass(frozen=True)
class Slip:
    """At a time (s) a channel loses so many seconds; if negative, it has so many too many."""

    time: float
    seconds: float


def windows(seen: Glimpses) -> Windows:
    """Return the windows of a sample that lie within the recording."""
    X, _ = seen.spectra(WINDOW_SECONDS)
    n_each = X.shape[1] // len(seen.starts)
    times = (seen.starts[:, None] + STEP_SECONDS * np.arange(n_each)).ravel()
    inside = times + WINDOW_SECONDS <= seen.seconds
    return Windows(X[:, inside], times[inside])


def find_drift(phases: Array, times: Array) -> Drift | None:
    """Tell whether the phases of windows turn as a drifting clock turns them.

    Parameters
    ----------
    phases : ndarray of shape (n_windows, n_freq), complex
        Phases at frequencies 1 Hz apart.
    times : ndarray of shape (n_windows,), s
        Multiples of half a second.

    Notes
    -----
    ``J(ε) = Σ_f |Σ_t c_ft e^{-2πi f ε t}|²`` without the terms of one window with itself: along
    time, the spectrum of the phases at ``ε f``, summed over the frequencies.
    """
    if len(times) < 2 * FEWEST_WINDOWS:
        return None
    steps = np.round((times - times[0]) / STEP_SECONDS).astype(int)
    n_steps = scipy.fft.next_fast_len(4 * (int(steps[-1]) + 1))
    live = np.flatnonzero(phases.any(axis=0))
    n_ppm = 2 * int(np.ceil(MOST_PPM * 1e-6 * (times[-1] - times[0]) * 4 * HIGHEST_HZ)) + 1
    drifts = np.linspace(-MOST_PPM, MOST_PPM, n_ppm)
    step = max(-(-n_steps // MOST_STEPS), len(times) // WINDOWS_FOR_EVERY_FREQUENCY)
    searched = live[::step]
    J = np.zeros(n_ppm) - np.count_nonzero(phases[:, searched])
    for first in range(0, len(searched), FREQUENCIES_AT_A_TIME):
        some = searched[first : first + FREQUENCIES_AT_A_TIME, None]
        along = np.zeros((len(some), n_steps), np.complex64)
        along[:, steps] = phases[:, some[:, 0]].T
        spectra = np.square(np.abs(scipy.fft.fft(along)))
        turns = np.round(drifts * (1e-6 * STEP_SECONDS * n_steps * some)).astype(int)
        J += np.take_along_axis(spectra, turns % n_steps, axis=1).sum(axis=0, dtype=float)
    best = int(J.argmax())
    among_all = LEAST_AGREEMENT * len(searched) * len(times) ** 2
    if J[best] < max(DRIFT_GAIN * J[n_ppm // 2], among_all):
        return None
    ppm = _between(phases[:, searched], times, searched, float(drifts[best]), drifts[1] - drifts[0])
    if abs(ppm) < LEAST_PPM:
        return None
    undone = _undone(phases[:, live], times, live, ppm)
    return Drift(ppm) if _lasts(_reflections(undone, live)) else None


def _undone(phases: Array, times: Array, frequencies: Array, ppm: float) -> Array:
    """Turn phases back by what a drift has turned them."""
    turns = np.outer(times - times[0], 1e-6 * ppm * frequencies)
    undone: Array = phases * np.exp(-2j * np.pi * turns)
    return undone


def _between(phases: Array, times: Array, frequencies: Array, ppm: float, step: float) -> float:
    """Return the drift at which the phases agree best, within a step of one that is near it.

    The vertex of the parabola through three drifts, closer and closer.
    """
    for width in (step, step / 2, step / 8):
        low, mid, high = (
            float(np.sum(np.square(np.abs(_undone(phases, times, frequencies, at).sum(axis=0)))))
            for at in (ppm - width, ppm, ppm + width)
        )
        bend = low - 2 * mid + high
        if bend >= 0:
            ppm += width * np.sign(high - low)
        else:
            ppm += width * float(np.clip(0.5 * (low - high) / bend, -1, 1))
    return float(ppm)


def find_slip(phases: Array, times: Array) -> Slip | None:
    """Tell whether the phases of windows turn once as lost samples turn them.

    Parameters
    ----------
    phases, times
        As for ``find_drift``.
    """
    n_windows, n_live = len(times), int(np.count_nonzero(phases.any(axis=0)))
    best: tuple[float, int, Slip | None] = (0.0, 0, None)
    sums = np.cumsum(phases, axis=0)
    for n in range(FEWEST_WINDOWS, n_windows - FEWEST_WINDOWS + 1):
        before, after = sums[n - 1], sums[-1] - sums[n - 1]
        sides = _agreement(before, n), _agreement(after, n_windows - n)
        if min(sides) < LEAST_OF_A_SIDE * n_live:
            continue
        size = 2 * (phases.shape[1] - 1)
        across = scipy.fft.irfft(after * before.conj(), size) * (size / 2)
        across /= n * (n_windows - n) * np.sqrt(sides[0] * sides[1])
        lag = int(across.argmax())
        seconds = -(lag if lag < size / 2 else lag - size) / size * WINDOW_SECONDS
        gain = float(across[lag] - across[0]) * n * (n_windows - n)
        if across[lag] >= SLIP_AGREEMENT and across[0] <= SLIP_DISAGREEMENT and gain > best[0]:
            time = 0.5 * (times[n - 1] + times[n] + WINDOW_SECONDS)
            best = gain, n, Slip(float(time), seconds)
    _, n, found = best
    if found is None or abs(found.seconds) < SLIP_SECONDS:
        return None
    live = np.flatnonzero(phases.any(axis=0))
    undone = phases[:, live].copy()
    undone[n:] *= np.exp(-2j * np.pi * found.seconds * live)
    reflections = _reflections(undone, live)
    return found if _same(reflections[:n], reflections[n:]) else None


def _agreement(total: Array, n: int) -> float:
    """Return the mean agreement of two of n windows, from the sum of their phases."""
    return float((np.sum(np.square(np.abs(total))) - np.count_nonzero(total) * n) / (n * (n - 1)))


def _reflections(phases: Array, live: Array) -> Array:
    """Leave the direct sound out of phases at the frequencies ``live`` (Hz)."""
    full = np.zeros((len(phases), 2 * round(HIGHEST_HZ) + 1), np.complex64)
    full[:, live] = phases * np.hanning(len(live))  # without it the direct sound would have tails
    correlation = scipy.fft.irfft(full)
    size = correlation.shape[1]
    direct = int(np.abs(correlation.sum(axis=0)).argmax())
    lags = np.roll(scipy.fft.fftfreq(size) * WINDOW_SECONDS, direct)
    near, far = np.abs(lags) < DIRECT_SECONDS, np.abs(lags) > LATEST_SECONDS
    correlation[:, near | far] = 0
    reflections: Array = scipy.fft.rfft(correlation)
    return reflections


def _same(before: Array, after: Array) -> bool:
    """Tell whether windows of two sides agree nearly as well as those of one."""
    sums = before.sum(axis=0), after.sum(axis=0)
    among = 1.0
    for side, total in zip((before, after), sums, strict=True):
        own = np.sum(np.square(np.abs(side)))
        pairs = len(side) * (len(side) - 1)
        among *= max(float(np.sum(np.square(np.abs(total))) - own) / pairs, 0.0)
    across = float(np.sum((sums[1] * sums[0].conj()).real)) / (len(before) * len(after))
    return bool(across >= DRIFT_LASTS * np.sqrt(among) > 0)


def _lasts(undone: Array) -> bool:
    """Tell whether windows far apart agree nearly as well as neighbours."""
    n_windows = len(undone)

    def agreement(apart: range) -> float:
        pairs = [np.mean((undone[n:] * undone[:-n].conj()).real) for n in apart]
        return float(np.mean(pairs))

    far = agreement(range(n_windows // 2, n_windows - 1))
    return far >= DRIFT_LASTS * agreement(range(2, 5))
