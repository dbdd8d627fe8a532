"""Kinds of values on the command line: names, amounts of memory, stretches of time, channels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from auxiva_cli.config import AUTO, LOUDEST

__all__ = [
    "AUDIO_TRACK",
    "CHANNELS",
    "DURATION",
    "FILE",
    "LEVEL",
    "MEMORY",
    "NAME",
    "REF_CHANNEL",
    "SOURCES",
    "TIME_RANGE",
    "WALK",
    "FileName",
    "FilePath",
]

# As many speakers as microphones.
ALL = "all"
UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


class Memory(click.ParamType[int]):
    """An amount of memory: ``512MiB``, ``2G``, or bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)\s*([kmg]?)(?:i?b)?", value.strip().lower())
        n_bytes = int(float(found[1]) * UNITS[found[2]]) if found else 0
        if not n_bytes:
            self.fail(f"{value!r} is no amount of memory; write 512MiB, or 2G.", param, ctx)
        return n_bytes


class FileName(click.ParamType[str]):
    """A name, ``-`` and ``./-`` told apart; whether it can be read is for its reader to say."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        if not value:
            self.fail("the name is empty: is a variable not set?", param, ctx)
        return str(value)


class FilePath(click.ParamType[Path]):
    """A file or directory by its name."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        return Path(NAME.convert(value, param, ctx))


class TimeRange(click.ParamType[tuple[float, float]]):
    """A stretch of time, ``START-END``, each in seconds or as ``h:mm:ss``."""

    name = "range"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Return start and end in seconds."""
        if isinstance(value, tuple):
            return value
        start, _, end = value.partition("-")
        try:
            seconds = _seconds(start), _seconds(end)
        except ValueError:
            seconds = 0.0, 0.0
        if not seconds[0] < seconds[1]:
            self.fail(f"{value!r} is no stretch of time; write 90-150, or 1:30-2:30.", param, ctx)
        return seconds


class Duration(click.ParamType[float]):
    """A time, in seconds (``90`` or ``90s``) or as ``h:mm:ss``."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        try:
            return _seconds(re.sub(r"^([\d.]+) ?s$", r"\1", value))
        except ValueError:
            self.fail(f"{value!r} is no time; write 90, or 1:30:00.", param, ctx)


class AudioTrack(click.ParamType[int | str]):
    """A sound track, from 1, or ``all``."""

    name = "track"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Return the track."""
        if value == "all":
            return "all"
        if not re.fullmatch(r"[1-9]\d{0,3}", str(value)):
            self.fail(f"{value!r} is no sound track; write a number from 1, or all.", param, ctx)
        return int(value)


class OfSpeaker(click.ParamType[tuple[int, float]]):
    """A figure of one speaker, ``N:FIGURE``, with or without its unit."""

    name = "speaker"

    def __init__(self, unit: str, example: str) -> None:
        self.unit, self.example = unit, example

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, float]:
        """Return the speaker, from 1, and the figure."""
        if isinstance(value, tuple):
            return value
        pattern = rf"(\d{{1,4}}):([+-]?\d{{1,4}}(?:\.\d+)?) ?(?:{self.unit})?"
        found = re.fullmatch(pattern, value.strip(), flags=re.IGNORECASE)
        if not found or not int(found[1]):
            self.fail(f"{value!r} is no speaker and {self.unit}; write {self.example}.", param, ctx)
        return int(found[1]), float(found[2])


class Walking(click.ParamType[tuple[int, float, tuple[float, float] | None]]):
    """How far a speaker walks, ``N:METRES``, and perhaps when, ``@START-END``."""

    name = "walk"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, float, tuple[float, float] | None]:
        """Return the speaker, from 1, the metres, and start and end in seconds."""
        if isinstance(value, tuple):
            return value
        who, at, when = value.partition("@")
        n, metres = OfSpeaker("m", example="2:1.5m").convert(who, param, ctx)
        if metres <= 0.0:
            self.fail(f"{value!r} is no way to walk; write 2:1.5m, or 2:1.5m@10-20.", param, ctx)
        return n, metres, TIME_RANGE.convert(when, param, ctx) if at else None


def _seconds(text: str) -> float:
    """Return the seconds of ``h:mm:ss``, ``m:ss`` or ``s``.

    >>> _seconds("1:02:03.5")
    3723.5
    """
    if not re.fullmatch(r"(\d{1,9}:){0,2}\d{1,9}(\.\d*)?", text.strip()):
        raise ValueError(text)
    first, *others = map(float, text.strip().split(":"))
    if any(part >= 60 for part in others):
        raise ValueError(text)
    total = first
    for part in others:
        total = 60 * total + part
    return total


class ChannelList(click.ParamType[tuple[int, ...]]):
    """Channels, from 1: ``1-4,6``."""

    name = "channels"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the channels, from 0, in order."""
        if isinstance(value, tuple):
            return value
        channels: set[int] = set()
        for part in value.split(","):
            found = re.fullmatch(r"\s*([1-9]\d{0,3})(?:-([1-9]\d{0,3}))?\s*", part)
            first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
            if last < first:
                self.fail(f"{value!r} are no channels; write 1-4,6.", param, ctx)
            channels.update(range(first - 1, last))
        return tuple(sorted(channels))


class RefChannel(click.ParamType[int | str]):
    """A channel, from 1, or ``loudest``."""

    name = "channel"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Return the channel, from 0, or ``loudest``."""
        if value == LOUDEST:
            return LOUDEST
        if not re.fullmatch(r"[1-9]\d{0,8}", str(value)):
            self.fail(f"{value!r} is no channel; write a number from 1, or loudest.", param, ctx)
        return int(value) - 1


class SourceCount(click.ParamType["int | str | None"]):
    """A number of speakers, ``auto`` or ``all``."""

    name = "sources"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str | None:
        """Return the number, ``auto``, or None for as many as microphones."""
        if value == ALL:
            return None
        if value != AUTO and not re.fullmatch(r"[1-9]\d{0,8}", str(value)):
            self.fail(f"{value!r} is no number of speakers; write 2, auto or all.", param, ctx)
        return AUTO if value == AUTO else int(value)


LEVEL = OfSpeaker("dB", example="2:-6")
MEMORY = Memory()
NAME = FileName()
FILE = FilePath()
CHANNELS = ChannelList()
REF_CHANNEL = RefChannel()
SOURCES = SourceCount()
TIME_RANGE = TimeRange()
DURATION = Duration()
AUDIO_TRACK = AudioTrack()
WALK = Walking()
