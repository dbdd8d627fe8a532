"""A trial: a quick separation of a sample, with as many outputs as microphones, to count speakers.

A minute at a low sample rate, some of its frequencies and few iterations tell who speaks, though
they do not separate well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.linalg import apply
from auxiva_cli.bss.scaling import mixing_matrices
from auxiva_cli.config import Settings
from auxiva_cli.demixing import demix
from auxiva_cli.errors import RecordingError
from auxiva_cli.listening.checks import count_independent
from auxiva_cli.listening.counting import (
    HIGHEST_HZ,
    LOWEST_HZ,
    Count,
    band_powers,
    count_speakers,
    features,
    mel,
    speech_bands,
)
from auxiva_cli.listening.glimpses import glimpse
from auxiva_cli.listening.mixture import ArrayMixture, Channels, Mixture, Normalised
from auxiva_cli.listening.observation import Observation, observe
from auxiva_cli.listening.stft import fast_n_fft, stft_with
from auxiva_cli.listening.survey import Survey, survey
from auxiva_cli.memory import plan_memory
from auxiva_cli.observer import Observer, Plan
from auxiva_cli.parallel import Threads

__all__ = ["count_sources", "trial_features"]

Array = NDArray[Any]
# Who speaks in less has hardly shown how.
LEAST_SECONDS = 5.0
WINDOW_SECONDS = 0.256
# Iterations, and frequencies so many even steps of the mel scale apart: of a thousand, they count
# as well as all.  More than FEW outputs are counted as well from less, which takes them long.
FEW = 4
THOROUGHLY, QUICKLY = (24, 256), (16, 128)
# Even more outputs take too long, and so many speakers are hardly told from fewer.
MOST_OUTPUTS = 8


def count_sources(
    mixture: Mixture,
    seen: Survey,
    ref_chan: int,
    max_memory: int | None,
    threads: Threads,
    observer: Observer,
) -> Count | None:
    """Count the speakers of a recording.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    seen : Survey
        What a look at its waveform told, and which channels are used.
    ref_chan : int
        Reference channel, from 0: one of these.
    max_memory : int, optional
        Bytes that may be used, about.
    threads : Threads
        Works on several blocks at a time.
    observer : Observer
        Is told how the work goes, as the step ``count``.

    Returns
    -------
    Count or None
        None of a recording too short to tell.
    """
    channels = np.flatnonzero(seen.live)
    unit = Channels(Normalised(mixture, seen.offset, seen.gain), channels)
    ref = int(np.searchsorted(channels, ref_chan))
    try:
        known = trial_features(unit, ref, max_memory, threads, observer)
    except RecordingError:
        return None
    return count_speakers(known)


class _Counting(Observer):
    """Passes on how far a separation is, as a step of a longer one."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def advanced(self, step: str, done: int, total: int) -> None:
        """Pass on how far the iterations are."""
        if step == "fit":
            self._observer.advanced("count", done, total)


def trial_features(
    mixture: Mixture,
    ref_chan: int,
    max_memory: int | None,
    threads: Threads,
    observer: Observer,
) -> Array:
    """Separate a sample of a recording, and return the ``features`` of its outputs.

    Raises
    ------
    RecordingError
        If the sample is too short, or holds too little.
    """
    seen = glimpse(mixture, map=threads.map)
    seconds = min(seen.seconds, seen.sounding_seconds)
    if seconds < LEAST_SECONDS:
        raise RecordingError(
            f"{seconds:.1f} s of sound are too few to tell how many speak: "
            f"it takes {LEAST_SECONDS:g}",
            kind="too-short",
        )
    sample = ArrayMixture(np.concatenate(list(seen.waveform), axis=-1), seen.sample_rate)
    max_iter, n_steps = THOROUGHLY if mixture.n_chan <= FEW else QUICKLY
    settings = Settings(max_iter=max_iter, n_fft=fast_n_fft(WINDOW_SECONDS, seen.sample_rate))
    assert settings.n_fft is not None
    stft = stft_with(settings.n_fft, settings)
    heard = observe(sample, survey(sample), stft, threads, lambda done, total: None)
    heard = _some_frequencies(heard, n_steps)
    ref = int(np.searchsorted(heard.channels, ref_chan))
    n_src = min(max(count_independent(heard.R), 1), MOST_OUTPUTS)
    memory = plan_memory(
        heard.count.learnt_from,
        n_src,
        len(heard.channels),
        len(heard.frequencies),
        block_length=heard.spectra.block_length,
        n_threads=threads.n_threads,
        allowed=max_memory,
    )
    plan = Plan(n_src, n_src, 0, ref_chan, stft, memory)
    W = demix(heard, plan, settings, threads, _Counting(observer)).W
    return features(band_powers(_images(heard, W, ref), speech_bands(heard.frequencies)))


def _some_frequencies(heard: Observation, n_steps: int) -> Observation:
    """Leave an even choice of the frequencies at which voices are known."""
    steps = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), n_steps)
    is_near = np.zeros(len(heard.frequencies) + 1, bool)
    is_near[np.searchsorted(mel(heard.frequencies), steps)] = True
    chosen = np.flatnonzero(is_near[:-1] & (speech_bands(heard.frequencies) >= 0))
    return replace(
        heard,
        spectra=replace(heard.spectra, bins=chosen),
        R=heard.R[..., chosen],
        frequencies=heard.frequencies[chosen],
        audible=heard.audible[chosen],
    )


def _images(heard: Observation, W: Array, ref: int) -> Iterator[Array]:
    """Yield the outputs as the reference hears them, (n_frames, n_src, n_freq) each."""
    separable = np.any(W != 0, axis=(0, 1))
    demixed = W[..., separable]
    G = np.zeros(W.shape, np.complex64)
    G[..., separable] = mixing_matrices(demixed, heard.R[..., separable])[ref, :, None] * demixed
    for block in heard.blocks:
        X = block()
        if len(X):
            yield apply(G, X)
