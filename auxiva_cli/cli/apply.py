"""``auxiva apply``: filters that were learnt from one recording, applied to others."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import click

from auxiva_cli.cli.console import say_error
from auxiva_cli.cli.grouped import GroupedCommand
from auxiva_cli.cli.options import (
    RunOptions,
    channels_option,
    output_options,
    reading_options,
    run_options,
)
from auxiva_cli.cli.parameters import DURATION, FILE, NAME
from auxiva_cli.cli.separate import run
from auxiva_cli.config import Settings
from auxiva_cli.errors import FiltersError

__all__ = ["command"]


@click.command(name="apply", cls=GroupedCommand, short_help="Apply saved filters to recordings.")
@click.argument("filters_file", metavar="FILTERS.npz", type=FILE)
@click.argument("inputs", nargs=-1, metavar="INPUT...", type=NAME)
@output_options
@channels_option
@reading_options
@click.option(
    "--max-duration",
    type=DURATION,
    metavar="TIME",
    help="Refuse a longer recording; ends listening to standard input.  [default: for ever]",
)
@run_options
def command(filters_file: Path, inputs: tuple[str, ...], **options: Any) -> None:
    """Separate each INPUT with the filters in FILTERS.npz.

    The filters come from auxiva separate --save-filters, of a recording with the same
    microphones and speakers in the same places. They fix the number of speakers, their order
    and the reference microphone; nothing is learnt. Of recordings that have more channels,
    --channels chooses those that the filters are for.

    \b
    Examples:
      auxiva separate minute.wav -o out/ --save-filters seats.npz
      auxiva apply seats.npz session/*.wav -o out/
      arecord -f S16_LE -c 4 -r 16000 | auxiva apply seats.npz - -o - | aplay

    With - and -o - sound is passed on while it comes, a window late, for as long as it comes.

    Exit codes: 0 all separated or skipped; 1 some recording failed, or the filters cannot be
    used; 2 the command line is wrong, nothing was touched; 130 interrupted.
    """
    from auxiva_cli.filters import Filters

    try:
        filters = Filters.load(filters_file)
    except FiltersError as error:
        say_error(str(filters_file), error)
        sys.exit(1)
    options["max_duration"] = options["max_duration"] or math.inf
    channels, ref_chan = options.pop("channels"), filters.ref_chan
    if channels is not None and len(set(channels)) == filters.n_chan:  # one for one
        ref_chan = sorted(set(channels))[ref_chan]
    settings = Settings(
        n_src=filters.n_src, ref_chan=ref_chan, channels=channels, rest=filters.has_rest
    )
    sys.exit(run(inputs, settings, RunOptions(**options), filters=filters, reads=[filters_file]))
