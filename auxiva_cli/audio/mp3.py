"""Sound for listening: one channel as MP3, which every browser plays.

One rate and one constant bit rate for all: LAME then neither shifts nor lengthens the sound, and a
player finds any moment of it exactly.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from auxiva_cli.audio.descriptors import temporary_descriptor, temporary_directory, write_error

__all__ = ["MP3_RATE", "Mp3"]

Array = NDArray[Any]
MP3_RATE = 16_000
# libsndfile's scale; 40 kbit/s at this rate.
COMPRESSION_LEVEL = 0.8
# Of the low-pass filter before resampling: its cut-off, of what either rate holds, and its zero
# crossings on either side.
CUT_OFF, N_CROSSINGS = 0.94, 12
PIECE = 2**14  # samples


class Mp3:
    """A channel of sound that becomes MP3, in a temporary file; closing deletes it.

    Parameters
    ----------
    sample_rate : int
        Of the sound, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._resampler = Resampler(sample_rate, MP3_RATE) if sample_rate != MP3_RATE else None
        self._descriptor = temporary_descriptor()
        self._file = soundfile.SoundFile(
            self._descriptor,
            "w",
            MP3_RATE,
            1,
            "MPEG_LAYER_III",
            format="MP3",
            closefd=False,
            compression_level=COMPRESSION_LEVEL,
            bitrate_mode="CONSTANT",
        )

    def add(self, samples: Array) -> None:
        """Append samples, (n_samples,), full scale 1.

        Raises
        ------
        OutputError
            ``no-space`` or ``write-error``.
        """
        if self._resampler is not None:
            samples = self._resampler.add(samples)
        self._write(samples)

    def finish(self) -> int:
        """Encode what is left, and return the size in bytes."""
        if self._resampler is not None:
            self._write(self._resampler.finish())
        self._file.close()
        return os.fstat(self._descriptor).st_size

    def read(self) -> bytes:
        """Return the finished file."""
        size = os.fstat(self._descriptor).st_size
        return os.pread(self._descriptor, size, 0)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        os.close(self._descriptor)

    def _write(self, samples: Array) -> None:
        """Encode samples at the rate of the file."""
        try:
            self._file.write(np.clip(samples, -1, 1).astype(np.float32))
        except soundfile.LibsndfileError as error:
            raise write_error(OSError(str(error)), temporary_directory()) from error


class Resampler:
    """Sound at another sample rate, block by block: a windowed sinc, one phase a fraction.

    Output ``m`` is the sum of the samples around the time ``m · down / up`` (in samples), weighted
    with a low-pass filter at that distance; there are ``up`` different sets of weights.

    Parameters
    ----------
    sample_rate, new_rate : int
        In Hz.
    """

    def __init__(self, sample_rate: int, new_rate: int) -> None:
        common = math.gcd(sample_rate, new_rate)
        self._up, self._down = new_rate // common, sample_rate // common
        cut_off = CUT_OFF * min(1.0, new_rate / sample_rate)
        self._half = half = math.ceil(N_CROSSINGS / cut_off)
        # Weight of sample floor(time) + j for j = 1 - half … half.
        distance = np.arange(1 - half, half + 1) - np.arange(self._up)[:, None] / self._up
        window = np.cos(np.pi / 2 * np.clip(distance / half, -1, 1)) ** 2
        self._weights = (cut_off * np.sinc(cut_off * distance) * window).astype(np.float32)
        self._rest = np.zeros(half - 1, np.float32)
        self._first = 1 - half  # which sample the rest begins with
        self._n_in = self._n_out = 0

    def add(self, samples: Array) -> Array:
        """Take in samples, and return those at the new rate that they make complete."""
        self._n_in += len(samples)
        pieces = [self._add(samples[i : i + PIECE]) for i in range(0, len(samples), PIECE)]
        return np.concatenate([np.zeros(0, np.float32), *pieces])

    def finish(self) -> Array:
        """Return what is left, as if silence followed."""
        n_wanted = math.ceil(self._n_in * self._up / self._down) - self._n_out
        return self._add(np.zeros(self._half + 1, np.float32))[:n_wanted]

    def _add(self, samples: Array) -> Array:
        """Take in a piece."""
        held = np.concatenate([self._rest, samples], dtype=np.float32)
        # The last whole time whose half window is held.
        last = self._first + len(held) - 1 - self._half
        n_end = max(self._n_out, ((last + 1) * self._up - 1) // self._down + 1)
        times = np.arange(self._n_out, n_end) * self._down
        begin = times // self._up + 1 - self._half - self._first
        if len(times):
            windows = np.lib.stride_tricks.sliding_window_view(held, 2 * self._half)[begin]
            made: Array = np.einsum("mj,mj->m", windows, self._weights[times % self._up])
        else:
            made = np.zeros(0, np.float32)
        self._n_out = n_end
        keep = n_end * self._down // self._up + 1 - self._half - self._first
        keep = min(max(keep, 0), len(held))
        self._rest = held[keep:]
        self._first += keep
        return made
