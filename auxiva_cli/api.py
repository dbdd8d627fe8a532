"""The Python API: arrays in, filters or a frozen result out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auxiva_cli.activity import read_rttm
from auxiva_cli.bss.auxiva import Iteration, StageTrace
from auxiva_cli.bss.scaling import relative_levels
from auxiva_cli.config import LOUDEST, Algorithm, Following, Model, Settings, Window, check_whole
from auxiva_cli.doubt import Likeness
from auxiva_cli.errors import Notice, ParameterError
from auxiva_cli.filters import Filters, apply_filters
from auxiva_cli.filters.mask import masked
from auxiva_cli.listening.counting import Count
from auxiva_cli.listening.mixture import ArrayMixture, Mixture, check_waveform
from auxiva_cli.listening.preparation import as_heard
from auxiva_cli.listening.stft import Stft
from auxiva_cli.memory import MemoryPlan
from auxiva_cli.motion import Motion
from auxiva_cli.observer import Observer, Plan
from auxiva_cli.parallel import Threads
from auxiva_cli.separation import Learnt
from auxiva_cli.separation import learn as learn_from_mixture

__all__ = [
    "Count",
    "Filters",
    "Iteration",
    "MemoryPlan",
    "Mixture",
    "Motion",
    "Notice",
    "Observer",
    "Plan",
    "SeparationResult",
    "StageTrace",
    "Stft",
    "learn",
    "separate",
]

_DEFAULT = Settings()
LOWEST_SAMPLE_RATE = 1000
ActivityFrom = str | Path | Sequence[Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class SeparationResult:
    """What a separation found.

    Attributes
    ----------
    sources : ndarray of shape (n_src, n_samples)
        Image of each source at the reference channel, in order of falling energy there; they sum
        to that channel.  Where ``loudest`` was asked for, each at its own channel.
    levels : ndarray of shape (n_src,), dB
        Level of each source relative to the strongest.
    filters : Filters
        What was learnt; applied to the mixture it gives the sources.
    demixing_matrices : ndarray of shape (n_src, n_chan, n_freq), complex
        ``W``, up to a scale per source and frequency; zero where a frequency carries nothing.
    stages : tuple of StageTrace
        Name, cost at the start and after each iteration, and whether it settled, per stage.
    notices : tuple of Notice
        What is odd about the recording or the result.
    count : Count, optional
        How many speak, if they were counted.
    motion : Motion, optional
        Whether speakers move, if that was looked for.
    rest : ndarray of shape (n_samples,), optional
        What belongs to no source, if that was asked for: with it the sources sum to the reference
        channel, or else what is left there is shared out among them.
    """

    sources: NDArray[Any]
    levels: NDArray[Any]
    filters: Filters
    demixing_matrices: NDArray[Any]
    stages: tuple[StageTrace, ...]
    notices: tuple[Notice, ...]
    count: Count | None = None
    motion: Motion | None = None
    rest: NDArray[Any] | None = None

    @property
    def ref_chan(self) -> int:
        """Reference channel, from 0."""
        return self.filters.ref_chan

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
    n_src: int | Literal["auto"] | None = _DEFAULT.n_src,
    algorithm: Algorithm = _DEFAULT.algorithm,
    step_size: float | None = _DEFAULT.step_size,
    model: Model = _DEFAULT.model,
    max_iter: int = _DEFAULT.max_iter,
    tol: float = _DEFAULT.tol,
    n_fft: int | None = _DEFAULT.n_fft,
    hop_length: int | None = _DEFAULT.hop_length,
    window: Window = _DEFAULT.window,
    ref_chan: int | Literal["loudest"] | None = _DEFAULT.ref_chan,
    max_memory: int | None = _DEFAULT.max_memory,
    channels: tuple[int, ...] | None = _DEFAULT.channels,
    resync: bool = _DEFAULT.resync,
    dereverb: bool = _DEFAULT.dereverb,
    learn_all: bool = _DEFAULT.learn_all,
    motion: Following = _DEFAULT.motion,
    rest: bool = _DEFAULT.rest,
    learn_from: tuple[float, float] | None = None,
    activity_from: ActivityFrom | None = None,
    mask: bool = False,
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
    n_src : int or 'auto' or None
        Number of sources.  With ``auto`` the speakers are counted first, with None there are as
        many as channels.
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
        Window length in samples; when not given it fits the recording.
    hop_length : int, optional
        Samples between frames; a quarter of ``n_fft`` when not given.
    window : {'hann', 'hamming'}
        Analysis window.
    ref_chan : int or 'loudest', optional
        Reference channel, from 0; the first that carries a signal and hears what others hear when
        not given.  With ``loudest`` each source is what the microphone heard where it is loudest.
    max_memory : int, optional
        Bytes of memory to use at most, about.
    channels : tuple of int, optional
        Channels to use, from 0; all when not given.
    resync : bool
        Whether channels whose clocks drift are brought onto the clock of the reference channel,
        where the check-up finds any.
    dereverb : bool
        Whether late reverberation is taken from the mixture first: the sources then sum to the
        reference channel without it.  It is no part of ``filters``.
    learn_all : bool
        Learn from every frame of a long recording, not from an even sample of them.
    motion : {'auto', 'off', 'on'}
        Whether the filters follow speakers who move: where some seem to, never, or always.
    rest : bool
        Whether what belongs to no source is returned on its own.
    learn_from : tuple of float, s, optional
        Start and end of the stretch to learn from; all of the mixture when not given.
    activity_from : path or sequence of sequences of (float, float), s, optional
        Who speaks when: an RTTM file, or start and end of the turns of each speaker.  There are
        then as many sources, and this takes the place of all stages of the model but the last.
    mask : bool
        Whether a soft mask goes over the sources in the end: less distortion in all, more of the
        other sources.  It is no part of ``filters``.
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

    Examples
    --------
    >>> import numpy as np
    >>> from auxiva_cli import separate
    >>> rng = np.random.default_rng(0)
    >>> speech = rng.laplace(size=(2, 32000)) * np.repeat(rng.uniform(0, 1, (2, 100)), 320, axis=1)
    >>> result = separate(np.array([[1.0, 0.6], [0.5, 1.0]]) @ speech, 16000, n_fft=512)
    >>> result.sources.shape, result.converged
    ((2, 32000), False)
    """
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
        channels=channels,
        resync=resync,
        dereverb=dereverb,
        learn_all=learn_all,
        motion=motion,
        rest=rest,
    )
    if mask and ref_chan == LOUDEST:
        raise ParameterError("mask=True needs one reference channel, to which the sources sum")
    recording = _recording(mixture, sample_rate)
    with Threads.of(n_threads) as threads:
        advanced = (observer or Observer()).advanced
        heard = as_heard(recording, settings, map=threads.map, advanced=advanced)
        learnt = _learn(heard, settings, learn_from, activity_from, threads, observer)
        filters, seen = learnt.filters, learnt.survey
        stretches = apply_filters(filters, learnt.mixture, filters.outputs, seen, threads=threads)
        if mask:
            stretches = masked(stretches, sample_rate)
        outputs = np.concatenate(list(stretches), axis=-1)[:, 0]
    likeness = Likeness(filters, seen.levels)
    likeness.update(outputs)
    outputs = outputs.astype(recording.waveform.dtype)
    return SeparationResult(
        sources=outputs[: filters.n_src],
        levels=relative_levels(likeness.energies[: filters.n_src]),
        filters=filters,
        demixing_matrices=learnt.demixing_matrices,
        stages=learnt.stages,
        notices=(*learnt.notices, *likeness.notices(learnt.count)),
        count=learnt.count,
        motion=learnt.motion,
        rest=outputs[-1] if filters.has_rest else None,
    )


def learn(
    mixture: ArrayLike,
    sample_rate: int,
    *,
    learn_from: tuple[float, float] | None = None,
    activity_from: ActivityFrom | None = None,
    n_threads: int | None = None,
    observer: Observer | None = None,
    **settings: Any,
) -> Filters:
    """Learn from a mixture the filters that separate it, to apply them here or elsewhere.

    Parameters
    ----------
    mixture : array_like of shape (n_chan, n_samples), floating
        The recording, one row a microphone.
    sample_rate : int, Hz
        Sample rate.
    learn_from, activity_from, n_threads, observer
        As for ``separate``.
    **settings
        All other parameters of ``separate``.

    Returns
    -------
    Filters
        In order of falling energy of the sources at the reference channel.

    Raises
    ------
    ParameterError, RecordingError
        As ``separate`` does.

    Examples
    --------
    >>> import numpy as np
    >>> from auxiva_cli import learn
    >>> rng = np.random.default_rng(0)
    >>> speech = rng.laplace(size=(2, 32000)) * np.repeat(rng.uniform(0, 1, (2, 100)), 320, axis=1)
    >>> filters = learn(np.array([[1.0, 0.6], [0.5, 1.0]]) @ speech, 16000, n_fft=512)
    >>> filters.apply(rng.standard_normal((2, 8000))).shape
    (2, 8000)
    """
    unknown = set(settings) - set(Settings.__dataclass_fields__)
    if unknown:
        raise TypeError(f"learn() got an unexpected keyword argument {min(unknown)!r}")
    asked = Settings(**settings)
    if asked.dereverb:
        raise ParameterError("dereverb=True is no part of filters: separate takes it")
    recording = _recording(mixture, sample_rate)
    with Threads.of(n_threads) as threads:
        return _learn(recording, asked, learn_from, activity_from, threads, observer).filters


def _recording(mixture: ArrayLike, sample_rate: int) -> ArrayMixture:
    """Return a mixture in memory, checked, without a copy."""
    check_whole("sample_rate", sample_rate, lowest=LOWEST_SAMPLE_RATE)
    return ArrayMixture(check_waveform(mixture), int(sample_rate))


def _learn(
    recording: Mixture,
    settings: Settings,
    learn_from: tuple[float, float] | None,
    activity_from: ActivityFrom | None,
    threads: Threads,
    observer: Observer | None,
) -> Learnt:
    """Learn from a mixture in memory."""
    if isinstance(activity_from, str | Path):
        activity_from = list(read_rttm(Path(activity_from)).values())
    return learn_from_mixture(
        recording,
        settings,
        learn_from=learn_from,
        activity_from=activity_from,
        threads=threads,
        observer=observer or Observer(),
    )
