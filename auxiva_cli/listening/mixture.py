"""A mixture: anything that gives stretches of a multichannel waveform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auxiva_cli.errors import ParameterError

__all__ = [
    "Aligned",
    "ArrayMixture",
    "Channels",
    "Chosen",
    "Excerpt",
    "FiniteMixture",
    "Levelled",
    "Mixture",
    "Normalised",
    "View",
    "check_waveform",
    "chosen_channels",
    "is_usable",
    "read_padded",
]

Array = NDArray[Any]
# The square of a larger sample, summed over a recording, overflows.
LARGEST = np.float64(1e150)
# No microphone array has more.
LARGEST_N_CHAN = 64


class Mixture(Protocol):
    """A recording as separation sees it: read by stretches, as often as is needed."""

    @property
    def n_chan(self) -> int:
        """Number of channels."""

    @property
    def n_samples(self) -> int:
        """Number of samples per channel."""

    @property
    def sample_rate(self) -> int:
        """Sample rate, in Hz."""

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples``, shape (n_chan, n_samples), floating.

        Called from several threads.
        """


@dataclass(frozen=True)
class ArrayMixture:
    """A waveform in memory, shape (n_chan, n_samples), as a mixture."""

    waveform: Array
    sample_rate: int

    @property
    def n_chan(self) -> int:
        """Number of channels."""
        return len(self.waveform)

    @property
    def n_samples(self) -> int:
        """Number of samples per channel."""
        n_samples: int = self.waveform.shape[1]
        return n_samples

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples``."""
        return self.waveform[:, start : start + n_samples]


@dataclass(frozen=True)
class View:
    """A mixture seen in another way, the same where nothing else is said."""

    mixture: Mixture

    @property
    def n_chan(self) -> int:
        """Number of channels."""
        return self.mixture.n_chan

    @property
    def n_samples(self) -> int:
        """Number of samples per channel."""
        return self.mixture.n_samples

    @property
    def sample_rate(self) -> int:
        """Sample rate, in Hz."""
        return self.mixture.sample_rate


@dataclass(frozen=True)
class Excerpt(View):
    """The samples ``start … stop`` of a mixture, as a mixture."""

    start: int
    stop: int

    @property
    def n_samples(self) -> int:
        """Number of samples per channel."""
        return self.stop - self.start

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples`` of the excerpt."""
        return self.mixture.read(self.start + start, n_samples)


@dataclass(frozen=True)
class Channels(View):
    """Some channels of a mixture, as a mixture."""

    channels: Array

    @property
    def n_chan(self) -> int:
        """Number of channels."""
        return len(self.channels)

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples`` of these channels."""
        return self.mixture.read(start, n_samples)[self.channels]


@dataclass(frozen=True)
class Aligned(View):
    """A mixture whose channels are moved to one time axis, with zeros where one has not begun.

    The axis reaches from the first sample of any channel to the last of any: ``lead`` samples
    before the first of a channel that does not lag.
    """

    lags: Array  # (n_chan,) samples by which each channel is late, none of them all

    @property
    def lead(self) -> int:
        """How many samples the axis begins before that of a channel without a lag."""
        return int(max(self.lags.max(), 0))

    @property
    def n_samples(self) -> int:
        """Number of samples per channel."""
        return self.mixture.n_samples + self.lead + int(max(-self.lags.min(), 0))

    @property
    def common(self) -> Excerpt:
        """The stretch in which all channels are there."""
        return Excerpt(self, self.n_samples - self.mixture.n_samples, self.mixture.n_samples)

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples`` of the common axis."""
        parts = {
            lag: read_padded(self.mixture, (first := start - self.lead + lag), first + n_samples)
            for lag in np.unique(self.lags).tolist()
        }
        return np.stack([parts[lag][c] for c, lag in enumerate(self.lags.tolist())])


@dataclass(frozen=True)
class Chosen(View):
    """A mixture of which only some channels are heard: zeros are on the others."""

    channels: Array

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples``."""
        waveform = self.mixture.read(start, n_samples)
        heard = np.zeros_like(waveform)
        heard[self.channels] = waveform[self.channels]
        return heard


@dataclass(frozen=True)
class Normalised(View):
    """A mixture in single precision, each channel without its offset and near unit level."""

    offset: Array
    gain: Array

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples``."""
        waveform = self.mixture.read(start, n_samples).astype(float)
        return ((waveform - self.offset[:, None]) * self.gain[:, None]).astype(np.float32)


@dataclass(frozen=True)
class Levelled(View):
    """A mixture in which steps of a channel's gain are undone."""

    steps: tuple[tuple[int, int, float], ...]  # channel, first sample, factor of the gain

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples`` at the gain of the beginning."""
        waveform = self.mixture.read(start, n_samples)
        return waveform / self.gain(start, waveform.shape[1], waveform.dtype)

    def gain(self, start: int, n_samples: int, dtype: Any = float) -> Array:
        """Return the gain of each channel at samples ``start … start + n_samples``."""
        gain = np.ones((self.n_chan, n_samples), dtype)
        for channel, first, factor in self.steps:
            gain[channel, max(first - start, 0) :] *= factor
        return gain


@dataclass(frozen=True)
class FiniteMixture(View):
    """A mixture with zeros in place of NaN, infinite and absurdly large samples."""

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples``, finite."""
        waveform = self.mixture.read(start, n_samples)
        return np.where(is_usable(waveform), waveform, 0)


def chosen_channels(mixture: Mixture) -> Array:
    """Return which channels of a mixture are not silenced on purpose, bool of shape (n_chan,)."""
    while isinstance(mixture, View):
        if isinstance(mixture, Chosen):
            return np.isin(np.arange(mixture.n_chan), mixture.channels)
        mixture = mixture.mixture
    return np.ones(mixture.n_chan, bool)


def check_waveform(samples: ArrayLike) -> Array:
    """Return samples as an array that can be a recording, without a copy where they are one.

    Parameters
    ----------
    samples : array_like of shape (n_chan, n_samples), floating
        The recording, one row a microphone.

    Raises
    ------
    ParameterError
        If their shape or type is another, with what to do about it.
    """
    waveform = np.asarray(samples)
    if waveform.ndim == 2 and len(waveform) > LARGEST_N_CHAN:
        raise ParameterError(
            f"the mixture has {len(waveform)} channels of {waveform.shape[1]} samples, "
            f"at most {LARGEST_N_CHAN} channels are accepted",
            hint="One row is a microphone: pass samples.T."
            if len(waveform) > waveform.shape[1]
            else "Choose the microphones to use.",
        )
    if waveform.ndim != 2 or not np.issubdtype(waveform.dtype, np.floating):
        raise ParameterError(
            f"the mixture must be floating, of shape (n_chan, n_samples); "
            f"it is {waveform.dtype}, of shape {waveform.shape}",
            hint=_hint_of_type(waveform.dtype),
        )
    return waveform


def _hint_of_type(dtype: np.dtype[Any]) -> str:
    """Return how samples of a type become floating, with full scale at 1."""
    if not np.issubdtype(dtype, np.signedinteger):
        return "Pass one row a microphone, samples between -1 and 1."
    return f"Divide by {-int(np.iinfo(dtype).min)} to have full scale at 1."


def is_usable(waveform: Array) -> Array:
    """Tell which samples are finite, and small enough to be squared."""
    usable: Array = np.abs(waveform) < LARGEST  # not so where NaN
    return usable


def read_padded(mixture: Mixture, start: int, stop: int) -> Array:
    """Read samples ``start … stop``, with zeros where these lie outside the mixture.

    Returns
    -------
    ndarray of shape (n_chan, stop - start)
        In the precision of the mixture.
    """
    first = min(max(start, 0), mixture.n_samples)
    last = max(min(stop, mixture.n_samples), first)
    inside = mixture.read(first, last - first)
    if inside.shape[1] == stop - start:
        return inside
    before = max(min(-start, stop - start), 0)
    return np.pad(inside, ((0, 0), (before, stop - start - before - inside.shape[1])))
