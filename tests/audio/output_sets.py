"""Two short signals as a set of outputs, and what a directory holds afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from auxiva_cli.audio import OutputFormat, open_outputs
from auxiva_cli.audio.output import OutputSet

RATE = 16_000
N_SAMPLES = 5_001
SIGNALS = np.random.default_rng(7).uniform(-0.9, 0.9, (2, 1, N_SAMPLES))
WAV_16 = OutputFormat(RATE, 1, N_SAMPLES)
FORMATS = [
    *(OutputFormat(RATE, 1, N_SAMPLES, "WAV", subtype)
      for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(OutputFormat(RATE, 1, N_SAMPLES, "FLAC", subtype) for subtype in ("PCM_16", "PCM_24")),
]  # fmt: skip


def write_blocks(outputs: OutputSet, signals: np.ndarray = SIGNALS) -> None:
    """Write signals in blocks, as separation does."""
    for start in range(0, signals.shape[-1], 2000):
        outputs.write(signals[..., start : start + 2000])


def write_set(
    paths: list[Path],
    output_format: OutputFormat = WAV_16,
    beside: Mapping[Path, bytes] | None = None,
    **options: bool,
) -> None:
    """Write and commit a set, with other files that belong to it."""
    with open_outputs(paths, output_format, **options) as outputs:
        write_blocks(outputs, SIGNALS[: len(paths)])
        for path, content in (beside or {}).items():
            outputs.add(path, content)
        outputs.commit()


def targets(directory: Path, suffix: str = "wav") -> list[Path]:
    """Return the names of a set of two."""
    return [directory / f"a_src{n}.{suffix}" for n in (1, 2)]


def contents(directory: Path) -> dict[str, bytes]:
    """Return every file of a directory, hidden ones too."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}
