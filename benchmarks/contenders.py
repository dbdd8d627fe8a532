"""Who is compared: each separates the same whitened STFT and marks the end of every iteration.

All of them fit the spherical Laplace model over all frequencies.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.bss.auxiva import Iteration, Stage, auxiva
from auxiva_cli.bss.fold import pack
from auxiva_cli.bss.source_models import laplace
from auxiva_cli.bss.updates.ipa import ipa
from auxiva_cli.config import Settings
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads, available_cpus
from auxiva_cli.separation import learn
from benchmarks.problem import Problem

__all__ = ["CONTENDERS", "Contender", "Mark"]

Array = NDArray[Any]
# Is told the number of iterations done, and can ask for the demixing matrices.
Mark = Callable[[int, Callable[[], Array]], None]
Run = Callable[[Problem, int, Mark], None]


@dataclass(frozen=True)
class Contender:
    """An implementation of a separation algorithm.

    Attributes
    ----------
    label : str
        Name in the tables.
    package : str
        The distribution that it is part of.
    prepare : callable
        Imports it.
    run : callable
        Runs some iterations, for the clock.
    trace : callable
        Runs the same iterations, for the demixing matrices.
    """

    label: str
    package: str
    prepare: Callable[[], object]
    run: Run
    trace: Run


class _Marking(Observer):
    """Marks the iterations of a fit."""

    def __init__(self, mark: Mark) -> None:
        self._mark = mark

    def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
        """Mark the end of an iteration."""
        self._mark(iteration.number, _unknown)


def _unknown() -> Array:
    """Refuse to give demixing matrices to the clock."""
    raise LookupError("a timed run keeps no demixing matrices")


def _run_auxiva(problem: Problem, n_iter: int, mark: Mark, *, n_threads: int) -> None:
    """Run the very function that the command runs."""
    settings = Settings(
        model="laplace", max_iter=n_iter, tol=0, n_fft=4096, hop_length=1024, window="hann"
    )
    mixture = ArrayMixture(problem.example.mixture, problem.example.sample_rate)
    with Threads(n_threads) as threads:
        learn(mixture, settings, threads=threads, observer=_Marking(mark))


def _trace_auxiva(problem: Problem, n_iter: int, mark: Mark) -> None:
    """Run the loop of ``learn`` on the whitened STFT, in its precision, and look at each update."""
    X = problem.X.astype(np.complex64)
    n_chan, n_freq = X.shape[1:]
    tables = [partial(pack, X[t : t + 64]) for t in range(0, len(X), 64)]
    W = np.repeat(np.eye(n_chan, dtype=complex)[..., None], n_freq, axis=-1)
    stage = Stage("laplace", laplace(n_freq), tables, n_iter, tol=0)

    def report(iteration: Iteration, W: Array) -> None:
        mark(iteration.number, lambda: W)

    auxiva(W, [stage], ipa, report=report, advanced=lambda _, __: None)


def _prepare_ssspy() -> object:
    """Import ssspy."""
    import ssspy.bss.iva

    return ssspy


def _run_ssspy(problem: Problem, n_iter: int, mark: Mark, *, algorithm: str) -> None:
    """Run ssspy, which calls back after each iteration."""
    from ssspy.bss.iva import AuxLaplaceIVA

    number = -1

    def matrices() -> Array:
        if iva.demix_filter is None:  # IPA and ISS keep only what they separated
            return _demixing_matrices(problem, iva.output.transpose(2, 0, 1))
        return iva.demix_filter.transpose(1, 2, 0)

    def callback(_: Any) -> None:
        nonlocal number
        number += 1
        mark(number, matrices)

    iva = AuxLaplaceIVA(
        spatial_algorithm=algorithm,
        callbacks=callback,
        scale_restoration=False,
        record_loss=False,
    )
    iva(problem.X.transpose(1, 2, 0), n_iter=n_iter)


def _prepare_pyroomacoustics() -> object:
    """Import pyroomacoustics."""
    import pyroomacoustics

    return pyroomacoustics


def _run_pyroomacoustics(problem: Problem, n_iter: int, mark: Mark) -> None:
    """Run pyroomacoustics, which calls back at the start of each tenth iteration."""
    import pyroomacoustics

    number = -10

    def callback(Y: Array) -> None:
        nonlocal number
        number += 10
        mark(number, lambda: _demixing_matrices(problem, Y.transpose(0, 2, 1)))

    X = np.ascontiguousarray(problem.X.transpose(0, 2, 1))
    pyroomacoustics.bss.auxiva(
        X, n_iter=n_iter + 1, proj_back=False, model="laplace", callback=callback
    )


def _prepare_torchiva() -> object:
    """Import torchiva, without torchaudio where that does not load.

    Only its neural masks and its file reading, neither of which is used here, need torchaudio.
    """
    import torch

    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    try:
        import torchaudio
    except (ImportError, OSError):
        for name in ("torchaudio", "torchaudio.transforms"):
            sys.modules[name] = MagicMock(spec=ModuleType)
        sys.modules["torchaudio.transforms"].MelScale = object
    else:
        del torchaudio
    import torchiva

    return torchiva


def _run_torchiva(problem: Problem, n_iter: int, mark: Mark, *, algorithm: str) -> None:
    """Run torchiva, which asks the source model for weights at the start of each iteration."""
    import torch
    import torchiva

    number = -1

    class MarkingModel(torchiva.LaplaceModel):
        def forward(self, Y: Any) -> Any:
            nonlocal number
            number += 1
            mark(number, lambda: _demixing_matrices(problem, Y.numpy().transpose(2, 0, 1)))
            return super().forward(Y)

    X = torch.from_numpy(np.ascontiguousarray(problem.X.transpose(1, 2, 0), np.complex64))
    separator = getattr(torchiva, algorithm)(n_src=len(X), model=MarkingModel(), proj_back_mic=None)
    with torch.no_grad():
        separator(X, n_iter=n_iter + 1)


def _demixing_matrices(problem: Problem, Y: Array) -> Array:
    """Return the W with ``Y = W X`` for demixed frames (n_frames, n_src, n_freq)."""
    X = problem.X.transpose(2, 1, 0)  # (n_freq, n_chan, n_frames)
    X_H = X.conj().swapaxes(1, 2)
    W = (Y.transpose(2, 1, 0) @ X_H) @ np.linalg.inv(X @ X_H)
    return W.transpose(1, 2, 0)


def _auxiva(label: str, n_threads: int) -> Contender:
    """Return this project, with a number of threads."""
    run = partial(_run_auxiva, n_threads=n_threads)
    return Contender(label, "auxiva", lambda: None, run, _trace_auxiva)


def _ssspy(algorithm: str) -> Contender:
    """Return ssspy with an update rule."""
    run = partial(_run_ssspy, algorithm=algorithm)
    return Contender(f"ssspy {algorithm}", "ssspy", _prepare_ssspy, run, run)


def _torchiva(label: str, algorithm: str) -> Contender:
    """Return torchiva with an update rule."""
    run = partial(_run_torchiva, algorithm=algorithm)
    return Contender(label, "torchiva", _prepare_torchiva, run, run)


CONTENDERS = {
    "auxiva": _auxiva("**auxiva IPA**", available_cpus()),
    "auxiva-1": _auxiva("auxiva IPA, 1 thread", 1),
    "ssspy-ipa": _ssspy("IPA"),
    "ssspy-ip2": _ssspy("IP2"),
    "ssspy-iss": _ssspy("ISS"),
    "pyroomacoustics": Contender(
        "pyroomacoustics IP",
        "pyroomacoustics",
        _prepare_pyroomacoustics,
        _run_pyroomacoustics,
        _run_pyroomacoustics,
    ),
    "torchiva-ip": _torchiva("torchiva IP", "AuxIVA_IP"),
    "torchiva-iss": _torchiva("torchiva ISS", "T_ISS"),
}
