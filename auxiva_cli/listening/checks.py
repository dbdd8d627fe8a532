"""Can this recording be separated, and into how many sources?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auxiva_cli.bss.fold import Block
from auxiva_cli.bss.linalg import Array
from auxiva_cli.config import Settings
from auxiva_cli.errors import Notice, ParameterError, RecordingError

__all__ = [
    "check_channels",
    "check_length",
    "check_settings",
    "check_signal",
    "choose_n_src",
    "choose_ref_chan",
    "count_independent",
    "find_noise_channels",
]

# With fewer frames than this a channel, order cannot be told from chance.
FRAMES_PER_CHANNEL, COMFORTABLE_FRAMES_PER_CHANNEL = 4, 15
# However many frames: so little talk is seldom enough.
SHORT_SECONDS, COMFORTABLE_SECONDS = 4.0, 10.0
# Real rooms stay above 1e-5; copies of a channel, mixed down or dithered, lie below 1e-8.
DEPENDENT_SHARE = 1e-7
# A dead channel's own noise: this far below the strongest in power, and not rising and falling
# with any other.
NOISE_POWER_SHARE = 1e-9
UNRELATED_CORRELATION = 0.4


def check_channels(n_chan: int) -> None:
    """Refuse a recording of one microphone.

    Raises
    ------
    RecordingError
        ``too-few-channels``.
    """
    if n_chan < 2:
        raise RecordingError(
            f"separation needs at least 2 channels, this recording has {n_chan}",
            hint="Give all microphones in one recording.",
            kind="too-few-channels",
        )


def check_settings(n_chan: int, settings: Settings) -> None:
    """Refuse settings that ask for more than there are channels.

    Raises
    ------
    ParameterError
        If more sources or a later reference channel are asked for.
    """
    channels = f"{n_chan} channel{'s' if n_chan > 1 else ''}"
    chosen = range(n_chan) if settings.channels is None else sorted(set(settings.channels))
    if settings.channels is not None and (len(chosen) < 2 or chosen[-1] >= n_chan):
        raise ParameterError(
            f"channels {', '.join(str(c + 1) for c in chosen)}, counted from 1, are chosen "
            f"of {channels}",
            hint="Choose two or more that there are.",
        )
    if (settings.asked_n_src or 0) > len(chosen):
        channels = f"{len(chosen)} channel{'s' if len(chosen) > 1 else ''}"
        raise ParameterError(
            f"{settings.n_src} sources cannot be separated from {channels}",
            hint="Ask for at most as many sources as there are microphones.",
        )
    ref_chan = settings.asked_ref_chan
    if ref_chan is not None and ref_chan >= n_chan:
        raise ParameterError(
            f"the reference is channel {ref_chan + 1}, counted from 1, "
            f"but there {'are' if n_chan > 1 else 'is'} only {channels}"
        )
    if ref_chan is not None and ref_chan not in chosen:
        raise ParameterError(f"the reference, channel {ref_chan + 1}, is none of those chosen")


def choose_ref_chan(live: Array, settings: Settings, preferred: int | None = None) -> int:
    """Return the reference channel, from 0: as asked, as preferred, or the first with a signal.

    Parameters
    ----------
    live : ndarray of shape (n_chan,), bool
        Channels that carry a signal.
    settings : Settings
        May ask for a channel.

    Raises
    ------
    RecordingError
        ``silent``, if the channel that was asked for carries no signal.
    """
    ref_chan = settings.asked_ref_chan
    if ref_chan is None:
        return int(live.argmax()) if preferred is None or not live[preferred] else preferred
    if not live[ref_chan]:
        raise RecordingError(
            f"reference channel {ref_chan + 1} carries no signal",
            hint=f"Channel {int(live.argmax()) + 1} does.",
            kind="silent",
        )
    return ref_chan


def check_length(n_frames: int, n_chan: int, hop_seconds: float, seconds: float) -> list[Notice]:
    """Refuse a mixture with too few frames, and remark on a short one or one with few.

    Raises
    ------
    RecordingError
        ``too-short``.
    """
    needed = FRAMES_PER_CHANNEL * n_chan
    if n_frames < needed:
        raise RecordingError(
            f"{n_frames} frames of the STFT are too few for {n_chan} channels: it takes {needed}, "
            f"about {needed * hop_seconds:.1f} s",
            hint="Give a longer recording, or ask for a shorter window.",
            kind="too-short",
        )
    comfortable = COMFORTABLE_FRAMES_PER_CHANNEL * n_chan
    if n_frames < comfortable or seconds < SHORT_SECONDS:
        better = max(comfortable * hop_seconds, COMFORTABLE_SECONDS)
        text = (
            f"{seconds:.1f} s are little to learn {n_chan} channels from; "
            f"{better:.0f} s or more separate better"
        )
        return [Notice("short", text)]
    return []


def check_signal(n_sounding: int, n_frames: int, n_chan: int) -> None:
    """Refuse a mixture that is silent but for a few frames.

    Raises
    ------
    RecordingError
        ``too-little-signal``.
    """
    needed = FRAMES_PER_CHANNEL * n_chan
    if n_sounding < needed:
        raise RecordingError(
            f"only {n_sounding} of {n_frames} frames of the STFT carry a signal: "
            f"it takes {needed} to separate {n_chan} channels",
            hint="Give a recording with more sound, or ask for a shorter window.",
            kind="too-little-signal",
        )


def find_noise_channels(blocks: Sequence[Block], rms: Array) -> Array:
    """Tell which channels hold nothing but weak noise of their own: bool, shape (n_chan,).

    Parameters
    ----------
    blocks : sequence of Block
        The mixture STFT, (n_frames, n_chan, n_freq) each.
    rms : ndarray of shape (n_chan,)
        Root mean square of each channel.
    """
    weak: Array = rms**2 < NOISE_POWER_SHARE * rms.max() ** 2
    if not weak.any():
        return weak
    power = np.concatenate([np.square(np.abs(block())).mean(axis=-1) for block in blocks])
    # Ranks, as the ends of a recording, where all frames fade, would outweigh the rest.
    ranks = power.argsort(axis=0).argsort(axis=0)
    closest = (np.corrcoef(ranks.T) - np.eye(len(rms))).max(axis=1)
    noise: Array = weak & (closest < UNRELATED_CORRELATION)
    return noise


def count_independent(R: Array) -> int:
    """Return how many independent signals the channels hold, in the median over frequencies."""
    power = np.einsum("ccf->cf", R).real
    sounding = (power > 0).all(axis=0)
    if not sounding.any():
        return 0
    scale = 1 / np.sqrt(power[:, sounding])
    coherence = (R[..., sounding] * scale[:, None] * scale).transpose(2, 0, 1)
    eigenvalues = np.linalg.eigvalsh(coherence)
    return int(np.median(np.sum(eigenvalues > DEPENDENT_SHARE * eigenvalues[:, -1:], axis=1)))


def choose_n_src(
    R: Array, rank: int, channels: Array, settings: Settings
) -> tuple[int, list[Notice]]:
    """Return the number of sources: what was asked for, or as many as independent channels.

    Parameters
    ----------
    R : ndarray of shape (n_live, n_live, n_freq), complex
        Spatial covariance of the channels that carry a signal.
    rank : int
        How many independent signals these hold.
    channels : ndarray of shape (n_live,)
        Which channels of the recording these are, from 0.
    settings : Settings
        May ask for a number.

    Raises
    ------
    RecordingError
        ``channels-dependent``, if the channels hold fewer independent signals than are asked for,
        or a single one.
    """
    n_src = settings.asked_n_src or max(rank, 2)
    if rank >= len(channels) and n_src <= rank:
        return n_src, []
    text = (
        f"{len(channels)} channels with a signal hold only {rank} independent "
        f"signal{'s' if rank > 1 else ''}{_explain_dependence(R, channels)}"
        if rank < len(channels)
        else f"only {rank} channel{'s carry' if rank > 1 else ' carries'} a signal"
    )
    if n_src > rank:
        raise RecordingError(
            text,
            hint=f"Ask for {rank} sources." if rank > 1 else "One microphone cannot be separated.",
            kind="channels-dependent",
        )
    return n_src, [Notice("channels-dependent", text)]


def _explain_dependence(R: Array, channels: Array) -> str:
    """Name two channels that are copies of each other, if there are such."""
    coherence = np.median(_squared_coherence(R), axis=-1)
    copies = np.argwhere(np.triu(coherence > 1 - DEPENDENT_SHARE, k=1))
    if not len(copies):
        return ""
    first, second = channels[copies[0]] + 1
    return f": channels {first} and {second} are copies of each other"


def _squared_coherence(R: Array) -> Array:
    """Return ``|R_cd|² / (R_cc R_dd)`` where all channels have power, (n_chan, n_chan, n_freq)."""
    power = np.einsum("ccf->cf", R).real
    sounding = (power > 0).all(axis=0)
    power = power[:, sounding]
    coherence: Array = np.abs(R[..., sounding]) ** 2 / (power[:, None] * power)
    return coherence
