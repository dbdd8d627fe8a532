"""Projection back: from demixing matrices, whose scale is free, to images at the microphones.

Filters ``G`` of shape ``(n_src, n_chan, n_chan, n_freq)`` give the image of source ``k`` at all
microphones as ``G_k x``.  They sum to the identity, so the images sum to the mixture.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from auxiva_cli.bss.fold import Block, Map, weighted_outer_products
from auxiva_cli.bss.linalg import Array, hermitian_transpose, matmul, solve_hermitian

__all__ = [
    "energies",
    "mixing_matrices",
    "projection_filters",
    "relative_levels",
    "sum_to_identity",
    "wiener_filters",
]

# Directions of the mixture below this share of the strongest are left out of an inverse.
PSEUDO_INVERSE_SHARE = 1e-11
TINY = np.finfo(np.float32).tiny


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


def wiener_filters(
    blocks: Iterable[Block], W: Array, R: Array, ref_chan: int, *, map: Map = map
) -> Array:
    """Return the filters of fewer sources than channels: multichannel Wiener on all of them.

    The demixed sources, at their least-squares scale ``A = R W^H (W R W^H)^(-1)`` at the
    reference channel, share out every point of the STFT by masks ``m_k = |y_k|² / Σ_j |y_j|²``.
    The filter that comes closest to the masked mixture is ``(Σ_t m_k x x^H) R^(-1)``; as the masks
    sum to one, the filters sum to the identity.

    Parameters
    ----------
    blocks : iterable of Block
        The mixture STFT, (n_frames, n_chan, n_freq) each.
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Spatial covariance of the mixture.
    ref_chan : int
        Reference channel, from 0.
    map : callable, optional
        How a function is mapped over the blocks.

    Returns
    -------
    ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        The filters.
    """
    A_ref = mixing_matrices(W, R)[ref_chan]  # (n_src, n_freq)
    at_reference = (A_ref[:, None] * W).astype(np.complex64)

    def masks(X: Array) -> Array:
        power = np.abs(np.einsum("kcf,tcf->tkf", at_reference, X)) ** 2 + TINY
        shares: Array = power / power.sum(axis=1, keepdims=True)
        return shares

    covariances = weighted_outer_products(blocks, masks, *W.shape, map=map)
    covariances = covariances.transpose(0, 3, 1, 2)  # (n_src, n_freq, n_chan, n_chan)
    inverse = np.linalg.pinv(covariances.sum(axis=0), rcond=PSEUDO_INVERSE_SHARE, hermitian=True)
    filters: Array = (covariances @ inverse).transpose(0, 2, 3, 1)
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
