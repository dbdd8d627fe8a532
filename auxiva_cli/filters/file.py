"""Filters on disk: an npz file that holds numbers only, and is not trusted when it is read.

The arrays are ``G`` and ``R`` (complex64, see ``Filters``; files may be without ``R``), of filters
that change over time also ``centres``, ``rms`` and ``course`` (see ``Course``), and ``header``, the
UTF-8 bytes of a JSON object with the rest.  Every size is checked against the
header's before memory is taken for it, and nothing in the file is executed.
"""

from __future__ import annotations

import io
import json
import math
import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from auxiva_cli.errors import AuxivaError, FiltersError
from auxiva_cli.filters.course import Course
from auxiva_cli.listening.mixture import LARGEST_N_CHAN
from auxiva_cli.listening.stft import Stft

__all__ = ["Content", "content_bytes", "read_content"]

Array = NDArray[Any]
FORMAT, VERSION = "auxiva-filters", 1
LARGEST_HEADER = 4096
LARGEST_ARRAY_HEADER = 256
LARGEST_N_FFT = 2**20
LARGEST_BYTES = 2**29  # as many channels, sources and frequencies as anybody has
LONGEST_LAG_SECONDS = 10
LARGEST_PPM = 1000.0
# Of the identity, or of the largest filter: more than rounding to single precision leaves.
IDENTITY_TOLERANCE = 1e-5
HINT = "Learn and save the filters anew."


class Content(NamedTuple):
    """What a file of filters holds, by the names of ``Filters``."""

    G: Array
    stft: Stft
    sample_rate: int
    ref_chan: int
    lags: Array | None
    drifts: Array | None
    out_chans: Array | None
    R: Array | None
    course: Course | None
    has_rest: bool


def content_bytes(content: Content) -> bytes:
    """Return the bytes of a file; equal filters make equal files."""
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "sample_rate": content.sample_rate,
        "n_fft": content.stft.n_fft,
        "hop_length": content.stft.hop_length,
        "window": content.stft.window,
        "n_src": len(content.G) - content.has_rest,
        "n_chan": content.G.shape[1],
        "ref_chan": content.ref_chan,
    }
    if content.lags is not None and content.lags.any():
        header["lags"] = content.lags.tolist()
    if content.drifts is not None and content.drifts.any():
        header["drifts"] = content.drifts.tolist()
    if content.out_chans is not None:
        header["out_chans"] = content.out_chans.tolist()
    if content.has_rest:
        header["has_rest"] = True
    arrays = {"header": np.zeros(0, np.uint8), "G": content.G}
    if content.R is not None:
        arrays["R"] = content.R
    if content.course is not None:
        header["n_samples"] = content.course.n_samples
        header["n_centres"] = len(content.course.centres)
        arrays["centres"] = content.course.centres.astype(np.int64)
        arrays["rms"] = content.course.rms.astype(np.float64)
        arrays["course"] = content.course.G
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    return _archive(arrays)


def read_content(path: str | os.PathLike[str]) -> Content:
    """Read a file of filters.

    Raises
    ------
    FiltersError
        If it cannot be read or holds anything else.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise FiltersError("it cannot be read: it is not a regular file", hint=HINT)
        with zipfile.ZipFile(path) as archive:
            content = _content(archive)
    except FiltersError:
        raise
    except OSError as error:
        raise FiltersError(f"it cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a hostile file gets zipfile, json and NumPy to raise anything
        what = error.what if isinstance(error, AuxivaError) else str(error) or repr(error)
        raise FiltersError(f"it is not a file of filters: {what}", hint=HINT) from error
    for G in (content.G, *(content.course.G if content.course is not None else ())):
        _check_sum(G)
    if content.R is not None and not np.isfinite(content.R).all():
        raise FiltersError("the covariance holds NaN or infinite numbers", hint=HINT)
    return content


def _content(archive: zipfile.ZipFile) -> Content:
    """Return what an archive holds, of the shapes that its header says."""
    header = _read_header(archive)
    n_chan, has_rest = header["n_chan"], header.get("has_rest", False)
    stft = Stft(header["n_fft"], header["hop_length"], header["window"])
    shape = (header["n_src"] + has_rest, n_chan, n_chan, stft.n_freq)
    G = _read_member(archive, "G", shape, np.complex64)
    R = None
    if "R.npy" in archive.namelist():
        R = _read_member(archive, "R", (n_chan, n_chan, stft.n_freq), np.complex64)
    lags, drifts, out_chans = (
        np.array(header[name]) if name in header else None
        for name in ("lags", "drifts", "out_chans")
    )
    course = _course(archive, header, shape)
    rate, ref_chan = header["sample_rate"], header["ref_chan"]
    return Content(G, stft, rate, ref_chan, lags, drifts, out_chans, R, course, has_rest)


def _course(
    archive: zipfile.ZipFile, header: dict[str, Any], shape: tuple[int, ...]
) -> Course | None:
    """Return the course that an archive holds, if it does; of rising times within its recording."""
    if "n_centres" not in header:
        return None
    n_centres, n_samples = (header[name] for name in ("n_centres", "n_samples"))
    if not all(type(n) is int and 0 < n < 2**62 for n in (n_centres, n_samples)):
        raise FiltersError(f"it has {n_centres!r} sets of filters over {n_samples!r}", hint=HINT)
    centres = _read_member(archive, "centres", (n_centres,), np.int64)
    inside = int(centres.min()) >= 0 and int(centres.max()) < n_samples
    if not inside or (np.diff(centres) <= 0).any():
        raise FiltersError("the times of its sets of filters are out of order", hint=HINT)
    rms = _read_member(archive, "rms", (header["n_chan"],), np.float64)
    G = _read_member(archive, "course", (n_centres, *shape), np.complex64)
    return Course(centres, G, n_samples, rms)


def _archive(arrays: Mapping[str, Array]) -> bytes:
    """Return the bytes of an npz file, whose members carry a fixed date."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            npy.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return content.getvalue()


def _check_sum(G: Array) -> None:
    """Refuse filters whose images would not sum to the mixture.

    Raises
    ------
    FiltersError
        With how far they are from it.
    """
    if not np.isfinite(G).all():
        raise FiltersError("the filters hold NaN or infinite numbers", hint=HINT)
    size = max(1.0, float(np.abs(G).max()))
    missing = G.sum(axis=0, dtype=complex) - np.eye(G.shape[1])[..., None]
    error = float(np.abs(missing).max())
    if error > IDENTITY_TOLERANCE * size:
        raise FiltersError(
            f"the filters do not sum to the identity: they miss it by {error:.3g}, "
            "so the outputs would not sum to the recording",
            hint=HINT,
        )


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
    has_rest, n_chan = header.get("has_rest", False), header["n_chan"]
    if type(has_rest) is not bool:
        raise FiltersError(f"its has_rest is {has_rest!r:.80}", hint=HINT)
    longest = LONGEST_LAG_SECONDS * header["sample_rate"]
    _check_list(header, "lags", n_chan, range(-longest, longest + 1))
    _check_list(header, "out_chans", header["n_src"] + has_rest, range(n_chan))
    _check_list(header, "drifts", n_chan, LARGEST_PPM)
    return header


def _check_list(header: dict[str, Any], name: str, length: int, allowed: range | float) -> None:
    """Refuse a list in a header that is not so long, or holds anything that is not allowed.

    Allowed are whole numbers of a range, or numbers up to a size.
    """
    values = header.get(name)
    if name not in header:
        return

    def is_allowed(value: object) -> bool:
        if isinstance(allowed, range):
            return type(value) is int and value in allowed
        return type(value) is float and abs(value) <= allowed

    if not (type(values) is list and len(values) == length and all(map(is_allowed, values))):
        raise FiltersError(f"its {name} are {values!r:.80}", hint=HINT)


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
