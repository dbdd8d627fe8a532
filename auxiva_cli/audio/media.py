"""Sound that only ffmpeg reads (films, phones, surround), decoded once into plain WAV.

ffmpeg gets an open file and nothing else, and what it says is not left unread: it ends well with
half of a film, too.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from auxiva_cli.audio.containers import check_plausible, refuse_truncated
from auxiva_cli.audio.descriptors import append_temporary, temporary_descriptor
from auxiva_cli.audio.samples import Contents
from auxiva_cli.errors import Notice, RecordingError

__all__ = ["Decoded", "decode_media"]

PIPE_BYTES = 2**20
# What it says of damage, though it goes on or even ends well.
DAMAGE = re.compile(r"prematurely|truncated|partial|incomplete|corrupt|invalid|error|missing", re.I)
NAMELESS = re.compile("pcm_|flac|alac|wavpack|tta|shorten")
CODECS = {"s16": "pcm_s16le", "s32": "pcm_s32le", "u8": "pcm_u8"}
ALL = "all"
LONGEST_MESSAGE = 2000


@dataclass(frozen=True)
class Track:
    """A sound track: where it is among them, from 0, and what ffprobe says of it."""

    index: int
    codec: str
    n_chan: int
    layout: str
    sample_rate: int
    sample_format: str
    label: str

    @property
    def low_frequency(self) -> int | None:
        """The channel of low frequencies, from 0, where the layout names one.

        Codecs that studios and arrays use name a layout by the number of channels alone.
        """
        found = re.match(r"(\d)\.1", self.layout)
        return min(int(found[1]), 3) if found and not NAMELESS.match(self.codec) else None


@dataclass(frozen=True)
class Decoded:
    """A WAV in a temporary file, the encoding it had before, and what is odd about it."""

    descriptor: int
    codec: str
    is_lossy: bool
    notices: tuple[Notice, ...]

    def named(self, contents: Contents) -> Contents:
        """Return what the WAV holds, under the name of what it was decoded from."""
        subtype = self.codec if self.is_lossy else contents.subtype
        return contents._replace(
            container="MEDIA", subtype=subtype, warnings=self.notices + contents.warnings
        )


def decode_media(
    descriptor: int, name: str, *, track: int | str | None, allow_truncated: bool
) -> Decoded:
    """Decode a sound track of an open file.

    Parameters
    ----------
    descriptor : int
        A regular file; it stays open.
    name : str
        What it is called, for commands to paste.
    track : int or 'all', optional
        Which sound track, from 1, or all of them as channels of one recording; needed where there
        are several.
    allow_truncated : bool
        Accept what can be decoded of a damaged file, with a notice.

    Raises
    ------
    RecordingError
        ``unsupported`` without ffmpeg or without sound, ``several-tracks``, ``input-truncated``.
    OutputError
        ``no-space`` if it does not fit into the directory for temporary files.
    """
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        raise RecordingError(
            "it takes ffmpeg to decode it, which is not installed",
            hint=f"Install ffmpeg, or decode it elsewhere: {_command(name)}",
            kind="unsupported",
        )
    tracks = _chosen(_tracks(descriptor), track)
    for each in tracks:
        check_plausible(each.n_chan, each.sample_rate)
    spool = temporary_descriptor()
    try:
        said = _decode(descriptor, tracks, spool)
        notices = [*_damage(said), *_left_out(tracks)]
        refuse_truncated(notices, allow_truncated=allow_truncated)
    except BaseException:
        os.close(spool)
        raise
    first = tracks[0]
    return Decoded(spool, first.codec.upper(), _encoding(first) == "pcm_f32le", tuple(notices))


def _command(name: str) -> str:
    """Return a command that decodes a recording, to paste."""
    if name == "-":
        return "'ffmpeg -i - -f wav -' before the pipe"
    return f"ffmpeg -i {shlex.quote(name)} {shlex.quote(str(Path(name).with_suffix('.wav')))}"


def _tracks(descriptor: int) -> list[Track]:
    """Return the sound tracks of a file."""
    entries = "stream=codec_name,channels,channel_layout,sample_rate,sample_fmt:stream_tags"
    command = ["ffprobe", "-v", "error", "-select_streams", "a", "-show_entries", entries,
               "-of", "json"]  # fmt: skip
    found = subprocess.run(
        [*command, *_input(descriptor)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        pass_fds=(descriptor,),
        check=False,
    )
    if found.returncode:
        raise RecordingError(
            f"ffmpeg cannot read it: {_cleaned(found.stderr)}",
            hint="Copy it again: it is damaged or breaks off.",
            kind="malformed",
        )
    streams = json.loads(found.stdout).get("streams", [])
    if not streams:
        hint = "Name the file with the sound."
        raise RecordingError("it has no sound track", hint=hint, kind="unsupported")
    return [_track(index, stream) for index, stream in enumerate(streams)]


def _track(index: int, stream: dict[str, Any]) -> Track:
    """Return a track as ffprobe describes it."""
    tags = stream.get("tags", {})
    n_chan, layout = int(stream.get("channels", 0)), stream.get("channel_layout", "")
    named = filter(None, (tags.get("title"), tags.get("language")))
    return Track(
        index,
        stream.get("codec_name", "unknown"),
        n_chan,
        layout,
        int(stream.get("sample_rate", 0)),
        stream.get("sample_fmt", "fltp").removesuffix("p"),
        ", ".join([*named, stream.get("codec_name", "unknown"), layout or f"{n_chan} channels"]),
    )


def _chosen(tracks: list[Track], wanted: int | str | None) -> list[Track]:
    """Return the tracks that were asked for, or the only one."""
    listed = "; ".join(f"{track.index + 1} ({track.label})" for track in tracks)
    if wanted == ALL:
        if len({track.sample_rate for track in tracks}) > 1:
            raise RecordingError(
                f"its sound tracks differ in sample rate: {listed}",
                hint="Choose one of them.",
                kind="several-tracks",
            )
        return tracks
    if wanted is None and len(tracks) == 1:
        return tracks
    if isinstance(wanted, int) and wanted <= len(tracks):
        return [tracks[wanted - 1]]
    raise RecordingError(
        f"it has {len(tracks)} sound track{'s' * (len(tracks) > 1)}: {listed}",
        hint="Choose one of them, or all together." if len(tracks) > 1 else "Choose this one.",
        kind="several-tracks",
    )


def _decode(descriptor: int, tracks: list[Track], spool: int) -> str:
    """Decode tracks into a temporary file, and return what ffmpeg said."""
    command = ["ffmpeg", "-nostdin", "-v", "warning", "-xerror", *_input(descriptor),
               *_mapping(tracks), "-c:a", _encoding(tracks[0]), "-f", "wav", "-"]  # fmt: skip
    with tempfile.TemporaryFile() as words:
        ffmpeg = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words,
            pass_fds=(descriptor,),
        )  # fmt: skip
        try:
            assert ffmpeg.stdout is not None
            _copy(ffmpeg.stdout, spool)
        except BaseException:
            ffmpeg.kill()
            raise
        finally:
            ffmpeg.wait()
            if ffmpeg.stdout is not None:
                ffmpeg.stdout.close()
        words.seek(0)
        said = _cleaned(words.read())
    if ffmpeg.returncode and not DAMAGE.search(said):
        said = f"{said}: error, exit code {ffmpeg.returncode}"
    return said


def _copy(stream: IO[bytes], spool: int) -> None:
    """Copy what comes into a temporary file."""
    while piece := stream.read(PIPE_BYTES):
        append_temporary(spool, piece)


def _input(descriptor: int) -> list[str]:
    """Return the arguments that name an open file, and let nothing in it name another one."""
    return ["-protocol_whitelist", "file", "-i", f"file:/dev/fd/{descriptor}"]


def _mapping(tracks: list[Track]) -> list[str]:
    """Return the arguments that choose tracks, without their channels of low frequencies."""
    if len(tracks) > 1:
        inputs = "".join(f"[0:a:{track.index}]" for track in tracks)
        return ["-filter_complex", f"{inputs}amerge=inputs={len(tracks)}"]
    (track,) = tracks
    arguments = ["-map", f"0:a:{track.index}"]
    if track.low_frequency is not None:
        kept = [c for c in range(track.n_chan) if c != track.low_frequency]
        pan = "|".join([f"{len(kept)}c", *(f"c{i}=c{c}" for i, c in enumerate(kept))])
        arguments += ["-af", f"pan={pan}"]
    return arguments


def _encoding(track: Track) -> str:
    """Return the plain encoding that keeps what a decoder gives."""
    return CODECS.get(track.sample_format, "pcm_f32le")


def _damage(said: str) -> list[Notice]:
    """Take what ffmpeg says of damage for what it is."""
    if not DAMAGE.search(said):
        return []
    return [Notice("input-truncated", f"ffmpeg says that it is damaged or breaks off: {said}")]


def _left_out(tracks: list[Track]) -> list[Notice]:
    """Say which channel is no microphone."""
    if len(tracks) > 1 or (channel := tracks[0].low_frequency) is None:
        return []
    text = (
        f"channel {channel + 1} has the low frequencies of {tracks[0].layout} sound and is left "
        "out; those after it move up by one"
    )
    return [Notice("channel-unrelated", text)]


def _cleaned(said: bytes) -> str:
    """Return what ffmpeg said on one line, without its addresses and what does not matter."""
    lines = said.decode("utf-8", "replace").splitlines()
    cleaned = [re.sub(r"^(\[[^\]]*\] ?)+|file:/dev/fd/\d+: ", "", line).strip() for line in lines]
    told = [line for line in dict.fromkeys(cleaned) if line and "Estimating duration" not in line]
    return "; ".join(told)[:LONGEST_MESSAGE]
