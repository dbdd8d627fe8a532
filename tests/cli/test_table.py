"""Tables: no name lost, no number cut, whatever the width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxiva_cli.cli.table import Column, lay_out

COLUMNS = [
    Column("reference", ["anna.wav", "a_very_long_name_of_ben.wav"], "mean in dB", is_name=True),
    Column("SI-SDR", ["10.0", "-3.5"], "3.2"),
    Column("SDR", ["11.1", "-"], "11.1", rank=1),
    Column("SAR", ["100.0", "7.7"], "53.9", rank=2),
]


def test_without_a_width_everything_is_side_by_side():
    assert lay_out(COLUMNS, None) == [
        "reference                    SI-SDR   SDR    SAR",
        "------------------------------------------------",
        "anna.wav                       10.0  11.1  100.0",
        "a_very_long_name_of_ben.wav    -3.5     -    7.7",
        "------------------------------------------------",
        "mean in dB                      3.2  11.1   53.9",
    ]


@pytest.mark.parametrize(
    ("width", "titles"),
    [(48, ["SI-SDR", "SDR", "SAR"]), (47, ["SI-SDR", "SDR"]), (40, ["SI-SDR"]), (35, ["SI-SDR"])],
)
def test_where_there_is_no_room_columns_go_by_rank(width, titles):
    first, *_ = lay_out(COLUMNS, width)
    assert first.split() == ["reference", *titles]


def test_where_nothing_fits_each_row_is_a_block_with_everything():
    assert lay_out(COLUMNS, 34) == [
        "reference anna.wav", "  SI-SDR  10.0", "  SDR     11.1", "  SAR     100.0",
        "reference a_very_long_name_of_ben.wav", "  SI-SDR  -3.5", "  SDR     -", "  SAR     7.7",
        "mean in dB", "  SI-SDR  3.2", "  SDR     11.1", "  SAR     53.9",
    ]  # fmt: skip


@given(st.integers(1, 120))
def test_no_name_is_lost_and_no_number_of_the_first_rank_is_cut(width):
    words = " ".join(lay_out(COLUMNS, width)).split()
    assert {"anna.wav", "a_very_long_name_of_ben.wav", "10.0", "-3.5", "3.2"} <= set(words)
