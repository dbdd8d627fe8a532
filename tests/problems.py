"""Small problems with known properties, for the oracle and the engine alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import oracle
from oracle import Array

from auxiva_cli.bss import source_models
from auxiva_cli.bss.source_models import FLOOR, SourceModel


def in_turn(step: Callable[[Array, Array, int], Array], W: Array, V: Array) -> Array:
    """Apply the step to every source once."""
    for k in range(len(W)):
        W = step(W, V, k)
    return W


def overlapping_cliques(n_freq: int) -> Array:
    """Two cliques: the lower one fades out over frequency as the upper one fades in."""
    upper = np.linspace(0, 1, n_freq)
    return np.stack([1 - upper, upper])


def complex_normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def whitened_mixture(rng: np.random.Generator, powers: Array, n_freq: int) -> tuple[Array, Array]:
    """Draw a white mixture of Gaussian sources of these powers, and its mixing matrices."""
    n_frames, n_src = powers.shape
    sources = complex_normal(rng, n_frames, n_src, n_freq) * np.sqrt(powers)[..., None]
    A = complex_normal(rng, n_src, n_src, n_freq)
    X = np.einsum("ckf,tkf->tcf", A, sources)
    Q = oracle.whitening(X, n_src)
    return oracle.demix(X, Q), np.einsum("dcf,ckf->dkf", Q, A)


def random_bins(n: int, n_freq: int, seed: int) -> tuple[Array, Array]:
    """Draw demixing matrices and positive definite covariances."""
    rng = np.random.default_rng(seed)
    L = complex_normal(rng, n_freq, n, n, 2 * n)
    V = np.moveaxis(L @ L.conj().swapaxes(-1, -2), 0, -1) / (2 * n)
    return complex_normal(rng, n, n, n_freq), V


def one_bin(W: Array, k: int, a: Array, b: Array, C: Array, v: Array, z: float) -> Array:
    """Build V (n, n, n, 1) for which the step of source k meets exactly these a, b, C, v and z.

    In the coordinates of y = W x they prescribe B = (W V_k W^H)^(-1), hence V_k, and two entries of
    every other V_m; the rest of V_m only has to keep it positive definite.
    """
    n = len(W)
    o = [m for m in range(n) if m != k]
    h = -C @ (b / a) - np.sqrt(a) * v  # conj(B[o,k]), from v = −U D b − D h
    B = np.zeros((n, n), complex)
    B[np.ix_(o, o)] = C.conj()
    B[o, k], B[k, o] = h.conj(), h
    B[k, k] = z + (h.conj() @ np.linalg.solve(C, h)).real
    V = np.stack([np.eye(n, dtype=complex)] * n)
    V[k] = np.linalg.inv(B)
    for a_m, b_m, m in zip(a, b, o, strict=True):
        V[m, k, k], V[m, m, m] = a_m, 1 + abs(b_m) ** 2 / a_m
        V[m, k, m], V[m, m, k] = b_m, b_m.conj()
    inverse = np.linalg.inv(W)
    return (inverse @ V @ inverse.conj().T)[..., None]


def lqpqm_bin(
    n: int, seed: int, v_scale: float, z_over_top: float, v_without_top: bool = False
) -> tuple[Array, Array, int]:
    """Draw W, V (one bin) and k such that v has this size and z this ratio to φ_max."""
    rng = np.random.default_rng(seed)
    k = seed % n
    a = rng.uniform(0.5, 2, n - 1)
    b = complex_normal(rng, n - 1)
    L = complex_normal(rng, n - 1, 2 * n)
    C = L @ L.conj().T / n
    eigenvalues, E = np.linalg.eigh(C / np.sqrt(np.outer(a, a)))
    c = v_scale * complex_normal(rng, n - 1)
    if v_without_top:
        c[-1] = 0
    W = complex_normal(rng, n, n)
    V = one_bin(W, k, a, b, C, E @ c, z_over_top * eigenvalues[-1])
    return W[..., None], V, k


def engine_models(n_freq: int) -> dict[str, SourceModel]:
    """Every source model of the engine, at n_freq frequencies up to 4 kHz."""
    frequencies = np.linspace(0, 4000, n_freq)
    return {
        "laplace": source_models.laplace(n_freq),
        "gauss": source_models.gauss(n_freq),
        "bands-3": source_models.bands(frequencies, 3),
        "bands-6": source_models.bands(frequencies, 6),
        "tied-6": replace(
            source_models.bands(frequencies, 6), contrast=source_models.PowerMean(0.4)
        ),
    }


def model_for_oracle(model: SourceModel) -> oracle.Model:
    """State a source model of the engine as the oracle does: clique by bin, floor included."""
    cliques = np.repeat(model.cliques, np.diff(model.edges), axis=1)
    sizes = cliques.sum(axis=1)
    contrast = model.contrast
    if isinstance(contrast, source_models.SphericalLaplace):
        bare = oracle.laplace(cliques.shape[1])
    elif isinstance(contrast, source_models.PowerMean):
        bare = oracle.power_mean(cliques, contrast.exponent)
    else:
        bare = oracle.bands(cliques)
    return oracle.Model(
        cliques,
        lambda r2: bare.contrast(r2 + FLOOR * sizes),
        lambda r2: bare.slope(r2 + FLOOR * sizes),
    )
