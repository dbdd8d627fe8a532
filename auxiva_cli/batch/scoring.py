"""How well separated files match references, for the page of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auxiva_cli.audio import open_recording
from auxiva_cli.errors import RecordingError
from auxiva_cli.listening.mixture import Mixture

__all__ = ["check_references", "score"]

LENGTH_TOLERANCE = 0.1  # seconds; what framing may add or cut at the end


def check_references(references: Sequence[Path], mixture: Mixture) -> None:
    """Refuse references that are not of a recording, before it is separated.

    Raises
    ------
    RecordingError
        ``array-mismatch``, or what keeps one from being read, with its name.
    """
    for path in references:
        try:
            with open_recording(path) as reference:
                rate, n_samples = reference.sample_rate, reference.n_samples
        except RecordingError as error:
            what = f"the reference {str(path)!r}: {error.what}"
            raise RecordingError(what, hint=error.hint, kind=error.kind) from error
        excess = abs(n_samples - mixture.n_samples) / mixture.sample_rate
        if rate != mixture.sample_rate or excess > LENGTH_TOLERANCE:
            raise RecordingError(
                f"the reference {str(path)!r} has {n_samples} samples at {rate} Hz, the recording "
                f"{mixture.n_samples} at {mixture.sample_rate} Hz",
                hint="A reference begins with the recording and is as long.",
                kind="array-mismatch",
            )


def score(
    references: Sequence[Path], outputs: Sequence[Path], mixture: Mixture, ref_chan: int
) -> list[dict[str, float]]:
    """Return the measures of every output in dB, by their names; none of one without a reference.

    Parameters
    ----------
    references : sequence of Path
        Speakers alone; each channel of a file counts as one.
    outputs : sequence of Path
        Separated files, of one channel each.
    mixture : Mixture
        The recording.
    ref_chan : int
        Its channel to compare with, from 0.
    """
    from auxiva_cli.evaluation import bss_eval_scores, correlate, si_scores

    with ExitStack() as stack:
        spoken = [stack.enter_context(open_recording(path)) for path in references]
        separated = [stack.enter_context(open_recording(path)) for path in outputs]

        def read(start: int, n: int) -> NDArray[np.float64]:
            blocks = [recording.read(start, n) for recording in (*spoken, *separated)]
            heard = mixture.read(start, n)[ref_chan : ref_chan + 1]
            return np.concatenate([*blocks, heard], dtype=np.float64)

        correlations = correlate(
            read,
            n_samples=min(recording.n_samples for recording in (*spoken, mixture)),
            n_ref=sum(recording.n_chan for recording in spoken),
            n_est=len(separated) + 1,
            has_mixture=True,
        )
    bss = bss_eval_scores(correlations)
    si = si_scores(correlations, bss.permutation)
    measures = {
        "SI-SDR": si.sdr,
        "SI-SDRi": si.sdr_improvement,
        "SI-SIR": si.sir,
        "SDR": bss.sdr,
    }
    found: list[dict[str, float]] = [{} for _ in outputs]
    for k, paired in enumerate(bss.permutation):
        if paired >= 0:
            found[paired] = {
                name: float(values[k])
                for name, values in measures.items()
                if np.isfinite(values[k])
            }
    return found
