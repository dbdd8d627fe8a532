"""``auxiva separate``: the speakers of recordings, one file each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from auxiva_cli.cli.options import (
    learning_options,
    output_options,
    reading_options,
    run_options,
    separation_options,
)
from auxiva_cli.cli.run import run
from auxiva_cli.config import Settings

if TYPE_CHECKING:
    pass

__all__ = ["command"]

STANDARD_OUTPUT = "-"


@click.command(name="separate", short_help="Separate the speakers of recordings, one file each.")
@click.argument("inputs", nargs=-1, metavar="INPUT...", type=click.Path(allow_dash=True))
@output_options
@separation_options
@learning_options
@reading_options
@run_options
def command(inputs: tuple[str, ...], **options: Any) -> None:
    """Separate the speakers of each INPUT into files of their own.

    An INPUT is a recording with at least as many microphones as speakers (WAV, FLAC and what
    else libsndfile reads), a directory of them, or - for standard input. The speakers and the
    microphones must not move. The outputs, DIR/{stem}_src1.wav and so on in order of falling
    energy, sum to the reference microphone.

    \b
    Examples:
      auxiva separate meeting.wav -o out/
      auxiva separate recordings/ -o out/ --recursive --jobs 2 --skip-existing
      ffmpeg -i talk.mkv -f wav - | auxiva separate - -o out/ --stdin-name talk

    Exit codes: 0 all separated or skipped; 1 some recording failed, the others are done;
    2 the command line is wrong, nothing was touched; 130 interrupted.
    """
    sys.exit(run(inputs, _settings(options), options))


def _settings(options: dict[str, Any]) -> Settings:
    """Return the settings that the options ask for."""
    ref_channel = options["ref_channel"]
    return Settings(
        n_src=options["sources"],
        algorithm=options["algorithm"],
        step_size=options["step_size"],
        model=options["model"],
        max_iter=options["iterations"],
        tol=options["tol"],
        n_fft=options["n_fft"],
        hop_length=options["hop"],
        window=options["window"],
        ref_chan=None if ref_channel is None else ref_channel - 1,
        max_memory=options["max_memory"],
    )
