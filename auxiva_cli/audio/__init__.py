"""Recordings in, separated files out."""

from __future__ import annotations

from auxiva_cli.audio.array import open_array
from auxiva_cli.audio.limits import MAX_CHANNELS
from auxiva_cli.audio.naming import expand_template
from auxiva_cli.audio.notices import Notice
from auxiva_cli.audio.output import OutputSet, open_outputs, open_standard_output
from auxiva_cli.audio.preflight import (
    check_absent,
    check_distinct,
    check_not_inputs,
    check_replaceable,
    exists,
    prepare_directory,
)
from auxiva_cli.audio.probe import count_channels
from auxiva_cli.audio.recording import Recording, open_recording
from auxiva_cli.audio.staging import sweep, write_file
from auxiva_cli.audio.writers import OutputFormat, output_subtype

__all__ = [
    "MAX_CHANNELS",
    "Notice",
    "OutputFormat",
    "OutputSet",
    "Recording",
    "check_absent",
    "check_distinct",
    "check_not_inputs",
    "check_replaceable",
    "count_channels",
    "exists",
    "expand_template",
    "open_array",
    "open_outputs",
    "open_recording",
    "open_standard_output",
    "output_subtype",
    "prepare_directory",
    "sweep",
    "write_file",
]
