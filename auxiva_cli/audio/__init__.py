"""Recordings in, separated files out."""

from __future__ import annotations

from auxiva_cli.audio.notices import Notice
from auxiva_cli.audio.recording import Recording, open_recording

__all__ = ["Notice", "Recording", "open_recording"]
