"""How well demixing matrices separate, against references.

A separated signal is linear in the demixing matrices: its inner products with the references
follow from the covariances between these and the channels of the mixture, and with them the SI-SIR.
One pass over the recording, and it costs a little algebra per frequency.  The SI-SDR also needs
the energy of the signal, which takes the signal itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from auxiva_cli.bss.covariance import spatial_covariance
from auxiva_cli.bss.linalg import Array, matmul
from auxiva_cli.bss.scaling import mixing_matrices
from auxiva_cli.config import Settings
from auxiva_cli.evaluation import Correlations, Scores, si_scores
from auxiva_cli.filters import Filters, apply_filters
from auxiva_cli.listening.checks import choose_ref_chan
from auxiva_cli.listening.mixture import Mixture
from auxiva_cli.listening.spectra import Spectra
from auxiva_cli.listening.stft import stft_for
from auxiva_cli.listening.survey import survey
from auxiva_cli.parallel import Threads

__all__ = ["Judge"]


class Judge:
    """Measures demixing matrices, projected back on the reference channel by least squares.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    references : sequence of Mixture
        Recordings of single speakers at the reference channel; every channel counts as one.
    settings : Settings
        Those of the separation, for the STFT and the reference channel.
    threads : Threads
        Works on several blocks at a time.

    Notes
    -----
    With as many sources as channels, what is measured is what ``auxiva separate`` would write.
    """

    def __init__(
        self,
        mixture: Mixture,
        references: Sequence[Mixture],
        settings: Settings,
        *,
        threads: Threads,
    ) -> None:
        self._mixture = mixture
        self._references = _Together(references)
        self._threads = threads
        together = _Together([mixture, *references])
        seen = survey(together, map=threads.map)
        levels = replace(seen.levels, powers=seen.levels.powers[:, : mixture.n_chan])
        sounding = levels.sounding_share(
            mixture.sample_rate, np.flatnonzero(levels.powers.any(axis=0))
        )
        self._stft = stft_for(mixture, settings, sounding)
        spectra = Spectra(together, self._stft, seen.offset, seen.gain)
        covariance, _ = spatial_covariance(spectra.blocks(), map=threads.map)
        both_sides = np.full(self._stft.n_freq, 2.0)  # of the spectrum, save for its ends
        both_sides[[0, -1]] = 1.0
        scale = np.divide(1, seen.gain, out=np.zeros_like(seen.gain), where=seen.live)
        self._covariance = covariance * both_sides * (scale[:, None] * scale)[..., None]
        n_chan = mixture.n_chan
        self._seen = replace(
            seen,
            offset=seen.offset[:n_chan],
            rms=seen.rms[:n_chan],
            live=seen.live[:n_chan],
            levels=levels,
        )
        self._settings = settings

    def si_sir(self, W: Array) -> float:
        """Measure how far the other speakers are below each speaker, from covariances alone.

        Parameters
        ----------
        W : ndarray of shape (n_src, n_chan, n_freq), complex
            Demixing matrices of the recording, up to scale.

        Returns
        -------
        float, dB
            Mean over the references, each with the output that fits it; NaN without a meaning.

        Notes
        -----
        Inner products are those of the waveforms where the squares of the window overlap to a
        constant, as they do by default.
        """
        n_chan = self._mixture.n_chan
        rows, _ = self._rows(W)
        products = matmul(rows, self._covariance[:n_chan])
        energies = (products[:, :n_chan] * rows.conj()).real.sum(axis=(1, 2))
        cross = products[:, n_chan:].real.sum(axis=-1).T
        among_references = self._covariance[n_chan:, n_chan:].real.sum(axis=-1)
        return _mean(_scores(among_references, cross, energies).sir)

    def si_sdr(self, W: Array) -> float:
        """Measure how far all that is not the speaker is below each speaker, on the waveforms.

        Parameters
        ----------
        W : ndarray of shape (n_src, n_chan, n_freq), complex
            Demixing matrices of the recording, up to scale.

        Returns
        -------
        float, dB
            Mean over the references, each with the output that fits it; NaN without a meaning.
        """
        n_ref, position = self._references.n_chan, 0
        gram: Array = np.zeros((n_ref + len(W),) * 2)
        filters = self._filters(W)
        for images in apply_filters(
            filters, self._mixture, filters.outputs, self._seen, threads=self._threads
        ):
            references = self._references.read(position, images.shape[-1])
            signals = np.concatenate([references, images[:, 0, : references.shape[-1]]])
            gram += signals @ signals.T
            position += images.shape[-1]
        cross, energies = gram[:n_ref, n_ref:], gram.diagonal()[n_ref:]
        return _mean(_scores(gram[:n_ref, :n_ref], cross, energies).sdr)

    def _rows(self, W: Array) -> tuple[Array, int]:
        """Return the filters to the outputs at the reference channel, and which that is."""
        n_chan = self._mixture.n_chan
        ref_chan = choose_ref_chan(np.any(W != 0, axis=(0, 2)), self._settings)
        separable = np.any(W != 0, axis=(0, 1))
        rows = np.zeros_like(W)
        R = self._covariance[:n_chan, :n_chan][..., separable]
        rows[..., separable] = (
            mixing_matrices(W[..., separable], R)[ref_chan][:, None] * W[..., separable]
        )
        return rows, ref_chan

    def _filters(self, W: Array) -> Filters:
        """Return the filters of the recording itself, to the reference channel alone."""
        n_chan = self._mixture.n_chan
        rows, ref_chan = self._rows(W)
        G = np.zeros((len(W), n_chan, n_chan, self._stft.n_freq), np.complex64)
        G[:, ref_chan] = rows
        return Filters(G, self._stft, self._mixture.sample_rate, ref_chan)


@dataclass(frozen=True)
class _Together:
    """The channels of several recordings side by side, as far as all of them last."""

    mixtures: Sequence[Mixture]

    @property
    def n_chan(self) -> int:
        """Number of channels."""
        return sum(mixture.n_chan for mixture in self.mixtures)

    @property
    def n_samples(self) -> int:
        """Number of samples per channel."""
        return min(mixture.n_samples for mixture in self.mixtures)

    @property
    def sample_rate(self) -> int:
        """Sample rate, in Hz."""
        return self.mixtures[0].sample_rate

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples`` of all channels, as far as they last."""
        n_samples = max(min(n_samples, self.n_samples - start), 0)
        return np.concatenate([mixture.read(start, n_samples) for mixture in self.mixtures])


def _scores(among_references: Array, cross: Array, energies: Array) -> Scores:
    """Return the measures that follow from inner products."""
    return si_scores(Correlations(among_references[..., None], cross[..., None], energies))


def _mean(values: Array) -> float:
    """Return the mean of the values that are defined, NaN without any."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
