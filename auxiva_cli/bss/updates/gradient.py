"""Natural gradient descent, the first algorithm of independent vector analysis."""

from __future__ import annotations

from auxiva_cli.bss.linalg import Array, hermitian_transpose, matmul

__all__ = ["gradient"]


def gradient(W: Array, V: Array, *, step_size: float) -> Array:
    """Take one step down the natural gradient of the cost.

    The weighted covariances give the gradient itself, not only a bound: the surrogate touches the
    cost.  What they do not give is how far to go, and with too large a step the cost rises.

    Parameters
    ----------
    W : ndarray of shape (n_src, n_src, n_freq), complex
        Demixing matrices, rows ``w_k^H``.
    V : ndarray of shape (n_src, n_src, n_src, n_freq), complex
        Weighted covariances, one Hermitian positive definite matrix per source and frequency.
    step_size : float
        ``μ`` in ``W + μ (I − E) W``, where ``E[k, m] = w_k^H V_k w_m``.

    Returns
    -------
    ndarray of shape (n_src, n_src, n_freq), complex
        The demixing matrices after one step.

    References
    ----------
    T. Kim, H. T. Attias, S.-Y. Lee, T.-W. Lee, "Blind source separation exploiting higher-order
    frequency dependencies", IEEE Trans. Audio Speech Lang. Process., vol. 15, no. 1, 2007.
    """
    W_V = (W[:, :, None] * V).sum(axis=1)  # rows w_k^H V_k
    E = matmul(W_V, hermitian_transpose(W))
    stepped: Array = W + step_size * (W - matmul(E, W))
    return stepped
