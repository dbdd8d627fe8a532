"""WAV through pipes while it comes: no size is known beforehand, and nothing is kept."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.audio.containers import identify
from auxiva_cli.audio.descriptors import stream_error, write_stream
from auxiva_cli.audio.samples import Encoding, decode, quantise, stored_bytes
from auxiva_cli.audio.source import keep_standard_input, read_piece, standard_input
from auxiva_cli.audio.wav import WavHead, parse_wav_head, wav_header
from auxiva_cli.errors import RecordingError

__all__ = ["WavReader", "WavWriter", "open_wav_stream"]

PIPE_BYTES = 2**16
LARGEST_HEAD = 2**20
HEAD_BYTES_OF_WAV = 12  # no more is waited for: the rest may be sound that is still to be made


class WavReader:
    """Samples out of a stream, as soon as they are there; a context manager.

    Attributes
    ----------
    head : WavHead
        What its header says.
    n_read : int
        Samples per channel so far.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting = b""
        self.n_read = 0
        self.head: WavHead
        self._encoding: Encoding

    def parse(self) -> bool:
        """Read the header; tell whether there are samples behind it that can be read as they are.

        Raises
        ------
        RecordingError
            ``malformed`` or ``unsupported``.
        """
        if not (begin := self._read_at(0, HEAD_BYTES_OF_WAV)) or identify(begin) != "WAV":
            return False
        self.head = parse_wav_head(self._read_at)
        if self.head.format.encoding is None:
            return False
        self._encoding = self.head.format.encoding
        self._waiting = self._waiting[self.head.data_offset :]
        return True

    @property
    def came(self) -> bytes:
        """What has come but was not handed out."""
        return self._waiting

    def read(self) -> NDArray[np.floating[Any]]:
        """Return the next samples, (n_chan, n_samples): what is there, none at the end.

        Raises
        ------
        RecordingError
            ``input-truncated`` if it ends before its header says, or within a sample.
        """
        width = self.head.format.frame_bytes
        promised = self.head.n_samples
        most = None if promised is None else (promised - self.n_read) * width
        while len(self._waiting) < width and most != 0:
            if not (piece := self._piece()):
                self._check_end()
                break
            self._waiting += piece
        n_bytes = len(self._waiting) // width * width
        n_bytes = n_bytes if most is None else min(n_bytes, most)
        raw, self._waiting = self._waiting[:n_bytes], self._waiting[n_bytes:]
        self.n_read += n_bytes // width
        return decode(raw, self._encoding, self.head.format.n_chan, self.head.byte_order)

    def drain(self) -> None:
        """Read what comes behind the sound, lest who writes it be told that nobody listens."""
        while self._piece():
            pass

    def close(self) -> None:
        """Let go of the stream."""
        os.close(self._descriptor)

    def __enter__(self) -> WavReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _check_end(self) -> None:
        """Refuse a stream that ends too early."""
        promised, stray = self.head.n_samples, len(self._waiting)
        if stray or (promised is not None and promised > self.n_read):
            of = "" if promised is None else f" of {promised}"
            raise RecordingError(
                f"the stream ended after {self.n_read}{of} samples per channel and {stray} bytes",
                hint="Look at the command before the pipe; what came until then was passed on.",
                kind="input-truncated",
            )

    def _read_at(self, offset: int, n_bytes: int) -> bytes:
        """Return bytes of the header, and read on as far as they are."""
        if offset + n_bytes > LARGEST_HEAD:
            raise RecordingError(
                f"no sound in its first {offset} bytes", hint="Is it WAV?", kind="malformed"
            )
        while len(self._waiting) < offset + n_bytes and (piece := self._piece()):
            self._waiting += piece
        return self._waiting[offset : offset + n_bytes]

    def _piece(self) -> bytes:
        """Return what comes next; nothing at the end."""
        return read_piece(self._descriptor, PIPE_BYTES)


def open_wav_stream() -> WavReader | None:
    """Listen to standard input.

    Returns
    -------
    WavReader or None
        None if it is no WAV; standard input then is a file of what came, from its beginning.

    Raises
    ------
    RecordingError
        ``input-closed``, ``input-empty``, ``not-audio``, ``malformed`` or ``unsupported``.
    """
    reader = WavReader(standard_input())
    try:
        if reader.parse():
            return reader
        keep_standard_input(reader.came)
    except BaseException:
        reader.close()
        raise
    reader.close()
    return None


class WavWriter:
    """Samples into standard output, as they come.

    Parameters
    ----------
    n_samples : int or None
        Per channel, if that is known.
    n_chan, sample_rate : int
        Of the stream.
    subtype : str
        Encoding of a sample.
    """

    def __init__(
        self, n_samples: int | None, n_chan: int, sample_rate: int, subtype: str, stream: int = 1
    ) -> None:
        self._stream = stream
        self._subtype = subtype
        self._n_bytes = 0
        self.n_clipped = 0
        self._write(wav_header(n_samples, n_chan, sample_rate, subtype))

    def write(self, block: NDArray[np.floating[Any]]) -> None:
        """Pass samples on.

        Parameters
        ----------
        block : ndarray of shape (n_chan, n_samples)
            Full scale is 1; integers beyond it are clipped, and counted.

        Raises
        ------
        OutputError
            ``output-closed`` or ``write-error``.
        """
        stored, n_clipped = quantise(block, self._subtype)
        self.n_clipped += n_clipped
        self._write(stored_bytes(stored, self._subtype))

    def _write(self, content: bytes) -> None:
        """Write bytes."""
        try:
            write_stream(self._stream, content)
        except OSError as error:
            raise stream_error(error, self._n_bytes) from error
        self._n_bytes += len(content)
