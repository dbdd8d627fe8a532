"""The pipeline: waveform → STFT → demixing matrices → filters.  No printing, no command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.auxiva import Iteration, Stage, StageTrace, UpdateRule, auxiva
from auxiva_cli.bss.linalg import matmul
from auxiva_cli.bss.scaling import energies, projection_filters, sum_to_identity, wiener_filters
from auxiva_cli.bss.source_models import SourceModel, bands, gauss, laplace
from auxiva_cli.bss.statistics import Block, pack, spatial_covariance
from auxiva_cli.bss.updates.gradient import gradient
from auxiva_cli.bss.updates.ip import ip
from auxiva_cli.bss.updates.ip2 import ip2
from auxiva_cli.bss.updates.ipa import ipa
from auxiva_cli.bss.updates.iss import iss
from auxiva_cli.bss.updates.iss2 import iss2
from auxiva_cli.bss.whitening import Whitening, whiten
from auxiva_cli.checks import check_channels, check_length, choose_n_src, choose_ref_chan
from auxiva_cli.config import DEFAULT_STEP_SIZE, Settings, StagePlan
from auxiva_cli.filters import Filters
from auxiva_cli.memory import MemoryPlan, default_budget, plan_memory
from auxiva_cli.mixture import Channels, Mixture
from auxiva_cli.notices import Notice
from auxiva_cli.parallel import Threads
from auxiva_cli.spectra import Spectra
from auxiva_cli.stft import Stft, default_n_fft
from auxiva_cli.survey import Survey, survey

__all__ = ["UPDATES", "Fit", "Observer", "Plan", "fit", "stft_for"]

Array = NDArray[Any]
UPDATES: dict[str, UpdateRule] = {"ipa": ipa, "ip2": ip2, "iss2": iss2, "ip": ip, "iss": iss}
WEAK_OUTPUT_DB = -25.0
# Where the first iterations see a sample, this share of the last stage's see everything.
FULL_SHARE = 0.5
ALL = "all"


@dataclass(frozen=True)
class Plan:
    """What is about to be done with a recording."""

    n_src: int
    n_chan: int
    n_samples: int
    sample_rate: int
    stft: Stft
    memory: MemoryPlan


class Observer:
    """Is told how the work goes; this one does not listen."""

    def started(self, plan: Plan) -> None:
        """Hear what is about to be done, once it is known."""

    def whitened(self, whitening: Whitening) -> None:
        """Hear how the channels with a signal, at unit level, are whitened."""

    def advanced(self, step: str, done: int, total: int) -> None:
        """Hear how far a step is: ``survey``, ``covariance``, ``fit`` or ``write``."""

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
    levels : ndarray of shape (n_src,), dB
        Level of each source at the reference channel relative to the strongest.
    traces : tuple of StageTrace
        The cost at every iteration of every stage.
    n_passes : int
        How often the whole recording was read to learn from it.
    survey : Survey
        What the recording is like.
    notices : tuple of Notice
        What to tell the user.
    """

    filters: Filters
    W: Array
    levels: Array
    traces: tuple[StageTrace, ...]
    n_passes: int
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
    stft = stft_for(mixture.sample_rate, settings)
    seen = survey(mixture, map=threads.map, advanced=partial(observer.advanced, "survey"))
    ref_chan = choose_ref_chan(seen.live, settings)
    channels = np.flatnonzero(seen.live)
    spectra = Spectra(Channels(mixture, channels), stft, seen.offset[channels], seen.gain[channels])
    hop_seconds = stft.hop_length / mixture.sample_rate
    remarks = check_length(spectra.n_frames, len(channels), hop_seconds)

    R, _ = spatial_covariance(
        _counted(spectra, partial(observer.advanced, "covariance")), map=threads.map
    )
    n_src, rank_remarks = choose_n_src(R, channels, settings)
    demixing = _demix(spectra, R, n_src, settings, threads, observer)

    ref = int(np.searchsorted(channels, ref_chan))
    G = _image_filters(spectra, R, demixing, ref, threads)
    energy = energies(G, R, ref)
    order = np.argsort(-energy, kind="stable")
    levels = 10 * np.log10(np.maximum(energy[order] / energy.max(), np.finfo(float).tiny))
    filters = Filters(
        G=_for_all_channels(G[order], channels, seen.gain).astype(np.complex64),
        stft=stft,
        sample_rate=mixture.sample_rate,
        ref_chan=ref_chan,
    )
    W = np.zeros((n_src, mixture.n_chan, stft.n_freq), complex)
    W[:, channels] = _scatter(demixing.W[order], demixing.live) * seen.gain[channels, None]
    return Fit(
        filters=filters,
        W=W,
        levels=levels,
        traces=demixing.traces,
        n_passes=demixing.n_passes + 1,
        survey=seen,
        notices=(
            *seen.notices,
            *remarks,
            *rank_remarks,
            *_rise_notices(demixing.traces, settings),
            *_result_notices(levels),
        ),
    )


@dataclass(frozen=True)
class _Demixing:
    """Demixing matrices of the frequencies that took part, and how they were found."""

    W: Array
    live: Array
    traces: tuple[StageTrace, ...]
    n_passes: int


def _demix(
    spectra: Spectra,
    R: Array,
    n_src: int,
    settings: Settings,
    threads: Threads,
    observer: Observer,
) -> _Demixing:
    """Whiten, keep what fits into memory, and run the stages."""
    mixture, stft = spectra.mixture, spectra.stft
    whitening = whiten(R, n_src)
    n_live = whitening.Q.shape[-1]
    memory = plan_memory(
        spectra.n_frames,
        n_src,
        mixture.n_chan,
        n_live,
        block_length=spectra.block_length,
        n_threads=threads.n_threads,
        budget=settings.max_memory or default_budget(),
    )
    observer.started(
        Plan(n_src, mixture.n_chan, mixture.n_samples, mixture.sample_rate, stft, memory)
    )
    observer.whitened(whitening)
    tables = [partial(_whitened_table, block, whitening) for block in spectra.blocks()]
    first = memory.stride // 2
    sample = list(threads.map(_made, tables[first :: memory.stride]))
    tables[first :: memory.stride] = [partial(_given, table) for table in sample]
    stages = _stages(
        settings,
        stft.frequencies(mixture.sample_rate)[whitening.live],
        everything=tables,
        sample=[partial(_given, table) for table in sample],
    )
    found = auxiva(
        _identity(n_src, n_live),
        stages,
        _update_rule(settings),
        report=observer.iterated,
        advanced=partial(observer.advanced, "fit"),
        map=threads.map,
    )
    full = [
        len(trace.costs)
        for stage, trace in zip(stages, found.traces, strict=True)
        if stage.name == ALL
    ]
    return _Demixing(
        W=matmul(found.W, whitening.Q),
        live=whitening.live,
        traces=found.traces,
        n_passes=sum(full) + 1,
    )


def _stages(
    settings: Settings,
    frequencies: Array,
    *,
    everything: Sequence[Block],
    sample: Sequence[Block],
) -> list[Stage]:
    """Return the stages over the frequencies (Hz) that take part.

    Where the sample is not everything, all stages see the sample, and the last one goes on with
    everything.
    """
    plans = settings.stages()
    stages = [
        Stage(plan.name, _source_model(plan, frequencies), sample, n_iter, settings.tol)
        for plan, n_iter in plans
    ]
    if len(sample) < len(everything):
        last = stages.pop()
        n_full = max(1, round(FULL_SHARE * last.max_iter)) if last.max_iter else 0
        if last.max_iter > n_full:
            stages.append(replace(last, max_iter=last.max_iter - n_full))
        stages.append(replace(last, name=ALL, tables=everything, max_iter=n_full))
    return stages


def _update_rule(settings: Settings) -> UpdateRule:
    """Return the update rule that the settings ask for."""
    if settings.algorithm == "gradient":
        return partial(gradient, step_size=settings.step_size or DEFAULT_STEP_SIZE)
    return UPDATES[settings.algorithm]


def _source_model(plan: StagePlan, frequencies: Array) -> SourceModel:
    """Return the source model of a stage."""
    if plan.model == "laplace":
        return laplace(len(frequencies))
    if plan.model == "gauss":
        return gauss(len(frequencies))
    return bands(frequencies, plan.n_cells)


def _image_filters(
    spectra: Spectra, R: Array, demixing: _Demixing, ref: int, threads: Threads
) -> Array:
    """Return the filters to the images at all (live) channels, for all frequencies."""
    W, live = demixing.W, demixing.live
    if len(W) == W.shape[1]:
        G = projection_filters(W)
    else:
        bins = [partial(_live_bins, block, live) for block in spectra.blocks()]
        G = wiener_filters(bins, W, R[..., live], ref, map=threads.map)
    return sum_to_identity(_scatter(G, live))


def _for_all_channels(G: Array, channels: Array, gain: Array) -> Array:
    """Return filters of live channels at unit level as filters of the recording itself."""
    n_src, _, _, n_freq = G.shape
    raw = G * (gain[channels] / gain[channels, None])[..., None]
    filters = np.zeros((n_src, len(gain), len(gain), n_freq), complex)
    filters[np.ix_(np.arange(n_src), channels, channels)] = raw
    return sum_to_identity(filters)


def _counted(spectra: Spectra, advanced: Callable[[int, int], None]) -> Iterator[Block]:
    """Yield the blocks, and tell how many frames were handed out."""
    for i, block in enumerate(spectra.blocks()):
        yield block
        advanced(min((i + 1) * spectra.block_length, spectra.n_frames), spectra.n_frames)


def _made(block: Block) -> Array:
    """Make a block."""
    return block()


def _given(array: Array) -> Array:
    """Give what is in memory."""
    return array


def _live_bins(block: Block, live: Array) -> Array:
    """Make a block, of the frequencies that take part."""
    return block()[:, :, live]


def _whitened_table(block: Block, whitening: Whitening) -> Array:
    """Make the packed table of a whitened block."""
    X = block()
    if not whitening.live.all():
        X = X[:, :, whitening.live]
    Q = whitening.Q.astype(X.dtype)
    whitened = Q[:, 0] * X[:, 0, None]
    for c in range(1, X.shape[1]):
        whitened += Q[:, c] * X[:, c, None]
    return pack(whitened)


def _identity(n_src: int, n_freq: int) -> Array:
    """Return identity matrices (n_src, n_src, n_freq)."""
    return np.repeat(np.eye(n_src, dtype=complex)[..., None], n_freq, axis=-1)


def _scatter(values: Array, live: Array) -> Array:
    """Put values of the frequencies that took part into place among all, zero elsewhere."""
    everywhere = np.zeros((*values.shape[:-1], len(live)), values.dtype)
    everywhere[..., live] = values
    return everywhere


def _rise_notices(traces: Sequence[StageTrace], settings: Settings) -> list[Notice]:
    """Remark on the first rise of the cost."""
    cause = "the step size is too big" if settings.algorithm == "gradient" else "rounding won"
    n_updates = 0
    for trace in traces:
        n_updates += len(trace.costs) - 1
        if trace.rose:
            text = (
                f"the cost rose at iteration {n_updates}: {cause}; "
                "the matrices of the lowest cost are kept"
            )
            return [Notice("cost-rose", text)]
    return []


def _result_notices(levels: Array) -> list[Notice]:
    """Remark on outputs so weak that there were probably fewer sources."""
    weak = np.flatnonzero(levels < WEAK_OUTPUT_DB)
    if not len(weak):
        return []
    text = (
        f"source {weak[0] + 1} is {-levels[weak[0]]:.0f} dB below the strongest: "
        f"there were probably only {weak[0]} speakers"
    )
    return [Notice("weak-output", text)]
