r"""Late reverberation, predicted from the past of the microphones and taken away.

Weighted prediction error (T. Nakatani et al., "Speech dereverberation based on variance-normalized
delayed linear prediction", IEEE TASLP 18(7), 2010; for several channels T. Yoshioka, T. Nakatani,
IEEE TASLP 20(10), 2012).  In each frequency what arrives late is a linear function of what all
microphones heard :math:`\Delta` frames ago and before,

.. math:: x_t = d_t + \sum_{\tau=\Delta}^{\Delta + L - 1} G_\tau^T x_{t - \tau},

and what is left, the direct sound with its early reflections, has the variance of speech, which
changes from frame to frame: :math:`\lambda_t = \|d_t\|^2 / M`.  Likelihood is increased in turns,
by :math:`\lambda` for a given :math:`G` and by the weighted least squares

.. math:: G = \Bigl(\sum_t \tilde x_t^* \tilde x_t^T / \lambda_t\Bigr)^{-1}
    \sum_t \tilde x_t^* x_t^T / \lambda_t

of the past :math:`\tilde x_t`, stacked.  The delay leaves alone what the voice itself predicts.
The sums are over frames: blocks come one after the other, as often as there are iterations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from auxiva_cli.bss.fold import Block, Map
from auxiva_cli.bss.linalg import Array

__all__ = ["Prediction", "learn_prediction"]

# Of the mean power in a frequency: below it a frame is noise, and must not decide.
LEAST_VARIANCE = 1e-4
# Of the mean power of the past: keeps the sums definite where channels are alike.
LOADING = 1e-6


@dataclass(frozen=True)
class Prediction:
    """Which frames of the past the late reverberation is predicted from.

    Attributes
    ----------
    delay : int
        The nearest, in frames.
    n_taps : int
        How many.
    """

    delay: int
    n_taps: int

    @property
    def n_past(self) -> int:
        """How many frames a block begins before those that are predicted."""
        return self.delay + self.n_taps - 1

    def past(self, X: Array) -> Array:
        """Return the past of each frame, stacked.

        Parameters
        ----------
        X : ndarray of shape (n_past + n_frames, n_chan, n_freq), complex

        Returns
        -------
        ndarray of shape (n_freq, n_frames, n_taps * n_chan)
        """
        n_frames = len(X) - self.n_past
        frames = np.ascontiguousarray(X.transpose(2, 0, 1))
        taps = [frames[:, t : t + n_frames] for t in range(self.n_taps)]
        return np.concatenate(taps, axis=-1)

    def remove(self, X: Array, G: Array) -> Array:
        """Return frames without their late reverberation, (n_frames, n_chan, n_freq).

        Parameters
        ----------
        X : ndarray of shape (n_past + n_frames, n_chan, n_freq), complex
            Frames, and the past of the first of them.
        G : ndarray of shape (n_freq, n_taps * n_chan, n_chan), complex
            What ``learn_prediction`` returned.
        """
        early: Array = X[self.n_past :] - (self.past(X) @ G).transpose(1, 2, 0)
        return early


def learn_prediction(
    blocks: Sequence[Block],
    prediction: Prediction,
    *,
    n_iter: int,
    advanced: Callable[[int, int], None] = lambda done, total: None,
    map: Map = map,
) -> Array:
    """Return the filters that predict the late reverberation.

    Parameters
    ----------
    blocks : sequence of callables that return ndarray of shape (n_past + n_frames, n_chan, n_freq)
        The mixture STFT; each block begins with the past of its first frame.
    prediction : Prediction
    n_iter : int
        At least one.
    advanced : callable
        Is told how many of how many passes over the blocks are done.
    map : callable
        Applies a function to each block, in order.

    Returns
    -------
    ndarray of shape (n_freq, n_taps * n_chan, n_chan), complex
        Zero in frequencies that carry nothing.
    """
    advanced(0, n_iter + 1)
    power = _mean_power(blocks, prediction, map)
    level = np.sqrt(power.max()) or 1.0
    floor = np.where(power > 0, LEAST_VARIANCE * power / level**2, 1)
    G = None
    for n in range(n_iter):
        advanced(n + 1, n_iter + 1)
        sums = partial(_correlations, prediction=prediction, level=level, G=G, floor=floor)
        G = _solve(*_sum(map(sums, blocks)))
    advanced(n_iter + 1, n_iter + 1)
    assert G is not None
    return G


def _mean_power(blocks: Iterable[Block], prediction: Prediction, map: Map) -> Array:
    """Return the mean power of each frequency, over frames and channels, (n_freq,)."""

    def power(block: Block) -> tuple[Array, Array]:
        X = block()[prediction.n_past :]
        return np.sum(np.mean(np.abs(X) ** 2, axis=1), axis=0), np.array(len(X))

    total, n_frames = _sum(map(power, blocks))
    return total / n_frames


def _correlations(
    block: Block, *, prediction: Prediction, level: float, G: Array | None, floor: Array
) -> tuple[Array, Array]:
    """Return the sums of a block: of the past with itself, and with the present.

    In single precision, which holds what is near the level, and takes half the time.
    """
    X = (block() / level).astype(np.complex64)
    past, present = prediction.past(X), X[prediction.n_past :].transpose(2, 0, 1)
    early = present if G is None else present - past @ G.astype(np.complex64)
    variance = np.maximum(np.mean(np.abs(early) ** 2, axis=-1), floor[:, None]).astype(np.float32)
    weighted = (past / variance[..., None]).conj().swapaxes(1, 2)
    return (weighted @ past).astype(complex), (weighted @ present).astype(complex)


def _sum(pairs: Iterable[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return the sums of what comes in pairs, of which there is at least one."""
    remaining = iter(pairs)
    first, second = next(remaining)
    for more, others in remaining:
        first = first + more
        second = second + others
    return first, second


def _solve(R: Array, P: Array) -> Array:
    """Return the least-squares solution in each frequency."""
    n = R.shape[-1]
    power = np.trace(R, axis1=1, axis2=2).real / n
    loading = np.where(power > 0, LOADING * power, 1)
    G: Array = np.linalg.solve(R + loading[:, None, None] * np.eye(n), P)
    return G
