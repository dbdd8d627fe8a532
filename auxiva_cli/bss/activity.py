"""When each source speaks: one number a frame, from the frequencies that are best separated."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from auxiva_cli.bss.fold import Map, Table, pack_coefficients
from auxiva_cli.bss.linalg import Array

__all__ = ["broadband_activities", "middle_of"]

# Below, rooms are long for the window and speakers much alike; above, arrays are wide for the
# wavelength: in between the order of the sources is nearly always right.
MIDDLE_HZ = (450.0, 3500.0)
# Of the mean power of a source in a frequency: what is 20 dB below is the others and the room.
ACTIVITY_FLOOR = 1e-2


def middle_of(frequencies: Array) -> slice:
    """Return which frequencies (Hz, rising) activities are judged by."""
    first, last = np.searchsorted(frequencies, MIDDLE_HZ)
    return slice(int(first), int(last))


def broadband_activities(
    tables: Iterable[Table], W: Array, frequencies: Array, *, map: Map = map
) -> Array:
    """Return when each source speaks, judged by the middle of the spectrum.

    ``g_k[t] = exp Σ_f h_f log(|y_kf[t]|² / mean_t |y_kf|² + 0.01)``, with ``h_f ∝ 1 / (700 + f)``
    and ``Σ_f h_f = 1``: the geometric mean over equal steps of the mel scale, in which a few
    frequencies that went to the wrong source weigh little.

    Parameters
    ----------
    tables : iterable of Table
        Packed tables of the whitened mixture.
    W : ndarray of shape (n_src, n_src, n_freq), complex
        Demixing matrices of the whitened mixture.
    frequencies : ndarray of shape (n_freq,), Hz
        Centres of the bins, rising.
    map : callable, optional
        How a function is mapped over the blocks, in their order.

    Returns
    -------
    ndarray of shape (n_frames, n_src)
        The activities, positive; about one where a source is as loud as on average.  Ones if no
        frequency lies in the middle.
    """
    middle = middle_of(frequencies)
    h = 1 / (700 + frequencies[middle])
    h /= h.sum()
    # The mixture is white: a row of unit norm has unit power.
    W = W[:, :, middle] / np.linalg.norm(W[:, :, middle], axis=1, keepdims=True)
    coefficients = pack_coefficients(W)[: len(W)].transpose(2, 1, 0)  # (n_freq, n_chan², n_src)

    def partial(table: Table) -> Array:
        in_middle = table()[:, :, middle].transpose(2, 0, 1)
        power = in_middle @ coefficients.astype(in_middle.dtype)  # (n_freq, n_frames, n_src)
        logarithms = np.log(np.maximum(power, 0) + ACTIVITY_FLOOR)
        activities: Array = np.exp(np.tensordot(h, logarithms, axes=1))
        return activities

    return np.concatenate(list(map(partial, tables)))
