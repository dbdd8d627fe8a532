"""Outer products as tables of real numbers.

A Hermitian outer product ``x x^H`` holds only ``n_chan²`` real numbers (the diagonal, and the
real and imaginary parts above it).  A block packed that way is a real *table* of shape
``(n_frames, n_chan², n_freq)``; with the demixing rows packed to match, activities and weighted
covariances are two real matrix products per segment, without complex arithmetic and
without ever forming the separated signals.
"""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array

__all__ = ["pack", "pack_coefficients", "pack_with_noise", "unpack"]

# Noise that each frame is taken to carry in every channel, relative to its power in all: above the
# rounding of sums in single precision, far below what separation of sound in a room reaches.
NOISE_SHARE = 1e-6


def pack(X: Array) -> Array:
    """Pack the outer products ``x x^H`` of a block into a real table.

    Parameters
    ----------
    X : ndarray of shape (n_frames, n_chan, n_freq), complex
        Block of the (whitened) mixture STFT.

    Returns
    -------
    ndarray of shape (n_frames, n_chan², n_freq)
        Diagonal first, then the real and the imaginary parts of the entries above it; in the
        precision of ``X``.
    """
    n_frames, n_chan, n_freq = X.shape
    table = np.empty((n_frames, n_chan**2, n_freq), X.real.dtype)
    diagonal = table[:, :n_chan]
    np.multiply(X.real, X.real, out=diagonal)
    diagonal += X.imag * X.imag
    for p, (i, j) in enumerate(_pairs(n_chan)):
        product = X[:, i] * X[:, j].conj()
        table[:, n_chan + 2 * p] = product.real
        table[:, n_chan + 2 * p + 1] = product.imag
    return table


def pack_with_noise(X: Array) -> Array:
    """Pack a whitened block as if every frame carried white noise 60 dB below itself.

    A source model that puts no bound on likelihood (Gauss, bands) weighs a frame the more the
    deeper it is nulled.  Frames that *can* be nulled exactly, such as those in which all but
    one microphone have dropped out, would outweigh all others, and leave weighted covariances
    that single precision cannot tell from singular ones.

    Parameters
    ----------
    X : ndarray of shape (n_frames, n_chan, n_freq), complex
        Block of the whitened mixture STFT.

    Returns
    -------
    ndarray of shape (n_frames, n_chan², n_freq)
        The table of ``x x^H + NOISE_SHARE ‖x‖² I``.
    """
    table = pack(X)
    powers = table[:, : X.shape[1]]
    powers += NOISE_SHARE * powers.sum(axis=1, keepdims=True)
    return table


def _pairs(n_chan: int) -> list[tuple[int, int]]:
    """Return the entries above the diagonal, in the order in which tables hold them."""
    return [(i, j) for i in range(n_chan) for j in range(i + 1, n_chan)]


def pack_coefficients(W: Array) -> Array:
    """Return what the table is multiplied with to give ``|w_k^H x|²``: (n_src, n_chan², n_freq)."""
    n_src, n_chan, n_freq = W.shape
    packed = np.empty((n_src, n_chan**2, n_freq))
    packed[:, :n_chan] = W.real**2 + W.imag**2
    for p, (i, j) in enumerate(_pairs(n_chan)):
        product = W[:, i] * W[:, j].conj()
        packed[:, n_chan + 2 * p] = 2 * product.real
        packed[:, n_chan + 2 * p + 1] = -2 * product.imag
    return packed


def unpack(packed: Array, n_chan: int) -> Array:
    """Return Hermitian matrices (n, n_chan, n_chan, n_freq) of packed ones (n, n_chan², n_freq)."""
    n, _, n_freq = packed.shape
    matrices = np.empty((n, n_chan, n_chan, n_freq), complex)
    for i in range(n_chan):
        matrices[:, i, i] = packed[:, i]
    for p, (i, j) in enumerate(_pairs(n_chan)):
        entry = packed[:, n_chan + 2 * p] + 1j * packed[:, n_chan + 2 * p + 1]
        matrices[:, i, j] = entry
        matrices[:, j, i] = entry.conj()
    return matrices
