"""Lines of numbers as paths of SVG, in the colour of the text around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["curve", "silhouette", "timeline"]

CURVE_HEIGHT = 100.0
TIMELINE_COLUMNS = 160


def silhouette(peaks: ArrayLike, loudest: float) -> str:
    """Return the outline of a waveform, one unit a column, from -1 to 1 for the loudest peak."""
    heights = np.asarray(peaks, float) / (loudest or 1.0)
    # Half a pixel of silence is still a line.
    heights = np.maximum(heights, 0.006)
    upper = [f"{x},{-y:.3f}" for x, y in enumerate(heights)]
    lower = [f"{x},{y:.3f}" for x, y in reversed(list(enumerate(heights)))]
    return f"M{'L'.join(upper)}L{'L'.join(lower)}Z"


def curve(values: Sequence[float]) -> str:
    """Return a falling line in a square of 100 by 100, from the first value to the last."""
    lowest, highest = min(values), max(values)
    scale = (highest - lowest) or 1.0
    step = CURVE_HEIGHT / max(len(values) - 1, 1)
    points = [
        f"{i * step:.1f},{CURVE_HEIGHT * (highest - value) / scale:.1f}"
        for i, value in enumerate(values)
    ]
    return f"M{'L'.join(points)}"


def timeline(turns: Sequence[tuple[float, float]], duration: float) -> str:
    """Return when one speaks in so many characters, each a column of time: ``1`` or ``0``."""
    columns = np.zeros(TIMELINE_COLUMNS, bool)
    for start, end in turns:
        first = int(start / duration * TIMELINE_COLUMNS)
        columns[first : max(first + 1, round(end / duration * TIMELINE_COLUMNS))] = True
    return "".join("01"[int(column)] for column in columns)
