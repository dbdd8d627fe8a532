"""Everything but plain WAV, decoded once by libsndfile into a temporary file of plain samples.

Its own reading is not relied on for more: it seeks inexactly in Vorbis and MP3 and not at all in
GSM 6.10, and the lengths that it reports are what headers claim.  Decoding from the first sample
to the last settles the true length, and gives random access that is exact.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from auxiva_cli.audio.containers import check_plausible, refuse_truncated
from auxiva_cli.audio.descriptors import append_temporary, free_bytes, temporary_descriptor
from auxiva_cli.audio.samples import ENCODINGS, Contents, Encoding, StoredSamples
from auxiva_cli.errors import Notice, RecordingError

__all__ = ["count_samples", "decode_whole"]

BLOCK_LENGTH = 4096  # samples: where damage begins, the rest of a block is lost
MALFORMED_FILE = 3  # libsndfile's SF_ERR_MALFORMED_FILE
MOST_FRAMES_PER_BYTE = 8192  # more than a FLAC frame of constant value packs
SIXTEEN_BITS = frozenset(
    {"PCM_S8", "PCM_U8", "PCM_16", "ALAC_16", "ALAW", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"}
)
DOUBLE_PRECISION = frozenset({"PCM_32", "ALAC_32", "DOUBLE"})
ESTIMATED_LENGTH = frozenset({"MP3", "WAV"})  # compressed WAV rounds up to whole blocks


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read from front to back: soundfile then never seeks."""

    def seekable(self) -> bool:
        """Say no, so that reading a block is only that."""
        return False


def decode_whole(descriptor: int, container: str, name: str, *, allow_truncated: bool) -> Contents:
    """Decode a recording from its first sample to its last.

    Parameters
    ----------
    descriptor : int
        A regular file; its offset is moved, it stays open.
    container : str
        ``WAV``, ``FLAC``, ...
    name : str
        What the format is called in messages.
    allow_truncated : bool
        Accept fewer samples than the header claims, with a notice.

    Returns
    -------
    Contents
        The samples in a temporary file.

    Raises
    ------
    RecordingError
        ``malformed``, ``unsupported``, ``input-truncated``, ``input-empty`` or ``resource-limit``.
    OutputError
        ``no-space`` if the samples do not fit into the directory for temporary files.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        file = _SequentialFile(descriptor, closefd=False)
    except soundfile.LibsndfileError as error:
        raise RecordingError(
            f"{name} that cannot be decoded: {error.error_string.rstrip('.')}",
            hint="Decode it first: 'ffmpeg -i IN OUT.wav'.",
            kind="malformed" if error.code == MALFORMED_FILE else "unsupported",
        ) from error
    with file:
        check_plausible(file.channels, file.samplerate)
        claimed = _claimed_samples(file, os.fstat(descriptor).st_size)
        store = StoredSamples(temporary_descriptor(), _storage(file.subtype), file.channels)
        try:
            n_samples, damage = _copy_samples(file, store)
            notices = _shortfall(container, claimed, n_samples, damage)
            refuse_truncated(notices, allow_truncated=allow_truncated)
            if n_samples == 0:
                raise RecordingError(f"{name} without any audio", kind="input-empty")
        except BaseException:
            store.close()
            raise
        return Contents(
            sample_rate=file.samplerate,
            n_chan=file.channels,
            n_samples=n_samples,
            subtype=file.subtype,
            container=container,
            dtype=store.encoding.dtype,
            warnings=notices,
            store=store,
        )


def count_samples(descriptor: int) -> int:
    """Decode a file to its end.

    Parameters
    ----------
    descriptor : int
        A regular file; its offset is moved, it stays open.

    Returns
    -------
    int
        Samples per channel.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    with _SequentialFile(descriptor, closefd=False) as file:
        block = np.empty((BLOCK_LENGTH, file.channels), np.int32)
        return sum(iter(lambda: len(file.read(out=block)), 0))


def _storage(subtype: str) -> Encoding:
    """Return the smallest encoding that keeps what the decoder gives."""
    if subtype in SIXTEEN_BITS:
        return ENCODINGS["PCM_16"]
    return ENCODINGS["DOUBLE" if subtype in DOUBLE_PRECISION else "FLOAT"]


def _claimed_samples(file: soundfile.SoundFile, file_size: int) -> int | None:
    """Return the length that the header claims, None if it claims none; refuse the impossible."""
    if file.frames in (0, 2**63 - 1):
        return None
    if file.frames > MOST_FRAMES_PER_BYTE * file_size:
        raise RecordingError(
            f"the header claims {file.frames} samples per channel in a file of {file_size} bytes",
            hint="Copy or encode it again.",
            kind="malformed",
        )
    n_bytes = file.frames * file.channels * _storage(file.subtype).width
    directory = Path(tempfile.gettempdir())
    if n_bytes > (free := free_bytes(directory)):
        raise RecordingError(
            f"decoded, it takes {n_bytes} bytes; {str(directory)!r} has {free} free",
            hint="Set TMPDIR to a directory with more room, or cut the recording.",
            kind="resource-limit",
        )
    return int(file.frames)


def _copy_samples(file: soundfile.SoundFile, store: StoredSamples) -> tuple[int, str]:
    """Decode block by block; return the number of samples, and what stopped it early."""
    encoding = store.encoding
    dtype = "int16" if encoding.subtype == "PCM_16" else encoding.dtype
    n_samples = 0
    while True:
        try:
            block = file.read(BLOCK_LENGTH, dtype=dtype, always_2d=True)
        except soundfile.LibsndfileError as error:
            return n_samples, error.error_string.rstrip(".")
        if len(block) == 0:
            return n_samples, ""
        little_endian = block.astype(block.dtype.newbyteorder("<"), copy=False)
        append_temporary(store.descriptor, little_endian.tobytes())
        n_samples += len(block)


def _shortfall(
    container: str, claimed: int | None, n_samples: int, damage: str
) -> tuple[Notice, ...]:
    """Say what the decoder did not deliver, if anything."""
    if damage:
        text = f"damaged after {n_samples} samples per channel: {damage}"
        return (Notice("input-truncated", text),)
    if claimed is None or claimed == n_samples:
        return ()
    text = f"the header promises {claimed} samples per channel, {n_samples} could be decoded"
    uncertain = container in ESTIMATED_LENGTH
    return (Notice("length-uncertain" if uncertain else "input-truncated", text),)
