"""WAV files built byte by byte, right ones and wrong ones; nothing here reads."""

from __future__ import annotations

import shutil
import struct
from typing import NamedTuple

import numpy as np

RATE = 16_000
# The error of the stump of a film, with ffmpeg and without.
FILM = "malformed" if shutil.which("ffmpeg") else "unsupported"
PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
MICROSOFT_GUID = bytes.fromhex("000000001000800000aa00389b71")
AMBISONIC_GUID = bytes.fromhex("000021 07d3118644c8c1ca000000")


def chunk(
    name: bytes, body: bytes, *, size: int | None = None, pad: bool = True, order="<"
) -> bytes:
    length = struct.pack(f"{order}I", len(body) if size is None else size)
    return name + length + body + b"\0" * (len(body) % 2 if pad else 0)


def fmt(tag=PCM, n_chan=2, bits=16, *, rate=RATE, align=None, guid=None, order="<") -> bytes:
    align = n_chan * bits // 8 if align is None else align
    outer = tag if guid is None else EXTENSIBLE
    body = struct.pack(f"{order}HHIIHH", outer, n_chan, rate, rate * align % 2**32, align, bits)
    if guid is not None:
        body += struct.pack(f"{order}HHIH", 22, bits, 0, tag) + guid
    return chunk(b"fmt ", body, order=order)


def wav(format_chunk: bytes, audio: bytes, *, magic=b"RIFF", before=b"", after=b"",
        data_size=None, riff_size=None, pad=True, order="<") -> bytes:  # fmt: skip
    data = chunk(b"data", audio, size=data_size, pad=pad, order=order)
    body = b"WAVE" + before + format_chunk + data + after
    size = len(body) if riff_size is None else riff_size
    return magic + struct.pack(f"{order}I", size) + body


def ds64(data_size: int, n_samples: int = 0) -> bytes:
    return chunk(b"ds64", struct.pack("<QQQI", 0, data_size, n_samples, 0))


def ramp(n_chan: int, n_samples: int, bits: int) -> np.ndarray:
    """Integers over the whole range of a word, (n_samples, n_chan), no two channels alike."""
    top = 2 ** (bits - 1)
    generator = np.random.default_rng(n_chan + n_samples + bits)
    values = generator.integers(-top, top, (n_samples, n_chan))
    values[0], values[-1] = -top, top - 1
    return values


def packed(values: np.ndarray, width: int, order: str = "<") -> bytes:
    byte_order = "little" if order == "<" else "big"
    return b"".join(int(value).to_bytes(width, byte_order, signed=True) for value in values.flat)


class Case(NamedTuple):
    """A file, what it holds as (n_chan, n_samples), and the notices it must give."""

    content: bytes
    samples: np.ndarray
    notices: tuple[str, ...] = ()


N_SAMPLES = 401
VALUES = ramp(2, N_SAMPLES, 16)
AUDIO = packed(VALUES, 2)
SAMPLES = VALUES.T / 2.0**15
INFO = chunk(b"LIST", b"INFOISFT" + struct.pack("<I", 5) + b"maker")


def good_files() -> dict[str, Case]:
    """Return WAV files that are as they should be, in every plain encoding."""
    mono_24 = ramp(1, N_SAMPLES, 24)
    wide_24, eight_24 = ramp(2, N_SAMPLES, 24), ramp(8, N_SAMPLES, 24)
    wide_32, narrow_8 = ramp(2, N_SAMPLES, 32), ramp(3, N_SAMPLES, 8)
    floats = np.random.default_rng(5).standard_normal((N_SAMPLES, 2)).astype("<f4")
    doubles = np.random.default_rng(6).standard_normal((N_SAMPLES, 2)).astype("<f8")
    offset_binary = (narrow_8 + 128).astype("u1").tobytes()
    right_justified = packed(wide_24, 4)
    return {
        "16 bit": Case(wav(fmt(), AUDIO), SAMPLES),
        "8 bit, odd": Case(wav(fmt(n_chan=3, bits=8), offset_binary), narrow_8.T / 2**7),
        "24 bit": Case(wav(fmt(bits=24), packed(wide_24, 3)), wide_24.T / 2**23),
        "24 bit, mono, odd": Case(
            wav(fmt(n_chan=1, bits=24), packed(mono_24, 3)), mono_24.T / 2**23
        ),
        "24 bit, no pad at the end": Case(
            wav(fmt(n_chan=1, bits=24), packed(mono_24, 3), pad=False), mono_24.T / 2**23
        ),
        "32 bit": Case(wav(fmt(bits=32), packed(wide_32, 4)), wide_32.T / 2**31),
        "24 in 32 bit": Case(wav(fmt(bits=24, align=8), right_justified), wide_24.T / 2**31),
        "float": Case(wav(fmt(FLOAT, bits=32), floats.tobytes()), floats.T),
        "double": Case(wav(fmt(FLOAT, bits=64), doubles.tobytes()), doubles.T),
        "extensible": Case(wav(fmt(guid=MICROSOFT_GUID), AUDIO), SAMPLES),
        "extensible float": Case(
            wav(fmt(FLOAT, bits=32, guid=MICROSOFT_GUID), floats.tobytes()), floats.T
        ),
        "extensible, 8 channels, 24 bit": Case(
            wav(fmt(n_chan=8, bits=24, guid=MICROSOFT_GUID), packed(eight_24, 3)),
            eight_24.T / 2**23,
        ),
        "ambisonic": Case(wav(fmt(guid=AMBISONIC_GUID), AUDIO), SAMPLES),
        "RIFX": Case(
            wav(fmt(order=">"), packed(VALUES, 2, ">"), magic=b"RIFX", order=">"), SAMPLES
        ),
        "RIFX, 24 bit": Case(
            wav(fmt(bits=24, order=">"), packed(wide_24, 3, ">"), magic=b"RIFX", order=">"),
            wide_24.T / 2**23,
        ),
        "RF64": Case(
            wav(fmt(), AUDIO, magic=b"RF64", riff_size=2**32 - 1, data_size=2**32 - 1,
                before=ds64(len(AUDIO))), SAMPLES),
        "BW64": Case(
            wav(fmt(), AUDIO, magic=b"BW64", riff_size=2**32 - 1, data_size=2**32 - 1,
                before=ds64(len(AUDIO)), after=INFO), SAMPLES),
        "LIST before": Case(wav(fmt(), AUDIO, before=INFO), SAMPLES),
        "LIST after": Case(wav(fmt(), AUDIO, after=INFO), SAMPLES),
        "odd chunk before": Case(wav(fmt(), AUDIO, before=chunk(b"bext", b"abc")), SAMPLES),
        "JUNK of 200 kB": Case(wav(fmt(), AUDIO, before=chunk(b"JUNK", bytes(200_000))), SAMPLES),
    }  # fmt: skip


def odd_files() -> dict[str, Case]:
    """Return WAV files whose header lies, and whose audio is all there."""
    rf64 = {"magic": b"RF64", "riff_size": 2**32 - 1, "data_size": 2**32 - 1}
    odd_24 = ramp(1, N_SAMPLES, 24)
    return {
        "streamed by ffmpeg": Case(
            wav(fmt(), AUDIO, before=INFO, data_size=2**32 - 1, riff_size=2**32 - 1), SAMPLES
        ),
        "streamed by SoX": Case(
            wav(fmt(), AUDIO, data_size=0x7FFFF000, riff_size=0x7FFFF024), SAMPLES
        ),
        "streamed by SoX, odd": Case(
            wav(fmt(n_chan=1, bits=24), packed(odd_24, 3), data_size=715_826_517 * 3),
            odd_24.T / 2**23,
        ),
        "streamed by arecord": Case(wav(fmt(), AUDIO, data_size=0x80000000), SAMPLES),
        "streamed, LIST after": Case(wav(fmt(), AUDIO, data_size=2**32 - 1, after=INFO), SAMPLES),
        "streamed RF64": Case(wav(fmt(), AUDIO, before=ds64(0), **rf64), SAMPLES),
        "riff size 0": Case(wav(fmt(), AUDIO, riff_size=0), SAMPLES),
        "unfinished": Case(
            wav(fmt(), AUDIO, data_size=0, riff_size=0), SAMPLES, ("header-unfinished",)
        ),
        "unfinished, sample cut": Case(
            wav(fmt(), AUDIO + b"x", data_size=0, pad=False), SAMPLES, ("header-unfinished",)
        ),
        "odd chunk without pad": Case(
            wav(fmt(), AUDIO, before=chunk(b"LIST", b"INFO!", pad=False)), SAMPLES
        ),
        "odd audio without pad, LIST after": Case(
            wav(fmt(n_chan=1, bits=24), packed(odd_24, 3), pad=False, after=INFO),
            odd_24.T / 2**23,
        ),
        "garbage after": Case(wav(fmt(), AUDIO, after=b"\x01" * 99), SAMPLES, ("trailing-bytes",)),
        "block align 0": Case(wav(fmt(align=0), AUDIO), SAMPLES, ("block-align-wrong",)),
        "block align wrong": Case(wav(fmt(align=6), AUDIO), SAMPLES, ("block-align-wrong",)),
    }


def bad_files() -> dict[str, tuple[bytes, str, str]]:
    """Return files that are refused: the file, the kind of error, and words of its message."""
    whole = wav(fmt(), AUDIO)
    header = len(whole) - len(AUDIO)
    rf64 = {"magic": b"RF64", "riff_size": 2**32 - 1, "data_size": 2**32 - 1}
    streamed = wav(fmt(), AUDIO[:-1], data_size=2**32 - 1, pad=False)
    unknown_guid = wav(fmt(guid=bytes(14)), AUDIO)
    return {
        "half": (
            whole[: header + len(AUDIO) // 2],
            "input-truncated",
            "401 .* 200 and 2 stray bytes .50 %",
        ),
        "inside a sample": (whole[:-1], "input-truncated", "400 and 3 stray bytes"),
        "streamed, inside a sample": (streamed, "input-truncated", "400 .* 3 stray bytes"),
        "RF64 of 100 GB": (
            wav(fmt(), AUDIO, before=ds64(10**11), **rf64),
            "input-truncated",
            "25000000000 samples",
        ),
        "header only": (whole[:header], "input-empty", "0 bytes of audio"),
        "no samples": (wav(fmt(), b""), "input-empty", "0 bytes of audio"),
        "no samples, LIST after": (wav(fmt(), b"", after=INFO), "input-empty", "0 bytes of audio"),
        "inside fmt": (whole[:30], "input-truncated", "inside its 'fmt ' chunk"),
        "no data": (b"RIFF\x20\0\0\0WAVE" + fmt() + INFO, "malformed", "no 'data'"),
        "no fmt": (wav(b"", AUDIO), "malformed", "no 'fmt '"),
        "data first": (wav(b"", AUDIO, after=fmt()), "malformed", "no 'fmt '"),
        "two data chunks": (wav(fmt(), AUDIO, after=chunk(b"data", AUDIO)), "unsupported", "one"),
        "two files": (whole + whole, "unsupported", "several recordings"),
        "RF64 without ds64": (wav(fmt(), AUDIO, **rf64), "malformed", "ds64"),
        "RF64 of 2^62": (wav(fmt(), AUDIO, before=ds64(2**62), **rf64), "malformed", str(2**62)),
        "RF64 of 2^64-1": (
            wav(fmt(), AUDIO, before=ds64(2**64 - 1), **rf64),
            "malformed",
            str(2**64 - 1),
        ),
        "unknown tag": (wav(fmt(0x1234), AUDIO), "unsupported", "0x1234"),
        "G.722": (wav(fmt(0x0028), AUDIO), "unsupported", r"G\.722"),
        "unknown GUID": (unknown_guid, "unsupported", "sub-format"),
        "extensible, short": (wav(fmt(EXTENSIBLE), AUDIO), "malformed", "needs 40"),
        "64-bit integers": (wav(fmt(bits=64), AUDIO), "unsupported", "64-bit integer"),
        "0-bit integers": (wav(fmt(bits=0, align=4), AUDIO), "unsupported", "0-bit"),
        "16-bit floats": (wav(fmt(FLOAT, bits=16), AUDIO), "unsupported", "16-bit float"),
        "0 channels": (wav(fmt(n_chan=0), AUDIO), "malformed", "0 channels"),
        "1025 channels": (wav(fmt(n_chan=1025), AUDIO), "resource-limit", "1025 .* 64"),
        "0 Hz": (wav(fmt(rate=0), AUDIO), "malformed", "0 Hz"),
        "2^31 Hz": (wav(fmt(rate=2**31), AUDIO), "malformed", "2147483648 Hz"),
        "AVI": (b"RIFF\x20\0\0\0AVI " + bytes(50), FILM, "ffmpeg"),
        "empty": (b"", "input-empty", "0 bytes|no data"),
        "one byte": (b"R", "not-audio", "text"),
        "text": (b"hello world\n", "not-audio", "text"),
        "HTML": (b"<!DOCTYPE html>\n<html>404</html>", "not-audio", "HTML"),
        "LFS": (b"version https://git-lfs.github.com/spec/v1\n", "not-audio", "Git LFS pointer"),
        "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(99), "not-audio", "PNG"),
        "M4A": (b"\0\0\0\x20ftypM4A " + bytes(99), FILM, "ffmpeg"),
        "Matroska": (b"\x1aE\xdf\xa3" + bytes(99), FILM, "ffmpeg"),
        "MP4 with tracks": (b"\0\0\0\x20ftypisom" + bytes(99), FILM, "ffmpeg"),
        "shorten": (b"ajkg\x02" + bytes(99), FILM, "ffmpeg"),
        "SPHERE with shorten": (
            b"NIST_1A\n   1024\nchannel_count -i 2\n"
            b"sample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n".ljust(1024)
            + bytes(99),
            "unsupported",
            "shorten.*sph2pipe",
        ),
        "zeros": (bytes(9999), "not-audio", "all zero"),
        "noise": (np.random.default_rng(2).bytes(9999), "not-audio", "first bytes"),
    }
