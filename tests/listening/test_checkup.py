"""What the check-up finds in recordings with one fault each, and that it finds none in others."""

from __future__ import annotations

import numpy as np
import pytest
from field_recordings import (
    RATE,
    conversation,
    drifting,
    inserted,
    late,
    louder,
    room,
    sample,
    slipped,
    voice,
)
from oracle import Array
from scipy.signal import resample_poly

from auxiva_cli.errors import RecordingError
from auxiva_cli.listening.checkup import check_up
from auxiva_cli.listening.findings import Findings
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.listening.survey import survey


def examined(waveform: Array, ref_chan: int | None = None) -> Findings:
    mixture = ArrayMixture(waveform, RATE)
    return check_up(mixture, survey(mixture), ref_chan=ref_chan)


def said(findings: Findings) -> dict[str, str]:
    return {notice.kind: notice.text for notice in findings.notices}


def draw(n_samples: int = 11 * RATE) -> Array:
    return np.random.default_rng(0).standard_normal(n_samples)


def bursts(mixture: Array) -> Array:
    """Draw loud corrupted frames over a late copy of a microphone."""
    n = mixture.shape[1]
    rng = np.random.default_rng(0)
    bad = np.repeat(rng.random(n // 1600 + 1) < 0.3, 1600)[:n]
    return np.where(bad, rng.uniform(-0.9, 0.9, n), np.roll(mixture[0], 3))


def rumble(mixture: Array) -> Array:
    """Draw what a channel for a subwoofer holds, and the last bits of the others."""
    noise = draw(mixture.shape[1])
    spectrum = np.fft.rfft(noise)
    spectrum[round(80 * len(noise) / RATE) :] = 0
    return np.fft.irfft(spectrum, len(noise)) + 1e-4 * noise


def subwoofer(mixture: Array) -> Array:
    """Low-pass all microphones at 120 Hz, as a surround mix does."""
    spectrum = np.fft.rfft(mixture.sum(axis=0))
    frequencies = np.arange(len(spectrum)) * RATE / mixture.shape[1]
    return np.fft.irfft(spectrum / np.sqrt(1 + (frequencies / 120) ** 8), mixture.shape[1])


FOREIGN = {
    "subwoofer": subwoofer,
    "hiss": lambda mixture: 1e-3 * draw(mixture.shape[1]),
    "loud hiss": lambda mixture: 0.3 * draw(mixture.shape[1]),
    "bursts": bursts,
    "rumble": rumble,
    "hum": lambda mixture: sum(
        np.sin(2 * np.pi * 50 * k * np.arange(mixture.shape[1]) / RATE) / k for k in range(1, 20)
    ) + 1e-4 * draw(mixture.shape[1]),
}  # fmt: skip


@pytest.mark.parametrize("position", [0, 3])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_channel_that_hears_nothing_of_the_room_is_left_out(kind: str, position: int) -> None:
    mixture = sample("three")
    found = examined(inserted(mixture, FOREIGN[kind](mixture), position))
    assert [(each.channel, each.why) for each in found.left_out] == [(position, "unrelated")]
    assert f"channel {position + 1} " in said(found)["channel-unrelated"]
    assert found.ref_chan == (position == 0)


def test_a_headset_that_hears_nobody_else_stays_and_is_said() -> None:
    found = examined(inserted(sample("three"), voice("two", 1), 0))
    assert found.left_out == ()
    assert "channel 1 " in said(found)["channel-unrelated"]
    assert found.ref_chan == 1


def test_music_that_fits_anywhere_is_not_aligned() -> None:
    n = 11 * RATE
    notes = 220 * 2 ** (np.random.default_rng(0).integers(0, 24, n // 4000 + 1) / 12)
    phase = 2 * np.pi * np.cumsum(np.repeat(notes, 4000)[:n]) / RATE
    music = sum(np.sin(k * phase) / np.sqrt(k) for k in range(1, 5))
    found = examined(inserted(sample("three"), 0.1 * music, 1))
    assert {notice.kind for notice in found.notices} == {"channel-unrelated"}
    assert not found.lags.any()


@pytest.mark.parametrize("channel", [0, 2])
def test_a_channel_that_is_dead_most_of_the_time_is_left_out_beside_two_others(
    channel: int,
) -> None:
    mixture = sample("three").copy()
    mixture[channel, 4 * RATE :] = 0
    found = examined(mixture)
    assert [(each.channel, each.why) for each in found.left_out] == [(channel, "dead")]
    assert f"channel {channel + 1} " in said(found)["channel-dead"]
    assert found.ref_chan == (channel == 0)
    assert examined(mixture, ref_chan=channel).left_out == ()
    assert examined(mixture[[channel, 1]]).left_out == ()


@pytest.mark.parametrize(("start", "stop"), [(0, 4), (3, 6)])
def test_where_a_channel_is_dead_nothing_is_compared(start: int, stop: int) -> None:
    mixture = room(4).copy()
    mixture[1, start * RATE : stop * RATE] = 0
    found = examined(mixture)
    assert found.notices == ()
    ((channel, first, last),) = found.dead
    assert channel == 1
    assert (first, last) == pytest.approx((start, stop), abs=0.021)
    (shown,) = found.as_dict()["dead_stretches"]
    assert shown == {"channel": 2, "from_s": first, "to_s": last}


def test_the_reference_that_was_asked_for_is_never_left_out() -> None:
    found = examined(inserted(sample("three"), 1e-3 * draw(), 3), ref_chan=3)
    assert found.left_out == ()
    assert found.ref_chan == 3


def test_channels_that_are_all_unrelated_are_left_in() -> None:
    assert examined(draw(4 * 5 * RATE).reshape(4, -1)).notices == ()


@pytest.mark.parametrize("lag", [-30000, -1600, 240, 640, 24000])
@pytest.mark.parametrize("channel", [0, 1])
def test_a_recorder_that_was_started_later_is_aligned(lag: int, channel: int) -> None:
    found = examined(late(room(1), channel, lag))
    expected = lag if channel == 1 else -lag
    assert found.lags[0] == 0
    assert abs(found.lags[1] - expected) <= 6
    assert f"{abs(found.lags[1]) / 16:.1f} ms" in said(found)["channel-delayed"]


@pytest.mark.parametrize(("height", "is_late"), [(1.1, False), (2.0, True)])
def test_a_reflection_that_outdoes_the_direct_sound_is_no_late_recorder(
    height: float, is_late: bool
) -> None:
    direct, noise = sample("two")[0], draw()
    second = np.roll(direct, 16) + height * np.roll(direct, 112) + 0.1 * direct.std() * noise
    assert examined(np.stack([direct, second])).lags.any() == is_late


def test_channels_of_one_device_are_aligned_together() -> None:
    mixture = room(2, n_mics=4, spacing=0.05)
    found = examined(late(late(mixture, 2, 800), 3, 800))
    assert found.lags[2] == found.lags[3]
    assert abs(found.lags[2] - 800) <= 6
    np.testing.assert_array_equal(found.lags[:2], 0)


def test_a_large_array_is_one_device() -> None:
    assert not examined(room(3, n_mics=4, spacing=0.9)).lags.any()


@pytest.mark.parametrize("n_lost", [64, 256, 3200])
@pytest.mark.parametrize("channel", [0, 1])
def test_lost_samples_are_said_with_their_place(n_lost: int, channel: int) -> None:
    found = examined(slipped(sample("two"), channel, n_lost))
    ((_, slip),) = found.slips
    assert slip.seconds == pytest.approx((n_lost if channel else -n_lost) / RATE, abs=3e-4)
    assert slip.time == pytest.approx(5.5, abs=0.6)
    assert "ms" in said(found)["clock-slip"]
    assert found.drifts == ()


@pytest.mark.parametrize("ppm", [-250.0, -40.0, 100.0])
def test_a_drifting_clock_is_said_with_its_drift(ppm: float) -> None:
    found = examined(drifting(sample("two"), 1, ppm))
    ((channel, drift),) = found.drifts
    assert channel == 1
    assert drift == pytest.approx(ppm, abs=2)  # where the grid of the search has steps of 7
    assert f"{abs(drift):.0f} ppm {'fast' if ppm > 0 else 'slow'}" in said(found)["clock-drift"]
    assert found.slips == ()


def test_channels_of_one_device_have_one_clock() -> None:
    mixture = room(2, n_mics=4, spacing=0.05)
    for channel in (2, 3):
        mixture = drifting(mixture, channel, 80)
    found = examined(mixture)
    assert [channel for channel, _ in found.drifts] == [2, 3]
    assert not examined(room(2)).clock_ppm().any()
    ppm = found.clock_ppm()
    assert ppm.tolist() == [0, 0, pytest.approx(80, abs=3), ppm[2]]


def test_a_drift_is_told_where_it_lies_and_not_on_a_grid() -> None:
    drifts = [examined(drifting(sample("two"), 1, ppm)).drifts[0][1] for ppm in (60, 61, 63, 66)]
    np.testing.assert_allclose(np.diff(drifts), [1, 2, 3], atol=0.3)


def test_what_all_other_channels_do_is_blamed_on_the_reference() -> None:
    found = examined(louder(drifting(sample("three"), 0, 60), 0, -8, 90000))
    assert [channel for channel, _ in found.drifts] == [1, 2]
    assert said(found)["clock-drift"].startswith("the clock of channel 1 is 6")
    found = examined(louder(sample("three"), 0, -8, 90000))
    assert "channel 1 becomes 8.0 dB quieter at 5.6" in said(found)["gain-step"]


@pytest.mark.parametrize(("channel", "decibels"), [(1, -6.0), (1, 4.0), (0, 12.0)])
def test_a_step_of_a_gain_is_found_in_size_and_place(channel: int, decibels: float) -> None:
    found = examined(louder(room(4), channel, decibels, 100_000))
    (step,) = found.gain_steps
    assert step.channel == 1
    assert step.decibels == pytest.approx(decibels if channel else -decibels, abs=0.15)
    assert step.time == pytest.approx(6.25, abs=0.02)
    assert "undone" in said(found)["gain-step"]


@pytest.mark.parametrize(("seed", "kind"), [
    (42, "turns"), (48, "turns"), (45, "streams"), (49, "streams"), (51, "streams"),
])  # fmt: skip
def test_a_step_is_found_where_not_everybody_talks_all_the_time(seed: int, kind: str) -> None:
    mixture = conversation(seed, kind)
    assert examined(mixture).notices == ()
    (step,) = examined(louder(mixture, 1, -6, 160_000)).gain_steps
    assert step.decibels == pytest.approx(-6, abs=0.15)
    assert step.time == pytest.approx(10, abs=0.02)


def test_steps_that_are_barely_large_enough_are_found() -> None:
    found = examined(louder(louder(sample("three"), 1, 3.0, 60_000), 2, -3.0, 90_000))
    assert [step.channel for step in found.gain_steps] == [1, 2]
    assert [step.decibels for step in found.gain_steps] == pytest.approx([3, -3], abs=0.2)


def test_a_step_of_a_channel_that_is_late_lies_where_it_does() -> None:
    found = examined(late(louder(room(4), 1, -6, 100_000), 1, 1600))
    (step,) = found.gain_steps
    assert step.time == pytest.approx((100_000 - 1600) / RATE, abs=0.02)
    first = np.argmax(
        found.levelled(ArrayMixture(np.ones((2, 11 * RATE)), RATE)).read(0, 170_000)[1] != 1
    )
    assert abs(first - 100_000) < 320


def test_a_gain_that_changes_slowly_is_said_and_left_alone() -> None:
    mixture = sample("two").copy()
    mixture[1] *= 10 ** (np.linspace(-2, 2, mixture.shape[1]) / 20)
    found = examined(mixture)
    assert found.gain_steps == ()
    assert "channel 2 changes slowly" in said(found)["gain-wanders"]


def dithered(mono: Array) -> Array:
    return mono + np.random.default_rng(1).uniform(-1, 1, (2, len(mono))) / 32768


COPIES = {
    "dither": dithered,
    "a sample late": lambda mono: dithered(mono) + np.stack([0 * mono, np.roll(mono, 1) - mono]),
    "a sample late, and shrill": lambda mono: np.stack([np.diff(mono)[1:], np.diff(mono)[:-1]]),
    "hiss": lambda mono: np.stack([mono, mono + 0.005 * mono.std() * draw(len(mono))]),
    "100 ms late": lambda mono: late(dithered(mono), 1, 1600),
    "louder": lambda mono: dithered(mono) * [[1], [-0.3]],
}


@pytest.mark.parametrize("kind", COPIES)
def test_one_microphone_twice_is_refused(kind: str) -> None:
    with pytest.raises(RecordingError, match="channels 1 and 2 are copies") as caught:
        examined(COPIES[kind](sample("two")[0]))
    assert caught.value.kind == "channels-dependent"


def test_what_may_be_a_copy_is_said() -> None:
    mono = sample("two")[0]
    found = examined(np.stack([mono, mono + 0.03 * mono.std() * draw(len(mono))]))
    assert "channels 1 and 2 differ by -3" in said(found)["channels-alike"]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 3, 1)])
def test_of_a_clipped_channel_and_its_clean_copy_the_clean_one_is_used(order: list[int]) -> None:
    mixture = sample("two")
    driven = mixture * (1.8 / np.abs(mixture).max())
    found = examined(np.concatenate([np.clip(driven, -1, 1), driven / 4])[list(order)])
    hot = sorted(order.index(c) for c in (0, 1))
    assert [(each.channel, each.why) for each in found.left_out] == [(c, "clipped") for c in hot]
    assert {each.channel: each.other for each in found.left_out} == {
        order.index(0): order.index(2), order.index(1): order.index(3),
    }  # fmt: skip


@pytest.mark.parametrize("driven_by", [1.3, 1.8, 4.0])
def test_safety_tracks_are_known_after_a_resampling_that_rounds_what_was_clipped(
    driven_by: float,
) -> None:
    driven = sample("two") * (driven_by / np.abs(sample("two")).max())
    tracks = np.concatenate([np.clip(driven, -1, 1), driven / 4])
    found = examined(resample_poly(resample_poly(tracks, 441, 160, axis=1), 160, 441, axis=1))
    assert [(each.channel, each.other) for each in found.left_out] == [(0, 2), (1, 3)]
    assert found.ref_chan == 2


def test_of_three_tracks_of_one_microphone_the_cleanest_is_used() -> None:
    hot = 4 * sample("two") / np.abs(sample("two")).max(axis=1, keepdims=True)
    tracks = [np.clip(hot[0], -1, 1), np.clip(hot[0] / 2, -1, 1), hot[0] / 8, hot[1] / 8]
    found = examined(np.stack(tracks))
    assert [(each.channel, each.other) for each in found.left_out] == [(0, 2), (1, 2)]


@pytest.mark.parametrize(("seed", "n_mics", "spacing", "n_src"), [
    (10, 2, 0.005, 1), (11, 3, 0.02, 3), (12, 4, 0.3, 2), (13, 2, 1.0, 2), (14, 6, 0.1, 3),
])  # fmt: skip
def test_nothing_is_found_in_a_room(seed: int, n_mics: int, spacing: float, n_src: int) -> None:
    found = examined(room(seed, n_mics, spacing, n_src))
    assert set(said(found)) <= {"channels-alike"}
    assert spacing < 0.01 or not found.notices


@pytest.mark.parametrize("word", ["two", "three"])
def test_nothing_is_found_in_the_samples(word: str) -> None:
    assert examined(sample(word)).notices == ()


def test_speakers_who_take_turns_at_two_headsets_are_no_change_of_gain() -> None:
    first, second = voice("two", 1).copy(), voice("two", 2).copy()
    first[len(first) // 2 :] = 0
    second[: len(second) // 2] = 0
    leak = 10 ** (-20 / 20)
    pair = np.stack([first + leak * np.roll(second, 8), second + leak * np.roll(first, 8)])
    found = examined(pair + 1e-4 * np.random.default_rng(0).standard_normal(pair.shape))
    assert found.notices == ()


@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_findings_do_not_depend_on_the_scale(scale: float) -> None:
    mixture = louder(late(room(4), 1, 800), 1, -6, 100_000)
    found, scaled = examined(mixture), examined(mixture * scale)
    assert found.as_dict() == scaled.as_dict()


@pytest.mark.parametrize(("n_mics", "channel"), [(3, 1), (4, 0), (6, 5)])
def test_a_channel_that_is_wired_the_wrong_way_round_is_said(n_mics: int, channel: int) -> None:
    mixture = room(20 + n_mics, n_mics)
    mixture = mixture * np.where(np.arange(n_mics) == channel, -1, 1)[:, None]
    found = examined(mixture)
    assert found.inverted == (channel,)
    assert f"channel {channel + 1} is wired the wrong way" in said(found)["polarity-inverted"]


def test_of_two_channels_either_may_be_the_one_that_is_inverted() -> None:
    found = examined(sample("two") * np.array([[1], [-1]]))
    assert found.inverted == (0, 1)
    assert "channels 1 and 2" in said(found)["polarity-inverted"]


@pytest.mark.parametrize(("mains", "decibels", "hums"), [
    (50, -10, True), (60, -10, True), (50, -60, False), (55, -10, False),
])  # fmt: skip
def test_hum_of_the_mains_is_said_of_the_channel_that_has_it(
    mains: int, decibels: float, hums: bool
) -> None:
    mixture = sample("three").copy()
    t = np.arange(mixture.shape[1]) / RATE
    hum = sum(np.sin(2 * np.pi * mains * k * t + k) / k for k in (1, 2, 3))
    mixture[1] += hum * mixture[1].std() * 10 ** (decibels / 20) / hum.std()
    found = examined(mixture)
    assert found.hum == (((1, mains),) if hums else ())
    assert ("hum" in said(found)) == hums
