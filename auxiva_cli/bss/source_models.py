"""Source models: which frequencies a speaker moves together, and how peaky that is.

A model groups the frequencies into *cliques* ``b``, sets whose activity
``r²_kb[t] = Σ_f α_bf |y_kf[t]|²`` is taken as common, with weights ``Σ_b α_bf = 1`` in every
frequency, and puts a contrast ``G``, concave in ``r²``, on each.  Concavity is what makes
separation a sequence of weighted least squares: ``G`` lies under its tangent, so the slope
``G'(r²)`` is the weight with which a frame counts in the weighted covariance.

Frequencies that belong to the same cliques with the same weights form a *segment*; within one
the weight of a frame is the same in every frequency, which is all that the fold needs to know.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from auxiva_cli.bss.linalg import Array

__all__ = [
    "PowerMean",
    "SourceModel",
    "SphericalLaplace",
    "TimeVaryingGauss",
    "bands",
    "gauss",
    "laplace",
]

# Of an activity of unit power per frequency, the mean of a whitened mixture: what lies 30 dB
# below the mean of a source is reverberation and noise; the logarithm would make most of it.
FLOOR = 1e-3


class Contrast(ABC):
    """A concave function ``G`` of the activity of a clique of ``n`` frequencies."""

    @abstractmethod
    def value(self, r2: Array, n: Array) -> Array:
        """Return ``G(r²)``, the share of each clique in the cost."""

    @abstractmethod
    def slope(self, r2: Array, n: Array) -> Array:
        """Return ``G'(r²)``, how the cost of all rises with the activity of each clique."""


class SphericalLaplace(Contrast):
    """``G = r``, the published contrast (Kim et al. 2007; Scheibler 2021)."""

    def value(self, r2: Array, n: Array) -> Array:
        """Return ``r``."""
        return np.sqrt(r2)

    def slope(self, r2: Array, n: Array) -> Array:
        """Return ``1 / (2 r)``."""
        return 0.5 / np.sqrt(r2)


class TimeVaryingGauss(Contrast):
    """``G = n log r²``, a Gaussian whose variance is free in every frame (Ono 2012)."""

    def value(self, r2: Array, n: Array) -> Array:
        """Return ``n log r²``."""
        return n * np.log(r2)

    def slope(self, r2: Array, n: Array) -> Array:
        """Return ``n / r²``."""
        return n / r2


@dataclass(frozen=True)
class PowerMean(Contrast):
    """``G = (N/p) log Σ_b (n_b/N) (r²_b/n_b)^p`` of all cliques ``b`` together, ``N = Σ_b n_b``.

    Who is silent is silent in all bands, who speaks moves each in its own way.  A band is weighted
    by both, ``G' = 1 / (a_b^(1-p) Σ_c (n_c/N) a_c^p)`` with ``a_b = r²_b/n_b``.  ``p`` leads from
    bands that know nothing of each other (``p → 0``, where ``G → Σ_b n_b log r²_b`` but for a
    constant) to one activity of all (``p = 1``).  In between ``G`` is concave, like every
    power mean of an exponent up to one, and so is its logarithm.

    Attributes
    ----------
    exponent : float
        ``p``, above 0 and at most 1.
    """

    exponent: float

    def value(self, r2: Array, n: Array) -> Array:
        """Return ``G(r²)``, shared out among the cliques, the first axis, by their sizes."""
        powers = (r2 / n) ** self.exponent
        return (n / self.exponent) * np.log(_mean(powers, n))

    def slope(self, r2: Array, n: Array) -> Array:
        """Return ``∂G/∂r²_b``."""
        powers = (r2 / n) ** self.exponent
        return powers * n / r2 / _mean(powers, n)


def _mean(powers: Array, n: Array) -> Array:
    """Return the mean over cliques by their sizes, ``Σ_b (n_b/N) powers_b``."""
    mean: Array = np.sum(n * powers, axis=0) / n.sum(axis=0)
    return mean


@dataclass(frozen=True)
class SourceModel:
    """Cliques of frequencies and the contrast on their activities.

    Attributes
    ----------
    contrast : Contrast
        The concave function of the activity of each clique.
    edges : tuple of int
        Borders of the segments in frequency bins, from 0 to ``n_freq``; length
        ``n_segments + 1``.
    cliques : ndarray of shape (n_cliques, n_segments)
        Weight ``α`` of each segment in each clique; columns sum to one.
    """

    contrast: Contrast
    edges: tuple[int, ...]
    cliques: Array

    @property
    def segments(self) -> list[slice]:
        """The segments as slices of the frequency axis."""
        return [slice(a, b) for a, b in pairwise(self.edges)]

    @property
    def sizes(self) -> Array:
        """``n_b = Σ_f α_bf``, the number of frequencies that each clique stands for."""
        sizes: Array = self.cliques @ np.diff(self.edges).astype(float)
        return sizes

    def evaluate(self, energies: Array) -> tuple[Array, Array]:
        """Return the contrast and the weights of a block of frames.

        Parameters
        ----------
        energies : ndarray of shape (n_segments, n_frames, n_src)
            ``Σ_f |y_kf[t]|²`` over the frequencies of each segment.

        Returns
        -------
        contrast : ndarray of shape (n_frames, n_src)
            ``Σ_b G(r²_kb[t])``.
        weights : ndarray of shape (n_segments, n_frames, n_src)
            ``Σ_b α_b G'(r²_kb[t])``, the majorisation-minimisation weight of each segment.
        """
        n = self.sizes[:, None, None]
        r2 = np.tensordot(self.cliques, np.maximum(energies, 0), axes=1)
        r2 += FLOOR * n
        contrast = self.contrast.value(r2, n).sum(axis=0)
        weights = np.tensordot(self.cliques.T, self.contrast.slope(r2, n), axes=1)
        return contrast, weights


def laplace(n_freq: int) -> SourceModel:
    """Return the spherical Laplace model over all frequencies, the published one but for a floor.

    Here ``r² = Σ_f |y_kf[t]|² + FLOOR n_freq``: as published it would have no floor.  It leaves
    loud frames alone and gives a frame 40 dB below the mean of its source 0.30 of the published
    weight; without it, reverberation and noise in the pauses would count as much as speech.
    """
    return SourceModel(SphericalLaplace(), (0, n_freq), np.ones((1, 1)))


def gauss(n_freq: int) -> SourceModel:
    """Return the time-varying Gauss model over all frequencies."""
    return SourceModel(TimeVaryingGauss(), (0, n_freq), np.ones((1, 1)))


def bands(frequencies: Array, n_cells: int, n_span: int = 2) -> SourceModel:
    """Return the time-varying Gauss model over overlapping bands of the mel scale.

    The mel scale is cut into equal cells; a clique is a few neighbouring cells, so that each
    band is tied to both of its neighbours.

    Parameters
    ----------
    frequencies : ndarray of shape (n_freq,), Hz
        Centre frequencies of the bins, rising.
    n_cells : int
        Number of cells, at least 2; cells without a bin are merged with the next one.
    n_span : int
        Number of cells in a clique; a cell counts with the same weight in all cliques that
        have it.
    """
    mel = np.log1p(np.asarray(frequencies, float) / 700.0)
    borders = np.linspace(mel[0], mel[-1], n_cells + 1)[1:-1]
    edges = np.unique([0, *np.searchsorted(mel, borders), len(mel)])
    n_segments = len(edges) - 1
    n_span = min(n_span, n_segments)
    n_cliques = n_segments - n_span + 1
    first, cell = np.arange(n_cliques)[:, None], np.arange(n_segments)
    cliques = ((first <= cell) & (cell < first + n_span)).astype(float)
    cliques /= cliques.sum(axis=0)
    return SourceModel(TimeVaryingGauss(), tuple(int(e) for e in edges), cliques)
