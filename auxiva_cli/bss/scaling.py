"""Projection back: from demixing matrices, whose scale is free, to images at the microphones.

Filters ``G`` of shape ``(n_src, n_chan, n_chan, n_freq)`` give the image of source ``k`` at all
microphones as ``G_k x``.  They sum to the identity, so the images sum to the mixture.
"""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array, hermitian_transpose, matmul, solve_hermitian

__all__ = [
    "energies",
    "mixing_matrices",
    "projection_filters",
    "relative_levels",
    "sum_to_identity",
]


def mixing_matrices(W: Array, R: Array) -> Array:
    """Return the scale of each demixed source at each microphone, by least squares.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Spatial covariance of the mixture.

    Returns
    -------
    ndarray of shape (n_chan, n_src, n_freq), complex
        ``A = R W^H (W R W^H)^(-1)``, which is ``W^(-1)`` with as many sources as channels.
    """
    cross = matmul(W, R)  # (n_src, n_chan, n_freq)
    return hermitian_transpose(solve_hermitian(matmul(cross, hermitian_transpose(W)), cross))


def projection_filters(W: Array) -> Array:
    """Return the filters of as many sources as there are independent channels.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices, on the directions that whitening has kept.

    Returns
    -------
    ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        ``G_k = a_k w_k^H`` with ``A = W^(-1)``, the pseudo-inverse where some channels depend on
        others; it is the least-squares ``R W^H (W R W^H)^(-1)`` for such ``W``.

    References
    ----------
    N. Murata, S. Ikeda, A. Ziehe, "An approach to blind source separation based on temporal
    structure of speech signals", Neurocomputing, vol. 41, 2001.
    """
    n_src, n_chan, _ = W.shape
    inverse = np.linalg.inv if n_src == n_chan else np.linalg.pinv
    A = inverse(W.transpose(2, 0, 1)).transpose(2, 1, 0)  # (n_src, n_chan, n_freq)
    filters: Array = A[:, :, None] * W[:, None]
    return filters


def sum_to_identity(filters: Array) -> Array:
    """Share out among the sources what their filters lack of the identity.

    That is rounding where sources were separated, and everything in frequencies where none were.

    Parameters
    ----------
    filters : ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        Filters; zero where a frequency was left out.

    Returns
    -------
    ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        Filters that sum to the identity in every frequency.
    """
    n_src, n_chan = filters.shape[:2]
    missing = np.eye(n_chan)[..., None] - filters.sum(axis=0)
    complete: Array = filters + missing / n_src
    return complete


def energies(filters: Array, R: Array, ref_chan: int) -> Array:
    """Return the mean energy of each source's image at the reference channel, shape (n_src,)."""
    rows = filters[:, ref_chan]  # (n_src, n_chan, n_freq)
    power = np.einsum("kcf,cdf,kdf->kf", rows, R, rows.conj()).real
    both_sides = np.full(R.shape[-1], 2.0)  # of the spectrum, save for its ends
    both_sides[[0, -1]] = 1.0
    total: Array = power @ both_sides
    return total


def relative_levels(energy: Array) -> Array:
    """Return energies in dB relative to the highest, at least -300 dB."""
    levels: Array = 10 * np.log10(
        np.maximum(energy / max(energy.max(), np.finfo(float).tiny), 1e-30)
    )
    return levels
