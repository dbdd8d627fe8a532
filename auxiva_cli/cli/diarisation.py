"""The part of ``auxiva evaluate`` about who speaks when."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from auxiva_cli.cli.recordings import common_length, common_sample_rate, open_all
from auxiva_cli.errors import ParameterError

__all__ = ["RTTM", "evaluate_activity", "print_activity"]

RTTM = ".rttm"
BLOCK_SECONDS = 10


def evaluate_activity(reference: Path, estimates: Sequence[Path]) -> dict[str, Any]:
    """Compare who speaks when with a reference.

    Parameters
    ----------
    reference : Path
        An RTTM file.
    estimates : sequence of Path
        Another, or separated files, in which the speakers are looked for.

    Returns
    -------
    dict
        The rate and its parts, shares of the reference's speech, as ``--json`` prints them.

    Raises
    ------
    RecordingError
        If a file cannot be read.
    ParameterError
        If nobody speaks in the reference.
    """
    from auxiva_cli.activity import read_rttm
    from auxiva_cli.evaluation import diarisation_error

    spoken = list(read_rttm(reference).values())
    if estimates[0].suffix == RTTM:
        if len(estimates) > 1:
            raise ParameterError(
                f"{len(estimates)} estimates were given, the first of them RTTM",
                hint="One RTTM file holds all speakers.",
            )
        told = list(read_rttm(estimates[0]).values())
    else:
        told = _heard(estimates)
    error = diarisation_error(spoken, told)
    parts = {"missed": error.missed, "false_alarm": error.false_alarm, "confusion": error.confusion}
    return {
        "error_rate": round(error.rate, 4),
        **{name: round(seconds / error.speech, 4) for name, seconds in parts.items()},
        "speech_seconds": round(error.speech, 3),
        "speakers": {"reference": len(spoken), "estimate": len(told)},
    }


def print_activity(report: dict[str, Any]) -> None:
    """Print the diarisation error rate and its parts on a line."""
    from rich.console import Console

    parts = ", ".join(
        f"{title} {100 * report[name]:.1f} %"
        for title, name in (
            ("missed", "missed"),
            ("false alarm", "false_alarm"),
            ("confusion", "confusion"),
        )
    )
    text = f" diarisation error rate {100 * report['error_rate']:.1f} %: {parts}"
    Console(highlight=False, soft_wrap=True).print(text)


def _heard(estimates: Sequence[Path]) -> list[list[tuple[float, float]]]:
    """Return when each separated signal holds speech."""
    import numpy as np

    from auxiva_cli.activity import Listener

    with ExitStack() as stack:
        recordings = open_all(stack, estimates)
        sample_rate, n_samples = common_sample_rate(recordings), common_length(recordings)
        n_src = sum(recording.n_chan for recording in recordings)
        listener = Listener(n_src, sample_rate)
        length = BLOCK_SECONDS * sample_rate
        for start in range(0, n_samples, length):
            n = min(length, n_samples - start)
            listener.add(np.concatenate([recording.read(start, n) for recording in recordings]))
        turns = listener.turns()
    return [[(turn.start, turn.end) for turn in turns if turn.speaker == k] for k in range(n_src)]
