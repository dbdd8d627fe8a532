"""Short-time Fourier transform, block by block.

The only place where the shape of the STFT is made or undone: waveforms
``(n_chan, n_samples)`` become blocks ``(n_frames, n_chan, n_freq)`` and back.  Frame ``t`` starts
at sample ``t · hop_length − (n_fft − hop_length)``: every sample lies under all the windows that
overlap it, so the ends of a recording are reconstructed like its middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from auxiva_cli.config import Settings, Window
from auxiva_cli.errors import ParameterError
from auxiva_cli.listening.mixture import Mixture

__all__ = ["Stft", "default_n_fft", "fast_n_fft", "fitting_n_fft", "stft_for", "stft_with"]

Array = NDArray[Any]
# A raised cosine is an offset and the rest times a cosine.
OFFSETS = {"hann": 0.5, "hamming": 0.54}
WINDOW_SECONDS = 0.256
# Windows that coarse to fine can make use of, and the least number of hops to learn so long a
# filter from: for each source, or the longest for each pair of them; from 28 of the longest, 3 of
# 12 dry recordings of two speakers lost 3 to 11 dB.  2 s lose up to 15 dB also where there are
# minutes of sound; below the last the filters are too short to be worth it.
LONG_WINDOWS = (
    (1.024, lambda n_src: 44 * n_src**2),
    (0.512, lambda n_src: 18 * n_src),
    (0.256, lambda n_src: 18 * n_src),
    (0.128, lambda n_src: 0),
)
# Models of all frequencies at once gain nothing from a longer window.
LONG_WINDOW_MODELS = ("auto", "bands")


def fast_n_fft(seconds: float, sample_rate: float) -> int:
    """Return the length (samples) nearest a duration, in ratio, of which the FFT is fast.

    That is eight times a number without prime factors above five, so that a quarter of it is an
    even number of samples: a window lasts as long at every sample rate.
    """
    wanted = max(seconds * sample_rate / 8, 2.0)
    longer = scipy.fft.next_fast_len(math.ceil(wanted), real=True)
    shorter = math.floor(wanted)
    while scipy.fft.next_fast_len(shorter, real=True) != shorter:
        shorter -= 1
    return 8 * (longer if longer * shorter <= wanted**2 else shorter)


def default_n_fft(sample_rate: float) -> int:
    """Return the length of a window of 256 ms, 4096 at 16 kHz."""
    return fast_n_fft(WINDOW_SECONDS, sample_rate)


def fitting_n_fft(sample_rate: float, n_samples: int, n_src: int) -> int:
    """Return the length of the longest window that a recording can fill.

    Parameters
    ----------
    sample_rate : float, Hz
        Sample rate.
    n_samples : int
        Length of the recording.
    n_src : int
        Number of sources.

    Returns
    -------
    int
        Samples in about 1 s where a recording is long, 16384 at 16 kHz; a half, a quarter or an
        eighth of it where the recording is short for so many sources.
    """
    for seconds, least_hops in LONG_WINDOWS:
        n_fft = fast_n_fft(seconds, sample_rate)
        if n_samples >= least_hops(n_src) * (n_fft // 4):
            break
    return n_fft


@dataclass(frozen=True)
class Stft:
    """A short-time Fourier transform and its exact inverse.

    Parameters
    ----------
    n_fft : int
        Length of the window and of the transform, in samples; even.
    hop_length : int
        Samples from one frame to the next, at most half of ``n_fft``.
    window : {'hann', 'hamming'}
        Analysis window, periodic.

    Raises
    ------
    ParameterError
        If the lengths do not fit together.

    Notes
    -----
    The synthesis window is the canonical dual, ``w[n] / Σ_m w²[n + m · hop_length]``: of all
    windows that reconstruct perfectly it is the shortest in the least-squares sense.
    """

    n_fft: int
    hop_length: int
    window: Window

    def __post_init__(self) -> None:
        if self.n_fft < 4 or self.n_fft % 2:
            raise ParameterError(f"n_fft={self.n_fft} must be an even number, at least 4")
        if not 1 <= self.hop_length <= self.n_fft // 2:
            raise ParameterError(
                f"hop_length={self.hop_length} must lie between 1 and half of n_fft={self.n_fft}",
                hint="A quarter of n_fft is usual.",
            )
        if self.window not in OFFSETS:
            raise ParameterError(f"window={self.window!r} must be one of {', '.join(OFFSETS)}")

    @property
    def n_freq(self) -> int:
        """Number of frequencies, from 0 to half the sample rate."""
        return self.n_fft // 2 + 1

    @cached_property
    def analysis_window(self) -> Array:
        """Analysis window, shape (n_fft,)."""
        offset = OFFSETS[self.window]
        phase = 2 * np.pi * np.arange(self.n_fft) / self.n_fft
        window: Array = offset - (1 - offset) * np.cos(phase)
        return window

    @cached_property
    def synthesis_window(self) -> Array:
        """Dual window, shape (n_fft,)."""
        energy = np.zeros(-(-self.n_fft // self.hop_length) * self.hop_length)
        energy[: self.n_fft] = self.analysis_window**2
        overlap: Array = energy.reshape(-1, self.hop_length).sum(axis=0)
        dual: Array = self.analysis_window / np.resize(overlap, self.n_fft)
        return dual

    def frequencies(self, sample_rate: float) -> Array:
        """Return the centre of each bin in Hz, shape (n_freq,)."""
        centres: Array = np.arange(self.n_freq) * (sample_rate / self.n_fft)
        return centres

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames that a recording of ``n_samples`` has."""
        return (n_samples - 1 + self.n_fft - self.hop_length) // self.hop_length + 1

    def span(self, first: int, n_frames: int) -> tuple[int, int]:
        """Return the samples that frames ``first …`` cover, as start (may be negative) and stop."""
        start = first * self.hop_length - (self.n_fft - self.hop_length)
        return start, start + (n_frames - 1) * self.hop_length + self.n_fft

    def analyse(self, waveform: Array, chosen: Array | None = None) -> Array:
        """Transform a stretch of waveform that starts where a frame starts.

        Parameters
        ----------
        waveform : ndarray of shape (n_chan, n_samples)
            ``(n_frames − 1) · hop_length + n_fft`` samples, as ``span`` says.
        chosen : ndarray of shape (n_chosen,), int, optional
            Which of the frames are wanted; all when not given.

        Returns
        -------
        ndarray of shape (n_frames, n_chan, n_freq), complex
            In the precision of the waveform.
        """
        frames = np.lib.stride_tricks.sliding_window_view(waveform, self.n_fft, axis=-1)
        frames = frames[:, :: self.hop_length].swapaxes(0, 1)
        if chosen is not None and len(chosen) < len(frames):
            frames = frames[chosen]
        window = self.analysis_window.astype(waveform.dtype)
        spectrum: Array = scipy.fft.rfft(frames * window, axis=-1)
        return spectrum

    def synthesise(self, spectrum: Array, tail: Array | None = None) -> tuple[Array, Array]:
        """Transform a block back and overlap it with the one before.

        Parameters
        ----------
        spectrum : ndarray of shape (n_frames, n_chan, n_freq), complex
            Frames that follow those of the last call.
        tail : ndarray of shape (n_chan, n_fft − hop_length), optional
            What the last call returned as its tail; none at the start.

        Returns
        -------
        waveform : ndarray of shape (n_chan, n_frames · hop_length)
            The samples that are complete.
        tail : ndarray of shape (n_chan, n_fft − hop_length)
            The samples that later frames will still add to.
        """
        n_frames, n_chan, _ = spectrum.shape
        frames = scipy.fft.irfft(spectrum, n=self.n_fft, axis=-1)
        frames *= self.synthesis_window.astype(frames.dtype)
        waveform = np.zeros(
            (n_chan, n_frames * self.hop_length + self.n_fft - self.hop_length), frames.dtype
        )
        if tail is not None:
            waveform[:, : tail.shape[-1]] = tail
        for t, frame in enumerate(frames):
            start = t * self.hop_length
            waveform[:, start : start + self.n_fft] += frame
        complete = n_frames * self.hop_length
        return waveform[:, :complete], waveform[:, complete:]


def stft_for(mixture: Mixture, settings: Settings, sounding: float = 1.0) -> Stft:
    """Return the STFT that the settings ask for, or that suits the recording.

    Parameters
    ----------
    mixture : Mixture
        What is learnt from.
    settings : Settings
        What is asked.
    sounding : float
        Which share of it is not quiet: a long window takes much to learn from.
    """
    if settings.n_fft is not None:
        return stft_with(settings.n_fft, settings)
    if settings.model not in LONG_WINDOW_MODELS:
        return stft_with(default_n_fft(mixture.sample_rate), settings)
    n_src = settings.asked_n_src or mixture.n_chan
    return stft_with(
        fitting_n_fft(mixture.sample_rate, round(sounding * mixture.n_samples), n_src), settings
    )


def stft_with(n_fft: int, settings: Settings) -> Stft:
    """Return the STFT of a length (samples) that is otherwise as the settings ask."""
    return Stft(n_fft, settings.hop_length or n_fft // 4, settings.window)
