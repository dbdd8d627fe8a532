"""Separation filters: what is learnt from a recording, applied to it or to another, and saved."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auxiva_cli.errors import FiltersError
from auxiva_cli.filters.application import apply_filters
from auxiva_cli.filters.course import Course, among
from auxiva_cli.filters.file import Content, content_bytes, read_content
from auxiva_cli.listening.mixture import ArrayMixture, Mixture, check_waveform
from auxiva_cli.listening.resync import on_one_clock
from auxiva_cli.listening.stft import Stft
from auxiva_cli.listening.survey import survey
from auxiva_cli.parallel import Threads

__all__ = ["Course", "Filters", "apply_filters"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Filters:
    """One matrix per output and frequency that gives a source's image at every microphone.

    Outputs are the sources, and after them the rest, if that is an output of its own.

    Attributes
    ----------
    G : ndarray of shape (n_out, n_chan, n_chan, n_freq), complex64
        ``G[k] x`` is the image of output ``k`` at all microphones; ``Σ_k G[k] = I``, so images
        sum to the mixture.
    stft : Stft
        The transform in which they work.
    sample_rate : int
        In Hz.
    ref_chan : int
        Reference channel, from 0.
    lags : ndarray of shape (n_chan,), int, optional
        By how many samples each channel is late against the reference: undone before the filters
        are applied, and done again to the images.  None is when not given.
    drifts : ndarray of shape (n_chan,), parts per million, optional
        By how much the clock of each channel drifts against that of the reference: undone before
        all else, and left undone in the images.  None does when not given.
    out_chans : ndarray of shape (n_out,), int, optional
        The channel of each output; the reference channel when not given.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex64, optional
        Spatial covariance of the mixture, up to a factor: how channels hang together.  Without
        it they are taken as unrelated.
    course : Course, optional
        Sets of filters that follow speakers who move, along the recording they were learnt from;
        there they take the place of ``G``.
    has_rest : bool
        Whether the last output is the rest: what belongs to no source.
    """

    G: Array
    stft: Stft
    sample_rate: int
    ref_chan: int
    lags: Array | None = None
    drifts: Array | None = None
    out_chans: Array | None = None
    R: Array | None = None
    course: Course | None = None
    has_rest: bool = False

    @property
    def outputs(self) -> Array:
        """The one channel of each output, as ``apply_filters`` takes it: (n_out, 1)."""
        chosen = np.full(self.n_out, self.ref_chan) if self.out_chans is None else self.out_chans
        return chosen[:, None]

    @property
    def n_out(self) -> int:
        """Number of outputs."""
        return len(self.G)

    @property
    def n_src(self) -> int:
        """Number of sources."""
        return self.n_out - self.has_rest

    @property
    def shares(self) -> Array:
        """What of the unseparated each output gets, (n_out,): all alike, or the rest all of it."""
        if self.has_rest:
            return np.append(np.zeros(self.n_src), 1.0)
        return np.full(self.n_out, 1 / self.n_out)

    @property
    def n_chan(self) -> int:
        """Number of channels."""
        n_chan: int = self.G.shape[1]
        return n_chan

    @property
    def used(self) -> Array:
        """The channels that the reference is made of, from 0."""
        return np.flatnonzero(self.G[:, self.ref_chan].any(axis=(0, 2)))

    def apply(self, mixture: ArrayLike, *, n_threads: int | None = None) -> Array:
        """Separate a recording of the same microphones and speakers.

        Parameters
        ----------
        mixture : array_like of shape (n_chan, n_samples), floating
            The recording, at the sample rate of the filters.
        n_threads : int, optional
            Threads to use; one per processor when not given.

        Returns
        -------
        ndarray of shape (n_out, n_samples)
            Image of each source, and of the rest if it is an output, at the reference channel, to
            which they sum, or where it is loudest, if that was asked for.

        Raises
        ------
        ParameterError
            If the mixture does not have the shape or the type.
        FiltersError
            If it does not have the channels that the filters are for.
        RecordingError
            If the mixture is silent, or not finite.
        """
        images: Array = self._images(mixture, self.outputs, n_threads)[:, 0]
        return images

    def images(self, mixture: ArrayLike, *, n_threads: int | None = None) -> Array:
        """Separate a recording into what every microphone heard of each source.

        As ``apply``, but returns an ndarray of shape (n_out, n_chan, n_samples).
        """
        return self._images(mixture, np.arange(self.n_chan), n_threads)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the filters to a file, in place of one that is there.

        Raises
        ------
        OutputError
            If it cannot be written; nothing is left behind.
        """
        from auxiva_cli.audio import write_file

        write_file(Path(path), self.to_bytes(), overwrite=True)

    def to_bytes(self) -> bytes:
        """Return the content of a file that holds the filters; equal filters make equal files."""
        return content_bytes(
            Content(
                self.G,
                self.stft,
                self.sample_rate,
                self.ref_chan,
                self.lags,
                self.drifts,
                self.out_chans,
                self.R,
                self.course,
                self.has_rest,
            )
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Filters:
        """Load filters that ``save`` has written.

        Raises
        ------
        FiltersError
            If the file cannot be read or holds anything else.
        """
        return cls(*read_content(path))

    def on_one_clock(self, mixture: Mixture) -> Mixture:
        """Return a recording as they are applied to it: its clocks' drifts undone."""
        return on_one_clock(mixture, self.drifts)

    def check_fit(self, n_chan: int, sample_rate: int) -> None:
        """Refuse a recording that the filters are not for.

        Raises
        ------
        FiltersError
            If its channels or its sample rate are others.
        """
        theirs = f"{self.n_chan} channels at {self.sample_rate} Hz"
        ours = f"{n_chan} channels at {sample_rate} Hz"
        if theirs != ours:
            raise FiltersError(
                f"the filters are for {theirs}, the recording has {ours}",
                hint="Learn filters from a recording of the same microphones.",
            )

    def among(self, channels: Array, n_chan: int) -> Filters:
        """Return the filters for a recording of which only some channels are used.

        Parameters
        ----------
        channels : ndarray of int
            The channels that are used, from 0, in order.  Either these are, one for one, the
            channels of the filters, or the filters have all channels and use none but these.
        n_chan : int
            Channels of the recording.

        Raises
        ------
        FiltersError
            If they use a channel that is not chosen.
        """
        if self.n_chan == n_chan:
            missed = np.setdiff1d(self.used, channels)
            if len(missed):
                raise FiltersError(
                    f"the filters use channel {missed[0] + 1}, which is not chosen",
                    hint="Choose all channels that were used when they were learnt.",
                )
            return self
        if self.n_chan != len(channels):
            self.check_fit(len(channels), self.sample_rate)
        R = None
        if self.R is not None:
            R = np.zeros((n_chan, n_chan, self.stft.n_freq), self.R.dtype)
            R[np.ix_(channels, channels)] = self.R
        return replace(
            self,
            G=among(self.G, channels, n_chan, has_rest=self.has_rest),
            ref_chan=int(channels[self.ref_chan]),
            lags=_spread(self.lags, channels, n_chan),
            drifts=_spread(self.drifts, channels, n_chan),
            out_chans=None if self.out_chans is None else channels[self.out_chans],
            R=R,
            course=self.course and self.course.among(channels, n_chan, has_rest=self.has_rest),
        )

    def _images(self, mixture: ArrayLike, channels: Array, n_threads: int | None) -> Array:
        """Return the images at some channels, (n_out, len(channels), n_samples)."""
        waveform = check_waveform(mixture)
        recording = self.on_one_clock(ArrayMixture(waveform, self.sample_rate))
        self.check_fit(recording.n_chan, recording.sample_rate)
        with Threads.of(n_threads) as threads:
            seen = survey(recording, map=threads.map)
            stretches = list(apply_filters(self, recording, channels, seen, threads=threads))
        return np.concatenate(stretches, axis=-1).astype(waveform.dtype)


def _spread(values: Array | None, channels: Array, n_chan: int) -> Array | None:
    """Return values of some channels, (n_chan,), zero for the others; none of none."""
    if values is None:
        return None
    spread = np.zeros(n_chan, values.dtype)
    spread[channels] = values
    return spread
