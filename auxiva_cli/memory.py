"""What the first stages learn from, and how much of that is kept in memory.

A demixing matrix has a few numbers per frequency, and a few hundred frames a source teach them.
Of a longer recording an even sample of blocks stands for the whole while the stages find the way;
the last iterations see everything.  The sample follows from the recording alone.  Memory decides
only how much of it is kept: what does not fit is read and transformed anew at each pass, and the
result is the same.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.errors import RecordingError

__all__ = ["MemoryPlan", "default_memory", "even_sample", "plan_memory"]

MEBIBYTE = 2**20
DEFAULT_MEMORY = 2048 * MEBIBYTE
# Of what a container or the machine has, this is left to others.
SPARED = 0.5
# The interpreter, NumPy, SciPy and libsndfile, before any work.
PROCESS_BYTES = 110 * MEBIBYTE
# Frames of the sample for each source.  On eight recordings of 3 to 5 min, of two and three who
# talk all the time, in turns or regardless of each other, so many lose 0.03 dB on average to
# everything, and 0.2 dB at most; 125 do no worse, but were tried on four only.
FRAMES_PER_SOURCE = 250
# Files in which the system says what a container may take.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class MemoryPlan:
    """What is learnt from, and what is kept.

    Attributes
    ----------
    stride : int
        The sample is one block of so many blocks full of frames; 1 takes all.
    n_kept : int
        Frames of the sample that are kept in memory.
    n_bytes : int
        Memory that the process will take at most, about.
    """

    stride: int
    n_kept: int
    n_bytes: int


def default_memory() -> int:
    """Return how many bytes may be used when nothing is said: 2 GiB, or half of what there is."""
    available = [DEFAULT_MEMORY / SPARED]
    with suppress(AttributeError, ValueError, OSError):
        available.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in LIMITS:
        with suppress(ValueError, OSError):  # no container, or "max"
            available.append(int(limit.read_text()))
    return int(SPARED * min(available))


def plan_memory(
    n_frames: int,
    n_src: int,
    n_chan: int,
    n_freq: int,
    *,
    block_length: int,
    n_threads: int,
    allowed: int | None,
    n_sharing: int = 1,
) -> MemoryPlan:
    """Decide what the first stages learn from, and how much of it is kept.

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
    allowed : int, optional
        Bytes that all recordings together may take; when not given the default, and as much as
        it takes.
    n_sharing : int
        Recordings worked on at a time, which share it.

    Raises
    ------
    RecordingError
        ``resource-limit``, if even streaming takes more than is allowed.
    """
    table = 4 * n_src**2 * n_freq  # bytes a frame
    matrices = 16 * n_freq * (4 * n_src**3 + 2 * n_src * n_chan**2)
    in_flight = (n_threads + 2) * block_length * (2 * table + 40 * n_chan * n_freq)
    working = PROCESS_BYTES + matrices + in_flight
    share = (allowed or default_memory()) // n_sharing
    if allowed is not None and working > share:
        raise RecordingError(
            f"{n_chan} channels and {n_src} sources take at least "
            f"{working / MEBIBYTE:.0f} MiB of memory, {share / MEBIBYTE:.0f} MiB are allowed",
            hint="Allow more memory, or ask for fewer sources or a shorter window.",
            kind="resource-limit",
        )
    stride = -(-n_frames // (FRAMES_PER_SOURCE * n_src))
    n_kept = min(n_frames // stride + block_length, max(share - working, 0) // table)
    return MemoryPlan(stride, n_kept, working + n_kept * table)


def even_sample(n_frames: NDArray[Any], block_length: int, stride: int) -> NDArray[Any]:
    """Choose the blocks of the sample, none of them empty, evenly by the frames they hold.

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
    ndarray of shape (n_chosen,), int
        Which blocks these are, in order.
    """
    if stride == 1:
        return np.arange(len(n_frames))
    step = stride * block_length
    reached = (np.cumsum(n_frames) + step // 2) // step
    return np.flatnonzero(np.diff(reached, prepend=0))
