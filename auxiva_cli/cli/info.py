"""``auxiva info``: what recordings are, and what is odd about them, without separating them."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from auxiva_cli.cli.console import display_name, print_line, say_error, with_options
from auxiva_cli.cli.options import channels_option
from auxiva_cli.cli.parameters import NAME
from auxiva_cli.cli.wording import count_record, counted, duration, signed, speakers
from auxiva_cli.config import AUTO, Settings
from auxiva_cli.errors import AuxivaError

if TYPE_CHECKING:
    from auxiva_cli.audio import Recording
    from auxiva_cli.inspection import Inspection

__all__ = ["command"]

SCHEMA_VERSION = 1
MEBIBYTE = 2**20


@click.command("info", short_help="Say what recordings are, without separating them.")
@click.argument("inputs", nargs=-1, required=True, type=NAME, metavar="FILE...")
@channels_option
@click.option("--count", "counts", is_flag=True, help="Count the speakers, which takes longer.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per recording.")
def command(
    inputs: tuple[str, ...], channels: tuple[int, ...] | None, counts: bool, as_json: bool
) -> None:
    """Say what each FILE is, what is odd about it, and how it would be separated.

    Format, length, the level of every channel, and the warnings that separate would give of the
    recording. Nothing is written. A recording that was cut off is shown as far as it goes.

    \b
    Examples:
      auxiva info meeting.wav --count
      auxiva info *.wav --json | jq -r 'select(.warnings != []) | .input'

    Exit codes: 0 all were read, whatever is odd about them; 1 some could not be read.
    """
    from auxiva_cli.audio import open_recording
    from auxiva_cli.inspection import inspect
    from auxiva_cli.parallel import Threads

    failed, settings = False, Settings(n_src=AUTO if counts else None, channels=channels)
    for name in inputs:
        try:
            with (
                open_recording(name, allow_truncated=True) as recording,
                Threads.of(None) as threads,
            ):
                inspection = inspect(recording, settings, threads=threads)
        except AuxivaError as error:
            failed = True
            say_error(name, error)
            if as_json:
                print_line(json.dumps({**_EMPTY, "input": name, "error": _error(error)}))
            continue
        if as_json:
            print_line(json.dumps(_as_object(recording, inspection, settings), allow_nan=False))
        else:
            for line in _lines(recording, inspection):
                print_line(line)
    sys.exit(1 if failed else 0)


def _lines(recording: Recording, inspection: Inspection) -> list[str]:
    """Return what people are told."""
    seconds = recording.n_samples / recording.sample_rate
    facts = [
        f"{recording.container} {recording.subtype}",
        f"{recording.sample_rate} Hz",
        counted(recording.n_chan, "channel"),
        duration(seconds),
        counted(recording.n_samples, "sample"),
    ]
    warnings = [*recording.warnings, *inspection.notices]
    return [
        display_name(recording.name),
        f"  {', '.join(facts)}",
        *_channel_lines(inspection),
        f"  {_outlook(recording, inspection)}",
        *(f"  warning: {notice.kind}: {display_name(notice.text)}" for notice in warnings),
    ]


def _channel_lines(inspection: Inspection) -> list[str]:
    """Return a line for each channel, with its levels and what becomes of it."""
    lines = ["  channel   level    peak, dB"]
    for c, remark in enumerate(_remarks(inspection)):
        if inspection.live[c]:
            rms, peak = (_decibels(each[c]) for each in (inspection.rms, inspection.peak))
            levels = f"{_shown(rms):>7} {_shown(peak):>7}"
        else:
            levels = f"{'-':>7} {'-':>7}"
        lines.append(f"  {c + 1:>7} {levels}  {remark}".rstrip())
    return lines


def _remarks(inspection: Inspection) -> list[str]:
    """Return in a word what becomes of each channel."""
    remarks = [
        ("" if live else "no signal") if chosen else "not chosen"
        for live, chosen in zip(inspection.live, inspection.chosen, strict=True)
    ]
    if inspection.obstacle is not None and not inspection.live.any():
        remarks = [""] * len(remarks)
    if inspection.findings is not None:
        for each in inspection.findings.left_out:
            of = "" if each.other is None else f" of {each.other + 1}"
            remarks[each.channel] = f"left out: {each.why}{of}"
    if inspection.prospect is not None:
        remarks[inspection.prospect.ref_chan] = "reference"
    return remarks


def _outlook(recording: Recording, inspection: Inspection) -> str:
    """Say how a recording would be separated, or why it cannot be."""
    prospect, obstacle = inspection.prospect, inspection.obstacle
    if prospect is None:
        assert obstacle is not None
        error = display_name(str(with_options(obstacle)))
        return f"cannot be separated: {obstacle.kind}: {error}"
    window = prospect.stft.n_fft / recording.sample_rate
    at_most = "" if inspection.count else "at most "
    said = at_most + speakers(prospect.n_src, inspection.count)
    return (
        f"would be separated into {said}, with a window of {prospect.stft.n_fft} samples "
        f"({window:.2f} s), in about {prospect.memory / MEBIBYTE:.0f} MiB of memory"
    )


def _as_object(recording: Recording, inspection: Inspection, asked: Settings) -> dict[str, Any]:
    """Return the JSON object of a recording, as docs/json.md describes it."""
    prospect, obstacle = inspection.prospect, inspection.obstacle
    settings = prospect and replace(
        asked,
        n_src=prospect.n_src if asked.n_src == AUTO else AUTO,
        n_fft=prospect.stft.n_fft,
        hop_length=prospect.stft.hop_length,
        window=prospect.stft.window,
        ref_chan=prospect.ref_chan,
    )
    warnings = [*recording.warnings, *inspection.notices]
    return {
        **_EMPTY,
        "input": recording.name,
        "container": recording.container,
        "subtype": recording.subtype,
        "sample_rate": recording.sample_rate,
        "channels": recording.n_chan,
        "samples": recording.n_samples,
        "levels_db": [_decibels(level) for level in inspection.rms.tolist()],
        "peaks_db": [_decibels(peak) for peak in inspection.peak.tolist()],
        "warnings": [{"class": notice.kind, "what": notice.text} for notice in warnings],
        "check_up": inspection.findings and inspection.findings.as_dict(),
        "count": count_record(inspection.count),
        "obstacle": obstacle and _error(obstacle),
        "settings": settings and asdict(settings),
        "memory_bytes": prospect and prospect.memory,
    }


# What is known of a recording that cannot be read.
_EMPTY: dict[str, Any] = {
    "schema_version": SCHEMA_VERSION,
    "input": None,
    "error": None,
    "container": None,
    "subtype": None,
    "sample_rate": None,
    "channels": None,
    "samples": None,
    "levels_db": [],
    "peaks_db": [],
    "warnings": [],
    "check_up": None,
    "count": None,
    "obstacle": None,
    "settings": None,
    "memory_bytes": None,
}


def _error(error: AuxivaError) -> dict[str, str]:
    """Return an error for JSON."""
    error = with_options(error)
    return {"class": error.kind, "what": error.what, "hint": error.hint}


def _decibels(amplitude: float) -> float | None:
    """Return an amplitude in dB of full scale; silence has none."""
    return round(20 * math.log10(amplitude), 2) if amplitude > 0 else None


def _shown(level: float | None) -> str:
    """Return a level as people are told it."""
    return "-" if level is None else signed(level, 1)
