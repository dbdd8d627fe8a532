"""Standard output as a place for finished files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from auxiva_cli.audio.descriptors import reader_at, temporary_descriptor, write_stream
from auxiva_cli.errors import OutputError

__all__ = ["StagedStream"]

PIPE_BYTES = 2**20


class StagedStream:
    """One file for a stream, to which nothing is written before the file is known to be right.

    Parameters
    ----------
    stream : int, default=1
        Descriptor of the stream; 1 is standard output.

    Attributes
    ----------
    descriptors : list of int
        The temporary file that is copied into the stream.
    """

    def __init__(self, stream: int = 1) -> None:
        self.stream = stream
        self.directory = Path(tempfile.gettempdir())
        self.descriptors = [temporary_descriptor()]

    def publish(self) -> None:
        """Copy the finished file into the stream.

        Raises
        ------
        OutputError
            ``output-closed`` if its reader went away, or ``write-error``.
        """
        read_at = reader_at(self.descriptors[0])
        offset = 0
        try:
            while piece := read_at(offset, PIPE_BYTES):
                write_stream(self.stream, piece)
                offset += len(piece)
        except BrokenPipeError as error:
            raise OutputError(
                f"the reader of standard output went away after {offset} bytes",
                hint="Did the command behind the pipe fail?",
                kind="output-closed",
            ) from error
        except OSError as error:
            raise OutputError(
                f"cannot write to standard output: {error.strerror}",
                hint="Write to a directory instead.",
                kind="write-error",
            ) from error

    def discard(self) -> None:
        """Let go of the temporary file."""
        while self.descriptors:
            os.close(self.descriptors.pop())
