"""Between the bytes of a file and arrays of samples: the encodings read and written here.

Full scale is 1.  Files hold samples interleaved, ``(n_samples, n_chan)``; arrays
are ``(n_chan, n_samples)``.  This module is where the one becomes the other.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from auxiva_cli.audio.descriptors import check_stamp, reader_at
from auxiva_cli.errors import Notice, RecordingError

__all__ = [
    "ENCODINGS",
    "Contents",
    "Dtype",
    "Encoding",
    "StoredSamples",
    "decode",
    "quantise",
    "stored_bytes",
]

Dtype = Literal["float32", "float64"]


@dataclass(frozen=True)
class Encoding:
    """How one sample is stored.

    Parameters
    ----------
    subtype : str
        libsndfile's word for it: ``PCM_16``, ``FLOAT``, ...
    width : int
        Bytes per sample.
    dtype : {"float32", "float64"}
        The narrowest float that holds every stored value exactly.
    """

    subtype: str
    width: int
    dtype: Dtype


ENCODINGS = {
    encoding.subtype: encoding
    for encoding in (
        Encoding("PCM_U8", 1, "float32"),
        Encoding("PCM_16", 2, "float32"),
        Encoding("PCM_24", 3, "float32"),
        Encoding("PCM_32", 4, "float64"),
        Encoding("FLOAT", 4, "float32"),
        Encoding("DOUBLE", 8, "float64"),
        Encoding("ALAW", 1, "float32"),
        Encoding("ULAW", 1, "float32"),
    )
}


def decode(
    raw: bytes, encoding: Encoding, n_chan: int, byte_order: Literal["<", ">"] = "<"
) -> NDArray[np.floating[Any]]:
    """Turn interleaved bytes into samples.

    Parameters
    ----------
    raw : bytes
        Whole frames: ``n_samples * n_chan * encoding.width`` bytes.
    encoding : Encoding
        How a sample is stored.
    n_chan : int
        Number of interleaved channels.
    byte_order : {"<", ">"}, default="<"
        Little- or big-endian.

    Returns
    -------
    ndarray of shape (n_chan, n_samples)
        In ``encoding.dtype``, C-contiguous and writable.
    """
    stored, scale = _stored_values(raw, encoding, byte_order)
    block: NDArray[np.floating[Any]] = stored.reshape(-1, n_chan).T.astype(
        encoding.dtype, order="C"
    )
    if scale != 1.0:
        block *= scale  # a power of two, so the product is exact
    return block


def _stored_values(
    raw: bytes, encoding: Encoding, byte_order: Literal["<", ">"]
) -> tuple[NDArray[Any], float]:
    """Return the numbers as they stand in the file, and what one unit of them is worth."""
    match encoding.subtype:
        case "PCM_U8":
            offset_binary = np.frombuffer(raw, "u1")
            return (offset_binary ^ 0x80).view("i1"), 2.0**-7
        case "PCM_16":
            return np.frombuffer(raw, f"{byte_order}i2"), 2.0**-15
        case "PCM_24":
            return _unpack_24_bit(raw, byte_order), 2.0**-23
        case "PCM_32":
            return np.frombuffer(raw, f"{byte_order}i4"), 2.0**-31
        case "FLOAT":
            return np.frombuffer(raw, f"{byte_order}f4"), 1.0
        case "DOUBLE":
            return np.frombuffer(raw, f"{byte_order}f8"), 1.0
    return _g711_table(encoding.subtype)[np.frombuffer(raw, "u1")], 2.0**-15


def _unpack_24_bit(raw: bytes, byte_order: Literal["<", ">"]) -> NDArray[np.int32]:
    """Return packed 24-bit integers, read as overlapping words whose lowest byte is shifted out."""
    padded = b"\0" + raw if byte_order == "<" else raw + b"\0"
    words: NDArray[np.int32] = np.ndarray(
        (len(raw) // 3,), f"{byte_order}i4", buffer=padded, strides=(3,)
    )
    return words >> 8


@cache
def _g711_table(subtype: str) -> NDArray[np.int16]:
    """Return the 256 sixteen-bit values of ITU-T G.711, by code word, as libsndfile has them."""
    codes = io.BytesIO(bytes(range(256)))
    values, _ = soundfile.read(
        codes, dtype="int16", channels=1, samplerate=8000, format="RAW", subtype=subtype
    )
    return np.asarray(values)


def quantise(
    block: NDArray[np.floating[Any]], subtype: str
) -> tuple[NDArray[np.int32] | NDArray[np.floating[Any]], int]:
    """Bring samples to the numbers that a file stores.

    Integers are rounded half to even and clipped; there is no dither, so equal
    blocks give equal files.

    Parameters
    ----------
    block : ndarray of shape (n_chan, n_samples)
        Samples, full scale 1.
    subtype : {"PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"}
        What the file stores.

    Returns
    -------
    stored : ndarray of shape (n_samples, n_chan)
        int32, float32 or float64.
    n_clipped : int
        How many samples were beyond full scale; always 0 for floats.
    """
    if subtype in ("FLOAT", "DOUBLE"):
        return block.T.astype("f4" if subtype == "FLOAT" else "f8"), 0
    full_scale = 2.0 ** (8 * ENCODINGS[subtype].width - 1)
    rounded = np.rint(block.T.astype(np.float64) * full_scale)
    n_clipped = int(np.count_nonzero((rounded < -full_scale) | (rounded > full_scale - 1)))
    if n_clipped:
        np.clip(rounded, -full_scale, full_scale - 1, out=rounded)
    return rounded.astype(np.int32), n_clipped


def stored_bytes(stored: NDArray[Any], subtype: str) -> bytes:
    """Return quantised samples as little-endian, interleaved bytes.

    Parameters
    ----------
    stored : ndarray of shape (n_samples, n_chan)
        As returned by `quantise`.
    subtype : str
        The same as for `quantise`.

    Returns
    -------
    bytes
        ``n_samples * n_chan * width`` of them.
    """
    match subtype:
        case "PCM_16":
            return stored.astype("<i2").tobytes()
        case "PCM_24":
            words = np.ascontiguousarray(stored, "<i4").view("u1")
            return words.reshape(-1, 4)[:, :3].tobytes()
        case _:
            return stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()


@dataclass(frozen=True)
class StoredSamples:
    """Plain samples, interleaved, somewhere in an open file.

    Parameters
    ----------
    descriptor : int
        The file; it is closed with the store.
    encoding : Encoding
        How a sample is stored.
    n_chan : int
        Number of interleaved channels.
    offset : int, default=0
        Where the first frame begins, in bytes.
    byte_order : {"<", ">"}, default="<"
        Little- or big-endian.
    stamp : tuple, optional
        What `file_stamp` returned before anything of the file was looked at.
    """

    descriptor: int
    encoding: Encoding
    n_chan: int
    offset: int = 0
    byte_order: Literal["<", ">"] = "<"
    stamp: tuple[int, int] | None = None

    def read(self, start: int, n_samples: int) -> NDArray[Any]:
        """Read a block; safe from several threads at once.

        Parameters
        ----------
        start : int
            First sample.
        n_samples : int
            How many.

        Returns
        -------
        ndarray of shape (n_chan, n_samples)
            In the encoding's dtype.

        Raises
        ------
        RecordingError
            ``read-error`` if the file has become shorter, or the system fails.
        """
        frame_bytes = self.n_chan * self.encoding.width
        n_bytes = n_samples * frame_bytes
        raw = reader_at(self.descriptor)(self.offset + start * frame_bytes, n_bytes)
        if len(raw) < n_bytes:
            raise RecordingError(
                f"samples {start} to {start + n_samples} cannot be read: "
                f"{len(raw)} of {n_bytes} bytes came",
                hint="Was the file changed meanwhile? Run again when it is finished.",
                kind="read-error",
            )
        return decode(raw, self.encoding, self.n_chan, self.byte_order)

    def check_unchanged(self) -> None:
        """Raise ``read-error`` if the file was written to meanwhile."""
        if self.stamp is not None:
            check_stamp(self.descriptor, self.stamp)

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


class Contents(NamedTuple):
    """What was found in a file, wherever its samples are now.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_chan : int
        Number of channels.
    n_samples : int
        Per channel, truly there.
    subtype : str
        Encoding of the file itself, in libsndfile's words.
    container : str
        ``WAV``, ``FLAC``, ...
    dtype : {"float32", "float64"}
        Of the blocks.
    warnings : tuple of Notice
        What was wrong and could be put right.
    store : StoredSamples
        The samples; whoever holds the contents closes it.
    """

    sample_rate: int
    n_chan: int
    n_samples: int
    subtype: str
    container: str
    dtype: Dtype
    warnings: tuple[Notice, ...]
    store: StoredSamples
