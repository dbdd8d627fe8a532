"""What there is to learn from in a recording: its sounding frames and channels.

Whatever carries no speech is left out, for it would count as much as speech to a model that looks
at ratios only: quiet frames, dead channels, frequencies below hearing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.covariance import spatial_covariance
from auxiva_cli.bss.fold import Block
from auxiva_cli.bss.scaling import sum_to_identity
from auxiva_cli.errors import Notice
from auxiva_cli.listening.checks import check_length, check_signal, find_noise_channels
from auxiva_cli.listening.mixture import Channels, Mixture
from auxiva_cli.listening.spectra import Spectra
from auxiva_cli.listening.stft import Stft
from auxiva_cli.listening.survey import Survey
from auxiva_cli.parallel import Threads, counted

__all__ = ["FrameCount", "Observation", "observe"]

Array = NDArray[Any]
# Below lies what becomes of offsets and drifts, also in frames that are silent otherwise.
LOWEST_AUDIBLE_HZ = 20.0
# Above which lies so little of the power of voices there is nothing to hear: the empty band of a
# recording that was made at a lower rate would count as much as speech.
EMPTY_SHARE, LOWEST_VOICE_HZ = 1e-5, 200.0

# Frames overlap by three quarters.  Of more than these (17 min with long windows) every other is
# enough for covariances: each sample still lies in two of them.
MANY = 8000


@dataclass(frozen=True)
class FrameCount:
    """How much of a recording is learnt from.

    Attributes
    ----------
    learnt_from : int
        Frames of the STFT that are not quiet, and in which no channel is dead.
    in_all : int
        Frames that there are.
    """

    learnt_from: int
    in_all: int


@dataclass(frozen=True)
class Observation:
    """The frames and channels of a recording that carry sound.

    Attributes
    ----------
    spectra : Spectra
        The normalised mixture STFT of these channels.
    kept : ndarray of shape (n_frames of the recording,), bool
        Which frames these are.
    channels : ndarray of shape (n_chan,)
        Which channels of the recording these are, from 0.
    gain : ndarray, one for each channel of the recording
        What the channels were normalised by.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Their spatial covariance.
    frequencies : ndarray of shape (n_freq,), Hz
        Centres of the bins.
    audible : ndarray of shape (n_freq,), bool
        Frequencies at which there is something to hear.
    notices : tuple of Notice
        What to tell the user.
    """

    spectra: Spectra
    kept: Array
    channels: Array
    gain: Array
    R: Array
    frequencies: Array
    audible: Array
    notices: tuple[Notice, ...]

    @property
    def blocks(self) -> list[Block]:
        """The frames, (n_frames, n_chan, n_freq) a block, made when called for; some hold none."""
        return self.spectra.blocks(self.kept)

    @property
    def spread(self) -> list[Block]:
        """The frames that the covariance is of, in blocks as above: all, or every other of many."""
        return self.spectra.sample(_spread(self.kept))

    def sample(self, chosen: Array) -> list[Block]:
        """Return some of the frames, counted from 0 and rising, in blocks as above."""
        return self.spectra.sample(np.flatnonzero(self.kept)[chosen])

    @property
    def count(self) -> FrameCount:
        """Frames of all blocks, and of the recording."""
        return FrameCount(int(self.kept.sum()), len(self.kept))

    @property
    def times(self) -> Array:
        """The middles (s) of the frames."""
        return self._middles[self.kept]

    @property
    def duration(self) -> float:
        """How long (s) was listened."""
        return self.spectra.mixture.n_samples / self.spectra.mixture.sample_rate

    @property
    def frame_seconds(self) -> float:
        """How long (s) a frame is."""
        return self.spectra.stft.n_fft / self.spectra.mixture.sample_rate

    @property
    def _middles(self) -> Array:
        """The middles (s) of all frames, those that are not kept among them."""
        stft = self.spectra.stft
        samples = np.arange(len(self.kept)) * stft.hop_length + stft.span(0, 1)[0] + stft.n_fft / 2
        middles: Array = samples / self.spectra.mixture.sample_rate
        return middles

    def within(self, start: float, stop: float) -> Observation:
        """Return the frames between two times (s), with the covariance of all."""
        kept = self.kept & (start <= self._middles) & (self._middles < stop)
        return replace(self, kept=kept)

    def between(self, start: float, stop: float) -> Observation:
        """Return what lies between two times (s), with the covariance of that alone."""
        inside = self.within(start, stop)
        R, _ = spatial_covariance(inside.sample(np.arange(inside.count.learnt_from)))
        return replace(inside, R=R)

    def of_recording(self, W: Array) -> Array:
        """Turn matrices for the blocks into matrices for the recording itself.

        Parameters
        ----------
        W : ndarray of shape (n_src, n_chan, n_freq)
            Demixing matrices of the normalised channels that carry sound.

        Returns
        -------
        ndarray of shape (n_src, n_chan of the recording, n_freq)
            The same of all channels as they were recorded; zero for those that carry none.
        """
        everywhere = np.zeros((len(W), len(self.gain), W.shape[-1]), W.dtype)
        everywhere[:, self.channels] = W * self.gain[self.channels, None]
        return everywhere

    def filters_of_recording(self, G: Array, *, has_rest: bool = False) -> Array:
        """Turn filters for the blocks into filters for the recording itself.

        Parameters
        ----------
        G : ndarray of shape (n_src, n_chan, n_chan, n_freq)
            Filters of the normalised channels that carry sound, to their images.
        has_rest : bool
            Whether the last is the rest.

        Returns
        -------
        ndarray of shape (n_src, n_chan, n_chan, n_freq), n_chan that of the recording
            The same of all channels as they were recorded.  They sum to the identity: of channels
            that carry no sound each source has an equal share, or the rest has all.
        """
        n_src, n_chan = len(G), len(self.gain)
        gain = self.gain[self.channels]
        everywhere = np.zeros((n_src, n_chan, n_chan, G.shape[-1]), complex)
        everywhere[np.ix_(np.arange(n_src), self.channels, self.channels)] = (
            G * (gain / gain[:, None])[..., None]
        )
        return sum_to_identity(everywhere, has_rest=has_rest)

    def covariance_of_recording(self) -> Array:
        """Return the spatial covariance of all channels as they were recorded.

        It is given up to a factor, the loudest channel being near unit level, and zero for channels
        that carry no sound.
        """
        gain = self.gain[self.channels]
        scale = gain.min() / gain
        n_chan = len(self.gain)
        everywhere = np.zeros((n_chan, n_chan, self.R.shape[-1]), complex)
        everywhere[np.ix_(self.channels, self.channels)] = (
            self.R * (scale[:, None] * scale)[..., None]
        )
        return everywhere


def observe(
    mixture: Mixture,
    seen: Survey,
    stft: Stft,
    threads: Threads,
    advanced: Callable[[int, int], None],
) -> Observation:
    """Find what there is to learn from.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    seen : Survey
        What a look at its waveform told.
    stft : Stft
        The transform.
    threads : Threads
        Works on several blocks at a time.
    advanced : callable
        Told how many blocks of how many were read.

    Raises
    ------
    RecordingError
        ``too-short`` or ``too-little-signal``.
    """
    channels = np.flatnonzero(seen.live)
    spectra = _spectra(mixture, seen, stft, channels)
    hop_seconds = stft.hop_length / mixture.sample_rate
    seconds = mixture.n_samples / mixture.sample_rate
    notices = check_length(spectra.n_frames, len(channels), hop_seconds, seconds)
    frequencies = stft.frequencies(mixture.sample_rate)
    kept = seen.levels.sounding_frames(stft, channels)
    blocks = spectra.sample(_spread(kept))
    R, _ = spatial_covariance(counted(blocks, advanced), map=threads.map)
    check_signal(int(kept.sum()), spectra.n_frames, len(channels))

    noise = find_noise_channels(blocks, seen.rms[channels])
    if noise.any():
        notices += [
            Notice("channel-dead", f"channel {c + 1} holds only weak noise and is left out")
            for c in channels[noise]
        ]
        channels, R = channels[~noise], R[~noise][:, ~noise]
    return Observation(
        spectra=_spectra(mixture, seen, stft, channels),
        kept=kept,
        channels=channels,
        gain=seen.gain,
        R=R,
        frequencies=frequencies,
        audible=_audible(R, frequencies),
        notices=tuple(notices),
    )


def _spectra(mixture: Mixture, seen: Survey, stft: Stft, channels: Array) -> Spectra:
    """Return the normalised mixture STFT of some channels."""
    return Spectra(Channels(mixture, channels), stft, seen.offset[channels], seen.gain[channels])


def _spread(kept: Array) -> Array:
    """Return the numbers of the frames that covariances are of: every other of many."""
    chosen = np.flatnonzero(kept)
    return chosen[::2] if len(chosen) > MANY else chosen


def _audible(R: Array, frequencies: Array) -> Array:
    """Tell at which frequencies there is something to hear, bool of shape (n_freq,)."""
    power = np.einsum("ccf->f", R).real * (frequencies >= LOWEST_VOICE_HZ)
    above = power[::-1].cumsum()[::-1]
    audible: Array = (frequencies >= LOWEST_AUDIBLE_HZ) & (above >= EMPTY_SHARE * above[0])
    return audible
