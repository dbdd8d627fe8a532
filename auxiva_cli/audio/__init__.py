"""Recordings in, separated files out."""

from __future__ import annotations

from auxiva_cli.audio.notices import Notice
from auxiva_cli.audio.output import OutputSet, open_outputs, open_standard_output
from auxiva_cli.audio.recording import Recording, open_recording
from auxiva_cli.audio.writers import OutputFormat, output_subtype

__all__ = [
    "Notice",
    "OutputFormat",
    "OutputSet",
    "Recording",
    "open_outputs",
    "open_recording",
    "open_standard_output",
    "output_subtype",
]
