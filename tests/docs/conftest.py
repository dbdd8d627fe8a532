"""What the pages' examples begin with: a clone of the project, as far as they use it."""

from __future__ import annotations

import shutil

import pytest
from pages import ROOT


@pytest.fixture
def clone(tmp_path):
    """Return a directory with the sample recordings in it."""
    shutil.copytree(ROOT / "sample_audio", tmp_path / "sample_audio")
    return tmp_path
