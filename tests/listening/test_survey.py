"""What one pass over a recording finds: refusals, notices and levels."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import Array
from signals import SAMPLE_RATE, make_images

from auxiva_cli.errors import RecordingError
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.listening.survey import Survey, count_nonfinite, survey

MIXTURE = make_images(2, 2, seconds=3).sum(axis=0)


def look(waveform: Array) -> Survey:
    return survey(ArrayMixture(waveform, SAMPLE_RATE))


def texts(found: Survey, kind: str) -> list[str]:
    return [notice.text for notice in found.notices if notice.kind == kind]


def kinds(found: Survey) -> list[str]:
    return [notice.kind for notice in found.notices]


def changed(channel: int, where: slice | int, value: float) -> Array:
    waveform = MIXTURE.copy()
    waveform[channel, where] = value
    return waveform


def test_nothing_is_remarked_about_an_ordinary_recording() -> None:
    found = look(MIXTURE)
    assert found.notices == ()
    assert found.live.all()
    np.testing.assert_array_equal(found.offset, 0)
    np.testing.assert_allclose(found.rms, MIXTURE.std(axis=1), rtol=1e-9)


@pytest.mark.parametrize("exponent", [-450, -50, 0, 50, 450])
def test_the_gain_is_a_power_of_two_that_brings_each_channel_near_unit_level(
    exponent: int,
) -> None:
    found = look(MIXTURE * 2.0 ** np.array([[exponent], [exponent - 3]]))
    mantissa, _ = np.frexp(found.gain)
    np.testing.assert_array_equal(mantissa, 0.5)
    np.testing.assert_allclose(np.log2(found.gain * found.rms), 0, atol=0.5)
    assert found.level == found.gain[0]


def test_a_recording_without_samples_is_empty() -> None:
    with pytest.raises(RecordingError) as caught:
        look(np.zeros((2, 0)))
    assert caught.value.kind == "input-empty"


@pytest.mark.parametrize("level", [0.0, 0.25, -1.0])
def test_constant_channels_are_silent(level: float) -> None:
    with pytest.raises(RecordingError, match="all 2 channels") as caught:
        look(np.full((2, 5000), level))
    assert caught.value.kind == "silent"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("position", [0, 20_001])
def test_a_sample_that_is_no_number_is_refused_with_its_place(value: float, position: int) -> None:
    waveform = changed(1, position, value)
    with pytest.raises(RecordingError, match=r"1 sample is .* channel 2") as caught:
        look(waveform)
    assert caught.value.kind == "input-nonfinite"
    assert f"{position / SAMPLE_RATE:.3f} s" in caught.value.what
    expected = (1, 1, position / SAMPLE_RATE)
    assert count_nonfinite(ArrayMixture(waveform, SAMPLE_RATE)) == expected


def test_samples_that_are_no_numbers_are_counted_and_the_earliest_is_named() -> None:
    waveform = changed(0, slice(9000, 9010), np.nan)
    waveform[1, 8500] = np.inf
    with pytest.raises(RecordingError, match=r"11 samples are .* channel 2 at 1\.062 s"):
        look(waveform)
    assert count_nonfinite(ArrayMixture(MIXTURE, SAMPLE_RATE))[0] == 0


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_a_channel_that_does_not_move_is_dead(value: float) -> None:
    found = look(np.vstack([MIXTURE, np.full((1, MIXTURE.shape[1]), value)]))
    np.testing.assert_array_equal(found.live, [True, True, False])
    assert texts(found, "channel-dead") == ["channel 3 carries no signal and is left out"]
    assert found.gain[2] == 0


def test_an_offset_is_measured_and_remarked_upon() -> None:
    found = look(MIXTURE + np.array([[0.5], [0.0]]))
    assert found.offset[0] == pytest.approx(0.5, abs=0.01)
    assert found.offset[1] == 0
    np.testing.assert_allclose(found.rms, MIXTURE.std(axis=1), rtol=1e-9)
    assert kinds(found) == ["dc-offset"]
    assert "channel 1 has a DC offset of 0.5" in texts(found, "dc-offset")[0]


def test_channels_far_apart_in_level_are_named() -> None:
    found = look(MIXTURE * np.array([[1.0], [1e-4]]))
    apart = round(20 * np.log10(found.rms[0] / found.rms[1]))
    assert texts(found, "channels-uneven") == [f"channel 2 is {apart} dB below channel 1"]
    assert look(MIXTURE * np.array([[1.0], [1e-2]])).notices == ()


def test_clipping_is_remarked_upon_with_its_share() -> None:
    limit = np.quantile(np.abs(MIXTURE), 0.95)
    found = look(np.clip(MIXTURE, -limit, limit))
    assert kinds(found) == ["clipped", "clipped"]
    share = np.mean(np.abs(MIXTURE[0]) >= limit)
    assert texts(found, "clipped")[0].startswith(f"{100 * share:.1f} % of channel 1")


@pytest.mark.parametrize("channel", [0, 1])
def test_a_spike_40_db_above_the_mean_level_is_remarked_upon_with_its_time(channel: int) -> None:
    found = look(changed(channel, 12_000, 100 * MIXTURE[channel].std()))
    assert f"channel {channel + 1} peaks" in texts(found, "outlier")[0]
    assert "at 1.500 s" in texts(found, "outlier")[0]


def test_samples_far_above_full_scale_are_remarked_upon() -> None:
    assert kinds(look(MIXTURE * 32768)) == ["level-high"]
    assert look(MIXTURE * (1 / np.abs(MIXTURE).max())).notices == ()


def test_a_channel_that_drops_out_is_remarked_upon_with_time_and_length() -> None:
    found = look(changed(1, slice(8000, 16_000), 0.0))
    (text,) = texts(found, "channel-dropout")
    assert text.startswith("channel 2 drops out for about 1.0 s, first at 1.0 s;")


def test_silence_in_all_channels_is_no_dropout() -> None:
    waveform = MIXTURE.copy()
    waveform[:, 8000:16_000] = 0
    assert look(waveform).notices == ()
