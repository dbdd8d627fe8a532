"""Whether a file goes on to its end, for containers whose decoder does not mind."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from auxiva_cli.audio.notices import Notice

__all__ = ["find_shortfall"]

ReadAt = Callable[[int, int], bytes]

OGG_PAGE_BYTES = 65_307  # the longest page: 27 + 255 + 255 * 255
OGG_END_OF_STREAM = 0x04


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
