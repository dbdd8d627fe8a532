"""Who speaks when: found in separated signals, and written as other programs read it."""

from auxiva_cli.activity.detect import Listener, Turn, detect_activity
from auxiva_cli.activity.formats import FORMATS, format_activity, read_rttm, shares

__all__ = [
    "FORMATS",
    "Listener",
    "Turn",
    "detect_activity",
    "format_activity",
    "read_rttm",
    "shares",
]
