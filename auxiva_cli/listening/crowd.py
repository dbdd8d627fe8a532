"""Whether much of the sound comes from elsewhere than the speakers: a crowd has outputs of its own.

As many strong directions as speakers hold nearly all of a quiet room.  Of a crowd there is
something in every direction, so that the strongest are nobody's, and fewer outputs than directions
cannot keep it apart from the speakers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.errors import Notice

__all__ = ["count_outputs", "crowd_notices", "share_elsewhere"]

Array = NDArray[Any]
# Where speech has its power, and small arrays tell directions apart.
LOWEST_HZ, HIGHEST_HZ = 300.0, 3500.0
CROWD_SHARE = 0.03
# Of bins that lie further apart, from windows under 400 ms, reverberation leaves as much elsewhere.
COARSEST_HZ = 2.5
# More outputs take too long; fewer more than sources do not hold a crowd.
MOST_OUTPUTS, FEWEST_MORE = 8, 4


def share_elsewhere(R: Array, frequencies: Array, n_src: int) -> float:
    """Return which share of the power lies outside of the strongest directions.

    Parameters
    ----------
    R : ndarray of shape (n_chan, n_chan, n_freq), complex
        Spatial covariance of the mixture.
    frequencies : ndarray of shape (n_freq,), Hz
        Centres of the bins.
    n_src : int
        So many directions, those of each frequency.
    """
    heard = (frequencies >= LOWEST_HZ) & (frequencies <= HIGHEST_HZ)
    powers = np.linalg.eigvalsh(R[..., heard].transpose(2, 0, 1)).clip(min=0)  # rising
    total = powers.sum()
    return float(powers[:, : len(R) - n_src].sum() / total) if total else 0.0


def count_outputs(R: Array, frequencies: Array, n_src: int, rank: int) -> int:
    """Return how many outputs are to be separated: as many as sources, or more in a crowd.

    Parameters
    ----------
    R, frequencies, n_src
        As for ``share_elsewhere``.
    rank : int
        How many independent signals the channels hold.
    """
    n_most = min(rank, MOST_OUTPUTS)
    if n_most < n_src + FEWEST_MORE or frequencies[1] - frequencies[0] > COARSEST_HZ:
        return n_src
    return n_src if share_elsewhere(R, frequencies, n_src) < CROWD_SHARE else n_most


def crowd_notices(n_src: int, n_out: int) -> list[Notice]:
    """Remark on a crowd, whose outputs are left out."""
    if n_out == n_src:
        return []
    speakers = f"{n_src} speaker{'s' if n_src > 1 else ''}"
    text = (
        f"much is heard from elsewhere than {speakers}, as of a crowd: "
        f"of {n_out} outputs the loudest {n_src} {'are' if n_src > 1 else 'is'} kept"
    )
    return [Notice("crowd", text)]
