"""What of a recording there is to learn from: channels, frames and frequencies that carry sound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from auxiva_cli.bss.linalg import Array
from auxiva_cli.bss.statistics import Block, mean_outer_product
from auxiva_cli.checks import check_length, check_signal, find_noise_channels
from auxiva_cli.mixture import Channels, Mixture
from auxiva_cli.notices import Notice
from auxiva_cli.parallel import Threads
from auxiva_cli.spectra import Spectra, keep, sounding_frames
from auxiva_cli.stft import Stft
from auxiva_cli.survey import Survey

__all__ = ["Observation", "observe"]

# Below lies what becomes of offsets and drifts, also in frames that are silent otherwise.
LOWEST_AUDIBLE_HZ = 20.0


@dataclass(frozen=True)
class Observation:
    """The part of a recording that a separation can learn from.

    Attributes
    ----------
    channels : ndarray of shape (n_live,)
        Channels that carry a signal, from 0.
    heard : ndarray of shape (n_freq,), bool
        Frequencies that can be heard.
    blocks : list of Block
        The normalised STFT of these channels, without silent frames.
    n_frames : int
        Number of frames of all blocks together.
    R : ndarray of shape (n_live, n_live, n_freq), complex
        Spatial covariance of these frames.
    notices : list of Notice
        What to tell the user.
    """

    channels: Array
    heard: Array
    blocks: list[Block]
    n_frames: int
    R: Array
    notices: list[Notice]


def observe(mixture: Mixture, seen: Survey, stft: Stft, threads: Threads) -> Observation:
    """Transform what there is to learn from.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    seen : Survey
        What it is like.
    stft : Stft
        The transform.
    threads : Threads
        Works on several blocks at a time.

    Returns
    -------
    Observation
        Channels, frames and frequencies without those that carry nothing.

    Raises
    ------
    RecordingError
        ``too-short`` or ``too-little-signal``.
    """
    channels = np.flatnonzero(seen.live)
    spectra = Spectra(Channels(mixture, channels), stft, seen.offset[channels], seen.gain[channels])
    hop_seconds = stft.hop_length / mixture.sample_rate
    notices = check_length(spectra.n_frames, len(channels), hop_seconds)
    heard = stft.frequencies(mixture.sample_rate) >= LOWEST_AUDIBLE_HZ
    sounding = partial(sounding_frames, stft=stft, heard=heard)
    blocks = keep(list(threads.map(sounding, spectra.blocks())))
    n_frames = sum(len(block()) for block in blocks)
    check_signal(n_frames, spectra.n_frames, len(channels))
    R = mean_outer_product(blocks, n_frames, len(channels), map=threads.map)

    noise = find_noise_channels(blocks, seen.rms[channels])
    if noise.any():
        notices += [
            Notice("channel-dead", f"channel {c + 1} holds only weak noise and is left out")
            for c in channels[noise]
        ]
        channels, R = channels[~noise], R[~noise][:, ~noise]
        blocks = [partial(_some_channels, block, ~noise) for block in blocks]
    return Observation(channels, heard, blocks, n_frames, R, notices)


def _some_channels(block: Block, channels: Array) -> Array:
    """Make a block, of some channels."""
    return block()[:, channels]
