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
        found = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)\s*([kmg]?)(?:i?b)?", value.strip().lower())
        n_bytes = int(float(found[1]) * UNITS[found[2]]) if found else 0
        if not n_bytes:
            self.fail(f"{value!r} is no amount of memory; write 512MiB, or 2G.", param, ctx)
        return n_bytes


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


MEMORY = Memory()
TIME_RANGE = TimeRange()
