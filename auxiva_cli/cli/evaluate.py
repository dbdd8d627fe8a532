"""``auxiva evaluate``: how well separated files match their references."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auxiva_cli.cli.console import display_name, print_line
from auxiva_cli.cli.diarisation import evaluate_activity, print_activity
from auxiva_cli.cli.measures import channels_of, decibels, label, measures_of
from auxiva_cli.cli.parameters import FILE, Duration
from auxiva_cli.cli.recordings import common_length, common_sample_rate, open_all
from auxiva_cli.cli.segments import SHORTEST_SECONDS, print_segments, segments_report
from auxiva_cli.cli.table import Column, print_table
from auxiva_cli.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auxiva_cli.audio import Recording

    Array = NDArray[Any]

JSON_VERSION = 1
MEASURES = {
    "SI-SDR": "si_sdr",
    "SI-SIR": "si_sir",
    "SI-SAR": "si_sar",
    "SDR": "sdr",
    "SIR": "sir",
    "SAR": "sar",
}
IMPROVEMENTS = {"SI-SDRi": "si_sdr_improvement", "SDRi": "sdr_improvement"}
# What goes first where there is no room for all.
RANKS = {"SAR": 6, "SI-SAR": 5, "SDRi": 4, "SIR": 3, "SDR": 2, "SI-SIR": 1}


@click.command("evaluate", short_help="Measure how well separated files match references.")
@click.argument("estimates", nargs=-1, required=True, type=FILE, metavar="ESTIMATE...")
@click.option(
    "--reference",
    "references",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="A speaker alone, as heard by the reference microphone. Repeat it for every speaker; "
    "each channel of a file counts as one.",
)
@click.option(
    "--mixture",
    type=FILE,
    metavar="FILE",
    help="The recording before separation: adds the improvement over it.",
)
@click.option(
    "--ref-channel",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Channel of the mixture to compare with, from 1.",
)
@click.option(
    "--activity",
    type=FILE,
    metavar="FILE.rttm",
    help="Who speaks when: adds the diarisation error rate, without a collar. The ESTIMATEs are "
    "separated files, or one RTTM file.",
)
@click.option(
    "--segments",
    type=Duration(),
    metavar="TIME",
    help="Adds SI-SDR along time, in stretches so long (2s, or 1:30), and where a reference "
    "moves to another estimate.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(
    estimates: tuple[Path, ...],
    references: tuple[Path, ...],
    mixture: Path | None,
    ref_channel: int,
    activity: Path | None,
    segments: float | None,
    as_json: bool,
) -> None:
    """Measure how well separated files match the references, in dB.

    SI-SDR, SI-SIR and SI-SAR are the scale-invariant measures of Le Roux et al. (2019);
    SDR, SIR and SAR are those of BSS Eval, with filters of 512 taps. Higher is better, and
    all values stay within 100 dB of zero.

    Estimates may come in any order, and be more or fewer than the references: they are
    paired so that the sum of the SDRs is largest. A measure without a meaning is "-", or
    null in JSON: all of a silent reference or estimate, and SIR where no other reference
    is heard.
    """
    if not references and activity is None:
        raise ParameterError(
            "there is nothing to compare with", hint="Give --reference or --activity."
        )
    if segments is not None and (segments < SHORTEST_SECONDS or not references):
        raise ParameterError(
            f"stretches of {segments:g} s are too short"
            if references
            else "there is no reference to score in stretches",
            hint=f"Give --segments {SHORTEST_SECONDS:g} or more, and --reference.",
        )
    report: dict[str, Any] = {"version": JSON_VERSION}
    if references:
        with ExitStack() as stack:
            report = _evaluate(
                open_all(stack, references),
                open_all(stack, estimates),
                open_all(stack, [mixture])[0] if mixture else None,
                ref_channel - 1,
                segments,
            )
    if activity is not None:
        report["activity"] = evaluate_activity(activity, estimates)
    if as_json:
        print_line(json.dumps(report))
        return
    if references:
        print_scores(report)
        if segments is not None:
            print_segments(report)
    if activity is not None:
        print_activity(report["activity"])


def _evaluate(
    references: list[Recording],
    estimates: list[Recording],
    mixture: Recording | None,
    ref_chan: int,
    segments: float | None,
) -> dict[str, Any]:
    """Compare the recordings and return the object that ``--json`` prints."""
    from auxiva_cli.evaluation import bss_eval_scores, correlate, si_scores, stretch_scores

    read = _side_by_side(references, estimates, mixture, ref_chan)
    recordings = [*references, *estimates, *([mixture] if mixture else [])]
    sample_rate = common_sample_rate(recordings)
    n_samples = common_length(recordings)
    correlations = correlate(
        read,
        n_samples=n_samples,
        n_ref=sum(recording.n_chan for recording in references),
        n_est=sum(recording.n_chan for recording in estimates) + (mixture is not None),
        has_mixture=mixture is not None,
    )
    # The pairing is BSS Eval's: it forgives a delay or the colour of another microphone.
    bss = bss_eval_scores(correlations)
    si = si_scores(correlations, bss.permutation)
    spoken, separated = channels_of(references), channels_of(estimates)
    measures = measures_of(si, bss)
    along = None
    if segments is not None:
        length = round(segments * sample_rate)
        stretches = stretch_scores(read, correlations, n_samples=n_samples, length=length)
        along = segments_report(stretches, sample_rate, separated)
    left_over = sorted(set(range(len(separated))) - set(bss.permutation.tolist()))
    return {
        "version": JSON_VERSION,
        "sample_rate": sample_rate,
        "n_samples": n_samples,
        "mixture": {"file": mixture.name, "channel": ref_chan + 1} if mixture else None,
        "references": [
            {
                **channel,
                "estimate": separated[paired] if paired >= 0 else None,
                **{name: values[k] for name, values in measures.items()},
            }
            for k, (channel, paired) in enumerate(zip(spoken, bss.permutation, strict=True))
        ],
        "unpaired_estimates": [separated[i] for i in left_over],
        "mean": {name: _mean(values) for name, values in measures.items()},
        "segments": along,
    }


def _side_by_side(
    references: list[Recording],
    estimates: list[Recording],
    mixture: Recording | None,
    ref_chan: int,
) -> Callable[[int, int], Array]:
    """Return what reads a stretch of all recordings, (n_ref + n_est, n), the mixture last."""
    import numpy as np

    if mixture and ref_chan >= mixture.n_chan:
        raise ParameterError(
            f"{display_name(mixture.name)} has {mixture.n_chan} channels, "
            f"but channel {ref_chan + 1} was chosen",
            hint=f"Give --ref-channel from 1 to {mixture.n_chan}.",
        )

    def read(start: int, n: int) -> Array:
        blocks = [recording.read(start, n) for recording in (*references, *estimates)]
        if mixture:
            blocks.append(mixture.read(start, n)[ref_chan : ref_chan + 1])
        return np.concatenate(blocks, dtype=np.float64)

    return read


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are defined."""
    defined = [value for value in values if value is not None]
    return round(sum(defined) / len(defined), 4) if defined else None


def print_scores(report: dict[str, Any]) -> None:
    """Print a line for every reference, every estimate left over, and the mean.

    Parameters
    ----------
    report : dict
        As ``auxiva evaluate --json`` prints it.
    """
    measures = MEASURES | (IMPROVEMENTS if report["mixture"] else {})
    rows, left_over = report["references"], report["unpaired_estimates"]
    spoken = [*rows, *[None] * len(left_over)]
    separated = [*(row["estimate"] for row in rows), *left_over]
    several = {each["file"] for each in (*spoken, *separated) if each and each["channel"] > 1}
    has_mean = len(rows) > 1
    mean = "mean in dB" if has_mean else ""
    columns = [
        Column("reference", [label(each, several) for each in spoken], mean, is_name=True),
        Column("estimate", [label(each, several) for each in separated], is_name=True),
    ]
    for title, name in measures.items():
        cells = [decibels(row[name]) for row in rows] + ["-" for _ in left_over]
        mean = decibels(report["mean"][name]) if has_mean else ""
        columns.append(Column(title, cells, mean, rank=RANKS.get(title, 0)))
    print_table(columns)
    if any(row["channel"] > 1 for row in rows):
        print_line("Each channel of a reference, in brackets, counts as a reference of its own.")
