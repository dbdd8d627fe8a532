"""The problem every contender gets: one whitened STFT; and the judge of its answers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.linalg import matmul
from auxiva_cli.bss.scaling import projection_filters
from auxiva_cli.bss.whitening import whiten
from auxiva_cli.evaluation import si_bss_eval
from auxiva_cli.listening.stft import Stft
from benchmarks.mixtures import Example

__all__ = ["STFT", "Judge", "Problem", "pose"]

Array = NDArray[Any]
# With a Hann window and this hop, inner products of STFTs are those of the waveforms.
STFT = Stft(n_fft=4096, hop_length=1024, window="hann")


@dataclass(frozen=True)
class Problem:
    """A mixture, and its STFT whitened by principal components.

    Attributes
    ----------
    example : Example
        The mixture with its references.
    X : ndarray of shape (n_frames, n_chan, n_freq), complex128
        The whitened STFT.
    Q : ndarray of shape (n_chan, n_chan, n_freq), complex128
        Whitening matrices.
    """

    example: Example
    X: Array
    Q: Array


def pose(example: Example) -> Problem:
    """Transform and whiten a mixture."""
    X = _transform(example.mixture)
    R = np.einsum("tif,tjf->ijf", X, X.conj()) / len(X)
    whitening = whiten(R, len(example.mixture))
    if not whitening.separable.all():
        raise ValueError(f"{example.name} has frequencies without power")
    return Problem(example, np.einsum("ijf,tjf->tif", whitening.Q, X), whitening.Q)


class Judge:
    """Tells how well demixing matrices of a problem separate, after projection back.

    The SI-SIR needs only inner products of the references with the mixture, which are taken
    once: judging an iteration costs next to nothing, and no inverse STFT.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        S, X = _transform(problem.example.references), _transform(problem.example.mixture)
        sides = np.full(STFT.n_freq, 2.0)  # a frequency stands for its negative, too
        sides[[0, -1]] = 1.0
        self._cross = np.einsum("tif,tmf->imf", S.conj(), X) * sides
        self._gram = np.einsum("tif,tjf->ij", S.conj() * sides, S).real

    def si_sir(self, W: Array) -> float:
        """Return the mean SI-SIR in dB of demixing matrices of the whitened STFT."""
        products = np.einsum("imf,kmf->ik", self._cross, self._filters(W)).real
        interference_and_target = np.einsum(
            "ik,ij,jk->k", products, np.linalg.inv(self._gram), products
        )
        target = products**2 / np.diag(self._gram)[:, None]
        sir = 10 * np.log10(target / (interference_and_target - target))
        speakers = range(len(sir))
        return max(float(np.mean(sir[speakers, order])) for order in permutations(speakers))

    def si_sdr(self, W: Array) -> float:
        """Return the mean SI-SDR in dB of the separated waveforms."""
        example = self._problem.example
        Y = np.einsum("kmf,tmf->tkf", self._filters(W), _transform(example.mixture))
        waveform, tail = STFT.synthesise(Y)
        lead = STFT.n_fft - STFT.hop_length
        estimates = np.concatenate([waveform, tail], axis=-1)[:, lead:]
        n_samples = example.references.shape[-1]
        return float(si_bss_eval(example.references, estimates[:, :n_samples]).sdr.mean())

    def _filters(self, W: Array) -> Array:
        """Return the filters (n_src, n_chan, n_freq) to the images at the first microphone."""
        return projection_filters(matmul(W, self._problem.Q))[:, 0]


def _transform(waveform: Array) -> Array:
    """Return the STFT (n_frames, n_chan, n_freq) of a whole waveform, zeros around it."""
    n_frames = STFT.n_frames(waveform.shape[-1])
    start, stop = STFT.span(0, n_frames)
    return STFT.analyse(np.pad(waveform, ((0, 0), (-start, stop - waveform.shape[-1]))))
