"""What every test of ``auxiva separate`` begins with: a recording, and a place for its outputs."""

from __future__ import annotations

import os
import pty

import numpy as np
import pytest
import soundfile
from command_line import SAMPLE_RATE, mixture


@pytest.fixture
def record(tmp_path):
    """Write a recording and return its path."""

    def record(name="talk.wav", waveform=None, *, subtype="PCM_16", rate=SAMPLE_RATE, **kwargs):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        waveform = mixture(**kwargs) if waveform is None else waveform
        kind = path.suffix[1:].upper() or "WAV"
        soundfile.write(os.fsencode(path), np.transpose(waveform), rate, subtype, format=kind)
        return path

    return record


@pytest.fixture
def out(tmp_path):
    """Return the output directory, which is not there yet."""
    return tmp_path / "out"


@pytest.fixture
def terminal():
    """Return both ends of a terminal, the one to look at first."""
    ends = pty.openpty()
    yield ends
    for descriptor in ends:
        os.close(descriptor)
