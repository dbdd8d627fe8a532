"""Recordings in, separated files out."""

from __future__ import annotations

from auxiva_cli.audio.array import open_array
from auxiva_cli.audio.containers import MAX_CHANNELS
from auxiva_cli.audio.mp3 import Mp3
from auxiva_cli.audio.names import (
    check_files,
    check_targets,
    exists,
    expand_template,
)
from auxiva_cli.audio.output import OutputSet, open_outputs, open_standard_output
from auxiva_cli.audio.recording import Recording, count_channels, open_recording
from auxiva_cli.audio.staging import landmark, prepare_directory, write_file
from auxiva_cli.audio.stream import WavReader, WavWriter, open_wav_stream
from auxiva_cli.audio.writers import OutputFormat, count_tracks, output_subtype

__all__ = [
    "MAX_CHANNELS",
    "Mp3",
    "OutputFormat",
    "OutputSet",
    "Recording",
    "WavReader",
    "WavWriter",
    "check_files",
    "check_targets",
    "count_channels",
    "count_tracks",
    "exists",
    "expand_template",
    "landmark",
    "open_array",
    "open_outputs",
    "open_recording",
    "open_standard_output",
    "open_wav_stream",
    "output_subtype",
    "prepare_directory",
    "write_file",
]
