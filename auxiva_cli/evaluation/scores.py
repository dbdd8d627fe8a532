"""SDR, SIR and SAR from the inner products of references and estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cholesky, solve_triangular, toeplitz
from scipy.optimize import linear_sum_assignment

from auxiva_cli.errors import ParameterError
from auxiva_cli.evaluation.correlations import FILTER_LENGTH, Correlations, correlate

__all__ = ["LIMIT_DB", "Scores", "bss_eval", "bss_eval_scores", "si_bss_eval", "si_scores"]

LIMIT_DB = 100.0
"""Largest magnitude of a measure in dB: 16-bit samples hold 98, and rounding is not judged."""

# Keeps the Gram matrix of silent, repeated or band-limited references positive definite.
# Its diagonal is one, so that weak references are loaded no more than others.
_DIAGONAL_LOAD = 1e-12

Array = NDArray[np.float64]
Permutation = NDArray[np.intp]


@dataclass(frozen=True)
class Scores:
    """The measures of every reference with the estimate that it was paired with.

    Attributes
    ----------
    permutation : ndarray of shape (n_ref,)
        Index of the estimate of every reference, -1 where it has none.
    sdr, sir, sar : ndarray of shape (n_ref,)
        In dB; NaN where a measure has no meaning.
    sdr_improvement, sir_improvement : ndarray of shape (n_ref,)
        In dB over the mixture taken as the estimate; NaN without a mixture.
    """

    permutation: Permutation
    sdr: Array
    sir: Array
    sar: Array
    sdr_improvement: Array
    sir_improvement: Array


def si_bss_eval(
    references: ArrayLike, estimates: ArrayLike, mixture: ArrayLike | None = None
) -> Scores:
    """Return the scale-invariant SDR, SIR and SAR of the estimates.

    As Le Roux et al. (2019) define them: as ratios of energies, the inverse SDR is the
    sum of the inverse SIR and the inverse SAR.

    Parameters
    ----------
    references : array_like of shape (n_ref, n_samples)
    estimates : array_like of shape (n_est, n_samples)
        In any order; more or fewer than the references.
    mixture : array_like of shape (n_samples,), optional
        The microphone over which the improvement is measured.

    Returns
    -------
    Scores

    Raises
    ------
    ParameterError
        If the shapes do not fit.
    RecordingError
        If a sample is not finite.

    Examples
    --------
    >>> s = [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    >>> scores = si_bss_eval(s, [[0.1, 0.1, 1.0, 1.0], [1.0, 1.0, 0.1, 0.1]])
    >>> scores.permutation
    array([1, 0])
    >>> scores.sdr.round(6)
    array([20., 20.])
    """
    return si_scores(_correlate_arrays(references, estimates, mixture, n_taps=1))


def bss_eval(
    references: ArrayLike,
    estimates: ArrayLike,
    mixture: ArrayLike | None = None,
    *,
    filter_length: int = FILTER_LENGTH,
) -> Scores:
    """Return the SDR, SIR and SAR of BSS Eval, version 3, for sources.

    Parameters
    ----------
    references : array_like of shape (n_ref, n_samples)
    estimates : array_like of shape (n_est, n_samples)
        In any order; more or fewer than the references.
    mixture : array_like of shape (n_samples,), optional
        The microphone over which the improvement is measured.
    filter_length : int, default 512
        Taps of the filters that a reference may pass through and remain the target.

    Returns
    -------
    Scores

    Raises
    ------
    ParameterError
        If the shapes do not fit, or the filter has no tap.
    RecordingError
        If a sample is not finite.
    """
    if filter_length < 1:
        raise ParameterError(f"{filter_length=} must be at least 1")
    return bss_eval_scores(_correlate_arrays(references, estimates, mixture, n_taps=filter_length))


def si_scores(correlations: Correlations, permutation: Permutation | None = None) -> Scores:
    """Return the scale-invariant measures.

    Parameters
    ----------
    correlations : Correlations
    permutation : ndarray of shape (n_ref,), optional
        A pairing to keep; by default the best by SDR.

    Returns
    -------
    Scores
    """
    target, explained = _projections(correlations, n_taps=1)
    sar = _decibels(target, 1.0 - explained)
    return _scores(correlations, target, explained, sar, permutation)


def bss_eval_scores(correlations: Correlations, permutation: Permutation | None = None) -> Scores:
    """Return the measures of BSS Eval, with a filter tap for every lag.

    Parameters
    ----------
    correlations : Correlations
    permutation : ndarray of shape (n_ref,), optional
        A pairing to keep; by default the best by SDR.

    Returns
    -------
    Scores
    """
    target, explained = _projections(correlations, n_taps=correlations.references.shape[-1])
    sar = _decibels(explained, 1.0 - explained)
    return _scores(correlations, target, explained, sar, permutation)


def _correlate_arrays(
    references: ArrayLike, estimates: ArrayLike, mixture: ArrayLike | None, *, n_taps: int
) -> Correlations:
    """Correlate signals that are in memory."""
    signals = [np.asarray(references, np.float64), np.asarray(estimates, np.float64)]
    if mixture is not None:
        signals.append(np.asarray(mixture, np.float64)[np.newaxis])
    if any(part.ndim != 2 or part.shape[1] != signals[0].shape[-1] for part in signals):
        shapes = " and ".join(str(part.shape) for part in signals)
        raise ParameterError(f"signals must have shapes (n, n_samples) of one length, not {shapes}")
    stacked = np.concatenate(signals)
    return correlate(
        lambda start, n: stacked[:, start : start + n],
        n_samples=stacked.shape[1],
        n_ref=len(signals[0]),
        n_est=len(stacked) - len(signals[0]),
        has_mixture=mixture is not None,
        n_taps=n_taps,
    )


def _projections(correlations: Correlations, *, n_taps: int) -> tuple[Array, Array]:
    """Return the shares of every estimate that each reference, and that all of them explain.

    Their shapes are (n_ref, n_est) and (n_est,).
    """
    level_ref = _level(np.einsum("iil->il", correlations.references)[:, 0])
    level_est = _level(correlations.energies)
    among = correlations.references[..., :n_taps] / np.outer(level_ref, level_ref)[..., np.newaxis]
    cross = correlations.estimates[..., :n_taps] / np.outer(level_ref, level_est)[..., np.newaxis]
    n_ref, n_est, _ = cross.shape
    gram = [[toeplitz(among[i, j], among[j, i]) for j in range(n_ref)] for i in range(n_ref)]
    target = [_projected_energy(gram[i][i], cross[i].T) for i in range(n_ref)]
    explained = _projected_energy(
        np.block(gram), cross.transpose(0, 2, 1).reshape(n_ref * n_taps, n_est)
    )
    return np.array(target), explained


def _level(energies: Array) -> Array:
    """Return what to divide signals by for unit energy; silence stays silence."""
    return np.sqrt(np.where(energies > 0, energies, 1.0))


def _projected_energy(gram: Array, inner_products: Array) -> Array:
    """Return the energy of projections on vectors, given their Gram matrix."""
    factor = cholesky(gram + _DIAGONAL_LOAD * np.eye(len(gram)), lower=True)
    coordinates = solve_triangular(factor, inner_products, lower=True)
    return np.asarray(np.sum(coordinates**2, axis=0))


def _decibels(part: Array, rest: Array) -> Array:
    """Return the ratio of two shares of an estimate in dB, within ``±LIMIT_DB``."""
    least = 10.0 ** (-LIMIT_DB / 10.0)
    return np.asarray(10.0 * np.log10(np.clip(part, least, 1.0) / np.clip(rest, least, 1.0)))


def _scores(
    correlations: Correlations,
    target: Array,
    explained: Array,
    sar: Array,
    permutation: Permutation | None,
) -> Scores:
    """Pair the estimates with the references and keep the measures of the pairs."""
    active = correlations.active
    sdr = _decibels(target, 1.0 - target)
    sir = _decibels(target, explained - target)
    measures = np.array([sdr, sir, np.broadcast_to(sar, sdr.shape)])
    measures[:, ~active] = np.nan
    measures[:, :, correlations.energies == 0] = np.nan
    if active.sum() < 2:
        measures[1] = np.nan
    if permutation is None:
        n_est = sdr.shape[1] - correlations.has_mixture
        permutation = _pair(measures[0, :, :n_est], active)
    paired = measures[:, np.arange(len(active)), permutation]
    paired[:, permutation < 0] = np.nan
    unseparated = measures[:2, :, -1] if correlations.has_mixture else np.nan
    return Scores(permutation, *paired, *(paired[:2] - unseparated))


def _pair(sdr: Array, active: NDArray[np.bool_]) -> Permutation:
    """Return the estimate of every active reference that makes the sum of the SDRs largest."""
    worse_than_any = -2.0 * LIMIT_DB
    rows, columns = linear_sum_assignment(
        np.nan_to_num(sdr[active], nan=worse_than_any), maximize=True
    )
    permutation = np.full(len(sdr), -1)
    permutation[np.flatnonzero(active)[rows]] = columns
    return permutation
