"""How well estimates match references: SI-SDR and its kin, and BSS Eval.

Every measure splits an estimate into three orthogonal parts: its projection on what
one reference can make (the target), the rest of its projection on what all references
can make (the interference), and what they cannot make (the artefacts).  What a
reference can make are its multiples (the scale-invariant measures [1]_) or its
versions filtered with 512 taps (BSS Eval [2]_): the first is the second with one tap.
The energies of the parts need only the inner products of the signals and of their
delays [3]_, which are summed block by block, so that memory does not grow with the
length of the recordings.

Estimates are paired with references so that the sum of the SDRs is largest.  The SIR
would not do: it is blind to artefacts, so that an output with nothing but noise can
have the highest of all, and with a single reference it says nothing.

What has no meaning is NaN: every measure of a silent reference, of a silent estimate
and of a reference without an estimate, and the SIR when no other reference is active.
Everything else lies within ``±LIMIT_DB``, never at infinity.

References
----------
.. [1] J. Le Roux, S. Wisdom, H. Erdogan, J. R. Hershey, "SDR - half-baked or well
   done?", ICASSP 2019.
.. [2] E. Vincent, R. Gribonval, C. Févotte, "Performance measurement in blind audio
   source separation", IEEE TASLP 14(4), 2006.
.. [3] R. Scheibler, "SDR - medium rare with fast computations", ICASSP 2022.
"""

from auxiva_cli.evaluation.correlations import FILTER_LENGTH, Correlations, correlate
from auxiva_cli.evaluation.diarisation import DiarisationError, diarisation_error
from auxiva_cli.evaluation.scores import (
    LIMIT_DB,
    Scores,
    bss_eval,
    bss_eval_scores,
    si_bss_eval,
    si_scores,
)
from auxiva_cli.evaluation.stretches import SILENCE_DB, Stretch, stretch_bounds, stretch_scores

__all__ = [
    "FILTER_LENGTH",
    "LIMIT_DB",
    "SILENCE_DB",
    "Correlations",
    "DiarisationError",
    "Scores",
    "Stretch",
    "bss_eval",
    "bss_eval_scores",
    "correlate",
    "diarisation_error",
    "si_bss_eval",
    "si_scores",
    "stretch_bounds",
    "stretch_scores",
]
