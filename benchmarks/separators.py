"""What separates a mixture whose speakers are known: ours, the peers, and what could be reached."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli import separate
from auxiva_cli.config import AUTO
from auxiva_cli.listening.stft import Stft, default_n_fft, fitting_n_fft
from benchmarks.mixtures import Example

__all__ = [
    "PEERS",
    "Separator",
    "best_linear_filter",
    "itself",
    "of_checkout",
    "other_half",
    "ours",
    "published",
    "timed",
]

Array = NDArray[Any]
Separator = Callable[[Example], Array]
# Outputs, and seconds of processor time.
Timed = Callable[[Example], tuple[Array, float]]
# Run with the package of another checkout: a recording in, outputs out.
ELSEWHERE = """
import io, sys, time
import numpy as np
from auxiva_cli import separate

given = np.load(io.BytesIO(sys.stdin.buffer.read()))
settings = {"n_src": int(given["n_src"])} if given["n_src"] else {}
begin = time.process_time()
found = separate(given["mixture"], int(given["sample_rate"]), ref_chan=0, n_threads=1, **settings)
seconds = time.process_time() - begin
np.savez(sys.stdout.buffer, sources=found.sources, seconds=seconds)
"""


def timed(separator: Separator) -> Timed:
    """Measure the processor time of a separator."""

    def run(example: Example) -> tuple[Array, float]:
        begin = time.process_time()
        outputs = separator(example)
        return outputs, time.process_time() - begin

    return run


def ours(**settings: Any) -> Separator:
    """Return the program at its defaults, but for what is set and the number of speakers.

    One who is alone needs no separation: there it is the program that counts.
    """

    def run(example: Example) -> Array:
        n_src = len(example.references)
        asked = {"n_src": n_src if n_src > 1 else AUTO, "ref_chan": 0, "n_threads": 1} | settings
        found: Array = separate(example.mixture, example.sample_rate, **asked).sources
        return found

    return run


def published(example: Example) -> Array:
    """Run the published algorithm: spherical Laplace, all frequencies, 50 iterations, 256 ms."""
    n_src = len(example.references)
    asked = n_src if n_src > 1 else None
    return ours(model="laplace", max_iter=50, tol=0, n_src=asked)(example)


def of_checkout(checkout: Path) -> Timed:
    """Return the program of another checkout, at its defaults but for the number of speakers."""

    def run(example: Example) -> tuple[Array, float]:
        n_src = len(example.references)
        given = io.BytesIO()
        np.savez(
            given,
            mixture=example.mixture,
            sample_rate=example.sample_rate,
            n_src=n_src if n_src > 1 else 0,
        )
        done = subprocess.run(
            [sys.executable, "-c", ELSEWHERE],
            input=given.getvalue(),
            stdout=subprocess.PIPE,
            check=True,
            cwd=checkout,
            env=os.environ | {"PYTHONPATH": str(checkout)},
        )
        found = np.load(io.BytesIO(done.stdout))
        return found["sources"], float(found["seconds"])

    return run


def itself(example: Example) -> Array:
    """Return the mixture in place of each speaker."""
    return np.repeat(example.mixture[:1], len(example.references), axis=0)


def best_linear_filter(example: Example, *, n_fft: int | None = None) -> Array:
    """Fit the references by one filter per frequency, least squares: the limit of all others.

    The window is ours where none is given.
    """
    stft, X_f, S_f = _by_frequency(example, n_fft)
    Y_f = X_f @ _least_squares(X_f, S_f)
    return _transform_back(Y_f.transpose(1, 2, 0), example.mixture.shape[1], stft)


def other_half(example: Example, *, n_fft: int | None = None) -> Array:
    """Fit each half's filter on the other half: what a filter can know without the answer."""
    stft, X_f, S_f = _by_frequency(example, n_fft)
    first, second = slice(None, X_f.shape[1] // 2), slice(X_f.shape[1] // 2, None)
    parts = [
        X_f[:, here] @ _least_squares(X_f[:, there], S_f[:, there])
        for here, there in ((first, second), (second, first))
    ]
    Y_f = np.concatenate(parts, axis=1)
    return _transform_back(Y_f.transpose(1, 2, 0), example.mixture.shape[1], stft)


def _stft(n_fft: int) -> Stft:
    """Return the STFT of the paper, with a window of some length."""
    return Stft(n_fft, n_fft // 4, "hamming")


def _by_frequency(example: Example, n_fft: int | None) -> tuple[Stft, Array, Array]:
    """Return the STFT of mixture and references, (n_freq, n_frames, n), and how it is made."""
    n_samples, n_src = example.mixture.shape[1], len(example.references)
    stft = _stft(n_fft or fitting_n_fft(example.sample_rate, n_samples, n_src))
    X, S = _transform(example.mixture, stft), _transform(example.references, stft)
    return stft, X.transpose(2, 0, 1), S.transpose(2, 0, 1)


def _least_squares(X: Array, S: Array) -> Array:
    """Return the filters (n_freq, n_chan, n_src) that fit S by X."""
    R = X.conj().swapaxes(1, 2) @ X
    G: Array = np.linalg.pinv(R, rcond=1e-11, hermitian=True) @ (X.conj().swapaxes(1, 2) @ S)
    return G


def _transform(waveform: Array, stft: Stft) -> Array:
    """Return the STFT, (n_frames, n_chan, n_freq)."""
    n_samples = waveform.shape[-1]
    start, stop = stft.span(0, stft.n_frames(n_samples))
    return stft.analyse(np.pad(waveform, ((0, 0), (-start, stop - n_samples))))


def _transform_back(spectrum: Array, n_samples: int, stft: Stft) -> Array:
    """Return the waveform (n_chan, n_samples) of an STFT."""
    waveform, tail = stft.synthesise(spectrum)
    start = stft.n_fft - stft.hop_length
    return np.concatenate([waveform, tail], axis=-1)[:, start : start + n_samples]


def pyroomacoustics(name: str, n_iter: int, *, all_microphones: bool = False) -> Separator:
    """Return an algorithm of pyroomacoustics, on as many microphones as speakers or on all."""

    def run(example: Example) -> Array:
        import pyroomacoustics.bss as bss

        heard = example.mixture if all_microphones else example.mixture[: len(example.references)]
        stft = _stft(default_n_fft(example.sample_rate))
        X = np.ascontiguousarray(_transform(heard, stft).transpose(0, 2, 1))
        with np.errstate(all="ignore"):
            Y = getattr(bss, name)(X, n_iter=n_iter)
        return _transform_back(Y.transpose(0, 2, 1), example.mixture.shape[1], stft)

    return run


def ssspy_ipa(example: Example) -> Array:
    """Run AuxIVA-IPA of ssspy, on as many microphones as speakers."""
    from ssspy.bss.iva import AuxLaplaceIVA

    stft = _stft(default_n_fft(example.sample_rate))
    X = _transform(example.mixture[: len(example.references)], stft)
    iva = AuxLaplaceIVA(spatial_algorithm="IPA", record_loss=False)
    Y = iva(X.transpose(1, 2, 0), n_iter=50)
    return _transform_back(Y.transpose(2, 0, 1), example.mixture.shape[1], stft)


PEERS: dict[str, Separator] = {
    "pyroomacoustics AuxIVA": pyroomacoustics("auxiva", 50),
    "ILRMA": pyroomacoustics("ilrma", 50),
    "FastMNMF2": pyroomacoustics("fastmnmf2", 50),
    "ssspy AuxIVA-IPA": ssspy_ipa,
}
