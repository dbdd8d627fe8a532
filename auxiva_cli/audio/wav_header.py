"""The header of a WAV file whose length is known beforehand."""

from __future__ import annotations

import struct

from auxiva_cli.audio.samples import ENCODINGS

__all__ = ["wav_header"]

PCM, IEEE_FLOAT = 1, 3
LARGEST_RIFF = 2**32 - 1
NO_SIZE = 0xFFFFFFFF


def wav_header(n_samples: int, n_chan: int, sample_rate: int, subtype: str) -> bytes:
    """Return everything that stands before the samples.

    It holds no time, name or peak, so equal audio gives equal files.  Beyond 4 GiB it
    is RF64 (EBU Tech 3306), else plain RIFF.

    Parameters
    ----------
    n_samples : int
        Per channel.
    n_chan : int
        Number of channels.
    sample_rate : int
        In Hz.
    subtype : {"PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"}
        How a sample is stored.

    Returns
    -------
    bytes
        The samples follow it, and a zero byte if their number of bytes is odd.
    """
    width = ENCODINGS[subtype].width
    n_bytes = n_samples * n_chan * width
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
        fact = struct.pack("<I", min(n_samples, NO_SIZE))
        chunks = _chunk(b"fmt ", format_body + b"\0\0") + _chunk(b"fact", fact)
    else:
        chunks = _chunk(b"fmt ", format_body)

    riff_size = 4 + len(chunks) + 8 + n_bytes + n_bytes % 2
    if riff_size <= LARGEST_RIFF:
        return b"RIFF" + struct.pack("<I", riff_size) + b"WAVE" + chunks + _head(b"data", n_bytes)
    sizes = struct.pack("<QQQI", riff_size + 36, n_bytes, n_samples, 0)
    ds64 = _chunk(b"ds64", sizes)
    return _head(b"RF64", NO_SIZE) + b"WAVE" + ds64 + chunks + _head(b"data", NO_SIZE)


def _head(name: bytes, size: int) -> bytes:
    """Return the eight bytes before a chunk's body."""
    return name + struct.pack("<I", size)


def _chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of even length."""
    return _head(name, len(body)) + body
