"""Doubt: whether outputs are so much alike that they can hardly be different speakers."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from auxiva_cli.bss.scaling import image_covariance, relative_levels
from auxiva_cli.errors import Notice
from auxiva_cli.filters import Filters
from auxiva_cli.listening.counting import Count
from auxiva_cli.listening.levels import Levels

__all__ = ["Likeness"]

Array = NDArray[Any]
TINY = float(np.finfo(float).tiny)
# Of 110 mixtures that had no part in this, in which every speaker improved by 5 dB, none lies
# above, one of 65 that had.  Of those in which one improved by less than 1 dB, three fifths do
# where clocks or gains are the cause, and none where it is noise: that is left of everybody alike.
ALIKE_WAVEFORMS, ALIKE_SPECTRA = 0.2, 0.27
# So far below the strongest output lies what is left of a speaker, where more outputs than speakers
# were asked for: like that one, and no harm to it.
FAINT_DB = -12.0
# Fewer windows tell nothing.
FEWEST = 75
# Who speaks besides those that have an output is heard in several at once.  In the loudest moments:
# windows of so much of the mean power, and of these the quantile.
LOUD, QUANTILE = 0.3, 0.95
N_BINS = 200
SPECTRA_OF_ONE_MORE, SHARED_WITH_ONE_MORE = 0.68, 0.55
# Spectra are of windows of so many cells, and compared where speech is.
CELLS = 2
LOWEST_HZ, HIGHEST_HZ = 75.0, 5000.0


class Likeness:
    """How much outputs are alike, found as they go by.

    Speakers are unrelated: their waveforms do not correlate, and no frequency is loud in one when
    it is in the other.  Where separation failed, each output holds a part of every speaker.

    Parameters
    ----------
    filters : Filters
        What they are made with.
    levels : Levels
        How loud the recording is, when: pauses, which all outputs share, do not count.
    """

    def __init__(self, filters: Filters, levels: Levels) -> None:
        n_out, self._length = filters.n_out, CELLS * levels.length
        self._is_source = np.arange(n_out) < filters.n_src
        self._learnt = np.eye(n_out)
        if filters.R is not None:
            rows = filters.G[np.arange(n_out), filters.outputs[:, 0]]
            self._learnt = _normalised(image_covariance(rows, filters.R))
        self._gram = np.zeros((n_out, n_out))
        sounding = levels.sounding_cells()
        n_windows = len(sounding) // CELLS
        windows = sounding[: n_windows * CELLS].reshape(n_windows, CELLS)
        self._sounding = np.asarray(windows.all(axis=1))
        power = np.mean(levels.powers / np.maximum(levels.powers.mean(axis=0), TINY), axis=1)
        power = power[: n_windows * CELLS].reshape(n_windows, CELLS).mean(axis=1)
        self._is_loud = power[self._sounding] > LOUD
        self._shares = np.zeros(N_BINS, int)
        self._is_full = filters.n_src == len(filters.used)
        self._window = np.hanning(self._length + 1)[:-1]
        frequencies = np.arange(self._length // 2 + 1) * (filters.sample_rate / self._length)
        self._heard = (frequencies >= LOWEST_HZ) & (frequencies <= HIGHEST_HZ)
        n_freq = int(self._heard.sum())
        self._rest, self._n_windows, self._count = np.zeros((n_out, 0)), 0, 0
        self._sums = np.zeros((n_out, n_freq))
        self._products = np.zeros((n_out, n_out, n_freq))

    def update(self, images: Array) -> None:
        """Take in the next samples of all outputs, (n_out, n_samples), at one microphone."""
        images = images.astype(float)
        self._gram += images @ images.T
        waveform = np.concatenate([self._rest, images], axis=1)
        n_windows = waveform.shape[1] // self._length
        windows, self._rest = np.split(waveform, [n_windows * self._length], axis=1)
        windows = windows.reshape(len(images), n_windows, self._length)
        sounding = self._sounding[self._n_windows :][:n_windows]
        self._n_windows += n_windows
        windows = windows[:, : len(sounding)][:, sounding]
        X = np.abs(scipy.fft.rfft(windows * self._window)[..., self._heard])
        self._share(X[self._is_source][:, self._is_loud[self._count :][: X.shape[1]]])
        self._count += X.shape[1]
        self._sums += X.sum(axis=1)
        self._products += np.einsum("ktf,jtf->kjf", X, X)

    def _share(self, X: Array) -> None:
        """Take in how much of each loud window (n_src, n_windows, n_freq) is in several outputs."""
        power = X**2
        total = np.maximum(power.sum(axis=(0, 2)), TINY)
        shared = (1 - power.max(axis=0).sum(axis=-1) / total) * len(X) / max(len(X) - 1, 1)
        self._shares += np.histogram(shared, N_BINS, (0, 1))[0]

    @property
    def shared(self) -> float:
        """How much of what sounds is in several outputs, from 0 to 1, at its most.

        Of a window it is what is not the loudest output's of its frequency, relative to outputs
        that are equally loud in all of them.
        """
        up_to = np.cumsum(self._shares)
        return float(np.searchsorted(up_to, QUANTILE * up_to[-1]) + 1) / N_BINS

    @property
    def energies(self) -> Array:
        """Energy of each output, (n_out,)."""
        return self._gram.diagonal().copy()

    @property
    def waveforms(self) -> Array:
        """Correlation of the waveforms, beyond what was learnt, (n_out, n_out).

        Filters that are longer than a window wrap around, and no longer keep apart what they did.
        """
        return _normalised(self._gram) - self._learnt

    @property
    def spectra(self) -> Array:
        """Correlation of the magnitudes of two outputs, mean over frequencies, (n_out, n_out)."""
        n = max(self._count, 1)
        mean = self._sums / n
        likeness: Array = _normalised(self._products / n - mean[:, None] * mean).mean(axis=-1)
        return likeness

    def notices(self, count: Count | None = None) -> list[Notice]:
        """Say which two outputs are too much alike to be two speakers, or if there are more.

        Parameters
        ----------
        count : Count, optional
            How many speak, if they were counted: of what may be no speech it is not told whether
            there are more.
        """
        waveforms, spectra = np.abs(self.waveforms), self.spectra
        heard = self._is_source & (relative_levels(self.energies) > FAINT_DB)
        pairs = np.triu(np.outer(heard, heard), k=1)
        excess = pairs * np.maximum(waveforms / ALIKE_WAVEFORMS, spectra / ALIKE_SPECTRA)
        pair = np.unravel_index(excess.argmax(), excess.shape)
        if self._count < FEWEST:
            return []
        if excess[pair] <= 1:
            return self._more_speakers(float(np.max(pairs * spectra))) if count else []
        text = (
            f"outputs {pair[0] + 1} and {pair[1] + 1} are alike (correlation of the waveforms "
            f"{self.waveforms[pair]:.2f}, of the spectra {self.spectra[pair]:.2f}): their "
            "speakers are probably not separated; each should speak for some seconds, and the "
            "microphones should run on one clock with fixed gain"
        )
        return [Notice("doubtful-result", text)]

    def _more_speakers(self, spectra: float) -> list[Notice]:
        """Remark on more speakers than there can be outputs."""
        evidence = spectra / SPECTRA_OF_ONE_MORE + self.shared / SHARED_WITH_ONE_MORE
        if not self._is_full or evidence <= 1:
            return []
        n_src = int(self._is_source.sum())
        text = (
            f"at times {100 * self.shared:.0f} % of what sounds is in several outputs: there are "
            f"probably more speakers than the {n_src} that {n_src} microphones separate, and "
            "one output holds two"
        )
        return [Notice("more-speakers", text)]


def _normalised(covariance: Array) -> Array:
    """Return the correlation of a covariance (n_src, n_src, ...); zero where nothing varies."""
    scale = np.sqrt(np.maximum(np.einsum("kk...->k...", covariance), 0))
    product = scale[:, None] * scale
    correlation: Array = np.divide(
        covariance, product, out=np.zeros_like(covariance), where=product > 0
    )
    return correlation
