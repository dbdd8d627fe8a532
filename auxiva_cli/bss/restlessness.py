"""Whether anybody moves, by what the others carry of him.

Where ``k`` is elsewhere, the rows of the others no longer null him.  In a stretch ``s`` of a few
seconds they carry what his new place leaks, and by the weights of ``m`` correlate with ``k``:

    z_mks = √n_s w_m^H V_m w_k / √(w_m^H V_m w_m · w_k^H V_m w_k)

with ``V`` that of the stretch and ``n_s`` the number of its frames.  Chance makes ``|z|²`` one, or
two where frames overlap as they do; turns and echoes make more, anew in each stretch.  Of one who
walks it goes with his place, slowly.  So what tells is how much of it lies along slow cosines
``b_js = cos(π j (s + ½) / S)``, beyond what each stretch has by itself, in all who carry it:

    T_k = min_(m≠k) Σ_j max(T_jmk, 0),
    T_jmk = mean_f [ |Σ_s b_js z_mks|² − Σ_s |b_js z_mks|² ] / Σ_s b_js²

with ``T_jmk`` zero on average where nobody moves.  Only stretches in which both talk count: who is
silent carries echoes of the other, by turns more and less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from auxiva_cli.bss.linalg import Array, matvec
from auxiva_cli.bss.source_models import SourceModel
from auxiva_cli.bss.window import Window

__all__ = ["Look", "look_at", "restlessness"]

# Cosines along which motion is looked for: from one end to the other, and there and back.
N_SLOW = 2
# A look takes so many frames, and so many looks at two who both talk tell: who is at most so far
# below how loud he is now and then.
FEWEST_TOLD, FEWEST_LOOKS = 3, 5
ACTIVE_DB, LOUD_QUANTILE = 8.7, 0.9
# The mean |z|² that chance, turns and echoes hardly reach while both talk.
MOST_BY_CHANCE = 2.1


@dataclass(frozen=True)
class Look:
    """What a stretch of a recording tells of whether somebody moves.

    Attributes
    ----------
    z : ndarray of shape (n_src, n_src, n_freq), complex
        How much of each source (the second axis) the others carry, against chance.
    loudness : ndarray of shape (n_src,), dB
        How loud each source is.
    """

    z: Array
    loudness: Array


def look_at(
    stretch: Window, W: Array, model: SourceModel, n_src: int, shares: Array
) -> Look | None:
    """Look at a stretch.

    Parameters
    ----------
    stretch, W, model
        As for ``follow``.
    n_src : int
        The outputs that are sources, the first.
    shares : ndarray of shape (n_freq,)
        With what weight each frequency counts; those that do not are left out.

    Returns
    -------
    Look, optional
        None of too few frames.
    """
    if stretch.n_frames < FEWEST_TOLD:
        return None
    V = stretch.fold(W, model).V
    counts, W = np.flatnonzero(shares), W[:n_src]
    z = np.zeros((n_src, n_src, len(counts)), np.complex64)
    for m, w_m in enumerate(W):
        V_w = matvec(V[m], W.conj()[:, None])  # V_m w_k of all k
        powers = np.sum(W * V_w, axis=1).real
        correlation = np.sum(w_m * V_w, axis=1) / np.sqrt(powers * powers[m])
        z[m] = np.sqrt(stretch.n_frames) * correlation[:, counts]
    loudness = np.average(np.log10(stretch.powers(W)[:, counts]), axis=1, weights=shares[counts])
    return Look(z, 10 * loudness)


def restlessness(looks: Sequence[Look | None], n_src: int, shares: Array) -> Array:
    """Return how much of what others carry of each source goes slowly.

    Parameters
    ----------
    looks : sequence of Look
        At stretches all over the recording, in order.
    n_src, shares
        As for ``look_at``.

    Returns
    -------
    ndarray of shape (n_src,)
        ``T_k``; zero where it is too little to tell, or no more in all than chance makes.
    """
    there = np.array([look is not None for look in looks])
    told = [look for look in looks if look is not None]
    if len(told) < FEWEST_LOOKS:
        return np.zeros(n_src)
    loudness = np.array([look.loudness for look in told])
    talks = loudness > np.quantile(loudness, LOUD_QUANTILE, axis=0) - ACTIVE_DB
    where = (np.flatnonzero(there) + 0.5) / len(looks)
    slow = np.cos(np.pi * np.arange(1, N_SLOW + 1)[:, None] * where)
    weights = np.sqrt(shares[shares > 0] / shares.sum()).astype(np.float32)
    drift, energy = np.full((2, n_src, n_src), np.nan)
    for m, k in permutations(range(n_src), 2):
        both = talks[:, m] & talks[:, k]
        if both.sum() < FEWEST_LOOKS:
            drift[m, k] = 0
            continue
        z = np.array([look.z[m, k] for look, talk in zip(told, both, strict=True) if talk])
        z *= weights
        gram = (z @ z.conj().T).real
        energy[m, k] = np.trace(gram) / len(gram)
        np.fill_diagonal(gram, 0)
        b = slow[:, both] - slow[:, both].mean(axis=1, keepdims=True)
        along = np.sum(b * (b @ gram), axis=1) / np.sum(b**2, axis=1)
        drift[m, k] = np.maximum(along, 0).sum()
    beyond = np.nan_to_num(energy).sum(axis=0) > MOST_BY_CHANCE * (n_src - 1)
    scores: Array = np.where(beyond, np.nanmin(drift, axis=0), 0)
    return scores
