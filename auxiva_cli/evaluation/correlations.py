"""The inner products of signals and their delays, summed block by block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from auxiva_cli.errors import RecordingError

__all__ = ["FILTER_LENGTH", "Correlations", "correlate"]

FILTER_LENGTH = 512
"""Taps of BSS Eval's filters, as in its published toolboxes."""

_BLOCK_LENGTH = 2**15


@dataclass(frozen=True)
class Correlations:
    """What the measures need to know of references and estimates.

    Attributes
    ----------
    references : ndarray of shape (n_ref, n_ref, n_taps)
        ``sum_t s_i[t] s_j[t + lag]`` for the lags from zero.
    estimates : ndarray of shape (n_ref, n_est, n_taps)
        ``sum_t s_i[t] e_j[t + lag]``.
    energies : ndarray of shape (n_est,)
        ``sum_t e_j[t]**2``.
    has_mixture : bool
        Whether the last estimate is the mixture, to be improved upon.
    """

    references: NDArray[np.float64]
    estimates: NDArray[np.float64]
    energies: NDArray[np.float64]
    has_mixture: bool = False

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which references are not silent, of shape (n_ref,)."""
        energies: NDArray[np.float64] = np.einsum("iil->il", self.references)[:, 0]
        return energies > 0


def correlate(
    read: Callable[[int, int], NDArray[np.float64]],
    *,
    n_samples: int,
    n_ref: int,
    n_est: int,
    has_mixture: bool = False,
    n_taps: int = FILTER_LENGTH,
) -> Correlations:
    """Correlate references with estimates that are read block by block.

    Parameters
    ----------
    read : callable
        ``read(start, n)`` returns an ndarray of shape (n_ref + n_est, n), the
        references first.
    n_samples, n_ref, n_est : int
    has_mixture : bool, default False
        Whether the last estimate is the mixture.
    n_taps : int, default 512
        Number of lags; one is enough for the scale-invariant measures.

    Returns
    -------
    Correlations
        Of the signals with silence before and after them.

    Raises
    ------
    RecordingError
        If a sample is not finite.
    """
    n_fft = next_fast_len(_BLOCK_LENGTH + n_taps - 1, real=True)
    block_length = n_fft - n_taps + 1
    history = np.zeros((n_ref, n_taps - 1))
    spectra = np.zeros((n_ref, n_ref + n_est, n_fft // 2 + 1), dtype=np.complex128)
    energies = np.zeros(n_ref + n_est)
    for start in range(0, n_samples, block_length):
        block = read(start, min(block_length, n_samples - start))
        energies += np.einsum("it,it->i", block, block)
        _require_finite(energies)
        delayed = np.concatenate([history, block[:n_ref]], axis=1)
        history = delayed[:, block.shape[1] :]
        # The zeros before the block take in the products that the FFT wraps around.
        later = rfft(np.pad(block, ((0, 0), (n_taps - 1, 0))), n_fft)
        for total, reference in zip(spectra, rfft(delayed, n_fft), strict=True):
            total += reference.conj() * later
    lags = irfft(spectra, n_fft)[..., :n_taps]
    return Correlations(lags[:, :n_ref], lags[:, n_ref:], energies[n_ref:], has_mixture)


def _require_finite(energies: NDArray[np.float64]) -> None:
    """Refuse signals with samples that are no numbers."""
    n_broken = int(np.sum(~np.isfinite(energies)))
    if n_broken:
        raise RecordingError(
            f"{n_broken} of {len(energies)} signals hold NaN or infinity",
            hint="No measure is defined for them; repair them first.",
            kind="input-nonfinite",
        )
