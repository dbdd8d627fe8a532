"""The options of the commands, in groups, and their kinds of values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from auxiva_cli.config import (
    ALGORITHMS,
    DEFAULT_STEP_SIZE,
    LOUDEST,
    MODELS,
    MOST_THREADS,
    Settings,
    Window,
)

__all__ = [
    "CHANNELS",
    "DURATION",
    "FILE",
    "LEVEL",
    "MEMORY",
    "NAME",
    "REF_CHANNEL",
    "TIME_RANGE",
    "WALK",
    "RunOptions",
    "learning_options",
    "output_options",
    "reading_options",
    "run_options",
    "separation_options",
    "sources_option",
    "step_size_option",
    "stft_options",
]

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT = Settings()
SUBTYPES = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of a command that writes separated recordings, by their names in Python."""

    output_dir: str | None
    container: str
    subtype: str | None
    name_template: str
    all_channels: bool
    pick: int | None
    force: bool
    skip_existing: bool
    recursive: bool
    files_from: str | None
    nul: bool
    array: bool
    stem: str | None
    stdin_name: str
    allow_truncated: bool
    nonfinite: str
    jobs: int
    threads: int | None
    fail_fast: bool
    dry_run: bool
    as_json: bool
    quiet: bool
    verbose: bool
    progress: str
    max_duration: float = math.inf
    learn_from: tuple[float, float] | None = None
    save_filters: Path | None = None


class Memory(click.ParamType[int]):
    """An amount of memory: ``512MiB``, ``2G``, or bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)\s*([kmg]?)(?:i?b)?", value.strip().lower())
        n_bytes = int(float(found[1]) * UNITS[found[2]]) if found else 0
        if not n_bytes:
            self.fail(f"{value!r} is no amount of memory; write 512MiB, or 2G.", param, ctx)
        return n_bytes


class FileName(click.ParamType[str]):
    """A name, ``-`` and ``./-`` told apart; whether it can be read is for its reader to say."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        if not value:
            self.fail("the name is empty: is a variable not set?", param, ctx)
        return str(value)


class FilePath(click.ParamType[Path]):
    """A file or directory by its name."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        return Path(NAME.convert(value, param, ctx))


class TimeRange(click.ParamType[tuple[float, float]]):
    """A stretch of time, ``START-END``, each in seconds or as ``h:mm:ss``."""

    name = "range"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Return start and end in seconds."""
        if isinstance(value, tuple):
            return value
        start, _, end = value.partition("-")
        try:
            seconds = _seconds(start), _seconds(end)
        except ValueError:
            seconds = 0.0, 0.0
        if not seconds[0] < seconds[1]:
            self.fail(f"{value!r} is no stretch of time; write 90-150, or 1:30-2:30.", param, ctx)
        return seconds


class Duration(click.ParamType[float]):
    """A time, in seconds or as ``h:mm:ss``."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        try:
            return _seconds(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write 90, or 1:30:00.", param, ctx)


class OfSpeaker(click.ParamType[tuple[int, float]]):
    """A figure of one speaker, ``N:FIGURE``, with or without its unit."""

    name = "speaker"

    def __init__(self, unit: str, example: str) -> None:
        self.unit, self.example = unit, example

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, float]:
        """Return the speaker, from 1, and the figure."""
        if isinstance(value, tuple):
            return value
        pattern = rf"(\d{{1,4}}):([+-]?\d{{1,4}}(?:\.\d+)?) ?(?:{self.unit})?"
        found = re.fullmatch(pattern, value.strip(), flags=re.IGNORECASE)
        if not found or not int(found[1]):
            self.fail(f"{value!r} is no speaker and {self.unit}; write {self.example}.", param, ctx)
        return int(found[1]), float(found[2])


class Walking(click.ParamType[tuple[int, float, tuple[float, float] | None]]):
    """How far a speaker walks, ``N:METRES``, and perhaps when, ``@START-END``."""

    name = "walk"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, float, tuple[float, float] | None]:
        """Return the speaker, from 1, the metres, and start and end in seconds."""
        if isinstance(value, tuple):
            return value
        who, at, when = value.partition("@")
        n, metres = OfSpeaker("m", example="2:1.5m").convert(who, param, ctx)
        if metres <= 0.0:
            self.fail(f"{value!r} is no way to walk; write 2:1.5m, or 2:1.5m@10-20.", param, ctx)
        return n, metres, TIME_RANGE.convert(when, param, ctx) if at else None


def _seconds(text: str) -> float:
    """Return the seconds of ``h:mm:ss``, ``m:ss`` or ``s``.

    >>> _seconds("1:02:03.5")
    3723.5
    """
    if not re.fullmatch(r"(\d{1,9}:){0,2}\d{1,9}(\.\d*)?", text.strip()):
        raise ValueError(text)
    first, *others = map(float, text.strip().split(":"))
    if any(part >= 60 for part in others):
        raise ValueError(text)
    total = first
    for part in others:
        total = 60 * total + part
    return total


class ChannelList(click.ParamType[tuple[int, ...]]):
    """Channels, from 1: ``1-4,6``."""

    name = "channels"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the channels, from 0, in order."""
        if isinstance(value, tuple):
            return value
        channels: set[int] = set()
        for part in value.split(","):
            found = re.fullmatch(r"\s*([1-9]\d{0,3})(?:-([1-9]\d{0,3}))?\s*", part)
            first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
            if last < first:
                self.fail(f"{value!r} are no channels; write 1-4,6.", param, ctx)
            channels.update(range(first - 1, last))
        return tuple(sorted(channels))


class RefChannel(click.ParamType[int | str]):
    """A channel, from 1, or ``loudest``."""

    name = "channel"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Return the channel, from 0, or ``loudest``."""
        if value == LOUDEST:
            return LOUDEST
        if not re.fullmatch(r"[1-9]\d{0,8}", str(value)):
            self.fail(f"{value!r} is no channel; write a number from 1, or loudest.", param, ctx)
        return int(value) - 1


LEVEL = OfSpeaker("dB", example="2:-6")
MEMORY = Memory()
NAME = FileName()
FILE = FilePath()
CHANNELS = ChannelList()
REF_CHANNEL = RefChannel()
TIME_RANGE = TimeRange()
DURATION = Duration()
WALK = Walking()

sources_option = click.option(
    "-s", "--sources", type=click.IntRange(1), metavar="N", default=DEFAULT.n_src,
    help="Number of speakers.  [default: as many as microphones]",
)  # fmt: skip
step_size_option = click.option(
    "--step-size", type=float, metavar="MU", default=DEFAULT.step_size,
    help="Step size of -a gradient; the cost rises if it is too big.  "
    f"[default: {DEFAULT_STEP_SIZE}]",
)  # fmt: skip


def _group(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return a decorator that adds options in the order in which they are read."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def output_options(command: Command) -> Command:
    """Add the options about what is written and where."""
    return _group(
        click.option(
            "-o", "--output-dir", metavar="DIR", type=NAME,
            help="Directory for the outputs, made if missing. - is standard output, which gets "
            "one WAV with a channel per source.  [default: {stem}_separated beside each file]",
        ),
        click.option(
            "--format", "container", type=click.Choice(["wav", "flac"]), default="wav",
            show_default=True, help="Kind of the output files.",
        ),
        click.option(
            "--subtype", type=click.Choice(SUBTYPES, case_sensitive=False),
            help="Sample format of the outputs.  [default: the recording's]",
        ),
        click.option(
            "--name-template", metavar="TEXT", default="{stem}_src{n}.{ext}", show_default=True,
            help="Names of the outputs, from {stem}, {n}, {ext} and {parent}, the directory of "
            "the recording.",
        ),
        click.option("--all-channels", is_flag=True,
                     help="Write each source as every microphone heard it, one multichannel file "
                     "per source."),
        click.option("--pick", type=click.IntRange(1), metavar="N",
                     help="Write source N only; 1 is the strongest."),
        click.option("-f", "--force", is_flag=True, help="Overwrite outputs that exist."),
        click.option("--skip-existing", is_flag=True,
                     help="Skip recordings whose outputs are all there: a batch that was "
                     "interrupted goes on."),
    )(command)  # fmt: skip


def separation_options(command: Command) -> Command:
    """Add the options about the separation."""
    return _group(
        sources_option,
        click.option("--channels", type=CHANNELS, metavar="LIST", default=None,
                     help="Use these channels only, from 1, as in 1-4,6."),
        click.option(
            "-a", "--algorithm", type=click.Choice(ALGORITHMS), default=DEFAULT.algorithm,
            show_default=True,
            help="Update rule, the way to the minimum of the cost. ipa takes the fewest "
            "iterations; of the others only gradient needs a step size.",
        ),
        step_size_option,
        click.option(
            "-n", "--iterations", type=click.IntRange(0), metavar="N", default=DEFAULT.max_iter,
            show_default=True,
            help="Iterations at most, shared out among the stages of the model.",
        ),
        click.option(
            "--tol", type=click.FloatRange(0, 1, max_open=True), metavar="FALL",
            default=DEFAULT.tol, show_default=True,
            help="Stop a stage when its cost falls by less than this, relative to its size; 0 runs "
            "all iterations.",
        ),
        click.option(
            "--model", type=click.Choice(MODELS), default=DEFAULT.model, show_default=True,
            help="Source model. auto goes from coarse to fine and separates best; laplace is the "
            "published model.",
        ),
        stft_options,
    )(command)  # fmt: skip


def stft_options(command: Command) -> Command:
    """Add the options about the STFT and the reference microphone."""
    return _group(
        click.option(
            "--n-fft", type=click.IntRange(4), metavar="SAMPLES", default=DEFAULT.n_fft,
            help="Window length of the STFT; longer for more reverberation.  [default: about 256 "
            "ms; for auto and bands 128 ms to 1 s, by the length of the recording]",
        ),
        click.option(
            "--hop", type=click.IntRange(1), metavar="SAMPLES", default=DEFAULT.hop_length,
            help="Hop length of the STFT.  [default: a quarter of the window]",
        ),
        click.option(
            "--window", type=click.Choice(get_args(Window)), default=DEFAULT.window,
            show_default=True, help="Window of the STFT.",
        ),
        click.option(
            "--ref-channel", type=REF_CHANNEL, metavar="N|loudest", default=None,
            help="Reference microphone, from 1: the outputs sum to it.  With loudest each output "
            "is at the microphone where its speaker is loudest, as with headsets; they then do "
            "not sum to one.  [default: the first with a signal]",
        ),
    )(command)  # fmt: skip


def learning_options(command: Command) -> Command:
    """Add the options about what filters are learnt from, and what becomes of them."""
    return _group(
        click.option("--learn-from", type=TIME_RANGE, metavar="START-END",
                     help="Learn from this stretch only, and separate all of the recording; 90-150 "
                     "in seconds, or 1:30-2:30."),
        click.option("--save-filters", type=FILE, metavar="FILE.npz",
                     help="Also write the filters, for auxiva apply."),
        click.option("--max-memory", type=MEMORY, metavar="SIZE", default=DEFAULT.max_memory,
                     help="About how much memory all jobs together may use; what does not fit is "
                     "read again at each pass.  [default: 2GiB, or half of what there is]"),
    )(command)  # fmt: skip


def reading_options(command: Command) -> Command:
    """Add the options about what is read."""
    return _group(
        click.option("-r", "--recursive", is_flag=True,
                     help="Search directories within directories; the outputs keep their tree."),
        click.option("--files-from", metavar="LIST", type=NAME,
                     help="Read names of recordings from LIST, one per line (- for standard "
                     "input)."),
        click.option("-0", "nul", is_flag=True, help="Names in LIST are separated by NUL."),
        click.option("--array", is_flag=True,
                     help="The INPUTs are one recording: their channels, one file after the other, "
                     "are its microphones."),
        click.option("--stem", metavar="TEXT",
                     help="What the outputs of a single recording are named after.  [default: its "
                     "name]"),
        click.option("--stdin-name", metavar="NAME", default="stdin", show_default=True,
                     help="What the outputs of standard input are named after."),
        click.option("--allow-truncated", is_flag=True,
                     help="Separate what is there of a recording that was cut off."),
        click.option("--nonfinite", type=click.Choice(["error", "zero"]), default="error",
                     show_default=True,
                     help="Refuse a recording with NaN or infinite samples, or put zeros there."),
    )(command)  # fmt: skip


def run_options(command: Command) -> Command:
    """Add the options about the run."""
    return _group(
        click.option("-j", "--jobs", type=click.IntRange(1, MOST_THREADS), metavar="N", default=1,
                     show_default=True, help="Recordings worked on at a time."),
        click.option("--threads", type=click.IntRange(1, MOST_THREADS), metavar="N",
                     help="Threads per recording.  [default: the processors shared by the jobs]"),
        click.option("--fail-fast", is_flag=True, help="End the run with the first failure."),
        click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
        click.option("--json", "as_json", is_flag=True,
                     help="Print one JSON object per recording on standard output."),
        click.option("-q", "--quiet", is_flag=True, help="Say only what failed."),
        click.option("-v", "--verbose", is_flag=True, help="Also list each output's level."),
        click.option("--progress", type=click.Choice(["auto", "rich", "tqdm", "none"]),
                     default="auto", show_default=True,
                     help="Progress on standard error; auto is a live display on a terminal, and a "
                     "line every ten seconds elsewhere."),
    )(command)  # fmt: skip
