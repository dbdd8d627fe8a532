"""Samples into one open file: WAV by ourselves, FLAC by libsndfile."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from auxiva_cli.audio.decoder import count_samples
from auxiva_cli.audio.descriptors import write_all
from auxiva_cli.audio.samples import ENCODINGS, stored_bytes
from auxiva_cli.audio.wav import wav_header, wav_track
from auxiva_cli.errors import ParameterError

__all__ = ["OutputFormat", "Writer", "count_tracks", "new_writer", "output_subtype"]

SUBTYPES = {
    "WAV": ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"),
    "FLAC": ("PCM_16", "PCM_24"),
}
FLAC_MAX_CHANNELS = 8
FLAC_MAX_SAMPLE_RATE = 655_350
READ_BYTES = 2**20


def output_subtype(subtype: str, container: str) -> str:
    """Return the encoding that outputs get when nothing else is asked for.

    The recording's own where the container has it.  FLAC has integers of 16 and 24 bits
    only; what was 8-bit, companded or compressed with loss becomes 16-bit.

    Parameters
    ----------
    subtype : str
        Of the recording, as in ``Recording.subtype``.
    container : {"WAV", "FLAC"}
        Of the outputs.

    Returns
    -------
    str
        ``PCM_16``, ``PCM_24``, ``PCM_32``, ``FLOAT`` or ``DOUBLE``.

    Examples
    --------
    >>> output_subtype("FLOAT", "WAV"), output_subtype("FLOAT", "FLAC")
    ('FLOAT', 'PCM_24')
    >>> output_subtype("ULAW", "WAV"), output_subtype("VORBIS", "FLAC")
    ('PCM_16', 'PCM_16')
    """
    if subtype in SUBTYPES[container]:
        return subtype
    return "PCM_24" if subtype in SUBTYPES["WAV"] else "PCM_16"


@dataclass(frozen=True)
class OutputFormat:
    """What every file of a set is to be.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_chan : int
        Channels of each file.
    n_samples : int
        Samples per channel; exactly as many must be written.
    container : {"WAV", "FLAC"}
        Kind of file.
    subtype : {"PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"}
        Encoding of a sample.

    Raises
    ------
    ParameterError
        If there is no such file.
    """

    sample_rate: int
    n_chan: int
    n_samples: int
    container: str = "WAV"
    subtype: str = "PCM_16"

    def __post_init__(self) -> None:
        if self.subtype not in SUBTYPES.get(self.container, ()):
            raise ParameterError(
                f"{self.container} with {self.subtype} samples cannot be written",
                hint=f"Choose from {', '.join(SUBTYPES.get(self.container, SUBTYPES))}.",
            )
        if self.container == "FLAC" and (
            self.n_chan > FLAC_MAX_CHANNELS or self.sample_rate > FLAC_MAX_SAMPLE_RATE
        ):
            raise ParameterError(
                f"FLAC holds at most {FLAC_MAX_CHANNELS} channels and {FLAC_MAX_SAMPLE_RATE} Hz, "
                f"not {self.n_chan} channels at {self.sample_rate} Hz",
                hint="Write WAV.",
            )

    @property
    def n_bytes(self) -> int:
        """Size of a file; with FLAC, the size that it hardly ever exceeds."""
        return len(self.header()) + self.n_samples * self.n_chan * ENCODINGS[self.subtype].width

    def header(self, n_tail: int = 0) -> bytes:
        """Return what stands before the samples of a WAV file, with so many bytes behind them."""
        return wav_header(self.n_samples, self.n_chan, self.sample_rate, self.subtype, n_tail)

    @property
    def step(self) -> float:
        """What one unit of a stored number is worth: 1 for floats."""
        is_float = self.subtype in ("FLOAT", "DOUBLE")
        return 1.0 if is_float else 2.0 ** (1 - 8 * ENCODINGS[self.subtype].width)

    @property
    def full_scale(self) -> float:
        """The largest value that is written without clipping."""
        return self.largest_value if self.step == 1 else 1.0 - self.step

    @property
    def largest_value(self) -> float:
        """The largest value that is written at all, clipped or not."""
        return float(np.finfo(np.float64 if self.subtype == "DOUBLE" else np.float32).max)


class Writer(Protocol):
    """Blocks into one file."""

    def append(self, stored: NDArray[Any]) -> None:
        """Write samples as `quantise` returns them, ``(n_samples, n_chan)``."""

    def finish(self) -> str:
        """Write what stands at the end, check the file, and return its SHA-256."""

    def close(self) -> None:
        """Let go of the file, finished or not."""


def new_writer(descriptor: int, output_format: OutputFormat, track: str = "") -> Writer:
    """Return a writer that begins an empty file.

    Parameters
    ----------
    descriptor : int
        The open file; it stays open.
    output_format : OutputFormat
        What the file is to be.
    track : str, optional
        Which of several it is, such as ``2/3``: said in the file.

    Returns
    -------
    Writer
        Its methods raise ``OSError``.
    """
    kind = FlacWriter if output_format.container == "FLAC" else WavWriter
    return kind(descriptor, output_format, track)


def count_tracks(path: Path) -> int | None:
    """Return of how many a file is one, as it says itself; None if it does not."""
    if not path.is_file():
        return None
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            found = re.fullmatch(r"\d{1,4}/(\d{1,4})", file.tracknumber)
    except (OSError, soundfile.SoundFileError):
        return None
    return int(found[1]) if found else None


class WavWriter:
    """A WAV file; its length is known, so its header is right from the first byte."""

    def __init__(self, descriptor: int, output_format: OutputFormat, track: str) -> None:
        self.descriptor = descriptor
        self.format = output_format
        self.tail = wav_track(track) if track else b""
        self.digest = hashlib.sha256()
        self._write(output_format.header(len(self.tail)))

    def append(self, stored: NDArray[Any]) -> None:
        """Write samples."""
        self._write(stored_bytes(stored, self.format.subtype))

    def finish(self) -> str:
        """Pad to an even length, and write what stands after the samples."""
        end = bytes(self.format.n_bytes % 2) + self.tail
        self._write(end)
        if os.fstat(self.descriptor).st_size != self.format.n_bytes + len(end):
            raise OSError(errno.EIO, "the file has not the length that was written")
        return self.digest.hexdigest()

    def close(self) -> None:
        """Do nothing: the file belongs to the caller."""

    def _write(self, content: bytes) -> None:
        """Write bytes, and have them in the digest."""
        write_all(self.descriptor, content)
        self.digest.update(content)


class FlacWriter:
    """A FLAC file."""

    def __init__(self, descriptor: int, output_format: OutputFormat, track: str) -> None:
        self.descriptor = descriptor
        self.format = output_format
        self.file = soundfile.SoundFile(
            descriptor,
            "w",
            output_format.sample_rate,
            output_format.n_chan,
            output_format.subtype,
            format="FLAC",
            closefd=False,
        )
        if track:
            self.file.tracknumber = track
        self.md5 = hashlib.md5(usedforsecurity=False)  # of the samples: it stands in the header

    def append(self, stored: NDArray[Any]) -> None:
        """Write samples."""
        self.md5.update(stored_bytes(stored, self.format.subtype))
        left_justified = stored.astype(np.int32) << (32 - 8 * ENCODINGS[self.format.subtype].width)
        try:
            self.file.write(left_justified)
        except soundfile.LibsndfileError as error:
            raise self._reason() from error

    def finish(self) -> str:
        """Let the encoder end, then check everything: it may end badly without a word."""
        try:
            self.file.close()
            n_samples = count_samples(self.descriptor)
        except soundfile.LibsndfileError as error:
            raise self._reason() from error
        if n_samples != self.format.n_samples or not self._has_header():
            raise self._reason()
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        digest = hashlib.sha256()
        while content := os.read(self.descriptor, READ_BYTES):
            digest.update(content)
        return digest.hexdigest()

    def close(self) -> None:
        """End the encoder, which would write later otherwise."""
        with contextlib.suppress(soundfile.LibsndfileError):
            self.file.close()

    def _has_header(self) -> bool:
        """Tell whether the encoder has come back to the header, field by field (RFC 9639)."""
        header = os.pread(self.descriptor, 42, 0)
        smallest_frame, largest_frame, n_samples = header[12:15], header[15:18], header[21:26]
        return (
            any(smallest_frame)
            and any(largest_frame)
            and int.from_bytes(n_samples, "big") % 2**36 == self.format.n_samples
            and header[26:42] == self.md5.digest()
        )

    def _reason(self) -> OSError:
        """Ask the system for what libsndfile does not tell: why the last write failed."""
        try:
            os.lseek(self.descriptor, 0, os.SEEK_END)
            write_all(self.descriptor, bytes(2**16))
        except OSError as error:
            return error
        return OSError(errno.EIO, "the FLAC encoder could not write everything")
