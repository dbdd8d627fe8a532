"""More microphones than sources: what the sources leave of the mixture, and who gets it.

``n_src`` demixed signals at their least-squares scale, ``Σ_k a_k w_k^H x``, do not sum to a mixture
of more channels.  The residual is reverberation and noise; so much of it as belongs to a source,
by masks, is given back to that source by one more filter.  Masking the mixture itself would
let the mask undo the separation; here it decides only on what separation has left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auxiva_cli.bss.covariance import hermitian, outer_sums
from auxiva_cli.bss.fold import Block, Map
from auxiva_cli.bss.linalg import Array, apply
from auxiva_cli.bss.scaling import mixing_matrices

__all__ = ["residual_filters"]

# Powers are summed over so many frequencies to either side, and over the frames before with these
# weights: a mask of single points follows the noise of the estimates.
REACH = 3
BEFORE = (0.5, 0.25)
# Directions of the mixture below this share of the strongest are left out of an inverse.
PSEUDO_INVERSE_SHARE = 1e-11
# Blocks that follow each other are summed by themselves first, so many at most and as long as there
# are so many stretches of them: sums over all are bigger than a cache.
LONGEST, N_STRETCHES = 8, 16
TINY = np.finfo(np.float32).tiny


def residual_filters(blocks: Sequence[Block], W: Array, R: Array, *, map: Map = map) -> Array:
    """Return the filters of fewer sources than channels.

    With ``A = R W^H (W R W^H)^(-1)`` the residual is ``r = D x``, ``D = I − Σ_k a_k w_k^H``.  Masks
    ``m_k = P_k / Σ_j P_j`` share it out, where ``P_k`` is the power of source ``k`` at all
    microphones, smoothed; the filter that comes closest to the masked residual is
    ``D (Σ_t m_k x x^H) (Σ_t x x^H)^(-1)``.  As the masks sum to one, the filters sum to the
    identity.

    Parameters
    ----------
    blocks : sequence of Block
        The mixture STFT, (n_frames, n_chan, n_freq) each, in the order of time.
    W : ndarray of shape (n_src, n_chan, n_freq), complex
        Demixing matrices.
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Spatial covariance of the mixture, of the same blocks.
    map : callable, optional
        How a function is mapped over stretches of the blocks, in their order.

    Returns
    -------
    ndarray of shape (n_src, n_chan, n_chan, n_freq), complex
        The filters.

    Notes
    -----
    The first frames of a stretch of blocks need those before it.  They are set aside, and masked
    when the stretch before is known: the result does not depend on where blocks begin.  The masks
    of the last source are what the others leave, and what they mask is the rest of ``R``: a single
    source needs no look at the blocks.
    """
    A = mixing_matrices(W, R).swapaxes(0, 1)  # (n_src, n_chan, n_freq)
    at_microphones = np.linalg.norm(A, axis=1, keepdims=True) * W
    C: Array = np.zeros((0, *R.shape))
    if len(W) > 1:
        C = _masked_covariances(blocks, at_microphones, map)
    C = np.concatenate([C, (R - C.sum(axis=0))[None]]).transpose(0, 3, 1, 2)
    separated = A[:, :, None] * W[:, None]
    missing = np.eye(W.shape[1]) - separated.sum(axis=0).transpose(2, 0, 1)
    inverse = np.linalg.pinv(R.transpose(2, 0, 1), rcond=PSEUDO_INVERSE_SHARE, hermitian=True)
    filters: Array = separated + (missing @ C @ inverse).transpose(0, 2, 3, 1)
    return filters


def _masked_covariances(blocks: Sequence[Block], rows: Array, map: Map) -> Array:
    """Return ``mean_t m_k x x^H`` of all sources but the last, whose mask is what the others leave.

    ``rows`` give the sources as strong as they are at all microphones.
    """
    first, nothing = len(BEFORE), np.zeros((0, len(rows), rows.shape[-1]), np.float32)

    def partial(stretch: Sequence[Block]) -> tuple[Array, Array, Array, int]:
        total: Array = np.zeros((), complex)
        head, before, n_frames = [], nothing, 0
        for block in stretch:
            X = block()
            power = np.concatenate([before, _powers(X, rows)])
            aside = max(first - n_frames, 0)
            head.append(X[:aside].copy())
            total = total + _masked(power, X[aside:])
            before, n_frames = power[-first:], n_frames + len(X)
        return total, np.concatenate(head), before, n_frames

    length = int(np.clip(len(blocks) // N_STRETCHES, 1, LONGEST))
    stretches = [blocks[i : i + length] for i in range(0, len(blocks), length)]
    total: Array = np.zeros((), complex)
    before, n_frames = nothing, 0
    for share, head, last, n_frames_stretch in map(partial, stretches):
        total = total + share + _masked(np.concatenate([before, _powers(head, rows)]), head)
        before = np.concatenate([before, last])[-first:]
        n_frames += n_frames_stretch
    return hermitian(total / n_frames)


def _powers(X: Array, rows: Array) -> Array:
    """Return ``|y_kf|²`` of a block, summed over neighbouring frequencies."""
    Y = apply(rows.astype(X.dtype), X)
    power = np.pad(Y.real**2 + Y.imag**2, ((0, 0), (0, 0), (REACH, REACH)))
    smoothed: Array = np.zeros(Y.shape, power.dtype)
    for shift in range(2 * REACH + 1):
        smoothed += power[..., shift : shift + Y.shape[-1]]
    return smoothed


def _masked(power: Array, X: Array) -> Array:
    """Return ``Σ_t m_k x x^H`` over the frames of a block, with which the powers end.

    Of all sources but the last; of each what ``outer_sums`` gives.  Masks of frames without
    frames before them take what there is.
    """
    smoothed = power + TINY
    for lag, weight in enumerate(BEFORE, start=1):
        smoothed[lag:] += weight * power[:-lag]
    smoothed = smoothed[len(power) - len(X) :]
    masks = smoothed[:, :-1] / smoothed.sum(axis=1, keepdims=True)
    return np.stack([outer_sums(mask[:, None] * X, X) for mask in masks.swapaxes(0, 1)])
