"""From a name to the descriptor of a file that can be read at any place.

What cannot be (standard input, a FIFO) is copied to a temporary file first, which has no
name and is gone when it is closed, however the program ends.
"""

from __future__ import annotations

import errno
import fcntl
import math
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

__all__ = ["STANDARD_INPUT", "keep_standard_input", "open_source", "read_piece", "standard_input"]

STANDARD_INPUT = "-"
PIPE_BYTES = 2**20


def open_source(
    path: str | os.PathLike[str],
    most_bytes: Callable[[bytes], float],
    received: Callable[[int], None] | None = None,
) -> int:
    """Open a recording for reading at any place.

    Parameters
    ----------
    path : path-like
        A file, a FIFO, or ``"-"`` for standard input (``"./-"`` is a file).
    most_bytes : callable
        ``most_bytes(head)`` returns after how many bytes a stream that begins like that is read
        no further.
    received : callable, optional
        Is told how many bytes of a stream have come.

    Returns
    -------
    int
        A descriptor of a regular file; the caller closes it.

    Raises
    ------
    RecordingError
        ``input-missing``, ``input-closed``, ``input-empty``, ``not-audio`` or ``read-error``.
    OutputError
        ``no-space`` if a stream does not fit into the directory for temporary files.
    """
    is_standard_input = os.fspath(path) == STANDARD_INPUT
    descriptor = standard_input() if is_standard_input else _open(path)
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
        return _spool(descriptor, most_bytes, received)
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


def standard_input() -> int:
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


def keep_standard_input(head: bytes) -> None:
    """Have standard input, of which the first bytes were read, be a file with all that comes.

    Raises
    ------
    RecordingError, OutputError
        As ``open_source`` does.
    """
    spool = _spool(0, lambda _: math.inf, None, head)
    os.lseek(spool, 0, os.SEEK_SET)
    os.dup2(spool, 0)
    os.close(spool)


def _spool(
    stream: int,
    most_bytes: Callable[[bytes], float],
    received: Callable[[int], None] | None,
    head: bytes = b"",
) -> int:
    """Copy a stream to a temporary file, unless its first bytes say that it is no recording."""
    while len(head) < HEAD_BYTES and (piece := read_piece(stream, HEAD_BYTES - len(head))):
        head += piece
    if not head:
        raise RecordingError(
            "no data came through the pipe",
            hint="Did the command before it fail? 'set -o pipefail' makes the shell tell.",
            kind="input-empty",
        )
    identify(head)
    most, size = most_bytes(head), len(head)
    spool = temporary_descriptor()
    try:
        append_temporary(spool, head)
        while size <= most and (piece := read_piece(stream, PIPE_BYTES)):
            append_temporary(spool, piece)
            size += len(piece)
            if received is not None:
                received(size)
    except BaseException:
        os.close(spool)
        raise
    return spool


def read_piece(stream: int, n_bytes: int) -> bytes:
    """Read from a stream, or raise an error of ours."""
    try:
        return read_stream(stream, n_bytes)
    except OSError as error:
        raise read_error(error) from error
