"""The diarisation error rate, held against counting milliseconds for every pairing of speakers."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxiva_cli.errors import ParameterError
from auxiva_cli.evaluation import diarisation_error

END = 30
TURN = st.tuples(st.integers(0, END - 1), st.integers(1, 9)).map(
    lambda t: (float(t[0]), float(min(t[0] + t[1], END)))
)
SPEAKERS = st.lists(st.lists(TURN, max_size=4), max_size=3)


def counted(reference, hypothesis):
    """Count second by second, for every pairing, what is missed, invented and confused."""
    n = max(len(reference), len(hypothesis), 1)
    R, H = np.zeros((2, n, END), bool)
    for active, turns in ((R, reference), (H, hypothesis)):
        for own, stretches in zip(active, turns, strict=False):
            for start, end in stretches:
                own[int(start) : int(end)] = True
    r, h = R.sum(axis=0), H.sum(axis=0)
    right = max(int((R & H[list(order)]).sum()) for order in permutations(range(n)))
    return (
        int(np.maximum(r - h, 0).sum()),
        int(np.maximum(h - r, 0).sum()),
        int(np.minimum(r, h).sum()) - right,
        int(r.sum()),
    )


@given(SPEAKERS, SPEAKERS)
def test_it_is_what_counting_gives(reference, hypothesis):
    missed, false_alarm, confusion, speech = counted(reference, hypothesis)
    if not speech:
        with pytest.raises(ParameterError, match="nobody speaks"):
            diarisation_error(reference, hypothesis)
        return
    error = diarisation_error(reference, hypothesis)
    found = (error.missed, error.false_alarm, error.confusion, error.speech)
    assert found == pytest.approx((missed, false_alarm, confusion, speech), abs=1e-9)
    assert error.rate == pytest.approx((missed + false_alarm + confusion) / speech)
