"""More microphones than sources: what the sources leave of the mixture, and who gets it.

``n_src`` demixed signals at their least-squares scale, ``Σ_k a_k w_k^H x``, do not sum to a mixture
of more channels.  The residual is reverberation and noise; so much of it as belongs to a source,
by masks, is given back to that source by one more filter.  Masking the mixture itself would
let the mask undo the separation; here it decides only on what separation has left.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from auxiva_cli.bss.fold import Block, Map, pack, unpack
from auxiva_cli.bss.linalg import Array
from auxiva_cli.bss.scaling import mixing_matrices

__all__ = ["residual_filters"]

# Powers are summed over so many frequencies to either side, and over the frames before with these
# weights: a mask of single points follows the noise of the estimates.
REACH = 3
BEFORE = (0.5, 0.25)
# Directions of the mixture below this share of the strongest are left out of an inverse.
PSEUDO_INVERSE_SHARE = 1e-11
TINY = np.finfo(np.float32).tiny


def residual_filters(blocks: Iterable[Block], W: Array, R: Array, *, map: Map = map) -> Array:
    """Return the filters of fewer sources than channels.

    With ``A = R W^H (W R W^H)^(-1)`` the residual is ``r = D x``, ``D = I − Σ_k a_k w_k^H``.  Masks
    ``m_k = P_k / Σ_j P_j`` share it out, where ``P_k`` is the power of source ``k`` at all
    microphones, smoothed; the filter that comes closest to the masked residual is
    ``D (Σ_t m_k x x^H) (Σ_t x x^H)^(-1)``.  As the masks sum to one, the filters sum to the
    identity.

    Parameters
    ----------
    blocks : iterable of Block
        The mixture STFT, (n_frames, n_chan, n_freq) each, in the order of time.
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Spatial covariance of the mixture.
    map : callable, optional
        How a function is mapped over the blocks, in their order.

    Returns
    -------
    ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        The filters.

    Notes
    -----
    The first frames of a block need those before it.  They are set aside, and masked when the
    block before is known: the result does not depend on where blocks begin.
    """
    A = mixing_matrices(W, R).swapaxes(0, 1)  # (n_src, n_chan, n_freq)
    at_microphones = np.linalg.norm(A, axis=1, keepdims=True) * W

    def partial(block: Block) -> tuple[Array, Array, Array, Array]:
        X = block()
        power, table = _powers(X, at_microphones), pack(X)
        first = len(BEFORE)
        share = _masked(power, table, first)
        return share, table[:first].copy(), power[:first], power[-first:]

    total: Array = np.zeros((len(W), W.shape[1] ** 2, W.shape[-1]))
    before = np.zeros((0, len(W), W.shape[-1]), np.float32)
    for share, table, power, last in map(partial, blocks):
        total += share
        total += _masked(np.concatenate([before, power]), table, len(before))
        before = np.concatenate([before, last])[-len(BEFORE) :]
    C = unpack(total, W.shape[1]).transpose(0, 3, 1, 2)  # (n_src, n_freq, n_chan, n_chan)
    separated = A[:, :, None] * W[:, None]
    missing = np.eye(W.shape[1]) - separated.sum(axis=0).transpose(2, 0, 1)
    inverse = np.linalg.pinv(C.sum(axis=0), rcond=PSEUDO_INVERSE_SHARE, hermitian=True)
    filters: Array = separated + (missing @ C @ inverse).transpose(0, 2, 3, 1)
    return filters


def _powers(X: Array, rows: Array) -> Array:
    """Return ``|y_kf|²`` of a block, summed over neighbouring frequencies."""
    power = np.square(np.abs(np.einsum("kcf,tcf->tkf", rows.astype(X.dtype), X)))
    padded = np.pad(power, ((0, 0), (0, 0), (REACH, REACH)))
    smoothed: Array = np.zeros_like(power)
    for shift in range(2 * REACH + 1):
        smoothed += padded[..., shift : shift + power.shape[-1]]
    return smoothed


def _masked(power: Array, table: Array, first: int) -> Array:
    """Return ``Σ_t m_k x x^H``, packed, over the frames of a table from ``first`` of the powers on.

    The table ends with the powers; masks of frames without frames before them take what there is.
    """
    smoothed = power + TINY
    for lag, weight in enumerate(BEFORE, start=1):
        smoothed[lag:] += weight * power[:-lag]
    masks = (smoothed / smoothed.sum(axis=1, keepdims=True))[first:]
    share: Array = np.einsum("tkf,tpf->kpf", masks, table[len(table) - len(masks) :])
    return share
