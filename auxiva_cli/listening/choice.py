"""Which channels are used: one of each microphone of this room, and a reference among them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.errors import Notice, RecordingError
from auxiva_cli.listening.copies import (
    COPY_DB,
    DOUBTFUL_DB,
    STANDS_OUT_DB,
    dissimilarity,
    safety_tracks,
)
from auxiva_cli.listening.foreign import UNRELATED, multiple_coherence, speaks, spectral_covariance
from auxiva_cli.listening.glimpses import Glimpses
from auxiva_cli.listening.levels import Levels
from auxiva_cli.listening.mixture import Mixture

__all__ = ["Choice", "LeftOut", "choose_channels", "first_of"]

Array = NDArray[Any]
# A channel that is dead for a larger share teaches too little beside the others.
MOSTLY = 0.5


@dataclass(frozen=True)
class LeftOut:
    """A channel (from 0) that carries a signal and is not used.

    Copies have another that is used, of which they are ``factor`` times.
    """

    channel: int
    why: Literal["unrelated", "copy", "clipped", "dead"]
    other: int | None = None
    factor: float = 0.0


@dataclass(frozen=True)
class Choice:
    """Which channels are used.

    Attributes
    ----------
    kept : ndarray of shape (n_chan,), bool
        Channels that are used.
    related : ndarray of shape (n_chan,), bool
        Those of them that can be compared with others.
    ref_chan : int
        The reference channel.
    left_out : tuple of LeftOut
        Channels that carry a signal and are not used.
    notices : tuple of Notice
        What to tell the user.
    """

    kept: Array
    related: Array
    ref_chan: int
    left_out: tuple[LeftOut, ...]
    notices: tuple[Notice, ...]


def choose_channels(
    mixture: Mixture, sample: Glimpses, live: Array, levels: Levels, asked: int | None
) -> Choice:
    """Choose the channels that are used.

    Parameters
    ----------
    mixture : Mixture
        The recording.
    sample : Glimpses
        A sample of it, the delays of its channels undone.
    live : ndarray of shape (n_chan,), bool
        Channels that carry a signal.
    levels : Levels
        A channel that is dead for a while is no reference if there is another; one that is dead
        for most of the time is not used if there are two others.
    asked : int, optional
        The reference channel that was asked for, which is kept.

    Raises
    ------
    RecordingError
        ``channels-dependent``, if all channels are copies of one.
    """
    R, power, frequencies = spectral_covariance(sample)
    copies = _find_copies(mixture, R, live, asked)
    kept = live.copy()
    kept[[each.channel for each in copies]] = False
    notices = [_copy_notice(each) for each in copies] + _doubts(R, kept)
    if np.count_nonzero(kept) < 2:
        raise RecordingError(
            _copy_text(copies[0]),
            hint="One microphone cannot be separated.",
            kind="channels-dependent",
        )
    dead = _mostly_dead(levels, kept, asked)
    kept[[each.channel for each in dead]] = False
    notices += [
        Notice(
            "channel-dead", f"channel {each.channel + 1} is dead most of the time: it is left out"
        )
        for each in dead
    ]
    coherence = np.zeros(len(live))
    coherence[kept] = multiple_coherence(R[:, kept][:, :, kept], frequencies, power.shape[1])
    related = coherence > UNRELATED
    foreign: list[LeftOut] = []
    if np.count_nonzero(kept) > 2 and np.count_nonzero(related) > 1:
        for c in np.flatnonzero(kept & ~related).tolist():
            share = f"channel {c + 1} shares {100 * coherence[c]:.1f} % with the other channels"
            if c == asked or speaks(power[c], frequencies):
                text = f"{share}, but may be a microphone: leave it out if it is none of this room"
            else:
                foreign.append(LeftOut(c, "unrelated"))
                text = f"{share}: it is no microphone of this room and is left out"
            notices.append(Notice("channel-unrelated", text))
    kept[[each.channel for each in foreign]] = False
    related = kept & related if np.count_nonzero(kept) > 2 and related.any() else kept
    ref_chan = first_of(related, levels.drops_out, asked, kept)
    return Choice(kept, related, ref_chan, (*copies, *dead, *foreign), tuple(notices))


def first_of(
    channels: Array, drops_out: Array, asked: int | None, allowed: Array | None = None
) -> int:
    """Return the channel that was asked for if it is one of these, else the first.

    A channel that drops out is taken only where all do.
    """
    if asked is not None and (channels if allowed is None else allowed)[asked]:
        return asked
    return int(np.where(channels, 2 - drops_out, 0).argmax())


def _find_copies(mixture: Mixture, R: Array, live: Array, asked: int | None) -> list[LeftOut]:
    """Find channels of which there is another, as clean or cleaner."""
    alike = dissimilarity(R)
    copies: dict[int, tuple[int, Literal["copy", "clipped"]]] = {
        hot: (clean, "clipped") for hot, clean in safety_tracks(mixture, alike) if hot != asked
    }
    for pair in combinations(np.flatnonzero(live).tolist(), 2):
        first, second = pair[::-1] if pair[1] == asked else pair
        if alike[pair] <= COPY_DB and first not in copies and second not in copies:
            copies[second] = first, "copy"
    found = []
    for channel, (other, why) in sorted(copies.items()):
        cross, power = R[:, channel, other].sum().real, R[:, other, other].sum().real
        found.append(LeftOut(channel, why, other, float(cross / power)))
    return found


def _mostly_dead(levels: Levels, kept: Array, asked: int | None) -> list[LeftOut]:
    """Find channels that are dead for most of the time, as long as two others are left."""
    share = levels.dead.mean(axis=0)
    order = [c for c in np.argsort(-share, kind="stable").tolist() if kept[c] and c != asked]
    most = max(int(np.count_nonzero(kept)) - 2, 0)
    return [LeftOut(c, "dead") for c in order[:most] if share[c] > MOSTLY]


def _doubts(R: Array, kept: Array) -> list[Notice]:
    """Remark on pairs that may be copies: far more alike than all other channels."""
    alike = dissimilarity(R)
    channels = np.flatnonzero(kept).tolist()
    for first, second in combinations(channels, 2):
        others = [c for c in channels if c not in (first, second)]
        rest = alike[[first, second]][:, others].min(initial=0)
        if alike[first, second] < min(DOUBTFUL_DB, rest - STANDS_OUT_DB):
            text = (
                f"channels {first + 1} and {second + 1} differ by {alike[first, second]:.0f} dB "
                "only: one microphone twice, or two within a centimetre"
            )
            return [Notice("channels-alike", text)]
    return []


def _copy_notice(copy: LeftOut) -> Notice:
    """Say of which channel one is a copy."""
    if copy.why == "clipped" and copy.other is not None:
        text = f"channel {copy.channel + 1} is clipped, channel {copy.other + 1} is a clean copy"
    else:
        text = _copy_text(copy)
    return Notice("channels-dependent", f"{text}: channel {copy.channel + 1} is left out")


def _copy_text(copy: LeftOut) -> str:
    """Name two copies."""
    first, second = sorted((copy.channel + 1, (copy.other or 0) + 1))
    return f"channels {first} and {second} are copies of each other"
