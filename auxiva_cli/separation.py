"""The pipeline: waveform → STFT → demixing matrices → filters.  No printing, no command line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.auxiva import StageTrace
from auxiva_cli.bss.fold import Block
from auxiva_cli.bss.scaling import (
    energies,
    projection_filters,
    relative_levels,
    sum_to_identity,
    wiener_filters,
)
from auxiva_cli.checks import check_channels, choose_n_src, choose_ref_chan, count_independent
from auxiva_cli.config import Settings
from auxiva_cli.demixing import Found, demix, expected_seconds
from auxiva_cli.filters import Filters
from auxiva_cli.memory import default_budget, plan_memory
from auxiva_cli.mixture import Mixture
from auxiva_cli.notices import Notice
from auxiva_cli.observation import Observation, observe
from auxiva_cli.observer import Observer, Plan
from auxiva_cli.parallel import Threads, counted
from auxiva_cli.stft import Stft, default_n_fft, fitting_n_fft
from auxiva_cli.survey import Survey, survey

__all__ = ["Fit", "fit", "stft_for", "stft_with"]

Array = NDArray[Any]
WEAK_OUTPUT_DB = -25.0
# Models of all frequencies at once gain nothing from a longer window.
LONG_WINDOW_MODELS = ("auto", "bands")


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


def stft_for(mixture: Mixture, settings: Settings) -> Stft:
    """Return the STFT that the settings ask for, or that suits the recording."""
    if settings.n_fft is not None:
        return stft_with(settings.n_fft, settings)
    if settings.model not in LONG_WINDOW_MODELS:
        return stft_with(default_n_fft(mixture.sample_rate), settings)
    n_src = settings.n_src or mixture.n_chan
    return stft_with(fitting_n_fft(mixture.sample_rate, mixture.n_samples, n_src), settings)


def stft_with(n_fft: int, settings: Settings) -> Stft:
    """Return the STFT of a length (samples) that is otherwise as the settings ask."""
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
    observer.opened(mixture)
    stft = stft_for(mixture, settings)
    seen = survey(mixture, map=threads.map, advanced=partial(observer.advanced, "survey"))
    begin = time.perf_counter()
    heard = observe(mixture, seen, stft, threads, partial(observer.advanced, "covariance"))
    pass_seconds = time.perf_counter() - begin
    ref_chan = choose_ref_chan(np.isin(np.arange(mixture.n_chan), heard.channels), settings)
    rank = count_independent(heard.R)
    n_src, rank_remarks = choose_n_src(heard.R, rank, heard.channels, settings)
    plan = _plan(heard, n_src, stft, settings, threads, pass_seconds)
    observer.started(plan)
    found = demix(heard, plan, settings, threads, observer)

    ref = int(np.searchsorted(heard.channels, ref_chan))
    G = _image_filters(heard, found, rank, ref, threads, observer)
    energy = energies(G, heard.R, ref)
    order = np.argsort(-energy, kind="stable")
    levels = relative_levels(energy[order])
    filters = Filters(
        G=_for_all_channels(G[order], heard.channels, seen.gain).astype(np.complex64),
        stft=stft,
        sample_rate=mixture.sample_rate,
        ref_chan=ref_chan,
    )
    W = np.zeros((n_src, mixture.n_chan, stft.n_freq), complex)
    gain = seen.gain[heard.channels, None]
    W[:, heard.channels] = _scatter(found.W[order], found.live) * gain
    return Fit(
        filters=filters,
        W=W,
        levels=levels,
        traces=found.traces,
        n_passes=found.n_passes + 1,
        survey=seen,
        notices=(
            *seen.notices,
            *heard.notices,
            *rank_remarks,
            *_rise_notices(found.traces, settings),
            *_result_notices(levels),
        ),
    )


def _plan(
    heard: Observation,
    n_src: int,
    stft: Stft,
    settings: Settings,
    threads: Threads,
    pass_seconds: float,
) -> Plan:
    """Decide how much of the recording is kept in memory, and guess how long it will take."""
    n_frames = int(heard.n_frames.sum())
    memory = plan_memory(
        n_frames,
        n_src,
        len(heard.channels),
        stft.n_freq,
        block_length=heard.block_length,
        n_threads=threads.n_threads,
        budget=settings.max_memory or default_budget(),
    )
    seconds = expected_seconds(
        n_src, stft.n_freq, n_frames, memory.stride, settings, of_a_pass=pass_seconds
    )
    return Plan(n_src, stft, memory, seconds)


def _image_filters(
    heard: Observation, found: Found, rank: int, ref: int, threads: Threads, observer: Observer
) -> Array:
    """Return the filters to the images at the channels that carry sound, for all frequencies."""
    W, live = found.W, found.live
    if len(W) == rank:
        G = projection_filters(W)
    else:
        bins = [partial(_live_bins, block, live) for block in heard.blocks]
        masked = counted(bins, partial(observer.advanced, "filters"))
        G = wiener_filters(masked, W, heard.R[..., live], ref, map=threads.map)
    return sum_to_identity(_scatter(G, live))


def _for_all_channels(G: Array, channels: Array, gain: Array) -> Array:
    """Return filters of live channels at unit level as filters of the recording itself."""
    n_src, _, _, n_freq = G.shape
    raw = G * (gain[channels] / gain[channels, None])[..., None]
    filters = np.zeros((n_src, len(gain), len(gain), n_freq), complex)
    filters[np.ix_(np.arange(n_src), channels, channels)] = raw
    return sum_to_identity(filters)


def _live_bins(block: Block, live: Array) -> Array:
    """Make a block, of the frequencies that take part."""
    return np.compress(live, block(), axis=-1)


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
        f"there {'were' if weak[0] > 1 else 'was'} probably only "
        f"{weak[0]} speaker{'s' if weak[0] > 1 else ''}"
    )
    return [Notice("weak-output", text)]
