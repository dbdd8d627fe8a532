"""What is about to be done with a recording: how many outputs, and how much is kept in memory."""

from __future__ import annotations

import numpy as np

from auxiva_cli.config import Settings
from auxiva_cli.errors import RecordingError
from auxiva_cli.listening.checks import choose_ref_chan
from auxiva_cli.listening.crowd import count_outputs
from auxiva_cli.listening.observation import Observation
from auxiva_cli.memory import MemoryPlan, plan_memory
from auxiva_cli.observer import Plan
from auxiva_cli.parallel import Threads

__all__ = ["most_extra", "outputs_to_separate", "plan_outputs"]

# More outputs for reverberation and noise take time, and gain nothing.
MOST_EXTRA = 2


def outputs_to_separate(
    heard: Observation,
    n_src: int,
    rank: int,
    settings: Settings,
    threads: Threads,
    n_sharing: int,
) -> int:
    """Return how many outputs are separated: more than sources in a crowd, if memory holds them.

    Parameters
    ----------
    heard : Observation
        What is learnt from.
    n_src : int
        Number of sources.
    rank : int
        How many independent signals the channels hold.
    settings : Settings
        What is asked.
    threads : Threads
        Each works on blocks of its own.
    n_sharing : int
        Recordings worked on at a time, which share the memory.
    """
    n_out = count_outputs(heard.R, heard.frequencies, n_src, rank) if _widens(settings) else n_src
    if n_out > n_src:
        try:
            _plan_memory(heard, n_out, settings, threads, n_sharing)
        except RecordingError:
            return n_src
    return n_out


def plan_outputs(
    heard: Observation,
    n_src: int,
    n_out: int,
    rank: int,
    ref_chan: int,
    settings: Settings,
    threads: Threads,
    n_sharing: int,
) -> Plan:
    """Choose extra outputs, the reference channel, and how much is kept in memory.

    Parameters
    ----------
    heard, n_src, rank, settings, threads, n_sharing
        As for ``outputs_to_separate``.
    n_out : int
        How many outputs that said.
    ref_chan : int
        The reference channel (from 0) if none is asked for.

    Raises
    ------
    RecordingError
        ``resource-limit``, if that takes more memory than is allowed.
    """
    n_extra = most_extra(settings, n_src, rank) if n_out == n_src else 0
    memory = _plan_memory(heard, n_out + n_extra, settings, threads, n_sharing)
    live = np.isin(np.arange(len(heard.gain)), heard.channels)
    ref_chan = choose_ref_chan(live, settings, ref_chan)
    return Plan(n_src, n_out, n_extra, ref_chan, heard.spectra.stft, memory)


def most_extra(settings: Settings, n_src: int, rank: int) -> int:
    """Return how many outputs take what belongs to no source, of so many independent channels."""
    return min(MOST_EXTRA, rank - n_src) if _widens(settings) else 0


def _widens(settings: Settings) -> bool:
    """Return whether there may be outputs for what belongs to no source."""
    return any(stage.widen for stage, _ in settings.stages())


def _plan_memory(
    heard: Observation, n_out: int, settings: Settings, threads: Threads, n_sharing: int
) -> MemoryPlan:
    """Choose how much is kept in memory for so many outputs."""
    return plan_memory(
        heard.count.learnt_from,
        n_out,
        len(heard.channels),
        heard.spectra.stft.n_freq,
        block_length=heard.spectra.block_length,
        n_threads=threads.n_threads,
        allowed=settings.max_memory,
        learn_all=settings.learn_all,
        n_sharing=n_sharing,
    )
