"""A recording: what it is, and its samples at any place."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from auxiva_cli.audio.decoder import decode_whole
from auxiva_cli.audio.descriptors import reader_at
from auxiva_cli.audio.notices import Notice, refuse_truncated
from auxiva_cli.audio.sniff import HEAD_BYTES, find_shortfall, identify
from auxiva_cli.audio.source import open_source
from auxiva_cli.audio.stored_samples import Contents, StoredSamples
from auxiva_cli.audio.wav_layout import parse_wav

__all__ = ["Recording", "SampleStore", "open_recording"]


class SampleStore(Protocol):
    """Where the samples of a recording are."""

    def read(self, start: int, n_samples: int) -> NDArray[Any]:
        """Return ``(n_chan, n_samples)`` of them."""

    def close(self) -> None:
        """Let go of files."""


@dataclass(frozen=True, eq=False)
class Recording:
    """An open recording, a context manager.

    Parameters
    ----------
    name : str
        As the user gave it.
    path : Path
        The same as a path; ``Path("-")`` is standard input.
    sample_rate : int
        In Hz.
    n_chan : int
        Number of channels.
    n_samples : int
        Samples per channel that are truly there.
    subtype : str
        Encoding of the file, in libsndfile's words: ``PCM_16``, ``FLOAT``, ``VORBIS``, ...
    container : str
        ``WAV``, ``FLAC``, ``OGG``, ...
    dtype : {"float32", "float64"}
        Of the blocks: the narrowest that holds every sample exactly.
    warnings : tuple of Notice
        What is odd about the recording.
    store : SampleStore
        Where the samples are.
    """

    name: str
    path: Path
    sample_rate: int
    n_chan: int
    n_samples: int
    subtype: str
    container: str
    dtype: Literal["float32", "float64"]
    warnings: tuple[Notice, ...]
    store: SampleStore = field(repr=False)

    def read(self, start: int, n_samples: int) -> NDArray[Any]:
        """Read a block of every channel.

        Parameters
        ----------
        start : int
            First sample.
        n_samples : int
            How many; the block must lie within the recording.

        Returns
        -------
        ndarray of shape (n_chan, n_samples)
            Full scale is 1, whatever the file's encoding; the caller owns it.

        Raises
        ------
        RecordingError
            ``read-error`` if fewer samples come than were there when the file was opened.
        """
        if not 0 <= start <= start + n_samples <= self.n_samples:
            raise IndexError(
                f"samples {start} to {start + n_samples} of a recording of {self.n_samples}"
            )
        return self.store.read(start, n_samples)

    def close(self) -> None:
        """Close the file."""
        self.store.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_recording(path: str | os.PathLike[str], *, allow_truncated: bool = False) -> Recording:
    """Open a recording, whatever it comes in.

    Parameters
    ----------
    path : path-like
        A file, a FIFO, or ``"-"`` for standard input.
    allow_truncated : bool, default=False
        Accept a recording that ends before its header says; ``warnings`` then tells.

    Returns
    -------
    Recording
        A context manager; leaving it closes the file.

    Raises
    ------
    RecordingError
        If it cannot be read, or not completely.
    OutputError
        ``no-space`` if a stream or a compressed recording does not fit into ``$TMPDIR``.
    """
    descriptor = open_source(path)
    try:
        contents = _contents(descriptor, allow_truncated)
    finally:
        os.close(descriptor)
    store = contents.store
    return Recording(
        name=os.fsdecode(path),
        path=Path(os.fsdecode(path)),
        sample_rate=contents.sample_rate,
        n_chan=store.n_chan,
        n_samples=contents.n_samples,
        subtype=contents.subtype,
        container=contents.container,
        dtype=store.encoding.dtype,
        warnings=contents.notices,
        store=store,
    )


def _contents(descriptor: int, allow_truncated: bool) -> Contents:
    """Find the samples of an open file: in place if they are plain, decoded otherwise."""
    read_at = reader_at(descriptor)
    file_size = os.fstat(descriptor).st_size
    head = read_at(0, HEAD_BYTES)
    container = identify(head)
    if container != "WAV":
        notices = find_shortfall(head, file_size)
        refuse_truncated(notices, allow_truncated=allow_truncated)
        decoded = decode_whole(descriptor, container, container, allow_truncated=allow_truncated)
        return decoded._replace(notices=notices + decoded.notices)

    layout = parse_wav(read_at, file_size, allow_truncated=allow_truncated)
    encoding = layout.format.encoding
    if encoding is None:
        name = f"WAV of encoding {layout.format.codec_name}"
        decoded = decode_whole(descriptor, container, name, allow_truncated=allow_truncated)
        return decoded._replace(notices=layout.notices + decoded.notices)
    store = StoredSamples(
        os.dup(descriptor), encoding, layout.format.n_chan, layout.data_offset, layout.byte_order
    )
    n_samples = layout.n_bytes // layout.format.frame_bytes
    rate = layout.format.sample_rate
    return Contents(store, rate, n_samples, encoding.subtype, container, layout.notices)
