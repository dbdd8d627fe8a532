"""Separate the speakers of a multichannel recording, blindly, with AuxIVA-IPA.

>>> import numpy as np
>>> from auxiva_cli import separate
>>> rng = np.random.default_rng(0)
>>> sources = rng.laplace(size=(2, 32000)) * np.repeat(rng.uniform(0, 1, (2, 100)), 320, axis=1)
>>> mixture = np.array([[1.0, 0.6], [0.5, 1.0]]) @ sources
>>> result = separate(mixture, 16000, n_fft=512)
>>> result.sources.shape
(2, 32000)
>>> bool(np.allclose(result.sources.sum(axis=0), mixture[0], atol=1e-5))
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auxiva_cli.errors import (
    AuxivaError,
    FiltersError,
    Notice,
    OutputError,
    ParameterError,
    RecordingError,
)

if TYPE_CHECKING:
    from auxiva_cli.api import (
        Count,
        Filters,
        Iteration,
        MemoryPlan,
        Mixture,
        Observer,
        Plan,
        SeparationResult,
        StageTrace,
        Stft,
        learn,
        separate,
    )

__all__ = [
    "AuxivaError",
    "Count",
    "Filters",
    "FiltersError",
    "Iteration",
    "MemoryPlan",
    "Mixture",
    "Notice",
    "Observer",
    "OutputError",
    "ParameterError",
    "Plan",
    "RecordingError",
    "SeparationResult",
    "StageTrace",
    "Stft",
    "learn",
    "separate",
]


def __getattr__(name: str) -> Any:
    """Import the numerical half of the package when it is first asked for."""
    if name in __all__:
        from auxiva_cli import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
