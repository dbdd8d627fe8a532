"""What a file is, by its first bytes: a container that can be read, or what it is instead."""

from __future__ import annotations

import struct

from auxiva_cli.audio.notices import Notice
from auxiva_cli.errors import RecordingError

__all__ = ["HEAD_BYTES", "find_shortfall", "identify"]

HEAD_BYTES = 4096

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

STRANGERS = (
    (b"\x89PNG", "is a PNG picture"),
    (b"\xff\xd8\xff", "is a JPEG picture"),
    (b"%PDF", "is a PDF document"),
    (b"PK\x03\x04", "is a ZIP archive"),
    (b"\x1f\x8b", "is gzip-compressed"),
    (b"\x93NUMPY", "is a NumPy array"),
    (b"\x1aE\xdf\xa3", "is Matroska or WebM"),
    (b"version https://git-lfs", "is a Git LFS pointer"),
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
        ``"WAV"``, ``"FLAC"``, ``"OGG"``, ...

    Raises
    ------
    RecordingError
        ``input-empty`` or ``not-audio``, which says what the file looks like.
    """
    if not head:
        raise RecordingError(
            "the file is empty (0 bytes)", hint="Record it again.", kind="input-empty"
        )
    container = CONTAINERS.get(head[:4]) or ("MP3" if _is_mpeg_audio(head) else None)
    if container is None:
        what, hint = _describe(head)
        raise RecordingError(f"not a recording: {what}", hint=hint, kind="not-audio")
    return container


def find_shortfall(head: bytes, file_size: int) -> tuple[Notice, ...]:
    """Compare the size in the header with the file's, for containers whose decoder does not.

    Parameters
    ----------
    head : bytes
        The first bytes of the file.
    file_size : int
        True length of the file in bytes.

    Returns
    -------
    tuple of Notice
        ``input-truncated`` if the file is shorter than AIFF, AU or W64 headers say.
    """
    promised = 0
    if head[:4] == b"FORM" and len(head) >= 8:
        size = struct.unpack(">4xI", head[:8])[0]
        promised = 0 if size >> 16 == 0x7F00 else 8 + size  # what SoX writes into a pipe
    elif head[:4] == b".snd" and len(head) >= 12:
        offset, size = struct.unpack(">4xII", head[:12])
        promised = 0 if size == 2**32 - 1 else offset + size
    elif head[:4] == b"riff" and len(head) >= 24:
        size = struct.unpack("<16xQ", head[:24])[0]
        promised = 0 if size == 2**64 - 1 else size
    if promised <= file_size:
        return ()
    text = f"the header promises a file of {promised} bytes, there are {file_size}"
    return (Notice("input-truncated", text),)


def _is_mpeg_audio(head: bytes) -> bool:
    """Tell whether the file begins with a valid frame header of MPEG-1/2 audio, layer I to III."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer != 0 and bit_rate not in (0, 15) and sample_rate != 3


def _describe(head: bytes) -> tuple[str, str]:
    """Say what a file that is no recording looks like, and what to do about it."""
    for magic, what in STRANGERS:
        if head.startswith(magic):
            hint = "Fetch the real file with 'git lfs pull'." if b"git-lfs" in magic else ""
            return f"it {what}", hint or _DECODE
    if head[4:8] == b"ftyp":
        return "it is an MP4/M4A file", _DECODE
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
    return f"its first bytes are {head[:8].hex(' ')}", _DECODE


_DECODE = "If it holds sound, decode it first: 'ffmpeg -i IN OUT.wav'."
