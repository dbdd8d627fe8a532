"""Filters on disk: an npz file that holds numbers only, and is not trusted when it is read.

Two arrays: ``G`` (complex64, see ``Filters``) and ``header``, the UTF-8 bytes of a JSON object with
the rest.  Every size is checked against the header's before memory is taken for it, and
nothing in the file is executed.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from auxiva_cli.errors import AuxivaError, FiltersError
from auxiva_cli.filters import Filters
from auxiva_cli.stft import Stft

__all__ = ["filters_bytes", "load_filters"]

FORMAT, VERSION = "auxiva-filters", 1
LARGEST_HEADER = 4096
LARGEST_ARRAY_HEADER = 256
LARGEST_N_FFT = 2**20
LARGEST_N_CHAN = 64
LARGEST_BYTES = 2**31
HINT = "Make it anew with auxiva separate --save-filters."


def filters_bytes(filters: Filters) -> bytes:
    """Return the content of a file that holds filters."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "sample_rate": filters.sample_rate,
        "n_fft": filters.stft.n_fft,
        "hop_length": filters.stft.hop_length,
        "window": filters.stft.window,
        "n_src": filters.n_src,
        "n_chan": filters.n_chan,
        "ref_chan": filters.ref_chan,
    }
    content = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    # Members carry a fixed date: equal filters make equal files.
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in (("header", text), ("G", filters.G)):
            member = io.BytesIO()
            npy.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return content.getvalue()


def load_filters(path: Path) -> Filters:
    """Load filters.

    Parameters
    ----------
    path : Path
        A file that ``filters_bytes`` made.

    Raises
    ------
    FiltersError
        If the file cannot be read or holds anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            header = _read_header(archive)
            n_src, n_chan = header["n_src"], header["n_chan"]
            stft = Stft(header["n_fft"], header["hop_length"], header["window"])
            G = _read_member(archive, "G", (n_src, n_chan, n_chan, stft.n_freq), np.complex64)
    except FiltersError:
        raise
    except OSError as error:
        raise FiltersError(f"it cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a hostile file gets zipfile, json and NumPy to raise anything
        what = error.what if isinstance(error, AuxivaError) else str(error) or repr(error)
        raise FiltersError(f"it is not a file of filters: {what}", hint=HINT) from error
    if not np.isfinite(G).all():
        raise FiltersError("the filters hold NaN or infinite numbers", hint=HINT)
    return Filters(G, stft, header["sample_rate"], header["ref_chan"])


def _read_header(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return the header, every value of its type and within range."""
    n_bytes = _member_shape(archive, "header")[0]
    if not 0 < n_bytes <= LARGEST_HEADER:
        raise FiltersError(f"its header has {n_bytes} bytes", hint=HINT)
    header = json.loads(bytes(_read_member(archive, "header", (n_bytes,), np.uint8)))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise FiltersError("its header is not that of filters", hint=HINT)
    if header.get("version") != VERSION:
        raise FiltersError(
            f"it has version {header.get('version')!r}, this program reads version {VERSION}",
            hint=HINT,
        )
    for name, lowest, highest in (
        ("sample_rate", 1, 2**31 - 1),
        ("n_fft", 4, LARGEST_N_FFT),
        ("hop_length", 1, LARGEST_N_FFT),
        ("n_chan", 2, LARGEST_N_CHAN),
        ("n_src", 1, LARGEST_N_CHAN),
        ("ref_chan", 0, LARGEST_N_CHAN),
    ):
        value = header.get(name)
        if type(value) is not int or not lowest <= value <= highest:
            raise FiltersError(f"its {name} is {value!r}", hint=HINT)
    for name, n_chan in (("n_src", header["n_chan"]), ("ref_chan", header["n_chan"] - 1)):
        if header[name] > n_chan:
            raise FiltersError(
                f"its {name} is {header[name]}, of {header['n_chan']} channels", hint=HINT
            )
    return header


def _open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open an array, which takes no more memory than the file has bytes."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.open(info)


def _read_array_header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape, the order and the type that an array declares."""
    if npy.read_magic(member) != (1, 0):
        raise ValueError("an array has an unknown version")
    return npy.read_array_header_1_0(member, max_header_size=LARGEST_ARRAY_HEADER)


def _member_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """Return the shape that an array declares."""
    with _open_member(archive, name) as member:
        return _read_array_header(member)[0] or (0,)


def _read_member(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: type[np.generic]
) -> NDArray[Any]:
    """Return an array that has just this shape and type."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    if n_bytes > LARGEST_BYTES:
        raise FiltersError(f"its filters would take {n_bytes} bytes", hint=HINT)
    with _open_member(archive, name) as member:
        found, is_fortran, found_dtype = _read_array_header(member)
        if found != shape or is_fortran or found_dtype != np.dtype(dtype):
            raise ValueError(f"{name} is {found_dtype} of shape {found}, not {shape}")
        content = member.read(n_bytes + 1)
    if len(content) != n_bytes:
        raise ValueError(f"{name} has {len(content)} bytes, not {n_bytes}")
    return np.frombuffer(content, dtype).reshape(shape)
