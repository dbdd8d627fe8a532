"""How many channels a recording has, without reading it."""

from __future__ import annotations

import os

import soundfile

from auxiva_cli.audio.descriptors import reader_at
from auxiva_cli.audio.sniff import HEAD_BYTES, identify
from auxiva_cli.audio.wav_layout import parse_wav
from auxiva_cli.errors import AuxivaError

__all__ = ["count_channels"]


def count_channels(path: str | os.PathLike[str]) -> int | None:
    """Return the number of channels that the header of a regular file states.

    Parameters
    ----------
    path : path-like
        A file, not a pipe.

    Returns
    -------
    int or None
        None where the header cannot be read: opening the recording then tells why.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        read_at = reader_at(descriptor)
        if identify(read_at(0, HEAD_BYTES)) == "WAV":
            size = os.fstat(descriptor).st_size
            return parse_wav(read_at, size, allow_truncated=True).format.n_chan
        with soundfile.SoundFile(os.fsencode(path)) as file:
            return int(file.channels)
    except (AuxivaError, OSError, soundfile.SoundFileError):
        return None
    finally:
        os.close(descriptor)
