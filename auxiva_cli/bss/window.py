"""Windows of a recording: some of its frames, each with a weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from auxiva_cli.bss.fold import Statistics, Table, fold, in_memory, pack_coefficients
from auxiva_cli.bss.linalg import Array
from auxiva_cli.bss.source_models import SourceModel

__all__ = ["FEWEST_FRAMES", "Window", "window_shares"]

# A window with fewer frames tells nothing.
FEWEST_FRAMES = 12


@dataclass(frozen=True)
class Window:
    """A window of a recording: some of its frames, and with what weight each counts.

    Attributes
    ----------
    tables : sequence of Table
        Packed blocks of the whitened mixture that the window touches.
    shares : sequence of ndarray of shape (n_frames,)
        The weights of the frames of each block.

    Notes
    -----
    Blocks are made whenever they are called for; ``kept`` has them made once.
    """

    tables: Sequence[Table]
    shares: Sequence[Array]

    @property
    def n_frames(self) -> float:
        """How many frames of equal weight are worth as much, ``(Σh)² / Σh²``."""
        total = sum(float(share.sum()) for share in self.shares)
        squares = sum(float((share**2).sum()) for share in self.shares)
        return total**2 / squares if squares else 0.0

    def powers(self, W: Array) -> Array:
        """Return the mean power of outputs, (n_src, n_freq)."""
        packed = pack_coefficients(W)[: len(W)]
        total: Array = np.zeros(())
        for table, share in zip(self.tables, self.shares, strict=True):
            total = total + np.einsum("kpf,pf->kf", packed, np.tensordot(share, table(), axes=1))
        powers: Array = total / sum(float(share.sum()) for share in self.shares)
        return powers

    @property
    def kept(self) -> Window:
        """The same with its blocks in memory."""
        return replace(self, tables=[partial(in_memory, table()) for table in self.tables])

    @property
    def is_long_enough(self) -> bool:
        """Whether there are enough frames to learn from."""
        return self.n_frames >= FEWEST_FRAMES

    def fold(self, W: Array, model: SourceModel) -> Statistics:
        """Fold the window into weighted covariances and the cost."""
        return fold(self.tables, W, model, shares=self.shares)


def window_shares(times: Array, centre: float, length: float) -> Array:
    """Return the weights of frames, ``cos²(π (t − centre) / length)`` within the window.

    Parameters
    ----------
    times : ndarray of shape (n_frames,)
        When the frames are.
    centre, length : float
        Of the window, in the same unit.
    """
    phase = np.clip((np.asarray(times) - centre) / length, -0.5, 0.5)
    shares: Array = np.cos(np.pi * phase) ** 2
    return shares
