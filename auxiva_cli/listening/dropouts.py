"""Where a channel is dead for a while: it starts late, ends early, drops out in between.

Filters that were learnt with all channels do not hold there, and what is heard there does not
tell how the channels hang together.
"""

from __future__ import annotations

import numpy as np

from auxiva_cli.bss.linalg import Array

__all__ = ["dead_cells", "runs"]

# A channel is dead where it is 70 dB below its own mean for so many cells, while another is within
# 20 dB of its own.
DEAD_SHARE, SOUNDING_SHARE = 1e-7, 1e-2
SHORTEST = 4


def dead_cells(powers: Array, inside: Array | None = None) -> Array:
    """Tell in which cells which channels are dead.

    Parameters
    ----------
    powers : ndarray of shape (n_cells, n_chan)
        Power of each channel in consecutive cells.
    inside : ndarray of shape (n_cells, n_chan), bool, optional
        Cells that a channel has: the others are neither dead nor sounding.

    Returns
    -------
    ndarray of shape (n_cells, n_chan), bool
        Cells next to a dead one, in which the channel may end or begin, are dead, too.  Silence
        of all channels is no death, nor is a channel that never sounds.
    """
    mean = powers.mean(axis=0)
    share = powers / np.where(mean > 0, mean, 1)
    if inside is not None:
        share = np.where(inside, share, SOUNDING_SHARE)
    sounding = share > SOUNDING_SHARE
    n_sounding = np.concatenate([[0], np.cumsum(sounding.any(axis=1))])
    dead = np.zeros(powers.shape, bool)
    for c in np.flatnonzero(mean > 0):
        for first, last in runs(share[:, c] < DEAD_SHARE):
            if last - first >= SHORTEST and n_sounding[last] > n_sounding[first]:
                dead[max(first - 1, 0) : last + 1, c] = True
    return dead


def runs(marked: Array) -> Array:
    """Return where the runs of marked cells begin and end, shape (n_runs, 2)."""
    steps = np.diff(marked.astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)], axis=1)
