"""The options of the commands, in groups; defaults come from the settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import click

from auxiva_cli.cli.parameters import (
    AUDIO_TRACK,
    CHANNELS,
    FILE,
    MEMORY,
    NAME,
    REF_CHANNEL,
    SOURCES,
    TIME_RANGE,
)
from auxiva_cli.config import (
    ALGORITHMS,
    DEFAULT_STEP_SIZE,
    FOLLOWING,
    MODELS,
    MOST_THREADS,
    Settings,
    Window,
)

__all__ = [
    "RunOptions",
    "channels_option",
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


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of a command that writes separated recordings, by their names in Python."""

    output_dir: str | None
    container: str
    subtype: str | None
    name_template: str
    all_channels: bool
    pick: int | None
    mask: bool
    report: bool
    report_audio: Literal["embed", "link"] | None
    activity: tuple[str, ...]
    references: tuple[Path, ...]
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
    audio_track: int | str | None
    jobs: int
    cluster: str | None
    threads: int | None
    fail_fast: bool
    dry_run: bool
    as_json: bool
    quiet: bool
    verbose: bool
    progress: str
    max_duration: float = math.inf
    learn_from: tuple[float, float] | None = None
    activity_from: Path | None = None
    save_filters: Path | None = None


sources_option = click.option(
    "-s", "--sources", type=click.IntRange(1), metavar="N", default=None,
    help="Number of speakers.  [default: as many as microphones]",
)  # fmt: skip
channels_option = click.option(
    "--channels", type=CHANNELS, metavar="LIST", default=None,
    help="Use these channels only, from 1, as in 1-4,6.",
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
        click.option("--report", is_flag=True,
                     help="Also write a page to look at and listen to, {stem}.html, and index.html "
                     "for several recordings (needs auxiva[report])."),
        click.option("--report-audio", type=click.Choice(["embed", "link"]), default=None,
                     help="Have the sound of the page in it, or in MP3 files beside it.  [default: "
                     "in it, up to 20 MiB]"),
        click.option("--reference", "references", type=FILE, multiple=True, metavar="FILE",
                     help="A speaker alone, as heard by the reference microphone: scores on the "
                     "page.  Repeat it for every speaker."),
        click.option("--activity", type=click.Choice(["rttm", "audacity", "json"]), multiple=True,
                     help="Also write who speaks when: {stem}.rttm as diarisation tools read it, "
                     "{stem}.txt with labels for Audacity, {stem}.activity.json.  May be "
                     "repeated."),
        click.option("--all-channels", is_flag=True,
                     help="Write each source as every microphone heard it, one multichannel file "
                     "per source."),
        click.option("--pick", type=click.IntRange(1), metavar="N",
                     help="Write source N only; 1 is the strongest."),
        click.option("--mask", is_flag=True,
                     help="Mask the outputs softly in the end: on average 0.7 dB less distortion "
                     "in all, for 2.5 dB more of the other speakers; may lose where there are more "
                     "microphones than speakers.  Not part of the filters that are saved."),
        click.option("-f", "--force", is_flag=True, help="Overwrite outputs that exist."),
        click.option("--skip-existing", is_flag=True,
                     help="Skip recordings whose outputs are all there: a batch that was "
                     "interrupted goes on."),
    )(command)  # fmt: skip


def separation_options(command: Command) -> Command:
    """Add the options about the separation."""
    return _group(
        click.option(
            "-s", "--sources", type=SOURCES, metavar="N|auto|all", default=DEFAULT.n_src,
            show_default=True,
            help="Number of speakers: N, auto to count them first, or all: as many as microphones.",
        ),
        channels_option,
        click.option("--rest", is_flag=True, default=DEFAULT.rest,
                     help="Also write what belongs to no speaker, {stem}_rest.wav: noise and some "
                     "reverberation, where there are fewer speakers than microphones. The outputs "
                     "are then without it, and sum to the reference microphone with it. Filters "
                     "that are saved have it, too."),
        click.option("--dereverb", is_flag=True, default=DEFAULT.dereverb,
                     help="Take late reverberation away first, in rooms of about half a second and "
                     "more: outputs are easier to understand, and sum to the reference microphone "
                     "without its late reverberation. No filters can be saved then."),
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
        click.option("--resync", is_flag=True,
                     help="Bring microphones whose clock drifts, as of two recorders, onto the "
                     "clock of the reference microphone; the outputs all run on that."),
        click.option("--learn-from", type=TIME_RANGE, metavar="START-END",
                     help="Learn from this stretch only, and separate all of the recording; 90-150 "
                     "in seconds, or 1:30-2:30."),
        click.option("--learn-all", is_flag=True,
                     help="Learn from every frame of a long recording, not from an even sample."),
        click.option("--motion", type=click.Choice(FOLLOWING), default=DEFAULT.motion,
                     show_default=True,
                     help="Whether filters follow speakers who move: auto where some seem to, "
                     "off never, on always."),
        click.option("--activity-from", type=FILE, metavar="FILE.rttm",
                     help="Separate by who speaks when, as another program found: an RTTM file of "
                     "the one recording. It gives the number of speakers, and takes the place of "
                     "all stages of the model but the last. Times that are wrong by some 0.3 s can "
                     "separate worse than none."),
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
                     help="Read names of recordings from LIST (- for standard input): one per "
                     "line, Kaldi's wav.scp, or JSON lines of NeMo, of Lhotse or of --json; also "
                     "packed by gzip."),
        click.option("-0", "nul", is_flag=True, help="Names in LIST are separated by NUL."),
        click.option("--array", is_flag=True,
                     help="The INPUTs are one recording: their channels, one file after the other, "
                     "are its microphones."),
        click.option("--stem", metavar="TEXT",
                     help="What the outputs of a single recording are named after.  [default: its "
                     "name]"),
        click.option("--stdin-name", metavar="NAME", default="stdin", show_default=True,
                     help="What the outputs of standard input are named after."),
        click.option("--audio-track", type=AUDIO_TRACK, metavar="N|all",
                     help="Sound track of a film, from 1, or all as one recording; only needed "
                     "where there are several."),
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
        click.option("--cluster", type=NAME, metavar="ADDRESS",
                     help="Work on the machines of a Dask scheduler, a recording on each worker at "
                     "a time: tcp://host:8786, tls://host:8786 or a scheduler file (needs "
                     "auxiva[cluster]). All must see the files under the same names."),
        click.option("--threads", type=click.IntRange(1, MOST_THREADS), metavar="N",
                     help="Threads per recording.  [default: the processors shared by the jobs, or "
                     "those of the worker]"),
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
