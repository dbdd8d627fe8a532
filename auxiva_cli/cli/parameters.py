"""Kinds of values on the command line: amounts of memory, stretches of time."""

from __future__ import annotations

import re
from typing import Any

import click

__all__ = ["MEMORY", "TIME_RANGE"]

UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


class Memory(click.ParamType[int]):
    """An amount of memory: ``512MiB``, ``2G``, or bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?", value.strip().lower())
        if found is None:
            self.fail(f"{value!r} is no amount of memory; write 512MiB, or 2G.", param, ctx)
        return int(float(found[1]) * UNITS[found[2]])


class TimeRange(click.ParamType[tuple[float, float]]):
    """A stretch of time, ``START-END``, each in seconds or as ``h:mm:ss``."""

    name = "range"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Return start and end in seconds."""
        if isinstance(value, tuple):
            return value
        start, dash, end = value.partition("-")
        try:
            seconds = _seconds(start), _seconds(end)
        except ValueError:
            dash = ""
        if not dash or not seconds[0] < seconds[1]:
            self.fail(f"{value!r} is no stretch of time; write 90-150, or 1:30-2:30.", param, ctx)
        return seconds


def _seconds(text: str) -> float:
    """Return the seconds of ``h:mm:ss``, ``m:ss`` or ``s``.

    >>> _seconds("1:02:03.5")
    3723.5
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text.strip()):
        raise ValueError(text)
    total = 0.0
    for part in text.strip().split(":"):
        total = 60 * total + float(part)
    return total


MEMORY = Memory()
TIME_RANGE = TimeRange()
