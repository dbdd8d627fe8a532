"""Where the audio of a WAV file begins, and where it really ends.

Size fields lie: streams cannot know them, crashed recorders never wrote them, and
32 bits wrap at 4 GiB.  So the file's own length decides, and the fields are believed
only where they agree with it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal, NamedTuple

from auxiva_cli.audio.notices import Notice, refuse_truncated
from auxiva_cli.audio.riff import Chunk, ReadAt, RiffFile
from auxiva_cli.audio.wav_format import WavFormat, parse_format
from auxiva_cli.errors import RecordingError

__all__ = ["WavLayout", "parse_wav"]

SIZE_IN_DS64 = 0xFFFFFFFF
STREAMED_SIZES = (  # what writes into a pipe; some round down to whole samples
    range(0x7FFF0000, 0x7FFF0001),  # GStreamer
    range(0x7FFFEE00, 0x7FFFF001),  # SoX
    range(0x7FFFFE00, 0x80000001),  # arecord, oggdec
    range(0xFFFFFF00, 0x100000000),  # ffmpeg, and who subtracts the header
)
IMPOSSIBLE_SIZE = 2**50


@dataclass(frozen=True)
class WavLayout:
    """What the header of a WAV file says, corrected by what the file holds.

    Parameters
    ----------
    format : WavFormat
        What one frame looks like.
    byte_order : {"<", ">"}
        Of the samples as of the header.
    data_offset : int
        Where the first frame begins, in bytes from the start of the file.
    n_bytes : int
        Bytes of audio there, whole frames only.
    notices : tuple of Notice
        What was wrong and could be put right.
    """

    format: WavFormat
    byte_order: Literal["<", ">"]
    data_offset: int
    n_bytes: int
    notices: tuple[Notice, ...] = ()


def parse_wav(read_at: ReadAt, file_size: int, *, allow_truncated: bool = False) -> WavLayout:
    """Find the audio in a WAV file.

    Parameters
    ----------
    read_at : callable
        ``read_at(offset, n_bytes)`` returns those bytes of the file, fewer at its end.
    file_size : int
        True length of the file in bytes.
    allow_truncated : bool, default=False
        Accept a file that ends before its header says, with a notice.

    Returns
    -------
    WavLayout
        What the audio is and where.

    Raises
    ------
    RecordingError
        ``malformed``, ``unsupported``, ``input-truncated``, ``input-empty`` or ``resource-limit``.
    """
    form = read_at(8, 4)
    if form != b"WAVE":
        raise RecordingError(
            f"a RIFF file of form {form.decode('ascii', 'replace')!r}, not WAVE",
            hint="Extract its sound with 'ffmpeg -i IN OUT.wav'.",
            kind="unsupported",
        )
    riff = RiffFile(read_at, file_size)
    chunks = riff.chunks_up_to_data()
    data = chunks[b"data"]
    wav_format = parse_format(riff.body(chunks[b"fmt "]), riff.byte_order)
    extent = _extent(riff, data, _declared_size(riff, data, chunks.get(b"ds64")))
    if extent.n_bytes < wav_format.frame_bytes:
        raise RecordingError(
            f"the header is followed by {extent.n_bytes} bytes of audio",
            hint="Record it again.",
            kind="input-empty",
        )
    notices = wav_format.notices + extent.notices + _shortfall(extent, wav_format)
    refuse_truncated(notices, allow_truncated=allow_truncated)
    n_bytes = extent.n_bytes - extent.n_bytes % wav_format.frame_bytes
    return WavLayout(wav_format, riff.byte_order, data.offset, n_bytes, notices)


class _Extent(NamedTuple):
    """How much audio there is, and how much was promised (None: the writer could not know)."""

    n_bytes: int
    promised: int | None
    notices: tuple[Notice, ...] = ()


def _declared_size(riff: RiffFile, data: Chunk, ds64: Chunk | None) -> int | None:
    """Return the size that the header gives the audio, None if it says that it does not know."""
    if riff.is_64_bit and data.size == SIZE_IN_DS64:
        body = b"" if ds64 is None else riff.body(ds64)
        if len(body) < 16:
            raise RecordingError("an RF64 file without its 'ds64' chunk", kind="malformed")
        size = int(struct.unpack("<8xQ", body[:16])[0])
        if size > IMPOSSIBLE_SIZE:
            raise RecordingError(f"the header claims {size} bytes of audio", kind="malformed")
        return size or None
    return None if any(data.size in sizes for sizes in STREAMED_SIZES) else data.size


def _extent(riff: RiffFile, data: Chunk, declared: int | None) -> _Extent:
    """Settle how many bytes of audio there are, by what follows the place where they should end."""
    available = riff.size - data.offset
    if declared is None:
        return _streamed_extent(riff, data)
    rest = available - declared
    if rest <= 0:
        return _Extent(available, declared)

    following = riff.chain_after(data._replace(size=declared))
    if any(chunk.name in (b"data", b"RIFF") for chunk in following or ()):
        raise RecordingError(
            "more than one 'data' chunk: several recordings in one file",
            hint="Split them first; 'ffmpeg -i IN OUT.wav' keeps the first one.",
            kind="unsupported",
        )
    if following or rest == declared % 2:
        return _Extent(declared, declared)
    if declared == 0:
        notice = Notice("header-unfinished", "the header was never finished; all audio is read")
        n_bytes = riff.start_of_tail(data.offset) - data.offset
        return _Extent(n_bytes, n_bytes, (notice,))
    if rest >= 2**32 and not riff.is_64_bit:
        n_bytes = declared + rest // 2**32 * 2**32
        text = f"the size field wrapped at 4 GiB: {declared} bytes claimed, {n_bytes} are there"
        return _Extent(n_bytes, n_bytes, (Notice("size-field-wrong", text),))
    text = f"{rest} bytes after the audio are no part of it and are ignored"
    return _Extent(declared, declared, (Notice("trailing-bytes", text),))


def _streamed_extent(riff: RiffFile, data: Chunk) -> _Extent:
    """Settle how many bytes of audio there are when the writer could not know it beforehand."""
    tail = riff.start_of_tail(data.offset)
    n_bytes = tail - data.offset
    notices: tuple[Notice, ...] = ()
    if n_bytes >= 2**32 and not riff.is_64_bit:
        text = f"the size field cannot hold more than 4 GiB; all {n_bytes} bytes of audio are read"
        notices = (Notice("size-field-wrong", text),)
    return _Extent(n_bytes, n_bytes if tail < riff.size else None, notices)


def _shortfall(extent: _Extent, wav_format: WavFormat) -> tuple[Notice, ...]:
    """Say how much is missing at the end of the audio, if anything is."""
    n_frames, n_stray = divmod(extent.n_bytes, wav_format.frame_bytes)
    stray = f" and {n_stray} stray byte{'s' * (n_stray > 1)}" if n_stray else ""
    if extent.promised is not None and extent.promised > extent.n_bytes:
        promised = extent.promised // wav_format.frame_bytes
        unit = "samples per channel" if wav_format.encoding else "compressed blocks"
        share = f"{100 * extent.n_bytes / extent.promised:.0f} %"
        text = f"the header promises {promised} {unit}, the file holds {n_frames}{stray} ({share})"
        return (Notice("input-truncated", text),)
    is_padded = n_stray == 1 and extent.n_bytes % 2 == 0
    if extent.promised is None and n_stray and not is_padded:
        text = f"the stream ends inside a sample: after {n_frames} whole ones{stray}"
        return (Notice("input-truncated", text),)
    return ()
