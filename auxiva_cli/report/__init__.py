"""Pages to look at and listen to: one for each recording, and one for a batch."""

from auxiva_cli.report.index import index_page
from auxiva_cli.report.page import Curve, Lane, Page, check_extra, clock, page_name, recording_page
from auxiva_cli.report.portrait import Portrait

__all__ = [
    "Curve",
    "Lane",
    "Page",
    "Portrait",
    "check_extra",
    "clock",
    "index_page",
    "page_name",
    "recording_page",
]
