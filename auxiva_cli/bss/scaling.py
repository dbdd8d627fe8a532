"""Projection back: from demixing matrices, whose scale is free, to images at the microphones.

Filters ``G`` of shape ``(n_src, n_chan, n_chan, n_freq)`` give the image of source ``k`` at all
microphones as ``G_k x``.  They sum to the identity, so the images sum to the mixture.
"""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array, hermitian_transpose, matmul, solve_hermitian

__all__ = [
    "energies",
    "image_covariance",
    "image_powers",
    "mixing_matrices",
    "prediction_filters",
    "projection_filters",
    "relative_levels",
    "source_filters",
    "sum_to_identity",
]

# A channel is not predicted from directions of the others that lie this far below their strongest.
PREDICTION_SHARE = 1e-3


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


def source_filters(W: Array, R: Array) -> Array:
    """Return the filters of sources that get nothing of what they leave of the mixture.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Spatial covariance of the mixture.

    Returns
    -------
    ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        ``G_k = a_k w_k^H`` with ``A = R W^H (W R W^H)^(-1)``.
    """
    filters: Array = mixing_matrices(W, R).swapaxes(0, 1)[:, :, None] * W[:, None]
    return filters


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


def sum_to_identity(filters: Array, *, has_rest: bool = False) -> Array:
    """Share out among the sources what their filters lack of the identity, or leave it to the rest.

    That is rounding where sources were separated, and everything in frequencies where none were;
    for the rest also what is no source's.

    Parameters
    ----------
    filters : ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        Filters; zero where a frequency was left out.
    has_rest : bool
        Whether the last is the rest, which gets all of it.

    Returns
    -------
    ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        Filters that sum to the identity in every frequency.
    """
    n_src, n_chan = filters.shape[:2]
    missing = np.eye(n_chan)[..., None] - filters.sum(axis=0)
    if has_rest:
        return np.concatenate([filters[:-1], filters[-1:] + missing])
    complete: Array = filters + missing / n_src
    return complete


def prediction_filters(R: Array, living: Array) -> Array:
    """Return what tells most of dead channels ``D`` from the living ones ``S``.

    That is ``R[D, S] R[S, S]^(-1)``, the least-squares prediction.

    Parameters
    ----------
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Spatial covariance of the mixture while all channels live.
    living : ndarray of shape (n_chan,), bool
        Channels that live.

    Returns
    -------
    ndarray of shape (n_dead, n_living, n_freq), complex
        Filters from the living channels to the dead ones, both in order.
    """
    S, D = np.flatnonzero(living), np.flatnonzero(~living)
    R_f = R.transpose(2, 0, 1).astype(complex)
    level = np.sqrt(np.einsum("fcc->fc", R_f).real)  # at equal levels no living channel is weak
    scale = np.divide(1, level, out=np.zeros_like(level), where=level > 0)
    coherence = R_f * scale[:, :, None] * scale[:, None]
    inverse = np.linalg.pinv(coherence[:, S[:, None], S], rcond=PREDICTION_SHARE, hermitian=True)
    prediction = coherence[:, D[:, None], S] @ inverse
    prediction *= level[:, D, None] * scale[:, None, S]
    filters: Array = prediction.transpose(1, 2, 0)
    return filters


def energies(filters: Array, R: Array, ref_chan: int) -> Array:
    """Return the mean energy of each source's image at the reference channel, shape (n_src,)."""
    diagonal: Array = image_covariance(filters[:, ref_chan], R).diagonal().copy()
    return diagonal


def image_covariance(rows: Array, R: Array) -> Array:
    """Return the covariance of images, (n_src, n_src).

    Parameters
    ----------
    rows : ndarray of shape (n_src, n_chan, n_freq), complex
        The filters to each source's image at one channel.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Spatial covariance of the mixture.
    """
    both_sides = np.full(R.shape[-1], 2.0)  # of the spectrum, save for its ends
    both_sides[[0, -1]] = 1.0
    covariance: Array = np.einsum(
        "kcf,cdf,jdf->kj", rows * both_sides, R, rows.conj(), optimize=True
    ).real
    return covariance


def image_powers(W: Array, R: Array) -> Array:
    """Return the mean power of each source's image at each channel, over all frequencies.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Spatial covariance of the mixture.

    Returns
    -------
    ndarray of shape (n_src, n_chan)
        ``Σ_f |a_mk|² w_k^H R w_k`` with the least-squares ``A`` of ``mixing_matrices``.
    """
    demixed = np.einsum("kcf,cdf,kdf->kf", W, R, W.conj(), optimize=True).real
    power: Array = np.einsum("ckf,kf->kc", np.square(np.abs(mixing_matrices(W, R))), demixed)
    return power


def relative_levels(energy: Array) -> Array:
    """Return energies in dB relative to the highest, at least -300 dB."""
    levels: Array = 10 * np.log10(
        np.maximum(energy / max(energy.max(), np.finfo(float).tiny), 1e-30)
    )
    return levels
