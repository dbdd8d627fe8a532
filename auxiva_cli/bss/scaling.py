"""Projection back: the scale that blind separation leaves open, fixed at a microphone."""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array

__all__ = ["mixing_matrices", "project_back"]


def mixing_matrices(W: Array, R: Array) -> Array:
    """Return the least-squares mixing matrices of demixed sources.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Spatial covariance of the mixture.

    Returns
    -------
    ndarray of shape (n_chan, n_src, n_freq), complex
        ``A = R W^H (W R W^H)^(-1)``: of all ``A`` the one for which ``A y`` is closest to the
        mixture.  With as many sources as channels it is ``W^(-1)``.
    """
    W_f, R_f = W.transpose(2, 0, 1), R.transpose(2, 0, 1)
    if W.shape[0] == W.shape[1]:
        A = np.linalg.inv(W_f)
    else:
        cross = R_f @ W_f.conj().swapaxes(1, 2)  # (n_freq, n_chan, n_src)
        A = np.linalg.solve((W_f @ cross).swapaxes(1, 2), cross.swapaxes(1, 2)).swapaxes(1, 2)
    return np.ascontiguousarray(A.transpose(1, 2, 0))


def project_back(W: Array, A: Array, ref_chan: int) -> Array:
    """Scale demixing matrices so that outputs are images at a reference channel.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices.
    A : ndarray of shape (n_chan, n_src, n_freq), complex
        Mixing matrices.
    ref_chan : int
        Reference channel, from 0.

    Returns
    -------
    ndarray of shape (n_src, n_chan, n_freq), complex
        Rows ``A[ref_chan, k] w_k^H``; with as many sources as channels their sum is the unit row
        that picks the reference channel, so the outputs sum to that microphone.

    References
    ----------
    N. Murata, S. Ikeda, A. Ziehe, "An approach to blind source separation based on temporal
    structure of speech signals", Neurocomputing, vol. 41, 2001.
    """
    scaled: Array = A[ref_chan][:, None] * W
    return scaled
