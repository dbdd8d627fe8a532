"""What a page says."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from auxiva_cli.errors import NOTICE_KINDS
from auxiva_cli.report import Curve, Lane, Page, Portrait, recording_page
from auxiva_cli.report.advice import ADVICE
from auxiva_cli.report.chart import TIMELINE_COLUMNS, curve, silhouette, timeline

RATE = 16_000


def portrait(signals, block=None):
    taken = Portrait(len(signals), signals.shape[1], RATE)
    for start in range(0, signals.shape[1], block or 10**9):
        taken.add(signals[:, start : start + (block or 10**9)])
    taken.finish()
    return taken


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def test_every_warning_comes_with_what_to_do():
    assert set(ADVICE) == set(NOTICE_KINDS)


def test_a_tone_is_a_line_at_its_height_and_its_time():
    signals = np.zeros((2, 4 * RATE))
    signals[0, : 2 * RATE] = np.sin(2 * np.pi * 2000 * np.arange(2 * RATE) / RATE)
    taken = portrait(signals)
    mixture, silent = map(pixels, taken.spectrograms())
    n_rows, n_columns = mixture.shape
    loudest = mixture[:, : n_columns // 2 - 3].argmax(axis=0)
    # A quarter of the way up to 8 kHz, counted from the top.
    assert np.abs(loudest - 0.75 * n_rows).max() <= 1.5
    assert mixture[:, n_columns // 2 + 3 :].max() == 0
    assert silent.max() == 0
    half = taken.peaks.shape[1] // 2
    assert taken.peaks[0, :half].min() > 0.9
    assert taken.peaks[0, half:].max() == taken.peaks[1].max() == 0


def test_blocks_make_no_difference():
    signals = np.random.default_rng(0).standard_normal((2, 30_011))
    whole, pieces = portrait(signals), portrait(signals, block=997)
    np.testing.assert_array_equal(whole.peaks, pieces.peaks)
    for one, other in zip(whole.spectrograms(), pieces.spectrograms(), strict=True):
        assert np.abs(pixels(one).astype(int) - pixels(other)).max() <= 1  # of 255, by rounding


@pytest.mark.parametrize("n_samples", [1, 10, 700])
def test_the_shortest_recording_has_a_portrait(n_samples):
    taken = portrait(np.ones((1, n_samples)))
    assert taken.peaks.min() == 1
    assert pixels(taken.spectrograms()[0]).size


def test_lanes_have_one_scale_of_colours():
    noise = np.random.default_rng(0).standard_normal((1, RATE))
    loud, weak = map(pixels, portrait(np.concatenate([noise, 0.1 * noise])).spectrograms())
    difference = np.median(loud.astype(int) - weak)
    assert difference == pytest.approx(255 * 20 / 65, abs=3)  # 20 dB of 65


def test_lines_span_what_they_show():
    assert curve([3.0, 1.0, 1.0]) == "M0.0,0.0L50.0,100.0L100.0,100.0"
    assert silhouette([1.0, 0.5], loudest=1.0).startswith("M0,-1.000L1,-0.500L1,0.500")
    line = timeline([(0.0, 1.0), (3.0, 4.0)], 4.0)
    quarter = TIMELINE_COLUMNS // 4
    assert line == "1" * quarter + "0" * 2 * quarter + "1" * quarter


def test_what_comes_from_outside_is_text():
    odd = "</script><script>alert(1)</script>\"'{{7*7}}"
    lane = Lane(odd, b"sound", [0.5], b"png", [(0.0, 1.0)], level=-0.04, file=odd, is_speaker=True)
    page = Page(
        odd, 2.0, [lane, lane], {odd: odd}, {odd: odd}, [(odd, odd)], [Curve(odd, [1.0], True)], odd
    )
    content = recording_page(page).decode()
    assert "<script>alert" not in content
    assert "{{7*7}}" in content
    assert "49" not in content.split("<style>")[0]
    assert content.count("<script") == 2
    assert ">0.0 dB<" in content, "and what rounds to zero has no sign"
