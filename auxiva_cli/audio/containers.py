"""What a file is by its first bytes, whether that can be believed, and whether it is all there.

Of containers that are streams, several may stand one after the other in a file: a decoder takes
the first one for the whole.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable

from auxiva_cli.audio.descriptors import ReadAt
from auxiva_cli.errors import Notice, RecordingError

__all__ = [
    "HEAD_BYTES",
    "MAX_CHANNELS",
    "MEDIA",
    "check_plausible",
    "find_pieces",
    "find_shortfall",
    "identify",
    "refuse_truncated",
]

MAX_CHANNELS = 64
SAMPLE_RATES = (1_000, 768_000)  # Hz, from the slowest sensor to the fastest converter on sale
HEAD_BYTES = 4096
MEDIA = "MEDIA"

CONTAINERS = {
    b"RIFF": "WAV",
    b"RIFX": "WAV",
    b"RF64": "WAV",
    b"BW64": "WAV",
    b"fLaC": "FLAC",
    b"OggS": "OGG",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b".snd": "AU",
    b"riff": "W64",
    b"NIST": "NIST",
    b"ID3\x02": "MP3",
    b"ID3\x03": "MP3",
    b"ID3\x04": "MP3",
}

DECODE = "If it holds sound, decode it first: 'ffmpeg -i IN OUT.wav'."
DECODE_SPHERE = "Decode it first, with all of its channels: 'sph2pipe -f wav IN OUT.wav'."
# The first bytes of what ffmpeg reads and libsndfile does not, by where they stand.
FOR_FFMPEG = {
    0: (
        b"\x1aE\xdf\xa3", b"\x0b\x77", b"\xff\xf1", b"\xff\xf9", b"FLV\x01", b"wvpk", b"MAC ",
        b"TTA1", b"#!AMR", b".RMF", b"DSD ", b"\x00\x00\x01\xba", b"\x7f\xfe\x80\x01", b"MPCK",
        b"0&\xb2u\x8ef\xcf\x11", b"ajkg",
    ),
    4: (b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"free"),
    8: (b"AVI ",),
}  # fmt: skip
TS_PACKET, TS_SYNC = 188, 0x47
STRANGERS = (
    (0, b"\x89PNG", "is a PNG picture", DECODE),
    (0, b"\xff\xd8\xff", "is a JPEG picture", DECODE),
    (0, b"%PDF", "is a PDF document", DECODE),
    (0, b"PK\x03\x04", "is a ZIP archive", "Unpack it first: 'unzip IN'."),
    (0, b"\x1f\x8b", "is gzip-compressed", "Unpack it first: 'gunzip IN'."),
    (0, b"\x93NUMPY", "is a NumPy array", DECODE),
    (0, b"version https://git-lfs", "is a Git LFS pointer", "Fetch it with 'git lfs pull'."),
)


def identify(head: bytes) -> str:
    """Return the container that a file is.

    Parameters
    ----------
    head : bytes
        The first ``HEAD_BYTES`` of the file, or all of it.

    Returns
    -------
    str
        ``"WAV"``, ``"FLAC"``, ``"OGG"``, ...; ``MEDIA`` is all that only ffmpeg reads.

    Raises
    ------
    RecordingError
        ``input-empty``, ``not-audio``, which says what the file looks like, or ``unsupported``.
    """
    if not head:
        raise RecordingError(
            "the file is empty (0 bytes)", hint="Record it again.", kind="input-empty"
        )
    if _is_media(head):
        return MEDIA
    container = CONTAINERS.get(head[:4]) or ("MP3" if _is_mpeg_audio(head) else None)
    if container is None:
        what, hint = _describe(head)
        raise RecordingError(f"not a recording: {what}", hint=hint, kind="not-audio")
    if container == "NIST" and b"embedded-shorten" in head:
        raise RecordingError(
            "a NIST SPHERE file that is compressed with shorten",
            hint=DECODE_SPHERE,
            kind="unsupported",
        )
    return container


def _is_media(head: bytes) -> bool:
    """Tell whether a file that begins like this is for ffmpeg: by its magic, or MPEG-TS."""
    if any(head.startswith(magic, at) for at, magics in FOR_FFMPEG.items() for magic in magics):
        return True
    packets = head[: len(head) // TS_PACKET * TS_PACKET : TS_PACKET]
    return len(packets) > 2 and set(packets) == {TS_SYNC}


def _is_mpeg_audio(head: bytes) -> bool:
    """Tell whether the file begins with a valid frame header of MPEG-1/2 audio, layer I to III."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer != 0 and bit_rate not in (0, 15) and sample_rate != 3


def _describe(head: bytes) -> tuple[str, str]:
    """Say what a file that is no recording looks like, and what to do about it."""
    for offset, magic, what, hint in STRANGERS:
        if head.startswith(magic, offset):
            return f"it {what}", hint
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        return "it looks like HTML", "The download may have failed: look at it in a text editor."
    if not any(head):
        return (
            f"its first {len(head)} bytes are all zero",
            "The copy may have failed: copy it again.",
        )
    if all(byte >= 0x20 or byte in b"\t\n\r\f" for byte in head):
        return "it looks like text", "Give the recording itself."
    return f"its first bytes are {head[:8].hex(' ')}", DECODE


def check_plausible(n_chan: int, sample_rate: int) -> None:
    """Refuse a header that no microphone array can have written.

    Parameters
    ----------
    n_chan : int
        Number of channels that the header claims.
    sample_rate : int
        Sample rate that the header claims, in Hz.

    Raises
    ------
    RecordingError
        ``malformed`` or ``resource-limit``.
    """
    if n_chan < 1:
        raise RecordingError("the header claims 0 channels", kind="malformed")
    if n_chan > MAX_CHANNELS:
        raise RecordingError(
            f"the header claims {n_chan} channels, at most {MAX_CHANNELS} are accepted",
            hint="Extract the microphones to use into a file of their own first.",
            kind="resource-limit",
        )
    lowest, highest = SAMPLE_RATES
    if not lowest <= sample_rate <= highest:
        raise RecordingError(
            f"the header claims a sample rate of {sample_rate} Hz, "
            f"outside {lowest} to {highest} Hz",
            hint="Check with 'ffprobe' or 'soxi' what the file really is.",
            kind="malformed",
        )


def refuse_truncated(notices: Iterable[Notice], *, allow_truncated: bool) -> None:
    """Turn the notice that a recording is not complete into an error, unless that is allowed.

    Parameters
    ----------
    notices : iterable of Notice
        What was found.
    allow_truncated : bool
        Whether to let it pass.

    Raises
    ------
    RecordingError
        ``input-truncated``.
    """
    for notice in notices:
        if notice.kind == "input-truncated" and not allow_truncated:
            raise RecordingError(
                notice.text,
                hint="Copy or record it again, or allow truncated recordings to use what is there.",
                kind="input-truncated",
            )


OGG_PAGE_BYTES = 65_307  # the longest page: 27 + 255 + 255 * 255
OGG_FIRST_PAGE, OGG_END_OF_STREAM = 0x02, 0x04
MPEG_TAG = re.compile(b"Xing|Info")
MPEG_TAG_OFFSETS = (36, 21, 13)  # behind the header of a frame, by version and channels
SEARCHED_BYTES = 2**20


def find_shortfall(container: str, read_at: ReadAt, file_size: int) -> tuple[Notice, ...]:
    """Look for signs that the end of a file is missing.

    Parameters
    ----------
    container : str
        As `sniff.identify` calls it.
    read_at : callable
        ``read_at(offset, n_bytes)`` returns those bytes of the file, fewer at its end.
    file_size : int
        True length of the file in bytes.

    Returns
    -------
    tuple of Notice
        ``input-truncated``, or nothing.
    """
    if container == "OGG" and not _ogg_ends(read_at, file_size):
        text = f"the Ogg stream breaks off after {file_size} bytes, without its last page"
        return (Notice("input-truncated", text),)
    if container in _PROMISED_SIZES:
        promised = _PROMISED_SIZES[container](read_at(0, 1024).ljust(32, b"\0"))
        if promised > file_size:
            text = f"the header promises a file of {promised} bytes, there are {file_size}"
            return (Notice("input-truncated", text),)
    return ()


def find_pieces(container: str, read_at: ReadAt, file_size: int) -> list[int]:
    """Return where the streams begin that stand one after the other in a file.

    Parameters
    ----------
    container : str
        As `identify` calls it.
    read_at : callable
        ``read_at(offset, n_bytes)`` returns those bytes of the file, fewer at its end.
    file_size : int
        True length of the file in bytes.

    Returns
    -------
    list of int
        Offsets in bytes, the first one 0; one only, unless files were joined.
    """
    if container == "OGG":
        return _ogg_streams(read_at)
    if container == "MP3":
        return _mpeg_streams(read_at, file_size)
    return [0]


def _ogg_streams(read_at: ReadAt) -> list[int]:
    """Return where chained Ogg streams begin: at a first page behind one that is none."""
    starts, offset, was_first = [0], 0, True
    while (page := read_at(offset, 27 + 255)).startswith(b"OggS") and len(page) > 27:
        is_first = bool(page[5] & OGG_FIRST_PAGE)
        if is_first and not was_first:
            starts.append(offset)
        was_first = is_first
        offset += 27 + page[26] + sum(page[27 : 27 + page[26]])
    return starts


def _mpeg_streams(read_at: ReadAt, file_size: int) -> list[int]:
    """Return where joined MP3 files begin: at a frame that gives the size of those behind it.

    A decoder ends where they do, so what follows is a stream, too.
    """
    starts = []
    for offset in range(0, file_size, SEARCHED_BYTES):
        searched = read_at(max(0, offset - 40), SEARCHED_BYTES + 80)
        for tag in MPEG_TAG.finditer(searched):
            for start in (tag.start() - distance for distance in MPEG_TAG_OFFSETS):
                if start >= 0 and _is_mpeg_audio(searched[start : start + 4]):
                    starts.append(max(0, offset - 40) + start)
                    starts += _end_of_mpeg_stream(read_at, starts[-1], searched[tag.start() :])
    first_frame = _id3_bytes(read_at(0, 10))
    has_tag = first_frame in starts or not _is_mpeg_audio(read_at(first_frame, 4))
    return [0, *sorted(set(starts))[has_tag:]]


def _id3_bytes(head: bytes) -> int:
    """Return the length of what an MP3 file may begin with: titles, pictures (ID3v2)."""
    if not head.startswith(b"ID3"):
        return 0
    size = 0
    for seven_bits in head[6:10]:
        size = size << 7 | seven_bits
    return 10 + size


def _end_of_mpeg_stream(read_at: ReadAt, start: int, tag: bytes) -> list[int]:
    """Return where the frames end that a tag counts, if there are more of them."""
    flags, *fields = struct.unpack(">4xIII", tag[:16].ljust(16, b"\0"))
    if not flags & 2:  # no number of bytes
        return []
    end = start + int(fields[flags & 1])
    return [end] if _is_mpeg_audio(read_at(end, 4)) else []


def _ogg_ends(read_at: ReadAt, file_size: int) -> bool:
    """Tell whether the last page is whole and says that it is the last (RFC 3533)."""
    tail = read_at(max(0, file_size - OGG_PAGE_BYTES), OGG_PAGE_BYTES)
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27:
        return False
    segments = page[27 : 27 + page[26]]
    return bool(page[5] & OGG_END_OF_STREAM) and len(page) >= 27 + page[26] + sum(segments)


def _aiff_size(head: bytes) -> int:
    """Return the size in an AIFF header; 0 if it was streamed by SoX or GStreamer."""
    size = int(struct.unpack_from(">I", head, 4)[0])
    return 0 if size >> 16 in (0x7F00, 0x7FFF) else 8 + size


def _au_size(head: bytes) -> int:
    """Return the size that an AU header leads to; 0 if it was streamed."""
    offset, size = struct.unpack_from(">II", head, 4)
    return 0 if size == 2**32 - 1 else int(offset + size)


def _w64_size(head: bytes) -> int:
    """Return the size in a Wave64 header; 0 if it was streamed."""
    size = int(struct.unpack_from("<Q", head, 16)[0])
    return 0 if size == 2**64 - 1 else size


def _nist_size(head: bytes) -> int:
    """Return the size that the fields of a NIST SPHERE header lead to; 0 if one is missing."""
    header_size = re.match(rb"NIST_1A\s+(\d{1,9})\s", head)
    size = 1
    for name in (b"sample_count", b"channel_count", b"sample_n_bytes"):
        field = re.search(rb"\s" + name + rb" -i (\d{1,12})\s", head)
        size *= int(field[1]) if field else 0
    return int(header_size[1]) + size if header_size and size else 0


_PROMISED_SIZES: dict[str, Callable[[bytes], int]] = {
    "AIFF": _aiff_size,
    "AU": _au_size,
    "W64": _w64_size,
    "NIST": _nist_size,
}
