"""A crowd: sound from more directions than there are speakers."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import Array
from problems import complex_normal

from auxiva_cli.listening.crowd import count_outputs, crowd_notices, share_elsewhere

FREQUENCIES = np.arange(0.0, 8000.0, 2.0)
IS_SPEECH = (FREQUENCIES >= 300) & (FREQUENCIES <= 3500)
FLAT, ELSEWHERE = np.ones(len(FREQUENCIES)), np.where(IS_SPEECH, 1e-9, 1.0)


def covariance(powers: list[float], scale: Array) -> Array:
    """Return the covariance of independent sounds from directions of their own."""
    n = len(powers)
    Q, _ = np.linalg.qr(complex_normal(np.random.default_rng(n), len(FREQUENCIES), n, n))
    R: Array = (Q * powers) @ Q.conj().swapaxes(1, 2) * scale[:, None, None]
    return R.transpose(1, 2, 0)


@pytest.mark.parametrize("scale", [FLAT, ELSEWHERE])
def test_the_share_is_that_of_the_weaker_directions_of_speech(scale: Array) -> None:
    R = covariance([3.0, 10.0, 1.0, 6.0], scale)
    for n_src, share in enumerate([1.0, 0.5, 0.2, 0.05, 0.0]):
        assert share_elsewhere(R, FREQUENCIES, n_src) == pytest.approx(share, abs=1e-6)


def test_silence_has_no_crowd() -> None:
    assert share_elsewhere(np.zeros((3, 3, len(FREQUENCIES))), FREQUENCIES, 1) == 0


def test_only_a_crowd_has_outputs_of_its_own_and_not_too_many() -> None:
    room = covariance([10.0, 5.0, *8 * [0.02]], FLAT)
    crowd = covariance([10.0, 5.0, *8 * [1.0]], FLAT)
    assert count_outputs(room, FREQUENCIES, 2, 10) == 2
    assert count_outputs(crowd, FREQUENCIES, 2, 10) == 8
    assert count_outputs(crowd, FREQUENCIES, 2, 6) == 6
    assert count_outputs(crowd, FREQUENCIES, 2, 5) == 2  # three more hold no crowd
    assert count_outputs(crowd, FREQUENCIES, 9, 10) == 9
    # Short windows, whose bins lie further apart, take reverberation for a crowd.
    assert count_outputs(crowd[..., ::2], FREQUENCIES[::2], 2, 10) == 2
    assert count_outputs(crowd, FREQUENCIES, 10, 10) == 10


def test_a_crowd_is_told_of() -> None:
    assert crowd_notices(2, 2) == []
    (notice,) = crowd_notices(2, 8)
    assert notice.kind == "crowd"
    assert "2 speakers" in notice.text
    assert "8 outputs" in notice.text
