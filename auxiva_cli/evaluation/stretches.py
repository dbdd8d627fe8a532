"""The measures along time: of one stretch of the recordings after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.evaluation.correlations import Correlations, correlate
from auxiva_cli.evaluation.scores import Permutation, Scores, bss_eval_scores, si_scores

__all__ = ["SILENCE_DB", "Stretch", "stretch_bounds", "stretch_scores"]

Array = NDArray[np.float64]

SILENCE_DB = -30.0
"""A reference is silent where its power is so far below that of all of it: what lies below is
reverberation and breath, and an estimate cannot be held to that."""


@dataclass(frozen=True)
class Stretch:
    """The measures of a stretch of the recordings.

    Attributes
    ----------
    start, stop : int
        The first sample, and the one behind the last.
    heard : ndarray of shape (n_ref,), bool
        Which references are not silent.
    si, bss : Scores
        Of each reference with the estimate that it has in all of the recording; NaN where it is
        silent.
    owners : ndarray of shape (n_ref,)
        The estimate that each reference would be paired with in this stretch alone; -1 where it
        is silent.
    """

    start: int
    stop: int
    heard: NDArray[np.bool_]
    si: Scores
    bss: Scores
    owners: Permutation


def stretch_bounds(n_samples: int, length: int) -> list[tuple[int, int]]:
    """Cut so many samples into stretches of a length; the last one takes in a rest below half."""
    n_stretches = max((2 * n_samples + length) // (2 * length), 1)
    starts = [k * length for k in range(n_stretches)]
    return list(zip(starts, [*starts[1:], n_samples], strict=True))


def stretch_scores(
    read: Callable[[int, int], Array], whole: Correlations, *, n_samples: int, length: int
) -> Iterator[Stretch]:
    """Score references and estimates, that are read block by block, in stretches.

    Parameters
    ----------
    read : callable
        As for ``correlate``.
    whole : Correlations
        Of all of the recordings: what was correlated before.
    n_samples : int
        Of the recordings.
    length : int
        Samples of a stretch; the last one has from half to one and a half times as many.

    Yields
    ------
    Stretch
        In the order of time.
    """
    n_ref, n_est, n_taps = whole.estimates.shape
    permutation = bss_eval_scores(whole).permutation
    audible = 10 ** (SILENCE_DB / 10) * _energies(whole) / n_samples
    for start, stop in stretch_bounds(n_samples, length):

        def inside(first: int, n: int, start: int = start) -> Array:
            return read(start + first, n)

        found = correlate(
            inside,
            n_samples=stop - start,
            n_ref=n_ref,
            n_est=n_est,
            has_mixture=whole.has_mixture,
            n_taps=n_taps,
        )
        heard = _energies(found) > audible * (stop - start)
        found = _without_silent(found, heard)
        bss = bss_eval_scores(found, permutation)
        owners = bss_eval_scores(found).permutation
        yield Stretch(start, stop, heard, si_scores(found, permutation), bss, owners)


def _energies(correlations: Correlations) -> Array:
    """Return the energies of the references, (n_ref,)."""
    energies: Array = np.einsum("iil->il", correlations.references)[:, 0]
    return energies


def _without_silent(correlations: Correlations, heard: NDArray[np.bool_]) -> Correlations:
    """Take the references that are not heard for digital silence."""
    both = np.outer(heard, heard)[..., None]
    return replace(
        correlations,
        references=np.where(both, correlations.references, 0.0),
        estimates=np.where(heard[:, None, None], correlations.estimates, 0.0),
    )
