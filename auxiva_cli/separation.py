"""The pipeline: waveform → STFT → demixing matrices → filters.  No printing, no command line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.auxiva import Iteration, Stage, StageTrace, UpdateRule, auxiva
from auxiva_cli.bss.linalg import matmul
from auxiva_cli.bss.scaling import energies, projection_filters, sum_to_identity, wiener_filters
from auxiva_cli.bss.source_models import SourceModel, bands, gauss, laplace
from auxiva_cli.bss.statistics import Block, pack_with_noise
from auxiva_cli.bss.updates.ipa import ipa
from auxiva_cli.bss.whitening import Whitening, whiten
from auxiva_cli.checks import (
    check_channels,
    choose_n_src,
    choose_ref_chan,
    count_independent,
)
from auxiva_cli.config import Settings, StagePlan
from auxiva_cli.filters import Filters
from auxiva_cli.mixture import Mixture
from auxiva_cli.notices import Notice
from auxiva_cli.observation import observe
from auxiva_cli.parallel import Threads
from auxiva_cli.spectra import keep
from auxiva_cli.stft import Stft, default_n_fft
from auxiva_cli.survey import Survey, survey

__all__ = ["UPDATES", "Fit", "Observer", "fit", "stft_for"]

Array = NDArray[Any]
UPDATES: dict[str, UpdateRule] = {"ipa": ipa}
WEAK_OUTPUT_DB = -25.0


class Observer:
    """Is told how the work goes; this one does not listen."""

    def started(self, mixture: Mixture, n_src: int, stft: Stft) -> None:
        """Hear that the fit of a recording begins."""

    def iterated(self, iteration: Iteration) -> None:
        """Hear the cost."""


@dataclass(frozen=True)
class Fit:
    """What was learnt from a recording.

    Attributes
    ----------
    filters : Filters
        Filters to the images of the sources, in order of falling energy at the reference
        channel.
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices in the same order, up to scale; zero where a frequency carries
        nothing to separate.
    ref_chan : int
        Reference channel, from 0.
    levels : ndarray of shape (n_src,), dB
        Level of each source at the reference channel relative to the strongest.
    traces : tuple of StageTrace
        The cost at every iteration of every stage.
    survey : Survey
        What the recording is like.
    notices : tuple of Notice
        What to tell the user.
    """

    filters: Filters
    W: Array
    ref_chan: int
    levels: Array
    traces: tuple[StageTrace, ...]
    survey: Survey
    notices: tuple[Notice, ...]


def stft_for(sample_rate: int, settings: Settings) -> Stft:
    """Return the STFT that the settings ask for at a sample rate (Hz)."""
    n_fft = settings.n_fft or default_n_fft(sample_rate)
    return Stft(n_fft, settings.hop_length or n_fft // 4, settings.window)


def fit(mixture: Mixture, settings: Settings, *, threads: Threads, observer: Observer) -> Fit:
    """Learn from a recording the filters that separate its sources.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    settings : Settings
        What is asked.
    threads : Threads
        Works on several blocks at a time.
    observer : Observer
        Is told how the work goes.

    Returns
    -------
    Fit
        The filters, and how they were found.

    Raises
    ------
    ParameterError
        If the settings do not fit the recording.
    RecordingError
        If the recording cannot be separated.
    """
    check_channels(mixture, settings)
    seen = survey(mixture)
    stft = stft_for(mixture.sample_rate, settings)
    frequencies = stft.frequencies(mixture.sample_rate)
    observed = observe(mixture, seen, stft, threads)
    channels, blocks, R = observed.channels, observed.blocks, observed.R
    ref_chan = choose_ref_chan(np.isin(np.arange(mixture.n_chan), channels), settings)
    rank = count_independent(R)
    n_src, remarks = choose_n_src(R, rank, channels, settings)
    observer.started(mixture, n_src, stft)

    whitening = whiten(np.where(observed.heard, R, 0), n_src)
    whitened = [partial(_whitened_table, block, whitening) for block in blocks]
    demixing = auxiva(
        keep(list(threads.map(_made, whitened))),
        observed.n_frames,
        _identity(n_src, whitening.Q.shape[-1]),
        _stages(settings, frequencies[whitening.live]),
        UPDATES[settings.algorithm],
        report=observer.iterated,
        map=threads.map,
    )

    W = matmul(demixing.W, whitening.Q)
    ref = int(np.searchsorted(channels, ref_chan))
    live = whitening.live
    if n_src == rank:
        G = projection_filters(W)
    else:
        bins = [partial(_live_bins, block, live) for block in blocks]
        G = wiener_filters(bins, W, R[..., live], ref, map=threads.map)
    G = sum_to_identity(_scatter(G, live))
    energy = energies(G, R, ref)
    order = np.argsort(-energy, kind="stable")
    levels = 10 * np.log10(energy[order] / energy.max())
    gain = seen.gain[channels]
    everywhere = np.zeros((n_src, mixture.n_chan, mixture.n_chan, stft.n_freq), complex)
    everywhere[np.ix_(np.arange(n_src), channels, channels)] = (
        G[order] * (gain / gain[:, None])[..., None]
    )
    demixing_matrices = np.zeros((n_src, mixture.n_chan, stft.n_freq), complex)
    demixing_matrices[:, channels] = _scatter(W[order], live) * gain[:, None]
    return Fit(
        Filters(sum_to_identity(everywhere), stft, mixture.sample_rate),
        demixing_matrices,
        ref_chan,
        levels,
        demixing.traces,
        seen,
        (*seen.notices, *observed.notices, *remarks, *_result_notices(levels)),
    )


def _stages(settings: Settings, frequencies: Array) -> list[Stage]:
    """Return the stages over the frequencies (Hz) that take part."""
    return [
        Stage(plan.name, _source_model(plan, frequencies), n_iter, settings.tol)
        for plan, n_iter in settings.stages()
    ]


def _source_model(plan: StagePlan, frequencies: Array) -> SourceModel:
    """Return the source model of a stage."""
    if plan.model == "laplace":
        return laplace(len(frequencies))
    if plan.model == "gauss":
        return gauss(len(frequencies))
    return bands(frequencies, plan.n_cells)


def _made(block: Block) -> Array:
    """Make a block."""
    return block()


def _live_bins(block: Block, live: Array) -> Array:
    """Make a block, of the frequencies that take part."""
    return block()[:, :, live]


def _whitened_table(block: Block, whitening: Whitening) -> Array:
    """Make the packed table of a whitened block."""
    X = block()[:, :, whitening.live]
    Q = whitening.Q.astype(X.dtype)
    whitened = Q[:, 0] * X[:, 0, None]
    for c in range(1, X.shape[1]):
        whitened += Q[:, c] * X[:, c, None]
    return pack_with_noise(whitened)


def _identity(n_src: int, n_freq: int) -> Array:
    """Return identity matrices (n_src, n_src, n_freq)."""
    return np.repeat(np.eye(n_src, dtype=complex)[..., None], n_freq, axis=-1)


def _scatter(values: Array, live: Array) -> Array:
    """Put values of the frequencies that took part into place among all, zero elsewhere."""
    everywhere = np.zeros((*values.shape[:-1], len(live)), values.dtype)
    everywhere[..., live] = values
    return everywhere


def _result_notices(levels: Array) -> list[Notice]:
    """Remark on outputs so weak that there were probably fewer sources."""
    weak = np.flatnonzero(levels < WEAK_OUTPUT_DB)
    if not len(weak):
        return []
    text = (
        f"source {weak[0] + 1} is {-levels[weak[0]]:.0f} dB below the strongest: "
        f"there {'were' if weak[0] > 1 else 'was'} probably only "
        f"{weak[0]} speaker{'s' if weak[0] > 1 else ''}"
    )
    return [Notice("weak-output", text)]
