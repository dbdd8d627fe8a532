"""Amounts of memory, stretches of time, levels and walks as the command line has them."""

from __future__ import annotations

import click
import pytest

from auxiva_cli.cli.parameters import LEVEL, MEMORY, TIME_RANGE, WALK


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("512MiB", 512 * 2**20),
        ("512mb", 512 * 2**20),
        ("512 M", 512 * 2**20),
        ("2G", 2**31),
        ("1.5GiB", 3 * 2**29),
        ("  64k ", 2**16),
        ("1", 1),
        ("1000000", 10**6),
        ("1000000b", 10**6),
    ],
)
def test_an_amount_of_memory_is_read_in_any_usual_spelling(text: str, n_bytes: int) -> None:
    assert MEMORY.convert(text, None, None) == n_bytes


@pytest.mark.parametrize(
    "text",
    ["", " ", "0", "0GiB", "0.1", "-1", "-512MiB", "MiB", "1e9", "1,5G", ".5G", "5T", "1 2", "nan",
     "inf", "512MiBs", "0x10", pytest.param("9" * 400, id="400 digits")],
)  # fmt: skip
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no amount of memory"):
        MEMORY.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "stretch"),
    [
        ("90-150", (90, 150)),
        ("0-0.5", (0, 0.5)),
        ("1:30-2:30", (90, 150)),
        ("90-2:30", (90, 150)),
        ("0:00:59.5-1:00:00", (59.5, 3600)),
        ("1:02:03-1:02:03.25", (3723, 3723.25)),
        (" 5. - 6 ", (5, 6)),
        ("100:00-7200", (6000, 7200)),
    ],
)
def test_a_stretch_of_time_is_read_in_any_usual_spelling(
    text: str, stretch: tuple[float, float]
) -> None:
    assert TIME_RANGE.convert(text, None, None) == stretch


@pytest.mark.parametrize(
    "text",
    ["", "-", "5", "5-", "-5", "5-5", "6-5", "1-2-3", "a-b", "1:2:3:4-2:0:0:0", "1:60-2:00",
     "0:61:00-2:00:00", "1e1-1e2", "nan-inf", "0-inf", ":30-1:00", "5–6", "1,5-2",
     pytest.param("0-" + "9" * 400, id="400 digits")],
)  # fmt: skip
def test_what_is_no_stretch_of_time_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no stretch of time"):
        TIME_RANGE.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "level"),
    [("2:-6", (2, -6.0)), ("1:+3.5dB", (1, 3.5)), (" 12:0 db ", (12, 0.0))],
)
def test_a_level_of_a_speaker_is_read_with_and_without_its_unit(text, level):
    assert LEVEL.convert(text, None, None) == level


@pytest.mark.parametrize("text", ["", "-6", "0:-6", "2:", ":3", "2:x", "2:3m", "2:nan", "a:1"])
def test_what_is_no_level_of_a_speaker_is_refused(text):
    with pytest.raises(click.BadParameter, match="is no speaker and dB; write 2:-6"):
        LEVEL.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "walk"),
    [
        ("2:1.5m", (2, 1.5, None)),
        ("1:3", (1, 3.0, None)),
        ("2:1.5m@10-1:20", (2, 1.5, (10.0, 80.0))),
    ],
)
def test_a_walk_is_read_with_and_without_its_time(text, walk):
    assert WALK.convert(text, None, None) == walk


@pytest.mark.parametrize("text", ["", "2", "2:0m", "2:-1m", "2:1m@", "2:1m@20-10", "2:1dB", "@1-2"])
def test_what_is_no_walk_is_refused(text):
    with pytest.raises(click.BadParameter, match="; write "):
        WALK.convert(text, None, None)
