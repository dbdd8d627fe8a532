"""The low frequencies afresh, guided by the middle of the spectrum.

Below some hundred hertz a room rings longer than a window, and microphones hear nearly the same:
bins there end badly separated as well as with the wrong source, in runs too narrow and too wrong
for a swap to mend.  The middle is nearly always right, and tells when each source speaks.  With
these activities as fixed variances, ``V_kf = mean_t x x^H / g_k[t]⁴``, the low bins are separated
from the beginning: a source is what is quiet when the middle says that it is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from auxiva_cli.bss.activity import broadband_activities, middle_of
from auxiva_cli.bss.fold import Map, Table
from auxiva_cli.bss.given import Surrogate, by_activities
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


@dataclass(frozen=True)
class _OfLow(Surrogate):
    """The cost of the low frequencies, given the matrices ``W`` of all.

    New rows are as long as they were.
    """

    W: Array

    def placed(self, W: Array) -> Array:
        """Return the matrices of all frequencies."""
        together, low = self.W.copy(), slice(0, W.shape[-1])
        lengths = np.linalg.norm(self.W[..., low], axis=1, keepdims=True)
        together[..., low] = W * (lengths / np.linalg.norm(W, axis=1, keepdims=True))
        return together


def guide(tables: Sequence[Table], W: Array, frequencies: Array, *, map: Map = map) -> Surrogate:
    """Return the cost of the frequencies below 600 Hz, by when the sources speak above.

    Parameters
    ----------
    tables : sequence of Table
        Packed blocks of the whitened mixture.
    W : ndarray of shape (n_src, n_src, n_freq), complex
        Demixing matrices of the whitened mixture.
    frequencies : ndarray of shape (n_freq,), Hz
        Centres of the bins, rising; ``can_guide`` holds for them.
    map : callable, optional
        How a function is mapped over the blocks, in their order.

    Returns
    -------
    Surrogate
        To start from the identity.  It places new matrices among those of all frequencies, each
        row as long as it was.
    """
    low = slice(0, int(np.searchsorted(frequencies, BELOW_HZ)))
    g = list(map(lambda table: broadband_activities([table], W, frequencies), tables))
    floor = _quietest(np.concatenate(g), EQUALS * len(W))
    found = by_activities(
        [partial(_some_bins, table, low) for table in tables],
        [np.maximum(activities, floor) ** SHARPNESS for activities in g],
        map=map,
    )
    return _OfLow(found.V, found.start, W)


def _quietest(activities: Array, n: int) -> Array:
    """Return the n-th lowest activity of each source, or the highest where there are fewer."""
    n = min(n, len(activities))
    nth: Array = np.partition(activities, n - 1, axis=0)[n - 1]
    return nth


def _some_bins(table: Table, bins: slice) -> Array:
    """Make a table, of some frequencies."""
    return table()[..., bins]
