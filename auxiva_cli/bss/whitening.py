"""Whitening: the start of the algorithm, and what makes it indifferent to level and to arrays.

Per frequency the spatial covariance ``R = E Λ E^H`` gives ``Q = Λ^(-1/2) E^H``.  Only the
``n_src`` strongest directions are kept, of however many microphones; frequencies that
do not have that many (no power, band-limited audio, copied channels) take no part in the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auxiva_cli.bss.linalg import Array, hermitian_transpose, matmul

__all__ = ["Whitening", "whiten", "with_extra_outputs"]

# Power below these shares is rounding noise of single-precision transforms, not sound.
DIRECTION_FLOOR = 1e-11  # of the strongest direction of the same frequency
FREQUENCY_FLOOR = 1e-13  # of the strongest frequency


@dataclass(frozen=True)
class Whitening:
    """Whitening matrices of the frequencies that can be separated.

    Attributes
    ----------
    Q : ndarray of shape (n_src, n_chan, n_separable), complex
        Whitening matrices; ``Q x`` has unit covariance.
    separable : ndarray of shape (n_freq,), bool
        Frequencies with at least ``n_src`` directions that carry power.
    """

    Q: Array
    separable: Array


def whiten(R: Array, n_src: int) -> Whitening:
    """Find the whitening matrices of the ``n_src`` strongest directions.

    Parameters
    ----------
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Spatial covariance of the mixture.
    n_src : int
        Number of directions to keep, at most ``n_chan``.

    Returns
    -------
    Whitening
        The matrices, of the frequencies that have so many directions.

    Notes
    -----
    The phase of each row is fixed by making its largest entry real and positive, so that the
    result does not depend on the conventions of a LAPACK.
    """
    eigenvalues, E = np.linalg.eigh(
        R.transpose(2, 0, 1)
    )  # (n_freq, n_chan), (n_freq, n_chan, n_chan)
    kept = slice(None, -n_src - 1, -1)
    eigenvalues, E = eigenvalues[:, kept], E[:, :, kept]
    strongest, weakest = eigenvalues[:, 0], eigenvalues[:, -1]
    separable = (weakest > DIRECTION_FLOOR * strongest) & (
        strongest > FREQUENCY_FLOOR * max(strongest.max(initial=0), np.finfo(float).tiny)
    )
    eigenvalues, E = eigenvalues[separable], E[separable]
    largest = np.take_along_axis(E, np.abs(E).argmax(axis=1)[:, None], axis=1)
    E = E * (largest.conj() / np.abs(largest))
    Q = (E / np.sqrt(eigenvalues)[:, None]).conj()
    return Whitening(np.ascontiguousarray(Q.transpose(2, 1, 0)), separable)


def with_extra_outputs(W: Array, whitening: Whitening) -> Array:
    """Return a start with more outputs than sources: the extra ones take what no source wants.

    Reverberation and noise have to go somewhere; with an output of their own they are not spread
    over those of the sources.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_chan, n_separable), complex
        Demixing matrices of the mixture.
    whitening : Whitening
        Of more directions, ``n_out``.

    Returns
    -------
    ndarray of shape (n_out, n_out, n_separable), complex
        Demixing matrices of the mixture that is whitened so: the rows of ``W`` as far as they lie
        within its directions, then rows of unit norm, orthogonal to them and to each other.
    """
    Q_H = hermitian_transpose(whitening.Q)  # its rows are orthogonal: so is the pseudo-inverse
    rows = matmul(W, Q_H / np.sum(np.abs(Q_H) ** 2, axis=0))
    n_src = len(W)
    basis, _ = np.linalg.qr(hermitian_transpose(rows).transpose(2, 0, 1), mode="complete")
    extra = hermitian_transpose(basis[:, :, n_src:].transpose(1, 2, 0))
    return np.concatenate([rows, extra])
