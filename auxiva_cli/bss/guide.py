"""The low frequencies afresh, guided by the middle of the spectrum.

Below some hundred hertz a room rings longer than a window, and microphones hear nearly the same:
bins there end badly separated as well as with the wrong source, in runs too narrow and too wrong
for a swap to mend.  The middle is nearly always right, and tells when each source speaks.  With
these activities as fixed variances, ``V_kf = mean_t x x^H / g_k[t]⁴``, the low bins are separated
from the beginning: a source is what is quiet when the middle says that it is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from auxiva_cli.bss.activity import broadband_activities, middle_of
from auxiva_cli.bss.auxiva import Iteration, StageTrace, UpdateRule
from auxiva_cli.bss.fold import Map, Table
from auxiva_cli.bss.given import demix_by_activities
from auxiva_cli.bss.linalg import Array

__all__ = ["can_guide", "guide"]

BELOW_HZ = 600.0
# The activities are means over many frequencies, flatter than any one of them.
SHARPNESS = 4
# So sharp, one frame in which a source is near silence outweighs all others, and a covariance of
# K channels that fewer than K frames carry separates nothing: so many frames a source weigh alike.
EQUALS = 2
# Of the power of the strongest frequency: the least that is sound, not leakage of the window.
SOUNDING = 1e-6
# Windows shorter than 200 ms: on 10 mixtures each of 6 and 15 s that lost 0.4 dB and gained none.
WIDEST_BIN_HZ = 5.0


def can_guide(n_src: int, frequencies: Array, powers: Array) -> bool:
    """Tell whether there are sources to tell apart, and fine bins in a middle to tell them by.

    Parameters
    ----------
    n_src : int
        Number of sources.
    frequencies : ndarray of shape (n_freq,), Hz
        Centres of the bins, rising.
    powers : ndarray of shape (n_freq,)
        Power of the mixture in each.
    """
    middle = powers[middle_of(frequencies)]
    sounding = np.mean(middle > SOUNDING * powers.max()) if len(middle) else 0.0
    is_fine = len(frequencies) > 1 and np.diff(frequencies).min() < WIDEST_BIN_HZ
    return n_src > 1 and bool(is_fine and frequencies[0] < BELOW_HZ and sounding > 0.5)


def guide(
    tables: Sequence[Table],
    W: Array,
    frequencies: Array,
    update: UpdateRule,
    *,
    name: str,
    max_iter: int,
    tol: float,
    report: Callable[[Iteration, Array], None],
    map: Map = map,
) -> tuple[Array, StageTrace]:
    """Separate the frequencies below 600 Hz again, by when the sources speak above.

    Parameters
    ----------
    tables : sequence of Table
        Packed blocks of the whitened mixture.
    W : ndarray of shape (n_src, n_src, n_freq), complex
        Demixing matrices of the whitened mixture.
    frequencies : ndarray of shape (n_freq,), Hz
        Centres of the bins, rising; ``can_guide`` holds for them.
    update, name, max_iter, tol, report, map
        As of ``demix_by_activities``; reported are the matrices of all frequencies.

    Returns
    -------
    W : ndarray of shape (n_src, n_src, n_freq), complex
        The demixing matrices, new at the low frequencies; each row as long as it was.
    trace : StageTrace
        The cost ``Σ_f (Σ_k w_k^H V_k w_k − 2 log|det W|)`` of the low frequencies.
    """
    low = slice(0, int(np.searchsorted(frequencies, BELOW_HZ)))
    g = list(map(lambda table: broadband_activities([table], W, frequencies), tables))
    floor = _quietest(np.concatenate(g), EQUALS * len(W))
    lengths = np.linalg.norm(W[..., low], axis=1, keepdims=True)

    def with_low(U: Array) -> Array:
        together = W.copy()
        together[..., low] = U * (lengths / np.linalg.norm(U, axis=1, keepdims=True))
        return together

    U, trace = demix_by_activities(
        [partial(_some_bins, table, low) for table in tables],
        [np.maximum(activities, floor) ** SHARPNESS for activities in g],
        update,
        name=name,
        max_iter=max_iter,
        tol=tol,
        report=lambda iteration, U: report(iteration, with_low(U)),
        map=map,
    )
    return with_low(U), trace


def _quietest(activities: Array, n: int) -> Array:
    """Return the n-th lowest activity of each source, or the highest where there are fewer."""
    n = min(n, len(activities))
    nth: Array = np.partition(activities, n - 1, axis=0)[n - 1]
    return nth


def _some_bins(table: Table, bins: slice) -> Array:
    """Make a table, of some frequencies."""
    return table()[..., bins]
