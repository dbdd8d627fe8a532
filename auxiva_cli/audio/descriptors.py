"""Reading and writing whole byte ranges of open files, with errors that say what to do."""

from __future__ import annotations

import errno
import os
import select
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from auxiva_cli.errors import OutputError, RecordingError

__all__ = [
    "ReadAt",
    "append_temporary",
    "check_stamp",
    "file_stamp",
    "free_bytes",
    "read_error",
    "read_stream",
    "reader_at",
    "stream_error",
    "temporary_descriptor",
    "temporary_directory",
    "write_all",
    "write_error",
    "write_stream",
]

# A signal that arrives just before a call that blocks does not end it: streams are waited for in
# short turns.
LOOK_UP_SECONDS = 0.2
SPARED_BYTES = 2**24
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

ReadAt = Callable[[int, int], bytes]


def reader_at(descriptor: int) -> ReadAt:
    """Return ``read_at(offset, n_bytes)`` for an open file: fewer bytes only at its end."""

    def read_at(offset: int, n_bytes: int) -> bytes:
        pieces = []
        try:
            while n_bytes > 0 and (piece := os.pread(descriptor, n_bytes, offset)):
                pieces.append(piece)
                offset += len(piece)
                n_bytes -= len(piece)
        except OSError as error:
            raise read_error(error) from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    return read_at


def file_stamp(descriptor: int) -> tuple[int, int]:
    """Return what changes when a file is written to: its size and its time of modification."""
    status = os.fstat(descriptor)
    return status.st_size, status.st_mtime_ns


def check_stamp(descriptor: int, stamp: tuple[int, int]) -> None:
    """Raise ``read-error`` if a file has another stamp by now."""
    if (now := file_stamp(descriptor)) != stamp:
        raise RecordingError(
            f"the file was changed while it was read: it had {stamp[0]} bytes, now {now[0]}",
            hint="Run again when it is finished.",
            kind="read-error",
        )


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write all of the bytes to a file, or raise ``OSError``."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_stream(stream: int, n_bytes: int) -> bytes:
    """Read from a stream, and look up now and then while nothing comes."""
    while not select.select([stream], [], [], LOOK_UP_SECONDS)[0]:
        pass
    return os.read(stream, n_bytes)


def write_stream(stream: int, content: bytes) -> None:
    """Write all of the bytes to a stream, and look up now and then while nobody takes them.

    So few bytes at a time never block a pipe that has room.
    """
    rest = memoryview(content)
    while rest:
        if select.select([], [stream], [], LOOK_UP_SECONDS)[1]:
            with suppress(BlockingIOError):  # another writer was quicker
                rest = rest[os.write(stream, rest[: select.PIPE_BUF]) :]


def temporary_descriptor() -> int:
    """Return the descriptor of a new, nameless file in ``$TMPDIR``; closing it deletes the file."""
    try:
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
    except OSError as error:
        raise write_error(error, temporary_directory()) from error


def append_temporary(descriptor: int, content: bytes | memoryview) -> None:
    """Write all of the bytes to a temporary file, or raise an error of ours.

    A little room is left to the others: a stream that never ends would take all there is.
    """
    directory = temporary_directory()
    try:
        if free_bytes(directory) < len(content) + SPARED_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(descriptor, content)
    except OSError as error:
        written = os.fstat(descriptor).st_size
        raise write_error(error, directory, n_bytes=written + len(content)) from error


def read_error(error: OSError) -> RecordingError:
    """Return our error for what the system said while reading."""
    return RecordingError(
        f"cannot be read: {error.strerror}",
        hint="Check the disk or the connection, and who may read it.",
        kind="read-error",
    )


def write_error(error: OSError, directory: Path, *, n_bytes: int | None = None) -> OutputError:
    """Return our error for what the system said while writing.

    Parameters
    ----------
    error : OSError
        As raised.
    directory : Path
        Where the file is, or was to be.
    n_bytes : int, optional
        How many bytes were to be written in all.

    Returns
    -------
    OutputError
        ``no-space`` with the needed and the free bytes, or ``write-error``.
    """
    if error.errno in FULL:
        needed = "" if n_bytes is None else f"{n_bytes} bytes needed, "
        return OutputError(
            f"{error.strerror}: {needed}{free_bytes(directory)} free in {str(directory)!r}",
            hint="Make room there, or choose another directory.",
            kind="no-space",
        )
    return OutputError(
        f"cannot write in {str(directory)!r}: {error.strerror}",
        hint="Check the directory, the disk and who may write there.",
        kind="write-error",
    )


def stream_error(error: OSError, n_bytes: int) -> OutputError:
    """Return our error for what the system said while writing to standard output."""
    if isinstance(error, BrokenPipeError):
        return OutputError(
            f"the reader of standard output went away after {n_bytes} bytes",
            hint="Did the command behind the pipe fail?",
            kind="output-closed",
        )
    return OutputError(
        f"cannot write to standard output: {error.strerror}",
        hint="Write to a directory instead.",
        kind="write-error",
    )


def free_bytes(directory: Path) -> int:
    """Return how many bytes an ordinary user can still write there; a guess where nobody knows."""
    try:
        status = os.statvfs(directory)
    except OSError:
        return sys.maxsize
    return status.f_bavail * status.f_frsize if status.f_blocks else sys.maxsize


def temporary_directory() -> Path:
    """Return where temporary files go; in the current directory, if nowhere else."""
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return Path.cwd()
