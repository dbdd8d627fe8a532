"""The page of a batch: a row a recording, from what the pages of the recordings say themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from auxiva_cli.report.chart import TIMELINE_COLUMNS
from auxiva_cli.report.page import page_name, render

__all__ = ["index_page"]

OPENING = b'<script type="application/json" id="summary">'
CLOSING = b"</script>"
HEAD_BYTES = 2**18  # within which a page has its summary


def index_page(
    pages: Iterable[Path], directory: Path, failures: Iterable[tuple[str, str]]
) -> bytes:
    """Return the HTML file of a batch.

    Parameters
    ----------
    pages : iterable of Path
        Pages of recordings; those that are not there, or none of ours, are left out.
    directory : Path
        Where the index goes.
    failures : iterable of (str, str)
        Recordings that failed, and why.

    Raises
    ------
    MissingExtraError
        Without Jinja.
    """
    rows = []
    for path in pages:
        if (summary := _summary(path)) is not None:
            place = os.path.relpath(path, directory)
            rows.append({**summary, "url": f"./{quote(os.fsencode(place))}"})
    failed = [(page_name(name), page_name(why)) for name, why in failures]
    return render("index", "index.js", rows=rows, failures=failed, n_columns=TIMELINE_COLUMNS)


def _summary(path: Path) -> dict[str, Any] | None:
    """Return what a page says of its recording, None if it is no such page."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        summary = json.loads(head.partition(OPENING)[2].partition(CLOSING)[0])
        return {
            "name": str(summary["name"]),
            "seconds": float(summary["seconds"]),
            "speakers": int(summary["speakers"]),
            "levels": [None if level is None else float(level) for level in summary["levels"]],
            "warnings": [str(kind) for kind in summary["warnings"]],
            "timelines": [str(line) for line in summary["timelines"]],
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
