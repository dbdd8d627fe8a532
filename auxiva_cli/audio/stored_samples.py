"""Plain samples in an open file, read block by block at any place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from auxiva_cli.audio.descriptors import reader_at
from auxiva_cli.audio.notices import Notice
from auxiva_cli.audio.samples import Encoding, decode
from auxiva_cli.errors import RecordingError

__all__ = ["Contents", "StoredSamples"]


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
    """

    descriptor: int
    encoding: Encoding
    n_chan: int
    offset: int = 0
    byte_order: Literal["<", ">"] = "<"

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

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


class Contents(NamedTuple):
    """What was found in a file, wherever its samples are now.

    Parameters
    ----------
    store : StoredSamples
        The samples; whoever holds the contents closes it.
    sample_rate : int
        In Hz.
    n_samples : int
        Per channel, truly there.
    subtype : str
        Encoding of the file itself, in libsndfile's words.
    container : str
        ``WAV``, ``FLAC``, ...
    notices : tuple of Notice
        What was wrong and could be put right.
    """

    store: StoredSamples
    sample_rate: int
    n_samples: int
    subtype: str
    container: str
    notices: tuple[Notice, ...]
