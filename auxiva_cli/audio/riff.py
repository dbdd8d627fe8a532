"""The chunks of a RIFF, RIFX, RF64 or BW64 file (EBU Tech 3306, ITU-R BS.2088)."""

from __future__ import annotations

import struct
from typing import Literal, NamedTuple

from auxiva_cli.audio.descriptors import ReadAt
from auxiva_cli.errors import RecordingError

__all__ = ["Chunk", "RiffFile"]

MAX_CHUNKS = 4096
TAIL_BYTES = 2**20
KNOWN_IDS = frozenset(
    b"fmt |data|ds64|fact|LIST|JUNK|junk|FLLR|PAD |bext|cue |smpl|inst|PEAK|iXML|axml|chna|"
    b"id3 |ID3 |DISP|afsp|_PMX|acid|umid|minf|elm1|regn|levl|plst".split(b"|")
)


class Chunk(NamedTuple):
    """One chunk: its name, where its body begins, and the size that its header claims."""

    name: bytes
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Where the body ends, if the header is right; a pad byte may follow."""
        return self.offset + self.size


class RiffFile:
    """A file that is a sequence of chunks.

    Parameters
    ----------
    read_at : callable
        ``read_at(offset, n_bytes)`` returns those bytes of the file, fewer at its end.
    size : int
        True length of the file in bytes.
    """

    def __init__(self, read_at: ReadAt, size: int) -> None:
        magic = read_at(0, 4)
        self.read_at = read_at
        self.size = size
        self.byte_order: Literal["<", ">"] = ">" if magic == b"RIFX" else "<"
        self.is_64_bit = magic in (b"RF64", b"BW64")

    def chunk_at(self, offset: int) -> Chunk | None:
        """Return the chunk whose header stands at an offset, None if none can."""
        header = self.read_at(offset, 8)
        if len(header) < 8 or not all(0x20 <= letter < 0x7F for letter in header[:4]):
            return None
        name, size = struct.unpack(f"{self.byte_order}4sI", header)
        return Chunk(name, offset + 8, size)

    def chunk_after(self, chunk: Chunk) -> Chunk | None:
        """Return the next chunk, with or without the pad byte that an odd chunk should have."""
        padded = self.chunk_at(chunk.end + chunk.size % 2)
        if chunk.size % 2 and (padded is None or padded.name not in KNOWN_IDS):
            unpadded = self.chunk_at(chunk.end)
            if unpadded is not None and unpadded.name in KNOWN_IDS:
                return unpadded
        return padded

    def body(self, chunk: Chunk, at_most: int = 64) -> bytes:
        """Return the first bytes of a chunk's body."""
        return self.read_at(chunk.offset, min(chunk.size, at_most))

    def chunks_up_to_data(self) -> dict[bytes, Chunk]:
        """Return the chunks from the first to ``data``, by name.

        Returns
        -------
        dict
            With at least ``b"fmt "`` and ``b"data"``.

        Raises
        ------
        RecordingError
            ``malformed`` or ``input-truncated``.
        """
        chunks: dict[bytes, Chunk] = {}
        chunk = self.chunk_at(12)
        for _ in range(MAX_CHUNKS):
            if chunk is None:
                break
            chunks.setdefault(chunk.name, chunk)
            if chunk.name == b"data":
                break
            if chunk.end > self.size:
                raise RecordingError(
                    f"the file ends after {self.size} bytes, inside its {_quoted(chunk)} chunk",
                    hint="Copy or record it again.",
                    kind="input-truncated",
                )
            chunk = self.chunk_after(chunk)
        for name in (b"data", b"fmt "):
            if name not in chunks:
                found = ", ".join(map(_quoted, chunks.values())) or "nothing"
                raise RecordingError(
                    f"no '{name.decode()}' chunk where one must be (found: {found})",
                    hint="Copy or record it again; 'ffmpeg -i IN OUT.wav' may rescue it.",
                    kind="malformed",
                )
        return chunks

    def chain(self, start: int) -> list[Chunk] | None:
        """Return the chunks that fill the file from an offset to its end, None if they do not."""
        chunks: list[Chunk] = []
        chunk = self.chunk_at(start)
        while chunk is not None and chunk.end <= self.size and len(chunks) < MAX_CHUNKS:
            chunks.append(chunk)
            if chunk.end + chunk.size % 2 >= self.size:
                return chunks
            chunk = self.chunk_after(chunk)
        return None

    def chain_after(self, chunk: Chunk) -> list[Chunk] | None:
        """Return the chunks that fill the file after a chunk, padded or not."""
        return self.chain(chunk.end + chunk.size % 2) or self.chain(chunk.end)

    def start_of_tail(self, earliest: int) -> int:
        """Return where the chunks at the very end of the file begin; its size if there are none.

        Only known names count, within the last ``TAIL_BYTES``: audio that happens to
        spell one would have to give its exact distance to the end as well.
        """
        earliest = max(earliest, self.size - TAIL_BYTES)
        tail = self.read_at(earliest, self.size - earliest)
        named = sorted(earliest + index for name in KNOWN_IDS for index in _occurrences(tail, name))
        leading_to_the_end = {self.size}
        for offset in reversed(named):
            chunk = self.chunk_at(offset)
            if chunk and not leading_to_the_end.isdisjoint((chunk.end, chunk.end + chunk.size % 2)):
                leading_to_the_end.add(offset)
        return min(leading_to_the_end)


def _occurrences(haystack: bytes, needle: bytes) -> list[int]:
    """Return every index at which a name stands."""
    indices = []
    index = haystack.find(needle)
    while index >= 0:
        indices.append(index)
        index = haystack.find(needle, index + 1)
    return indices


def _quoted(chunk: Chunk) -> str:
    """Return a chunk's name for a message."""
    return f"'{chunk.name.decode('ascii')}'"
