"""What stages learn from, and how much of that is kept in memory.

A demixing matrix has a few numbers per frequency, and a few hundred frames a source teach them.
Of a longer recording an even sample of frames stands for the whole; frames that lie apart teach
more than neighbours, which overlap.  The sample follows from the recording alone.  Memory decides
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

from auxiva_cli.bss.coarse import comb
from auxiva_cli.errors import RecordingError

__all__ = ["MemoryPlan", "default_memory", "even_sample", "n_together", "plan_memory"]

MEBIBYTE = 2**20
DEFAULT_MEMORY = 2048 * MEBIBYTE
# Of what a container or the machine has, this is left to others.
SPARED = 0.5
# The interpreter, NumPy, SciPy and libsndfile, before any work.
PROCESS_BYTES = 110 * MEBIBYTE
# Frames of the sample for each output.  Of 5 min so many lose 0.12 dB to everything, in 20
# recordings that did not choose them, 0.9 at worst, in 0.75 times the time; 250 lose 0.08, 125
# lose 0.26.
FRAMES_PER_SOURCE = 175
# What is folded at a time, about: of fewer frames an iteration spends more on sums over blocks.
FOLDED_FRAMES, FOLDED_BYTES = 64, 16 * MEBIBYTE
# Files in which the system says what a container may take.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class MemoryPlan:
    """What is learnt from, and what is kept.

    Attributes
    ----------
    n_sample : int
        Frames that are learnt from.
    n_kept : int
        Frames of the sample that are kept in memory.
    keeps_comb : bool
        Whether the frequencies that the first stages take are, of all of the sample.
    n_bytes : int
        Memory that the process will take at most, about.
    n_free : int
        Bytes of it that may be taken for what follows, once none are kept.
    """

    n_sample: int
    n_kept: int
    keeps_comb: bool
    n_bytes: int
    n_free: int


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
    learn_all: bool = False,
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
    learn_all : bool
        Whether all frames are learnt from, however many there are.
    n_sharing : int
        Recordings worked on at a time, which share it.

    Raises
    ------
    RecordingError
        ``resource-limit``, if even streaming takes more than is allowed.
    """
    table = 4 * n_src**2 * n_freq  # bytes a frame
    matrices = 16 * n_freq * (4 * n_src**3 + 2 * n_src * n_chan**2)
    together = n_together(n_src, n_freq, block_length)
    in_flight = (n_threads + 2) * block_length * ((1 + together) * table + 40 * n_chan * n_freq)
    working = PROCESS_BYTES + matrices + in_flight
    share = (allowed or default_memory()) // n_sharing
    if allowed is not None and working > share:
        raise RecordingError(
            f"{n_chan} channels and {n_src} sources take at least "
            f"{working / MEBIBYTE:.0f} MiB of memory, {share / MEBIBYTE:.0f} MiB are allowed",
            hint="Allow more memory, or ask for fewer sources or a shorter window.",
            kind="resource-limit",
        )
    n_sample = n_frames if learn_all else min(n_frames, FRAMES_PER_SOURCE * n_src)
    chosen = comb(n_freq)  # of few frequencies all, which the tables have
    of_comb = 4 * n_src**2 * len(range(n_freq)[chosen]) * n_sample if chosen.step > 1 else 0
    keeps_comb = working + of_comb <= share
    working += keeps_comb * of_comb
    n_free = max(share - working, 0)
    n_kept = min(n_sample, n_free // table)
    return MemoryPlan(n_sample, n_kept, keeps_comb, working + n_kept * table, n_free)


def n_together(n_src: int, n_freq: int, block_length: int) -> int:
    """Return how many blocks are folded at a time.

    Parameters
    ----------
    n_src, n_freq : int
        Outputs and frequencies.
    block_length : int
        Frames of a block.
    """
    fitting = FOLDED_BYTES // (4 * n_src**2 * n_freq * block_length)
    return max(min(FOLDED_FRAMES // block_length, fitting), 1)


def even_sample(n_frames: int, n_chosen: int) -> NDArray[Any]:
    """Choose frames evenly.

    Parameters
    ----------
    n_frames, n_chosen : int
        Frames that there are, and how many of them are wanted, at most all.

    Returns
    -------
    ndarray of shape (n_chosen,), int
        Which these are, rising: one out of the middle of each of so many equal parts.
    """
    return (2 * np.arange(n_chosen) + 1) * n_frames // (2 * max(n_chosen, 1))
