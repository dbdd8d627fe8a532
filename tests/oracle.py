"""Slow loops written straight from the formulas: what the engine is tested against.

Shapes are the package's: a block ``X`` is (n_frames, n_chan, n_freq), ``W`` is (n_src, n_chan,
n_freq) with rows w_k^H, ``V`` is (n_src, n_chan, n_chan, n_freq).

The step of iterative projection with adjustment (IPA; the problem is that of arXiv 2008.10048), in
one bin.  Row k of W becomes u^H W and every other row m, listed in o, becomes w_m^H + q_m^* w_k^H.

1. With t = e_k − Σ_o q_m^* e_m the determinant of W is multiplied by u^H t.  For a given q the
   surrogate u^H (W V_k W^H) u − 2 log|u^H t| is least at u = B t / √(t^H B t), where
   B = (W V_k W^H)^(-1), and is then 1 − log(t^H B t).
2. Row m costs a_m |q_m + b_m/a_m|² + const, with a_m = w_k^H V_m w_k and b_m = w_k^H V_m w_m.
   So put q = D p − b/a with D = diag(a^(-1/2)): these costs add up to ‖p‖² + const.
3. In terms of p, t^H B t = (p + U⁻¹v)^H U (p + U⁻¹v) + z =: Q(p), where C = B[o,o]^*, U = D C D,
   g = D B[o,k]^*, v = −U D b − g and z = B[k,k] − g^H U⁻¹ g = 1/(w_k^H V_k w_k) > 0.
4. Left to minimise: ‖p‖² − log Q(p).  It is stationary where (λI − U) p = v with λ = Q(p); there
   p + U⁻¹v = λ U⁻¹p, and λ = Q(p) reads f(λ) = λ² v^H U⁻¹ (λI − U)⁻² v − λ + z = 0.
5. −log Q >= 1 − log λ − Q/λ for every λ > 0, with equality at Q = λ.  If λ >= φ_max, the largest
   eigenvalue of U, the resulting bound ‖p‖² − Q(p)/λ + const is convex in p and least where
   (λI − U) p = v; if also Q(p) = λ, both are equalities, and p is the *global* minimum.
6. f falls right of φ_max.  If v has a part along the top eigenvectors, f falls from +∞ and has one
   root there.  If it has none (v = 0 is only one such case), there may still be a root (for v = 0:
   λ = z, p = 0, if z >= φ_max); else λ = φ_max and p = (φ_max I − U)⁺ v + c e, with a unit top
   eigenvector e.  Q(p) = φ_max fixes its scale: |c|² = −f(φ_max⁺)/φ_max, which is 1 − z/φ_max for
   v = 0; any phase of c will do.  The shift of step 2 is −b/a in every one of these cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import brentq, minimize

Array = NDArray[Any]


@dataclass(frozen=True)
class Model:
    """A contrast G of the activities r²_b (n_cliques,) of one source in one frame."""

    cliques: Array  # α, (n_cliques, n_freq), each column sums to one
    contrast: Callable[[Array], float]
    slope: Callable[[Array], Array]  # ∂G/∂r²_b; G is concave in r², so its tangent majorises it


def laplace(n_freq: int) -> Model:
    """Take G = r over all bins."""
    return Model(np.ones((1, n_freq)), lambda r2: np.sqrt(r2).sum(), lambda r2: 1 / (2 * r2**0.5))


def gauss(n_freq: int) -> Model:
    """Take G = n_freq log r² over all bins."""
    return bands(np.ones((1, n_freq)))


def bands(cliques: Array) -> Model:
    """Take G = Σ_b n_b log r²_b, n_b = Σ_f α_bf."""
    sizes = cliques.sum(axis=1)
    return Model(cliques, lambda r2: sizes @ np.log(r2), lambda r2: sizes / r2)


def power_mean(cliques: Array, exponent: float) -> Model:
    """Take G = (N/p) log Σ_b (n_b/N) (r²_b/n_b)^p."""
    sizes = cliques.sum(axis=1)
    total = sizes.sum()

    def mean(r2: Array) -> float:
        return float(sizes @ (r2 / sizes) ** exponent / total)

    return Model(
        cliques,
        lambda r2: total / exponent * np.log(mean(r2)),
        lambda r2: (r2 / sizes) ** (exponent - 1) / mean(r2),
    )


def floored(model: Model, floor: float | Array) -> Model:
    """Go on along the tangent of G where r²_b < floor: the weight stays what it is at the floor.

    Without it the logarithmic contrasts have no minimum: n_src − 1 frames can be nulled exactly.
    Clipping r² inside G, instead, would leave a cost that the clipped weight does not majorise.
    """

    def contrast(r2: Array) -> float:
        kept = np.maximum(r2, floor)
        return model.contrast(kept) + float(model.slope(kept) @ (r2 - kept))

    return Model(model.cliques, contrast, lambda r2: model.slope(np.maximum(r2, floor)))


def demix(X: Array, W: Array) -> Array:
    """Y = W X in every frame and bin, (n_frames, n_src, n_freq)."""
    Y = np.empty((len(X), len(W), X.shape[2]), complex)
    for t in range(len(X)):
        for f in range(X.shape[2]):
            Y[t, :, f] = W[:, :, f] @ X[t, :, f]
    return Y


def activities(X: Array, W: Array, cliques: Array) -> Array:
    """r²_kb[t] = Σ_f α_bf |y_kf[t]|², (n_src, n_cliques, n_frames)."""
    Y = demix(X, W)
    r2 = np.empty((len(W), len(cliques), len(X)))
    for k in range(len(W)):
        for t in range(len(X)):
            r2[k, :, t] = cliques @ np.abs(Y[t, k]) ** 2
    return r2


def log_determinants(W: Array) -> float:
    """Σ_f log|det W_f|."""
    return float(sum(np.linalg.slogdet(W[:, :, f])[1] for f in range(W.shape[2])))


def cost(X: Array, W: Array, model: Model) -> float:
    """mean_t Σ_k G(y_k[t]) − 2 Σ_f log|det W_f|."""
    r2 = activities(X, W, model.cliques)
    contrasts = [sum(model.contrast(r2_k[:, t]) for r2_k in r2) for t in range(len(X))]
    return float(np.mean(contrasts)) - 2 * log_determinants(W)


def weighted_covariances(X: Array, W: Array, model: Model) -> Array:
    """V_kf = mean_t φ_kf[t] x x^H, with the weight φ_kf = Σ_b α_bf ∂G/∂r²_kb."""
    n_frames, n_chan, n_freq = X.shape
    r2 = activities(X, W, model.cliques)
    V = np.zeros((len(W), n_chan, n_chan, n_freq), complex)
    for k in range(len(W)):
        for t in range(n_frames):
            weight = model.slope(r2[k, :, t]) @ model.cliques
            for f in range(n_freq):
                V[k, :, :, f] += weight[f] * np.outer(X[t, :, f], X[t, :, f].conj()) / n_frames
    return V


def surrogate(W: Array, V: Array) -> float:
    """Σ_k Σ_f w_k^H V_kf w_k − 2 Σ_f log|det W_f|."""
    powers = [
        (W[k, :, f] @ V[k, :, :, f] @ W[k, :, f].conj()).real
        for k in range(len(W))
        for f in range(W.shape[2])
    ]
    return float(sum(powers)) - 2 * log_determinants(W)


def covariance(X: Array) -> Array:
    """R_f = mean_t x x^H, (n_chan, n_chan, n_freq)."""
    return np.stack([X[:, :, f].T @ X[:, :, f].conj() for f in range(X.shape[2])], -1) / len(X)


def whitening(X: Array, n_src: int) -> Array:
    """Q_f = Λ^(-1/2) E^H of the n_src largest directions, (n_src, n_chan, n_freq)."""
    R = covariance(X)
    Q = np.empty((n_src, *X.shape[1:]), complex)
    for f in range(X.shape[2]):
        powers, E = eigh(R[:, :, f])
        largest = np.argsort(powers)[::-1][:n_src]
        Q[:, :, f] = np.diag(powers[largest] ** -0.5) @ E[:, largest].conj().T
    return Q


def ipa_step(W: Array, V: Array, k: int) -> Array:
    """Update row k and adjust the others along it, jointly and exactly, in every bin."""
    return np.stack([_ipa_bin(W[:, :, f], V[..., f], k) for f in range(W.shape[2])], -1)


def _ipa_bin(W: Array, V: Array, k: int) -> Array:
    """Do the step of the module's docstring for W (n, n) and V (n, n, n)."""
    o = [m for m in range(len(W)) if m != k]
    B = np.linalg.inv(W @ V[k] @ W.conj().T)
    a = np.array([(W[k] @ V[m] @ W[k].conj()).real for m in o])
    b = np.array([W[k] @ V[m] @ W[m].conj() for m in o])
    D = np.diag(a**-0.5)
    U = D @ B[np.ix_(o, o)].conj() @ D
    g = D @ B[o, k].conj()
    z = (B[k, k] - g.conj() @ np.linalg.solve(U, g)).real
    p, largest_root = solve_lqpqm(U, -U @ D @ b - g, z)
    q = D @ p - b / a
    u = (B[:, k] - B[:, o] @ q.conj()) / np.sqrt(largest_root)
    updated = W.copy()
    updated[k] = u.conj() @ W
    updated[o] += np.outer(q.conj(), W[k])
    return updated


def solve_lqpqm(U: Array, v: Array, z: float) -> tuple[Array, float]:
    """Minimise ‖p‖² − log((p + U⁻¹v)^H U (p + U⁻¹v) + z); return p and the λ of its minimum."""
    eigenvalues, E = eigh(U)
    top = eigenvalues[-1]
    gaps = top - eigenvalues
    c = E.conj().T @ v

    # The unknown is δ = λ − φ_max: near the degenerate case λ itself has no digits left for it.
    def coefficients(delta: float) -> Array:
        p: Array = np.divide(c, delta + gaps, out=np.zeros_like(c), where=c != 0)
        return p

    def f(delta: float) -> float:
        scaled = (top + delta) * np.abs(coefficients(delta))
        return float(np.sum(scaled**2 / eigenvalues) - (top + delta) + z)

    left = max(0.0, *(np.abs(c) - gaps))  # f > 0 where one term of the sum alone reaches λ
    if f(left) <= 0:  # no root right of φ_max
        p = coefficients(left)
        p[-1] += np.sqrt(-f(left) / top)
        return E @ p, top + left
    right = left + top
    while f(right) > 0:
        right *= 2
    delta = brentq(f, left, right, xtol=1e-300, rtol=1e-15, maxiter=2000)
    return E @ coefficients(delta), top + delta


def minimize_lqpqm(U: Array, v: Array, z: float, n_starts: int = 20) -> tuple[Array, float]:
    """Minimise the same blindly, from many random starts; return p and the objective there."""
    n = len(v)
    shift = np.linalg.solve(U, v)

    def objective(parts: Array) -> float:
        p = parts[:n] + 1j * parts[n:]
        Q = np.vdot(p + shift, U @ (p + shift)).real + z
        return float(np.vdot(p, p).real - np.log(Q))

    starts = 3 * np.random.default_rng(0).standard_normal((n_starts, 2 * n))
    found = [minimize(objective, start, method="BFGS", options={"gtol": 1e-9}) for start in starts]
    best = min(found, key=lambda each: float(each.fun))
    return best.x[:n] + 1j * best.x[n:], float(best.fun)


def lqpqm_objective(W: Array, V: Array, k: int, w_k: Array, q: Array) -> float:
    """Surrogate of one bin, W (n, n) and V (n, n, n), with the new w_k and the adjustments q."""
    o = [m for m in range(len(W)) if m != k]
    updated = W.copy()
    updated[o] += np.outer(q.conj(), W[k])
    updated[k] = w_k.conj()
    return surrogate(updated[..., None], V[..., None])


def brute_force_ipa_surrogate(W: Array, V: Array, k: int, n_starts: int = 8) -> float:
    """Minimise the surrogate over w_k and q in every bin, blindly, from many random starts."""
    n = len(W)
    rng = np.random.default_rng(0)

    def minimum(W: Array, V: Array) -> float:
        def objective(parts: Array) -> float:
            unknowns = parts[: 2 * n - 1] + 1j * parts[2 * n - 1 :]
            return lqpqm_objective(W, V, k, unknowns[:n], unknowns[n:])

        starts = rng.standard_normal((n_starts, 2 * (2 * n - 1)))
        return min(float(minimize(objective, start, method="BFGS").fun) for start in starts)

    return float(sum(minimum(W[:, :, f], V[..., f]) for f in range(W.shape[2])))


def ip_step(W: Array, V: Array, k: int) -> Array:
    """w_k ← (W V_k)^(-1) e_k, normalised to w_k^H V_k w_k = 1."""
    updated = W.copy()
    for f in range(W.shape[2]):
        w = np.linalg.inv(W[:, :, f] @ V[k, :, :, f])[:, k]
        updated[k, :, f] = w.conj() / np.sqrt((w.conj() @ V[k, :, :, f] @ w).real)
    return updated


def ip2_step(W: Array, V: Array, k: int, m: int) -> Array:
    """Update rows k and m jointly by a 2×2 generalised eigenproblem.

    Both new filters lie in the span of P_j = (W V_j)^(-1) [e_k e_m], and w_m^H V_k w_k =
    w_k^H V_m w_m = 0 makes their coefficients the eigenvectors of H_k h = λ H_m h,
    H_j = P_j^H V_j P_j; |det W|² is then proportional to the λ given to k: the larger one.
    """
    updated = W.copy()
    for f in range(W.shape[2]):
        P = {j: np.linalg.inv(W[:, :, f] @ V[j, :, :, f])[:, [k, m]] for j in (k, m)}
        H = {j: P[j].conj().T @ V[j, :, :, f] @ P[j] for j in (k, m)}
        _, eigenvectors = eigh(H[k], H[m])
        for j, h in ((k, eigenvectors[:, 1]), (m, eigenvectors[:, 0])):
            updated[j, :, f] = (P[j] @ h).conj() / np.sqrt((h.conj() @ H[j] @ h).real)
    return updated


def iss_step(W: Array, V: Array, k: int) -> Array:
    """w_m^H ← w_m^H − v_m w_k^H for every m, each v_m minimising the surrogate."""
    updated = W.copy()
    for f in range(W.shape[2]):
        w_k = W[k, :, f].conj()
        for m in range(len(W)):
            power = (w_k.conj() @ V[m, :, :, f] @ w_k).real
            v_m = 1 - power**-0.5 if m == k else W[m, :, f] @ V[m, :, :, f] @ w_k / power
            updated[m, :, f] -= v_m * W[k, :, f]
    return updated


def natural_gradient_step(W: Array, V: Array, step_size: float) -> Array:
    """W ← W + μ (I − E) W with E[k,m] = w_k^H V_k w_m."""
    updated = W.copy()
    for f in range(W.shape[2]):
        W_f = W[:, :, f]
        E = np.stack([W_f[k] @ V[k, :, :, f] @ W_f.conj().T for k in range(len(W))])
        updated[:, :, f] += step_size * (np.eye(len(W)) - E) @ W_f
    return updated


def mixing(W: Array, R: Array) -> Array:
    """A = R W^H (W R W^H)^(-1), (n_chan, n_src, n_freq)."""
    bins = [(W[:, :, f], R[:, :, f] @ W[:, :, f].conj().T) for f in range(W.shape[2])]
    return np.stack([RWh @ np.linalg.inv(W_f @ RWh) for W_f, RWh in bins], -1)


def projection_back(X: Array, W: Array, ref_chan: int) -> Array:
    """Return the images A[ref,k] y_k at one microphone, (n_frames, n_src, n_freq)."""
    gains: Array = mixing(W, covariance(X))[ref_chan]
    return demix(X, W) * gains


def si_sdr(reference: Array, estimate: Array) -> float:
    """Scale-invariant signal-to-distortion ratio of two arrays of one shape, in dB."""
    target = np.vdot(reference, estimate) / np.vdot(reference, reference) * reference
    return float(20 * np.log10(np.linalg.norm(target) / np.linalg.norm(estimate - target)))


def synthetic_mixture(
    n_src: int, n_chan: int, n_frames: int, n_freq: int, seed: int
) -> tuple[Array, Array, Array]:
    """Mix sources whose activity, heavy-tailed over time, is common to all frequencies.

    Returns
    -------
    X : ndarray of shape (n_frames, n_chan, n_freq)
    images : ndarray of shape (n_src, n_frames, n_chan, n_freq)
        Every source as each microphone hears it; they sum to X.
    A : ndarray of shape (n_chan, n_src, n_freq)
        Random matrices with condition number 2.
    """
    rng = np.random.default_rng(seed)

    def complex_normal(*shape: int) -> Array:
        return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)

    activity = rng.gamma(0.5, size=(n_frames, n_src, 1)) + 0.01
    sources = activity * complex_normal(n_frames, n_src, n_freq)
    A = np.empty((n_chan, n_src, n_freq), complex)
    for f in range(n_freq):
        left, _, right = np.linalg.svd(complex_normal(n_chan, n_src), full_matrices=False)
        A[:, :, f] = left @ np.diag(np.linspace(2, 1, n_src)) @ right
    images = np.stack([sources[:, k, None, :] * A[:, k] for k in range(n_src)])
    return images.sum(axis=0), images, A
