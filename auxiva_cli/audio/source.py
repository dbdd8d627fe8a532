"""From a name to the descriptor of a file that can be read at any place.

What cannot be (standard input, a FIFO) is copied to a temporary file first, which has no
name and is gone when it is closed, however the program ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable

from auxiva_cli.audio.containers import HEAD_BYTES, identify
from auxiva_cli.audio.descriptors import (
    append_temporary,
    read_error,
    read_stream,
    temporary_descriptor,
)
from auxiva_cli.errors import RecordingError

__all__ = ["STANDARD_INPUT", "open_source"]

STANDARD_INPUT = "-"
PIPE_BYTES = 2**20


def open_source(path: str | os.PathLike[str], most_bytes: Callable[[bytes], float]) -> int:
    """Open a recording for reading at any place.

    Parameters
    ----------
    path : path-like
        A file, a FIFO, or ``"-"`` for standard input (``"./-"`` is a file).
    most_bytes : callable
        ``most_bytes(head)`` returns how long a stream may be that begins like that.

    Returns
    -------
    int
        A descriptor of a regular file; the caller closes it.

    Raises
    ------
    RecordingError
        ``input-missing``, ``input-closed``, ``input-empty``, ``not-audio``, ``read-error`` or
        ``resource-limit``.
    OutputError
        ``no-space`` if a stream does not fit into the directory for temporary files.
    """
    is_standard_input = os.fspath(path) == STANDARD_INPUT
    descriptor = _standard_input() if is_standard_input else _open(path)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) and os.lseek(descriptor, 0, os.SEEK_CUR) == 0:
        return descriptor
    try:
        if stat.S_ISDIR(mode):
            hint = "Name the recordings in it."
            raise RecordingError("it is a directory", hint=hint, kind="not-audio")
        if stat.S_ISCHR(mode) and not is_standard_input:
            hint = "Pipe a recording into the program, or name one."
            raise RecordingError("it is a device, not a recording", hint=hint, kind="not-audio")
        return _spool(descriptor, most_bytes)
    finally:
        os.close(descriptor)


def _open(path: str | os.PathLike[str]) -> int:
    """Open a file by its name."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except ValueError as error:  # a NUL in the name
        raise RecordingError(f"no such file: {error}", kind="input-missing") from error
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise read_error(error) from error
        hint = "Check the spelling of the name."
        raise RecordingError(str(error.strerror), hint=hint, kind="input-missing") from error


def _standard_input() -> int:
    """Return a descriptor for standard input that can be closed like any other."""
    hint = "Pipe a recording into the program, or name one."
    try:
        if fcntl.fcntl(0, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        descriptor = os.dup(0)
    except OSError as error:
        raise RecordingError("standard input is closed", hint=hint, kind="input-closed") from error
    if os.isatty(descriptor):
        os.close(descriptor)
        raise RecordingError("standard input is a terminal", hint=hint, kind="input-closed")
    return descriptor


def _spool(stream: int, most_bytes: Callable[[bytes], float]) -> int:
    """Copy a stream to a temporary file, unless its first bytes say that it is no recording."""
    head = b""
    while len(head) < HEAD_BYTES and (piece := _read(stream, HEAD_BYTES - len(head))):
        head += piece
    if not head:
        raise RecordingError(
            "no data came through the pipe",
            hint="Did the command before it fail? 'set -o pipefail' makes the shell tell.",
            kind="input-empty",
        )
    identify(head)
    most = most_bytes(head)
    spool = temporary_descriptor()
    try:
        append_temporary(spool, head)
        while piece := _read(stream, PIPE_BYTES):
            append_temporary(spool, piece)
            if (size := os.fstat(spool).st_size) > most:
                raise RecordingError(
                    f"more came through the pipe than is allowed: {size} bytes, and no end",
                    hint="Cut it, or allow more.",
                    kind="resource-limit",
                )
    except BaseException:
        os.close(spool)
        raise
    return spool


def _read(stream: int, n_bytes: int) -> bytes:
    """Read from a stream, or raise an error of ours."""
    try:
        return read_stream(stream, n_bytes)
    except OSError as error:
        raise read_error(error) from error
