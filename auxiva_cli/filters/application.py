"""Filters at work: a recording in, the images of its sources out, stretch by stretch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.fold import Block
from auxiva_cli.bss.linalg import apply
from auxiva_cli.errors import AuxivaError
from auxiva_cli.filters.filling import Filler
from auxiva_cli.listening.mixture import Aligned, Levelled, Mixture
from auxiva_cli.listening.spectra import Spectra
from auxiva_cli.listening.survey import Survey
from auxiva_cli.parallel import Threads

if TYPE_CHECKING:
    from auxiva_cli.filters import Filters

__all__ = ["apply_filters"]

Array = NDArray[Any]


def apply_filters(
    filters: Filters, mixture: Mixture, channels: Array, seen: Survey, *, threads: Threads
) -> Iterator[Array]:
    """Separate a recording with filters, stretch by stretch.

    Parameters
    ----------
    filters : Filters
        What to apply; their course, if they have one and this is the recording that it is of.
    mixture : Mixture
        The recording, of ``filters.n_chan`` channels.
    channels : ndarray of shape (n_wanted,) or (n_out, n_wanted), int
        Microphones, from 0, at which the images of the outputs are wanted, the same for all or
        those of each.
    seen : Survey
        What the recording is like: its offset, of which the outputs carry their ``shares``, and
        its level, near which single precision holds it, and where channels are dead: there the
        outputs are made of the others, and a dead channel itself is shared out.
    threads : Threads
        Works on several stretches at a time.

    Yields
    ------
    ndarray of shape (n_out, n_wanted, n_stretch)
        Consecutive stretches of the images, as long as the mixture in all, each channel on its
        own axis, at its own gain.

    Raises
    ------
    AuxivaError
        ``internal``, if a sample comes out NaN or infinite.
    """
    lags = np.zeros(filters.n_chan, int) if filters.lags is None else filters.lags
    on_axis = Aligned(mixture, lags) if lags.any() else mixture
    channels = np.broadcast_to(channels, (filters.n_out, np.shape(channels)[-1]))
    if lags.any():
        lead = max(lags.max(), 0)
        seen = replace(seen, levels=seen.levels.moved(lags - lead, on_axis.n_samples))
    course = filters.course
    if course is not None and course.is_of(mixture.n_samples, seen.rms):
        course = replace(course, centres=course.centres + max(lags.max(), 0))
        filters = replace(filters, course=course)
    else:
        filters = replace(filters, course=None)
    images = _filtered(filters, on_axis, channels, seen, threads)
    if lags.any():
        images = _cut(images, max(lags.max(), 0) - lags[channels], mixture.n_samples)
    done = 0
    for stretch in images:
        if isinstance(mixture, Levelled):
            stretch *= mixture.gain(done, stretch.shape[-1])[channels]
        done += stretch.shape[-1]
        yield stretch


def _filtered(
    filters: Filters, mixture: Mixture, channels: Array, seen: Survey, threads: Threads
) -> Iterator[Array]:
    """Yield the images on the axis of the mixture."""
    stft, levels = filters.stft, seen.levels
    spectra = Spectra(mixture, stft, seen.offset, np.full(mixture.n_chan, seen.level))
    length = spectra.block_length
    sources = np.repeat(np.arange(filters.n_out), channels.shape[1])
    rows = filters.G[sources, channels.ravel()]
    R = np.eye(filters.n_chan)[..., None] if filters.R is None else filters.R
    filler = Filler(stft, np.broadcast_to(R, filters.G.shape[1:]))

    def separated(turn: tuple[int, Block]) -> Array:
        X = turn[1]()
        start, stop = stft.span(turn[0] * length, len(X))
        dead = levels.dead_samples(start, stop)
        X = filler.fill(X, dead) if dead.any() else X
        if filters.course is None:
            Y = apply(rows, X)
        else:
            times = start + stft.n_fft / 2 + stft.hop_length * np.arange(len(X))
            Y = filters.course.product(sources, channels.ravel(), X, times)
        return np.concatenate(stft.synthesise(Y), axis=-1)

    shares = filters.shares[:, None, None]
    share = shares * seen.offset[channels][..., None]
    tail: Array = np.zeros((len(rows), stft.n_fft - stft.hop_length), np.float32)
    written = stft.hop_length - stft.n_fft  # the first frames begin before the recording does
    for waveform in threads.map(separated, enumerate(spectra.blocks())):
        waveform[:, : tail.shape[-1]] += tail
        waveform, tail = np.split(waveform, [waveform.shape[-1] - tail.shape[-1]], axis=-1)
        start = max(written, 0)
        inside = slice(start - written, max(mixture.n_samples - written, 0))
        written += waveform.shape[1]
        images = waveform[:, inside].astype(float) / seen.level
        images = images.reshape(*channels.shape, -1) + share
        if not np.isfinite(images).all():
            raise AuxivaError("separation gave samples that are not finite", kind="internal")
        dead = levels.dead_samples(start, start + images.shape[-1])[channels]
        if dead.any():
            heard = mixture.read(start, images.shape[-1])[channels]
            images = np.where(dead, shares * heard, images)
        if images.shape[-1]:
            yield images


def _cut(stretches: Iterator[Array], firsts: Array, n_samples: int) -> Iterator[Array]:
    """Yield, of each image, so many samples from its first on, in common stretches."""
    waiting: list[Array] = []
    begin = written = 0
    for stretch in stretches:
        waiting = [np.concatenate([*waiting, stretch], axis=-1)]
        end = begin + waiting[0].shape[-1]
        ready = min(end - int(firsts.max()), n_samples)
        if ready > written:
            first = firsts + written - begin
            wanted = first[..., None] + np.arange(ready - written)
            yield np.take_along_axis(waiting[0], wanted, axis=-1)
            written = ready
        spent = max(int(firsts.min()) + written - begin, 0)
        waiting = [waiting[0][..., spent:]]
        begin += spent
