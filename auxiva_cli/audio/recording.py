"""A recording: what it is, and its samples at any place."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import soundfile
from numpy.typing import NDArray

from auxiva_cli.audio.containers import (
    HEAD_BYTES,
    MEDIA,
    find_shortfall,
    identify,
    refuse_truncated,
)
from auxiva_cli.audio.decoder import decode_whole
from auxiva_cli.audio.descriptors import ReadAt, file_stamp, reader_at
from auxiva_cli.audio.media import decode_media
from auxiva_cli.audio.samples import Contents, Dtype, StoredSamples
from auxiva_cli.audio.source import open_source
from auxiva_cli.audio.wav import parse_wav
from auxiva_cli.errors import AuxivaError, Notice, RecordingError

__all__ = ["Recording", "SampleStore", "count_channels", "open_recording"]


class SampleStore(Protocol):
    """Where the samples of a recording are."""

    def read(self, start: int, n_samples: int) -> NDArray[Any]:
        """Return ``(n_chan, n_samples)`` of them."""

    def check_unchanged(self) -> None:
        """Raise ``read-error`` if the files were written to."""

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
    dtype: Dtype
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

    def check_unchanged(self) -> None:
        """Make sure that every block was read from one and the same recording.

        Raises
        ------
        RecordingError
            ``read-error`` if the file was written to since it was opened.
        """
        self.store.check_unchanged()

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


def open_recording(
    path: str | os.PathLike[str],
    *,
    allow_truncated: bool = False,
    max_duration: float = math.inf,
    audio_track: int | str | None = None,
    received: Callable[[int], None] | None = None,
) -> Recording:
    """Open a recording, whatever it comes in.

    Parameters
    ----------
    path : path-like
        A file, a FIFO, or ``"-"`` for standard input.
    allow_truncated : bool, default=False
        Accept a recording that ends before its header says; ``warnings`` then tells.
    max_duration : float, optional
        How many seconds a recording may last; so much is taken of a stream, which is read no
        further.
    audio_track : int or 'all', optional
        Which sound track of a film, from 1, or all as one recording.
    received : callable, optional
        Is told how many bytes of a stream have come.

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
    most_bytes = partial(_most_bytes, max_duration=max_duration)
    descriptor = open_source(path, most_bytes, received)
    decoded = None
    try:
        head = reader_at(descriptor)(0, HEAD_BYTES)
        is_stream = os.fstat(descriptor).st_nlink == 0  # what it was copied to has no name
        is_cut = is_stream and file_stamp(descriptor)[0] > most_bytes(head)
        if identify(head) == MEDIA:
            decoded = decode_media(
                descriptor, os.fsdecode(path), track=audio_track, allow_truncated=allow_truncated
            )
            os.dup2(decoded.descriptor, descriptor, inheritable=False)
            os.close(decoded.descriptor)
        contents = _contents(descriptor, allow_truncated or is_cut)
    finally:
        os.close(descriptor)
    if decoded is not None:
        contents = decoded.named(contents)
    if is_cut:
        notices = [each for each in contents.warnings if each.kind != "input-truncated"]
        contents = contents._replace(warnings=tuple(notices))
    if (duration := contents.n_samples / contents.sample_rate) > max_duration:
        if not is_stream:
            contents.store.close()
            raise RecordingError(
                f"it lasts {duration:.1f} s, {max_duration:g} s are allowed",
                hint="Cut it, or allow more.",
                kind="resource-limit",
            )
        text = f"listened for {max_duration:g} s, as long as is allowed, and no longer"
        contents = contents._replace(
            n_samples=int(max_duration * contents.sample_rate),
            warnings=(*contents.warnings, Notice("input-truncated", text)),
        )
    name = os.fsdecode(path)
    return Recording(name, Path(name), *contents)


def _most_bytes(head: bytes, max_duration: float) -> float:
    """Return after how many bytes a recording has lasted long enough, as far as its first tell."""
    if max_duration == math.inf or identify(head) != "WAV":
        return math.inf
    try:
        layout = parse_wav(
            lambda offset, n: head[offset : offset + n], len(head), allow_truncated=True
        )
    except RecordingError:
        return math.inf
    n_samples = 1 + max_duration * layout.format.sample_rate
    return layout.data_offset + n_samples * layout.format.frame_bytes


def _contents(descriptor: int, allow_truncated: bool) -> Contents:
    """Find the samples of an open file: in place if they are plain, decoded otherwise."""
    read_at = reader_at(descriptor)
    stamp = file_size, _ = file_stamp(descriptor)
    container = identify(read_at(0, HEAD_BYTES))
    if container != "WAV":
        notices = find_shortfall(container, read_at, file_size)
        refuse_truncated(notices, allow_truncated=allow_truncated)
        decoded = decode_whole(descriptor, container, container, allow_truncated=allow_truncated)
        return decoded._replace(warnings=notices + decoded.warnings)

    layout = parse_wav(read_at, file_size, allow_truncated=allow_truncated)
    wav_format, encoding = layout.format, layout.format.encoding
    if encoding is None:
        name = f"WAV of encoding {wav_format.codec_name}"
        decoded = decode_whole(descriptor, container, name, allow_truncated=allow_truncated)
        return decoded._replace(warnings=layout.notices + decoded.warnings)
    return Contents(
        sample_rate=wav_format.sample_rate,
        n_chan=wav_format.n_chan,
        n_samples=layout.n_bytes // wav_format.frame_bytes,
        subtype=encoding.subtype,
        container=container,
        dtype=encoding.dtype,
        warnings=layout.notices,
        store=StoredSamples(
            os.dup(descriptor),
            encoding,
            wav_format.n_chan,
            layout.data_offset,
            layout.byte_order,
            stamp,
        ),
    )


def count_channels(path: str | os.PathLike[str]) -> int | None:
    """Return the number of channels that the header of a regular file states.

    Parameters
    ----------
    path : path-like
        A file, not a pipe.

    Returns
    -------
    int or None
        None where the header cannot be read: opening the recording then tells why.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        read_at = reader_at(descriptor)
        head = read_at(0, HEAD_BYTES)
        if identify(head) == "WAV":
            size = os.fstat(descriptor).st_size
            return parse_wav(_after(head, read_at), size, allow_truncated=True).format.n_chan
        with soundfile.SoundFile(os.fsencode(path)) as file:
            return int(file.channels)
    except (AuxivaError, OSError, soundfile.SoundFileError):
        return None
    finally:
        os.close(descriptor)


def _after(head: bytes, read_at: ReadAt) -> ReadAt:
    """Return a ``read_at`` that does not ask the system for what is in a head of the file."""

    def read(offset: int, n_bytes: int) -> bytes:
        if offset + n_bytes <= len(head):
            return head[offset : offset + n_bytes]
        return read_at(offset, n_bytes)

    return read
