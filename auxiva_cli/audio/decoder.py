"""Everything but plain WAV, decoded once by libsndfile into a temporary file of plain samples.

Its own reading is not relied on for more: it seeks inexactly in Vorbis and MP3 and not at all in
GSM 6.10, and the lengths that it reports are what headers claim.  Decoding from the first sample
to the last settles the true length, and gives random access that is exact.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import soundfile

from auxiva_cli.audio.containers import check_plausible, find_pieces, refuse_truncated
from auxiva_cli.audio.descriptors import (
    append_temporary,
    check_stamp,
    file_stamp,
    free_bytes,
    read_error,
    reader_at,
    temporary_descriptor,
    temporary_directory,
)
from auxiva_cli.audio.samples import ENCODINGS, Contents, Encoding, StoredSamples
from auxiva_cli.errors import Notice, RecordingError

__all__ = ["count_samples", "decode_whole"]

BLOCK_LENGTH = 4096  # samples: where damage begins, the rest of a block is lost
READ_BYTES = 2**20
MALFORMED_FILE = 3  # libsndfile's SF_ERR_MALFORMED_FILE
MOST_FRAMES_PER_BYTE = 8192  # more than a FLAC frame of constant value packs
HARMLESS_BYTES, MOST_EXPANSION = 2**30, 1000  # speech takes a hundredth, at the very least
SIXTEEN_BITS = frozenset(
    {"PCM_S8", "PCM_U8", "PCM_16", "ALAC_16", "ALAW", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"}
)
DOUBLE_PRECISION = frozenset({"PCM_32", "ALAC_32", "DOUBLE"})
ESTIMATED_LENGTH = frozenset({"MP3", "WAV"})  # compressed WAV rounds up to whole blocks


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read from front to back: soundfile then never seeks."""

    def seekable(self) -> bool:
        """Say no, so that reading a block is only that."""
        return False


def decode_whole(descriptor: int, container: str, name: str, *, allow_truncated: bool) -> Contents:
    """Decode a recording from its first sample to its last.

    Parameters
    ----------
    descriptor : int
        A regular file; its offset is moved, it stays open.
    container : str
        ``WAV``, ``FLAC``, ...
    name : str
        What the format is called in messages.
    allow_truncated : bool
        Accept fewer samples than the header claims, with a notice.

    Returns
    -------
    Contents
        The samples in a temporary file.

    Raises
    ------
    RecordingError
        ``malformed``, ``unsupported``, ``input-truncated``, ``input-empty``, ``resource-limit`` or
        ``read-error``.
    OutputError
        ``no-space`` if the samples do not fit into the directory for temporary files.
    """
    try:
        return _decode(descriptor, container, name, allow_truncated=False)
    except RecordingError as error:
        if error.kind == "resource-limit":
            raise
    # What looks like damage may be a disk that fails: libsndfile tells the one like the other.
    _read_through(descriptor)
    return _decode(descriptor, container, name, allow_truncated=allow_truncated)


def _decode(descriptor: int, container: str, name: str, *, allow_truncated: bool) -> Contents:
    """Decode every stream of a file into one temporary file."""
    stamp = file_size, _ = file_stamp(descriptor)
    starts = find_pieces(container, reader_at(descriptor), file_size)
    first, *others = pairwise([*starts, file_size])
    with _opened(descriptor, *first, container, name) as file:
        check_plausible(file.channels, file.samplerate)
        store = StoredSamples(temporary_descriptor(), _storage(file.subtype), file.channels)
        try:
            copied = [_copy_samples(file, store, file_size)]
            for piece in others:
                with _opened(descriptor, *piece, container, name) as following:
                    _check_alike(file, following)
                    copied.append(_copy_samples(following, store, file_size))
            check_stamp(descriptor, stamp)
            n_samples = sum(part.n_samples for part in copied)
            notices = _shortfall(container, copied)
            refuse_truncated(notices, allow_truncated=allow_truncated)
            if n_samples == 0:
                raise RecordingError(f"{name} without any audio", kind="input-empty")
        except BaseException:
            store.close()
            raise
        return Contents(
            sample_rate=file.samplerate,
            n_chan=file.channels,
            n_samples=n_samples,
            subtype=file.subtype,
            container=container,
            dtype=store.encoding.dtype,
            warnings=notices,
            store=store,
        )


def count_samples(descriptor: int) -> int:
    """Decode a file to its end.

    Parameters
    ----------
    descriptor : int
        A regular file; its offset is moved, it stays open.

    Returns
    -------
    int
        Samples per channel.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    with _SequentialFile(descriptor, closefd=False) as file:
        block = np.empty((BLOCK_LENGTH, file.channels), np.int32)
        return sum(iter(lambda: len(file.read(out=block)), 0))


@contextmanager
def _opened(
    descriptor: int, start: int, end: int, container: str, name: str
) -> Iterator[soundfile.SoundFile]:
    """Open one of the streams in a file; in a copy of its own, if it is not the only one."""
    with ExitStack() as stack:
        if end - start < os.fstat(descriptor).st_size:
            blocks, descriptor = _blocks(descriptor, start, end), temporary_descriptor()
            stack.callback(os.close, descriptor)
            for content in blocks:
                append_temporary(descriptor, content)
        if container == "MP3":  # whose decoder talks
            stack.enter_context(_muted_standard_error())
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            file = stack.enter_context(_SequentialFile(descriptor, closefd=False))
        except soundfile.LibsndfileError as error:
            raise RecordingError(
                f"{name} that cannot be decoded: {error.error_string.rstrip('.')}",
                hint="Decode it first: 'ffmpeg -i IN OUT.wav'.",
                kind="malformed" if error.code == MALFORMED_FILE else "unsupported",
            ) from error
        yield file


def _blocks(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    """Read a part of a file block by block."""
    read_at = reader_at(descriptor)
    for offset in range(start, end, READ_BYTES):
        yield read_at(offset, min(READ_BYTES, end - offset))


def _read_through(descriptor: int) -> None:
    """Read a file to its end as libsndfile does, to see whether the system lets us."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        while os.read(descriptor, READ_BYTES):
            pass
    except OSError as error:
        raise read_error(error) from error


@contextmanager
def _muted_standard_error() -> Iterator[None]:
    """Keep from the user what a library says on standard error, for nobody knows whose it is."""
    with ExitStack() as stack:
        with suppress(OSError):  # where it is closed, there is nothing to mute
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        yield


def _check_alike(first: soundfile.SoundFile, other: soundfile.SoundFile) -> None:
    """Refuse streams that cannot be parts of one recording."""
    formats = [f"{f.channels} channels at {f.samplerate} Hz" for f in (first, other)]
    if formats[0] != formats[1]:
        raise RecordingError(
            f"several recordings in one file: {formats[0]}, then {formats[1]}",
            hint="Split them first; 'ffmpeg -i IN OUT.wav' keeps the first one.",
            kind="unsupported",
        )


def _storage(subtype: str) -> Encoding:
    """Return the smallest encoding that keeps what the decoder gives."""
    if subtype in SIXTEEN_BITS:
        return ENCODINGS["PCM_16"]
    return ENCODINGS["DOUBLE" if subtype in DOUBLE_PRECISION else "FLOAT"]


def _claimed_samples(file: soundfile.SoundFile, file_size: int) -> int | None:
    """Return the length that the header claims, None if it claims none; refuse the impossible."""
    if file.frames in (0, 2**63 - 1):
        return None
    if file.frames > MOST_FRAMES_PER_BYTE * file_size:
        raise RecordingError(
            f"the header claims {file.frames} samples per channel in a file of {file_size} bytes",
            hint="Copy or encode it again.",
            kind="malformed",
        )
    _check_size(file.frames * file.channels * _storage(file.subtype).width, file_size)
    return int(file.frames)


def _check_size(n_bytes: int, file_size: int) -> None:
    """Refuse what takes more room than there is, or than any sound could need."""
    directory = temporary_directory()
    if n_bytes > (free := free_bytes(directory)):
        raise RecordingError(
            f"decoded, it takes {n_bytes} bytes; {str(directory)!r} has {free} free",
            hint="Set TMPDIR to a directory with more room, or cut the recording.",
            kind="resource-limit",
        )
    if n_bytes > max(HARMLESS_BYTES, MOST_EXPANSION * file_size):
        raise RecordingError(
            f"decoded, its {file_size} bytes take {n_bytes}: it is hardly more than silence",
            hint="Cut the recording to where somebody speaks.",
            kind="resource-limit",
        )


class _Copied(NamedTuple):
    """What came out of a stream: the length that was claimed, the true one, what ended it early."""

    claimed: int | None
    n_samples: int
    damage: str


def _copy_samples(file: soundfile.SoundFile, store: StoredSamples, file_size: int) -> _Copied:
    """Decode a stream block by block."""
    claimed = _claimed_samples(file, file_size)
    encoding = store.encoding
    dtype = "int16" if encoding.subtype == "PCM_16" else encoding.dtype
    n_samples = 0
    while True:
        try:
            block = file.read(BLOCK_LENGTH, dtype=dtype, always_2d=True)
        except soundfile.LibsndfileError as error:
            return _Copied(claimed, n_samples, error.error_string.rstrip("."))
        if len(block) == 0:
            return _Copied(claimed, n_samples, "")
        little_endian = block.astype(block.dtype.newbyteorder("<"), copy=False)
        append_temporary(store.descriptor, little_endian.tobytes())
        n_samples += len(block)
        if claimed is None:
            _check_size(n_samples * file.channels * encoding.width, file_size)


def _shortfall(container: str, copied: Sequence[_Copied]) -> tuple[Notice, ...]:
    """Say what the decoder did not deliver, if anything."""
    n_samples = 0
    for claimed, n_decoded, damage in copied:
        n_samples += n_decoded
        if damage:
            text = f"damaged after {n_samples} samples per channel: {damage}"
            return (Notice("input-truncated", text),)
        if claimed not in (None, n_decoded):
            text = f"the header promises {claimed} samples per channel, {n_decoded} came"
            uncertain = container in ESTIMATED_LENGTH
            return (Notice("length-uncertain" if uncertain else "input-truncated", text),)
    return ()
