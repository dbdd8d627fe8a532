"""What a recording is like, without separating it: levels, findings, and what would be used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.config import AUTO, Settings
from auxiva_cli.errors import AuxivaError, Notice
from auxiva_cli.listening.checks import check_channels, check_length, check_settings
from auxiva_cli.listening.checkup import check_up
from auxiva_cli.listening.counting import Count
from auxiva_cli.listening.findings import Findings
from auxiva_cli.listening.mixture import Channels, Chosen, Mixture, chosen_channels
from auxiva_cli.listening.spectra import Spectra
from auxiva_cli.listening.stft import Stft, stft_for
from auxiva_cli.listening.survey import Survey, survey
from auxiva_cli.memory import plan_memory
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads
from auxiva_cli.planning import most_extra
from auxiva_cli.trial import count_sources

__all__ = ["Inspection", "Prospect", "inspect"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Prospect:
    """How a recording would be separated.

    Attributes
    ----------
    n_src : int
        Number of sources.
    ref_chan : int
        Reference channel, from 0.
    stft : Stft
        The transform.
    memory : int
        Bytes that the process would take at most, about.
    """

    n_src: int
    ref_chan: int
    stft: Stft
    memory: int


@dataclass(frozen=True)
class Inspection:
    """What a recording is like.

    Attributes
    ----------
    rms, peak : ndarray of shape (n_chan,)
        Root mean square of each channel about its mean, and its largest magnitude; zero where
        nothing is known of it.
    live : ndarray of shape (n_chan,), bool
        Channels that carry a signal.
    chosen : ndarray of shape (n_chan,), bool
        Channels that were not left out by hand.
    findings : Findings, optional
        What is wrong with the channels, as far as that could be told.
    count : Count, optional
        How many speak, if they were counted.
    prospect : Prospect, optional
        How it would be separated, if it can be.
    obstacle : AuxivaError, optional
        Why it cannot be separated.
    notices : tuple of Notice
        What ``learn`` would tell of the recording, but for what takes a transform of all of it.
    """

    rms: Array
    peak: Array
    live: Array
    chosen: Array
    findings: Findings | None = None
    count: Count | None = None
    prospect: Prospect | None = None
    obstacle: AuxivaError | None = None
    notices: tuple[Notice, ...] = ()


def inspect(mixture: Mixture, settings: Settings, *, threads: Threads) -> Inspection:
    """Look through a recording, and at a sample of it.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    settings : Settings
        How it would be separated; with as many sources as speak, the speakers are counted.
    threads : Threads
        Works on several stretches at a time.
    """
    nothing, chosen = np.zeros(mixture.n_chan), np.ones(mixture.n_chan, bool)
    try:
        if settings.channels is not None:
            check_settings(mixture.n_chan, settings)
            mixture = Chosen(mixture, np.array(settings.channels))
            chosen = chosen_channels(mixture)
        seen = survey(mixture, map=threads.map)
    except AuxivaError as error:
        return Inspection(nothing, nothing, nothing.astype(bool), chosen, obstacle=error)
    known = Inspection(seen.rms, seen.peak, seen.live, chosen, notices=seen.notices)
    try:
        check_channels(mixture.n_chan)
        check_settings(mixture.n_chan, settings)
        findings = check_up(mixture, seen, ref_chan=settings.asked_ref_chan, map=threads.map)
        known = replace(known, findings=findings, notices=(*seen.notices, *findings.notices))
        count = _count(mixture, seen, findings, settings, threads)
        if count is not None:
            settings, known = replace(settings, n_src=count.n_src), replace(known, count=count)
        prospect, notices = _prospect(mixture, seen, findings, settings, threads.n_threads)
    except AuxivaError as error:
        return replace(known, obstacle=error)
    return replace(known, prospect=prospect, notices=(*known.notices, *notices))


def _count(
    mixture: Mixture, seen: Survey, findings: Findings, settings: Settings, threads: Threads
) -> Count | None:
    """Count the speakers, if that is asked for."""
    if settings.n_src != AUTO:
        return None
    teaching = findings.common(findings.levelled(mixture), None)
    used = replace(seen, live=findings.used(seen.live))
    allowed = settings.max_memory
    return count_sources(teaching, used, findings.ref_chan, allowed, threads, Observer())


def _prospect(
    mixture: Mixture, seen: Survey, findings: Findings, settings: Settings, n_threads: int
) -> tuple[Prospect, list[Notice]]:
    """Return how a recording would be separated, and what there is to say about that."""
    channels = np.flatnonzero(findings.used(seen.live))
    n_src = settings.asked_n_src or max(len(channels), 2)
    stft = stft_for(mixture, settings, seen.levels.sounding_share(mixture.sample_rate, channels))
    spectra = Spectra(Channels(mixture, channels), stft, seen.offset[channels], seen.gain[channels])
    hop_seconds = stft.hop_length / mixture.sample_rate
    seconds = mixture.n_samples / mixture.sample_rate
    notices = check_length(spectra.n_frames, len(channels), hop_seconds, seconds)
    memory = plan_memory(
        int(np.count_nonzero(seen.levels.sounding_frames(stft, channels))),
        n_src + most_extra(settings, n_src, len(channels)),
        len(channels),
        stft.n_freq,
        block_length=spectra.block_length,
        n_threads=n_threads,
        allowed=settings.max_memory,
        learn_all=settings.learn_all,
    )
    return Prospect(n_src, findings.ref_chan, stft, memory.n_bytes), notices
