"""WAV files: what a sample looks like, where the audio begins and really ends, and our header.

Size fields lie: streams cannot know them, crashed recorders never wrote them, and
32 bits wrap at 4 GiB.  So the file's own length decides, and the fields are believed
only where they agree with it.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from typing import Literal, NamedTuple

from auxiva_cli.audio.containers import check_plausible, refuse_truncated
from auxiva_cli.audio.descriptors import ReadAt
from auxiva_cli.audio.riff import Chunk, RiffFile
from auxiva_cli.audio.samples import ENCODINGS, Encoding
from auxiva_cli.errors import Notice, RecordingError

__all__ = [
    "WavFormat",
    "WavHead",
    "WavLayout",
    "parse_wav",
    "parse_wav_head",
    "wav_header",
    "wav_track",
]

PCM, IEEE_FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
CODEC_NAMES = {
    0x0002: "Microsoft ADPCM",
    0x0011: "IMA ADPCM",
    0x0028: "G.722",
    0x0031: "GSM 6.10",
    0x0050: "MPEG",
    0x0055: "MP3",
    0x0064: "G.726",
    0x00FF: "AAC",
}

# The last eight bytes of a sub-format GUID and the two words before them: Microsoft's
# own, and the one of ambisonic B-format, which tags the same encodings.
GUID_TAILS = {
    (0x0000, 0x0010, bytes.fromhex("800000aa00389b71")),
    (0x0721, 0x11D3, bytes.fromhex("8644c8c1ca000000")),
}
LARGEST_SIZE = 2**32 - 1  # in RF64 it says that the true one is in the 'ds64' chunk
STREAMED_SIZES = (  # what writes into a pipe; some round down to whole samples
    range(0x7FFF0000, 0x7FFF0001),  # GStreamer
    range(0x7FFFEE00, 0x7FFFF001),  # SoX
    range(0x7FFFFE00, 0x80000001),  # arecord, oggdec
    range(0xFFFFFF00, 0x100000000),  # ffmpeg, and who subtracts the header
)
IMPOSSIBLE_SIZE = 2**50


@dataclass(frozen=True)
class WavFormat:
    """A parsed ``fmt`` chunk.

    Parameters
    ----------
    n_chan : int
        Number of channels.
    sample_rate : int
        In Hz.
    tag : int
        The encoding's registered number, with WAVE_EXTENSIBLE resolved.
    encoding : Encoding or None
        None if the samples are compressed in a way that is not decoded here.
    frame_bytes : int
        Bytes of one sample of every channel, or of one block of a compressed encoding.
    notices : tuple of Notice
        What was wrong and could be put right.
    """

    n_chan: int
    sample_rate: int
    tag: int
    encoding: Encoding | None
    frame_bytes: int
    notices: tuple[Notice, ...] = ()

    @property
    def codec_name(self) -> str:
        """The encoding, for people."""
        number = f"0x{self.tag:04X}"
        return f"{number} ({CODEC_NAMES[self.tag]})" if self.tag in CODEC_NAMES else number


def parse_format(body: bytes, byte_order: Literal["<", ">"]) -> WavFormat:
    """Parse the body of a ``fmt`` chunk.

    Parameters
    ----------
    body : bytes
        The chunk without its eight-byte header.
    byte_order : {"<", ">"}
        ``"<"`` in RIFF, ``">"`` in RIFX.

    Returns
    -------
    WavFormat
        What one frame looks like.

    Raises
    ------
    RecordingError
        ``malformed``, ``unsupported`` or ``resource-limit``.
    """
    if len(body) < 16:
        raise RecordingError(
            f"the 'fmt ' chunk has {len(body)} bytes, a WAV file needs 16", kind="malformed"
        )
    tag, n_chan, sample_rate, _, block_align, bits = struct.unpack(f"{byte_order}HHIIHH", body[:16])
    if tag == EXTENSIBLE:
        tag = _extensible_tag(body, byte_order)
    check_plausible(n_chan, sample_rate)

    encoding = _encoding(tag, bits, block_align, n_chan)
    if encoding is None:
        return WavFormat(n_chan, sample_rate, tag, None, max(block_align, 1))
    frame_bytes = n_chan * encoding.width
    notices: tuple[Notice, ...] = ()
    if block_align != frame_bytes:
        text = f"the header's block align is {block_align}, {frame_bytes} is used"
        notices = (Notice("block-align-wrong", text),)
    return WavFormat(n_chan, sample_rate, tag, encoding, frame_bytes, notices)


def _extensible_tag(body: bytes, byte_order: str) -> int:
    """Return the encoding's number out of the GUID of a WAVE_EXTENSIBLE header."""
    if len(body) < 40:
        raise RecordingError(
            f"the WAVE_EXTENSIBLE header has {len(body)} bytes, it needs 40", kind="malformed"
        )
    tag, *middle = struct.unpack(f"{byte_order}IHH", body[24:32])
    if (*middle, body[32:40]) not in GUID_TAILS:
        raise RecordingError(
            f"the WAVE_EXTENSIBLE header has the unknown sub-format {body[24:40].hex()}",
            hint="Convert the file to plain WAV with 'ffmpeg -i IN -c:a pcm_s24le OUT.wav'.",
            kind="unsupported",
        )
    return int(tag)


def _encoding(tag: int, bits: int, block_align: int, n_chan: int) -> Encoding | None:
    """Return how a sample is stored, or None if it is left to a decoder."""
    if tag in (A_LAW, MU_LAW):
        return ENCODINGS["ALAW" if tag == A_LAW else "ULAW"]
    if tag == IEEE_FLOAT and bits in (32, 64):
        return ENCODINGS["FLOAT" if bits == 32 else "DOUBLE"]
    if tag == PCM and 1 <= bits <= 32:
        width = -(-bits // 8)
        if width == 3 and block_align == 4 * n_chan:
            # 24 bits in four bytes: read as 32-bit integers, as every other reader does.
            width = 4
        return ENCODINGS[("PCM_U8", "PCM_16", "PCM_24", "PCM_32")[width - 1]]
    if tag in (PCM, IEEE_FLOAT):
        name = "integer" if tag == PCM else "float"
        raise RecordingError(
            f"{bits}-bit {name} samples are not supported",
            hint="Convert the file with 'ffmpeg -i IN -c:a pcm_f32le OUT.wav'.",
            kind="unsupported",
        )
    return None


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


class WavHead(NamedTuple):
    """What a WAV stream says before its samples; how many these are may not be known (None)."""

    format: WavFormat
    byte_order: Literal["<", ">"]
    data_offset: int
    n_samples: int | None


def parse_wav_head(read_at: ReadAt) -> WavHead:
    """Find where the audio in a WAV stream begins, whatever is to come.

    Parameters
    ----------
    read_at : callable
        ``read_at(offset, n_bytes)`` returns those bytes of the stream, fewer at its end.

    Returns
    -------
    WavHead
        What its header says, right or wrong.

    Raises
    ------
    RecordingError
        ``malformed`` or ``unsupported``.
    """
    riff = RiffFile(read_at, sys.maxsize)
    chunks = riff.chunks_up_to_data()
    data = chunks[b"data"]
    wav_format = parse_format(riff.body(chunks[b"fmt "]), riff.byte_order)
    declared = _declared_size(riff, data, chunks.get(b"ds64"))
    # No size at all is what a header says that was never finished.
    n_samples = declared // wav_format.frame_bytes if declared else None
    return WavHead(wav_format, riff.byte_order, data.offset, n_samples)


class _Extent(NamedTuple):
    """How much audio there is, and how much was promised (None: the writer could not know)."""

    n_bytes: int
    promised: int | None
    notices: tuple[Notice, ...] = ()


def _declared_size(riff: RiffFile, data: Chunk, ds64: Chunk | None) -> int | None:
    """Return the size that the header gives the audio, None if it says that it does not know."""
    if riff.is_64_bit and data.size == LARGEST_SIZE:
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


def wav_header(
    n_samples: int | None, n_chan: int, sample_rate: int, subtype: str, n_tail: int = 0
) -> bytes:
    """Return everything that stands before the samples.

    It holds no time, name or peak, so equal audio gives equal files.  Beyond 4 GiB it
    is RF64 (EBU Tech 3306), else plain RIFF; a stream of unknown length has the largest sizes.

    Parameters
    ----------
    n_samples : int or None
        Per channel; None if nobody knows.
    n_chan : int
        Number of channels.
    sample_rate : int
        In Hz.
    subtype : {"PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"}
        How a sample is stored.
    n_tail : int
        Bytes of chunks after the samples.

    Returns
    -------
    bytes
        The samples follow it, and a zero byte if their number of bytes is odd.
    """
    width = ENCODINGS[subtype].width
    n_bytes = (n_samples or 0) * n_chan * width
    is_float = subtype in ("FLOAT", "DOUBLE")
    frame_bytes = n_chan * width
    format_body = struct.pack(
        "<HHIIHH",
        IEEE_FLOAT if is_float else PCM,
        n_chan,
        sample_rate,
        sample_rate * frame_bytes,
        frame_bytes,
        8 * width,
    )
    if is_float:  # all but PCM needs a length of extra parameters, and the number of samples
        fact = struct.pack(
            "<I", LARGEST_SIZE if n_samples is None else min(n_samples, LARGEST_SIZE)
        )
        chunks = _chunk(b"fmt ", format_body + b"\0\0") + _chunk(b"fact", fact)
    else:
        chunks = _chunk(b"fmt ", format_body)

    if n_samples is None:
        return _head(b"RIFF", LARGEST_SIZE) + b"WAVE" + chunks + _head(b"data", LARGEST_SIZE)
    riff_size = 4 + len(chunks) + 8 + n_bytes + n_bytes % 2 + n_tail
    if riff_size <= LARGEST_SIZE:
        return b"RIFF" + struct.pack("<I", riff_size) + b"WAVE" + chunks + _head(b"data", n_bytes)
    sizes = struct.pack("<QQQI", riff_size + 36, n_bytes, n_samples, 0)
    ds64 = _chunk(b"ds64", sizes)
    return _head(b"RF64", LARGEST_SIZE) + b"WAVE" + ds64 + chunks + _head(b"data", LARGEST_SIZE)


def wav_track(track: str) -> bytes:
    """Return the chunk that says which of several pieces a file is, such as ``2/3``."""
    body = track.encode("ascii") + b"\0"
    return _chunk(b"LIST", b"INFO" + _chunk(b"ITRK", body + b"\0" * (len(body) % 2)))


def _head(name: bytes, size: int) -> bytes:
    """Return the eight bytes before a chunk's body."""
    return name + struct.pack("<I", size)


def _chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of even length."""
    return _head(name, len(body)) + body
