"""Separation filters: what is learnt from a recording, and applied to it or to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.fold import Block
from auxiva_cli.errors import AuxivaError
from auxiva_cli.mixture import Mixture
from auxiva_cli.parallel import Threads
from auxiva_cli.spectra import Spectra
from auxiva_cli.stft import Stft

__all__ = ["Filters", "apply_filters"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Filters:
    """One matrix per source and frequency that gives a source's image at every microphone.

    Attributes
    ----------
    G : ndarray of shape (n_src, n_chan, n_chan, n_freq), complex64
        ``G[k] x`` is the image of source ``k`` at all microphones; ``Σ_k G[k] = I``, so images
        sum to the mixture.
    stft : Stft
        The transform in which they work.
    sample_rate : int
        In Hz.
    ref_chan : int
        Reference channel, from 0.
    """

    G: Array
    stft: Stft
    sample_rate: int
    ref_chan: int

    @property
    def n_src(self) -> int:
        """Number of sources."""
        return len(self.G)

    @property
    def n_chan(self) -> int:
        """Number of channels."""
        n_chan: int = self.G.shape[1]
        return n_chan


def apply_filters(
    filters: Filters,
    mixture: Mixture,
    channels: list[int],
    *,
    offset: Array,
    level: float,
    threads: Threads,
) -> Iterator[Array]:
    """Separate a recording with filters, stretch by stretch.

    Parameters
    ----------
    filters : Filters
        What to apply.
    mixture : Mixture
        The recording, of ``filters.n_chan`` channels.
    channels : list of int
        Microphones, from 0, at which the images of the sources are wanted.
    offset : ndarray of shape (n_chan,)
        Mean of each channel; the outputs carry equal shares of it.
    level : float
        A power of two that brings the recording near unit level: single precision then holds it.
    threads : Threads
        Works on several stretches at a time.

    Yields
    ------
    ndarray of shape (n_src, len(channels), n_stretch)
        Consecutive stretches of the images, as long as the mixture in all.

    Raises
    ------
    AuxivaError
        ``internal``, if a sample comes out NaN or infinite.
    """
    stft = filters.stft
    spectra = Spectra(mixture, stft, offset, np.full(mixture.n_chan, level))
    G = filters.G[:, channels]  # (n_src, n_out, n_chan, n_freq)
    G = G.reshape(-1, *G.shape[2:])
    share = np.repeat(offset[channels][None] / filters.n_src, filters.n_src, axis=0)[..., None]

    def separated(block: Block) -> Array:
        X = block()
        Y = G[:, 0] * X[:, 0, None]
        for c in range(1, X.shape[1]):
            Y += G[:, c] * X[:, c, None]
        return Y

    tail: Array | None = None
    written = stft.hop_length - stft.n_fft  # the first frames begin before the recording does
    for Y in threads.map(separated, spectra.blocks()):
        waveform, tail = stft.synthesise(Y, tail)
        inside = slice(max(-written, 0), max(mixture.n_samples - written, 0))
        written += waveform.shape[1]
        images = waveform[:, inside].astype(float) / level
        images = images.reshape(filters.n_src, len(channels), -1) + share
        if not np.isfinite(images).all():
            raise AuxivaError("separation gave samples that are not finite", kind="internal")
        if images.shape[-1]:
            yield images
