"""Bytes to samples and back: exact, rounded half to even, clipped and counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from wav_builders import packed, ramp

from auxiva_cli.audio.samples import ENCODINGS, decode, quantise, stored_bytes

INTEGERS = {"PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)


@pytest.mark.parametrize(("subtype", "bits"), INTEGERS.items())
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_integers_survive_reading_and_writing_bit_by_bit(
    subtype: str, bits: int, byte_order: str
) -> None:
    values = ramp(3, 501, bits)
    raw = packed(values, bits // 8)
    block = decode(packed(values, bits // 8, byte_order), ENCODINGS[subtype], 3, byte_order)
    np.testing.assert_array_equal(block, values.T / 2.0 ** (bits - 1))
    stored, n_clipped = quantise(block, subtype)
    assert stored_bytes(stored, subtype) == raw
    assert n_clipped == 0


@settings(deadline=None)
@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(width=32)))
def test_floats_survive_reading_and_writing_bit_by_bit(block: np.ndarray) -> None:
    for subtype, wide in (("FLOAT", block), ("DOUBLE", block.astype(np.float64))):
        raw = stored_bytes(quantise(wide, subtype)[0], subtype)
        back = decode(raw, ENCODINGS[subtype], len(block))
        assert back.dtype == wide.dtype
        assert back.tobytes() == wide.tobytes()


@settings(deadline=None)
@given(hnp.arrays(np.float64, SHAPES, elements=st.floats(-4, 4)), st.sampled_from(list(INTEGERS)))
def test_rounding_errs_by_half_a_step_at_most_and_clipping_is_counted(
    block: np.ndarray, subtype: str
) -> None:
    step = 2.0 ** (1 - INTEGERS[subtype])
    stored, n_clipped = quantise(block, subtype)
    back = stored.T * step
    fits = np.rint(block / step) * step == np.clip(np.rint(block / step) * step, -1, 1 - step)
    assert n_clipped == np.count_nonzero(~fits)
    assert np.all(np.abs(back - block)[fits] <= step / 2)
    np.testing.assert_array_equal(back[~fits], np.where(block > 0, 1 - step, -1.0)[~fits])


def test_halves_are_rounded_to_even_as_the_convention_has_it() -> None:
    halves = np.array([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]]) / 2**15
    np.testing.assert_array_equal(quantise(halves, "PCM_16")[0].T, [[-2, -2, 0, 0, 2, 2]])


def test_blocks_are_contiguous_and_the_callers_own() -> None:
    for encoding in ENCODINGS.values():
        block = decode(bytes(6 * encoding.width), encoding, 2)
        assert block.shape == (2, 3)
        assert block.flags.c_contiguous
        assert block.flags.writeable
