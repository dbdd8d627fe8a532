"""The ``fmt`` chunk of a WAV file: what one sample looks like."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from auxiva_cli.audio.limits import check_plausible
from auxiva_cli.audio.notices import Notice
from auxiva_cli.audio.samples import ENCODINGS, Encoding
from auxiva_cli.errors import RecordingError

__all__ = ["WavFormat", "parse_format"]

PCM, IEEE_FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
CODEC_NAMES = {
    0x0002: "Microsoft ADPCM",
    0x0011: "IMA ADPCM",
    0x0028: "G.722",
    0x0031: "GSM 6.10",
    0x0050: "MPEG",
    0x0055: "MP3",
    0x0064: "G.726",
    0x00FF: "AAC",
}

# The last eight bytes of a sub-format GUID and the two words before them: Microsoft's
# own, and the one of ambisonic B-format, which tags the same encodings.
GUID_TAILS = {
    (0x0000, 0x0010, bytes.fromhex("800000aa00389b71")),
    (0x0721, 0x11D3, bytes.fromhex("8644c8c1ca000000")),
}


@dataclass(frozen=True)
class WavFormat:
    """A parsed ``fmt`` chunk.

    Parameters
    ----------
    n_chan : int
        Number of channels.
    sample_rate : int
        In Hz.
    tag : int
        The encoding's registered number, with WAVE_EXTENSIBLE resolved.
    encoding : Encoding or None
        None if the samples are compressed in a way that is not decoded here.
    frame_bytes : int
        Bytes of one sample of every channel, or of one block of a compressed encoding.
    notices : tuple of Notice
        What was wrong and could be put right.
    """

    n_chan: int
    sample_rate: int
    tag: int
    encoding: Encoding | None
    frame_bytes: int
    notices: tuple[Notice, ...] = ()

    @property
    def codec_name(self) -> str:
        """The encoding, for people."""
        number = f"0x{self.tag:04X}"
        return f"{number} ({CODEC_NAMES[self.tag]})" if self.tag in CODEC_NAMES else number


def parse_format(body: bytes, byte_order: Literal["<", ">"]) -> WavFormat:
    """Parse the body of a ``fmt`` chunk.

    Parameters
    ----------
    body : bytes
        The chunk without its eight-byte header.
    byte_order : {"<", ">"}
        ``"<"`` in RIFF, ``">"`` in RIFX.

    Returns
    -------
    WavFormat
        What one frame looks like.

    Raises
    ------
    RecordingError
        ``malformed``, ``unsupported`` or ``resource-limit``.
    """
    if len(body) < 16:
        raise RecordingError(
            f"the 'fmt ' chunk has {len(body)} bytes, a WAV file needs 16", kind="malformed"
        )
    tag, n_chan, sample_rate, _, block_align, bits = struct.unpack(f"{byte_order}HHIIHH", body[:16])
    if tag == EXTENSIBLE:
        tag = _extensible_tag(body, byte_order)
    check_plausible(n_chan, sample_rate)

    encoding = _encoding(tag, bits, block_align, n_chan)
    if encoding is None:
        return WavFormat(n_chan, sample_rate, tag, None, max(block_align, 1))
    frame_bytes = n_chan * encoding.width
    notices: tuple[Notice, ...] = ()
    if block_align != frame_bytes:
        text = f"the header's block align is {block_align}, {frame_bytes} is used"
        notices = (Notice("block-align-wrong", text),)
    return WavFormat(n_chan, sample_rate, tag, encoding, frame_bytes, notices)


def _extensible_tag(body: bytes, byte_order: str) -> int:
    """Return the encoding's number out of the GUID of a WAVE_EXTENSIBLE header."""
    if len(body) < 40:
        raise RecordingError(
            f"the WAVE_EXTENSIBLE header has {len(body)} bytes, it needs 40", kind="malformed"
        )
    tag, *middle = struct.unpack(f"{byte_order}IHH", body[24:32])
    if (*middle, body[32:40]) not in GUID_TAILS:
        raise RecordingError(
            f"the WAVE_EXTENSIBLE header has the unknown sub-format {body[24:40].hex()}",
            hint="Convert the file to plain WAV with 'ffmpeg -i IN -c:a pcm_s24le OUT.wav'.",
            kind="unsupported",
        )
    return int(tag)


def _encoding(tag: int, bits: int, block_align: int, n_chan: int) -> Encoding | None:
    """Return how a sample is stored, or None if it is left to a decoder."""
    if tag in (A_LAW, MU_LAW):
        return ENCODINGS["ALAW" if tag == A_LAW else "ULAW"]
    if tag == IEEE_FLOAT and bits in (32, 64):
        return ENCODINGS["FLOAT" if bits == 32 else "DOUBLE"]
    if tag == PCM and 1 <= bits <= 32:
        width = -(-bits // 8)
        if width == 3 and block_align == 4 * n_chan:
            # 24 bits in four bytes: read as 32-bit integers, as every other reader does.
            width = 4
        return ENCODINGS[("PCM_U8", "PCM_16", "PCM_24", "PCM_32")[width - 1]]
    if tag in (PCM, IEEE_FLOAT):
        name = "integer" if tag == PCM else "float"
        raise RecordingError(
            f"{bits}-bit {name} samples are not supported",
            hint="Convert the file with 'ffmpeg -i IN -c:a pcm_f32le OUT.wav'.",
            kind="unsupported",
        )
    return None
