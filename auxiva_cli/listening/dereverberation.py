"""A recording without its late reverberation, as another recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.dereverberation import Prediction, learn_prediction
from auxiva_cli.bss.fold import Map
from auxiva_cli.listening.mixture import Mixture, View, read_padded
from auxiva_cli.listening.stft import Stft, fast_n_fft

__all__ = ["Dereverberated", "dereverberate"]

Array = NDArray[Any]
# Three hops of a quarter of it, 48 ms, are the early reflections, which are left as they are: they
# help to understand.  With 24 ms a lone voice is nearer to its mixture than to its early image.
WINDOW_SECONDS, DELAY = 0.064, 3
N_ITER = 3
# Filters of so many coefficients, and so many frames for each to be learnt from.
N_COEFFICIENTS, FRAMES_EACH = 40, 20
BLOCK_LENGTH = 128


@dataclass(frozen=True)
class Dereverberated(View):
    """A mixture from which the predicted late reverberation is taken, stretch by stretch."""

    stft: Stft
    prediction: Prediction
    G: Array  # (n_freq, n_taps * n_chan, n_chan)

    def read(self, start: int, n_samples: int) -> Array:
        """Return samples ``start … start + n_samples``, in double precision."""
        stft, stop = self.stft, min(start + n_samples, self.n_samples)
        if stop <= start:
            return np.zeros((self.n_chan, 0))
        # All frames that overlap one of the samples.
        first = start // stft.hop_length
        last = (stop - 1 + stft.n_fft - stft.hop_length) // stft.hop_length
        X = _frames(self.mixture, stft, self.prediction, first, last + 1 - first)
        waveform = np.concatenate(stft.synthesise(self.prediction.remove(X, self.G)), axis=-1)
        begin, _ = stft.span(first, 1)
        return waveform[:, start - begin : stop - begin]


def dereverberate(
    mixture: Mixture, *, map: Map = map, advanced: Callable[[int, int], None]
) -> Mixture:
    """Learn what the past of a recording predicts, and return the recording without it.

    Parameters
    ----------
    mixture : Mixture
        The recording; one that is not finite is returned as it is, and refused by whoever learns
        from it.
    map : callable
        Applies a function to each block, in order.
    advanced : callable
        Is told how many of how many passes are done.

    Notes
    -----
    Memory does not grow with the length: four passes now, and a short filter at each later one.
    """
    n_fft = fast_n_fft(WINDOW_SECONDS, mixture.sample_rate)
    stft = Stft(n_fft, n_fft // 4, "hann")
    n_frames = stft.n_frames(mixture.n_samples)
    n_coefficients = min(N_COEFFICIENTS, n_frames // FRAMES_EACH)
    prediction = Prediction(DELAY, max(n_coefficients // mixture.n_chan, 1))
    blocks = [
        partial(_frames, mixture, stft, prediction, t, min(BLOCK_LENGTH, n_frames - t))
        for t in range(0, n_frames, BLOCK_LENGTH)
    ]
    with np.errstate(invalid="ignore", over="ignore"):
        G = learn_prediction(blocks, prediction, n_iter=N_ITER, map=map, advanced=advanced)
    return Dereverberated(mixture, stft, prediction, G) if np.isfinite(G).all() else mixture


def _frames(
    mixture: Mixture, stft: Stft, prediction: Prediction, first: int, n_frames: int
) -> Array:
    """Return so many frames from the first on, and before them the past of the first."""
    start, stop = stft.span(first - prediction.n_past, prediction.n_past + n_frames)
    return stft.analyse(read_padded(mixture, start, stop).astype(float))
