"""How much of a recording is kept in memory: all of it, or an even sample.

The fold needs the packed tables of all blocks, again and again.  What does not fit the budget is
read and transformed anew at each pass; what is kept is spread evenly over the recording, so
that it stands for the whole while the first iterations find the way.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.errors import RecordingError

__all__ = ["MemoryPlan", "default_budget", "even_sample", "plan_memory"]

MEBIBYTE = 2**20
LARGEST_DEFAULT = 2048 * MEBIBYTE
# The interpreter, NumPy, SciPy and libsndfile, before any work.
PROCESS_BYTES = 110 * MEBIBYTE


@dataclass(frozen=True)
class MemoryPlan:
    """What is kept.

    Attributes
    ----------
    stride : int
        One block is kept of so many blocks full of frames; 1 keeps all.
    n_bytes : int
        Memory that the process will take at most, about.
    """

    stride: int
    n_bytes: int


def default_budget() -> int:
    """Return a quarter of the machine's memory in bytes, at most 2 GiB."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return LARGEST_DEFAULT
    return min(machine // 4, LARGEST_DEFAULT)


def plan_memory(
    n_frames: int,
    n_src: int,
    n_chan: int,
    n_freq: int,
    *,
    block_length: int,
    n_threads: int,
    budget: int,
) -> MemoryPlan:
    """Decide how many blocks are kept.

    Parameters
    ----------
    n_frames : int
        Frames of the recording.
    n_src, n_chan, n_freq : int
        Sources, channels, frequencies.
    block_length : int
        Frames of a block.
    n_threads : int
        Blocks worked on at a time.
    budget : int
        Bytes that may be used.

    Raises
    ------
    RecordingError
        ``resource-limit``, if even streaming takes more than the budget.
    """
    table = 4 * n_src**2 * n_freq  # bytes a frame
    matrices = 16 * n_freq * (4 * n_src**3 + 2 * n_src * n_chan**2)
    in_flight = (n_threads + 2) * block_length * (2 * table + 40 * n_chan * n_freq)
    working = PROCESS_BYTES + matrices + in_flight
    if working + block_length * table > budget:
        raise RecordingError(
            f"{n_chan} channels and {n_src} sources take at least "
            f"{(working + block_length * table) / MEBIBYTE:.0f} MiB of memory, "
            f"{budget / MEBIBYTE:.0f} MiB are allowed",
            hint="Allow more memory, or ask for fewer sources or a shorter window.",
            kind="resource-limit",
        )
    stride = -(-n_frames * table // (budget - working))
    return MemoryPlan(stride, working + n_frames * table // stride)


def even_sample(n_frames: NDArray[Any], block_length: int, stride: int) -> NDArray[Any]:
    """Choose the blocks that are kept, none of them empty, evenly by the frames they hold.

    Parameters
    ----------
    n_frames : ndarray of shape (n_blocks,), int
        Frames of each block.
    block_length : int
        Frames of a block at most.
    stride : int
        Of ``MemoryPlan``.

    Returns
    -------
    ndarray of shape (n_kept,), int
        Which blocks these are, in order.
    """
    if stride == 1:
        return np.arange(len(n_frames))
    step = stride * block_length
    reached = (np.cumsum(n_frames) + step // 2) // step
    return np.flatnonzero(np.diff(reached, prepend=0))
