"""The Python API: arrays in, a frozen result out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auxiva_cli.bss.auxiva import StageTrace
from auxiva_cli.bss.scaling import relative_levels
from auxiva_cli.config import Algorithm, Model, Settings, Window
from auxiva_cli.errors import ParameterError
from auxiva_cli.filters import apply_filters
from auxiva_cli.mixture import ArrayMixture
from auxiva_cli.notices import Notice
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads, available_cpus
from auxiva_cli.separation import fit

__all__ = ["SeparationResult", "separate"]

_DEFAULT = Settings()
LOWEST_SAMPLE_RATE = 1000


@dataclass(frozen=True)
class SeparationResult:
    """What a separation found.

    Attributes
    ----------
    sources : ndarray of shape (n_src, n_samples)
        Image of each source at the reference channel, in order of falling energy; they sum to
        that channel.
    demixing_matrices : ndarray of shape (n_src, n_chan, n_freq), complex
        ``W``, up to a scale per source and frequency; zero where a frequency carries nothing.
    filters : ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        ``G``: the STFT of the image of source ``k`` at all channels is ``G[k] x``.
    stages : tuple of StageTrace
        Name, cost at the start and after each iteration, and whether it settled, per stage.
    levels : ndarray of shape (n_src,), dB
        Level of each source relative to the strongest.
    ref_chan : int
        Reference channel, from 0.
    notices : tuple of Notice
        What is odd about the recording or the result.
    """

    sources: NDArray[Any]
    demixing_matrices: NDArray[Any]
    filters: NDArray[Any]
    stages: tuple[StageTrace, ...]
    levels: NDArray[Any]
    ref_chan: int
    notices: tuple[Notice, ...]

    @property
    def costs(self) -> tuple[float, ...]:
        """The cost of all stages in turn; it falls within a stage, and each has its own."""
        return tuple(cost for stage in self.stages for cost in stage.costs)

    @property
    def converged(self) -> bool:
        """Whether the last stage had settled before its iterations ran out."""
        return self.stages[-1].converged


def separate(
    mixture: ArrayLike,
    sample_rate: int,
    *,
    n_src: int | None = _DEFAULT.n_src,
    algorithm: Algorithm = _DEFAULT.algorithm,
    step_size: float | None = _DEFAULT.step_size,
    model: Model = _DEFAULT.model,
    max_iter: int = _DEFAULT.max_iter,
    tol: float = _DEFAULT.tol,
    n_fft: int | None = _DEFAULT.n_fft,
    hop_length: int | None = _DEFAULT.hop_length,
    window: Window = _DEFAULT.window,
    ref_chan: int | None = _DEFAULT.ref_chan,
    max_memory: int | None = _DEFAULT.max_memory,
    n_threads: int | None = None,
    observer: Observer | None = None,
) -> SeparationResult:
    """Separate the sources of a mixture in memory.

    Parameters
    ----------
    mixture : array_like of shape (n_chan, n_samples), floating
        The recording, one row a microphone.
    sample_rate : int, Hz
        Sample rate.
    n_src : int, optional
        Number of sources; as many as channels when not given.
    algorithm : {'ipa', 'ip2', 'iss2', 'ip', 'iss', 'gradient'}
        Update rule; ``ipa`` converges fastest, and only ``gradient`` has a step size.
    step_size : float, optional
        Of ``gradient``; 0.3 when not given.
    model : {'auto', 'laplace', 'gauss', 'bands'}
        Source model; ``auto`` goes from coarse to fine.
    max_iter : int
        Iterations in all, shared out among the stages of the model.
    tol : float
        A stage ends when its cost stays within this relative fall; 0 runs all iterations.
    n_fft : int, optional
        Window length in samples; when not given the power of two nearest 256 ms, or 512 ms
        for ``auto`` and ``bands`` where the recording is long enough.
    hop_length : int, optional
        Samples between frames; a quarter of ``n_fft`` when not given.
    window : {'hann', 'hamming'}
        Analysis window.
    ref_chan : int, optional
        Reference channel, from 0; the first that carries a signal when not given.
    max_memory : int, optional
        Bytes of memory to use at most, about.
    n_threads : int, optional
        Threads to use; one per processor when not given.  The result does not depend on it.
    observer : Observer, optional
        Is told how the work goes.

    Returns
    -------
    SeparationResult
        The sources, and how they were found.

    Raises
    ------
    ParameterError
        If a setting is out of range or does not fit the mixture.
    RecordingError
        If the mixture cannot be separated: one channel, silence, NaN, too short.
    """
    waveform = np.asarray(mixture)
    if waveform.ndim != 2 or not np.issubdtype(waveform.dtype, np.floating):
        raise ParameterError(
            f"the mixture must be floating, of shape (n_chan, n_samples); "
            f"it is {waveform.dtype}, of shape {waveform.shape}"
        )
    if sample_rate < LOWEST_SAMPLE_RATE:
        raise ParameterError(f"{sample_rate=} must be at least {LOWEST_SAMPLE_RATE} Hz")
    settings = Settings(
        n_src=n_src,
        algorithm=algorithm,
        step_size=step_size,
        model=model,
        max_iter=max_iter,
        tol=tol,
        n_fft=n_fft,
        hop_length=hop_length,
        window=window,
        ref_chan=ref_chan,
        max_memory=max_memory,
    )
    recording = ArrayMixture(waveform, sample_rate)
    with Threads(n_threads or available_cpus()) as threads:
        found = fit(recording, settings, threads=threads, observer=observer or Observer())
        stretches = apply_filters(
            found.filters,
            recording,
            [found.filters.ref_chan],
            offset=found.survey.offset,
            level=found.survey.level,
            threads=threads,
        )
        images = np.concatenate(list(stretches), axis=-1)[:, 0]
    energy = np.sum(images.astype(float) ** 2, axis=-1)
    order = np.argsort(-energy, kind="stable")
    return SeparationResult(
        sources=images[order].astype(waveform.dtype),
        demixing_matrices=found.W[order],
        filters=found.filters.G[order],
        stages=found.traces,
        levels=relative_levels(energy[order]),
        ref_chan=found.filters.ref_chan,
        notices=found.notices,
    )
