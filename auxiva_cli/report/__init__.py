"""Pages to look at and listen to: one for each recording, and one for a batch."""

from auxiva_cli.report.index import index_page
from auxiva_cli.report.page import (
    Curve,
    Lane,
    Page,
    check_extra,
    clock,
    decibels,
    page_name,
    recording_page,
)
from auxiva_cli.report.portrait import Portrait
from auxiva_cli.report.race import Race, Runner, race_page

__all__ = [
    "Curve",
    "Lane",
    "Page",
    "Portrait",
    "Race",
    "Runner",
    "check_extra",
    "clock",
    "decibels",
    "index_page",
    "page_name",
    "race_page",
    "recording_page",
]
