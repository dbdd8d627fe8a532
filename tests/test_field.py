"""Recordings as people have them: separated as well as without their faults, and the outputs sum.

In the order in which a recording is put right: channels, delays, gains, dead stretches, pauses;
then what is to be had, and what is said, where nothing can be put right.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from field_recordings import (
    RATE,
    drifting,
    inserted,
    late,
    louder,
    room,
    sample,
    voices,
)
from oracle import Array
from scipy.signal import fftconvolve
from signals import relative_level, worst_si_sdr

from auxiva_cli import Filters, SeparationResult, learn, separate
from auxiva_cli.cli.main import cli
from auxiva_cli.errors import ParameterError
from auxiva_cli.simulation import simulate_room

FEW = {"max_iter": 4, "n_fft": 2048}
SHORT = slice(0, 5 * RATE)


def separated(mixture: Array, **settings: int) -> SeparationResult:
    return separate(mixture, RATE, n_threads=1, **settings)


def kinds(found: SeparationResult) -> list[str]:
    return [notice.kind for notice in found.notices]


def test_channels_can_be_chosen_by_hand() -> None:
    mixture = sample("three")[:, SHORT]
    spoilt = inserted(mixture, np.full(mixture.shape[1], np.nan), 1)
    found = separate(spoilt, RATE, channels=(0, 2, 3), **FEW)
    expected = separate(mixture, RATE, **FEW)
    assert found.notices == expected.notices
    np.testing.assert_allclose(found.sources, expected.sources, atol=1e-6)
    with pytest.raises(ParameterError, match="channels 1, 5"):
        separate(mixture, RATE, channels=(0, 4))
    with pytest.raises(ParameterError, match="none of those chosen"):
        separate(mixture, RATE, channels=(0, 1), ref_chan=2)
    with pytest.raises(ParameterError, match="3 sources"):
        separate(mixture, RATE, channels=(0, 1), n_src=3)


@pytest.mark.parametrize("position", [0, 3])
def test_a_foreign_channel_changes_nothing(position: int) -> None:
    mixture = sample("three")[:, SHORT]
    hiss = 1e-3 * np.random.default_rng(0).standard_normal(mixture.shape[1])
    found = separate(inserted(mixture, hiss, position), RATE, **FEW)
    expected = separate(mixture, RATE, **FEW)
    assert found.ref_chan == (position == 0)
    np.testing.assert_allclose(found.sources, expected.sources, atol=1e-6)


def test_of_safety_tracks_the_clean_ones_are_separated() -> None:
    mixture = sample("two")[:, SHORT]
    driven = mixture * (1.8 / np.abs(mixture).max())
    found = separate(np.concatenate([np.clip(driven, -1, 1), driven / 4]), RATE, **FEW)
    expected = separate(driven / 4, RATE, **FEW)
    assert found.ref_chan == 2
    np.testing.assert_allclose(found.sources, expected.sources, atol=1e-5)


def test_an_image_at_a_copy_is_that_at_what_it_is_a_copy_of() -> None:
    mixture = sample("two")[:, SHORT]
    copied = np.concatenate([mixture, -0.5 * mixture[:1]])
    images = learn(copied, RATE, **FEW).images(copied)
    np.testing.assert_allclose(images[:, 2], -0.5 * images[:, 0], atol=1e-6)


def broken(channel: int) -> Array:
    """Return a recording of which one channel is late, and 6 dB louder from the middle on."""
    return late(louder(room(4), channel, 6, 88_000), channel, 1000)


@pytest.mark.parametrize("channel", [0, 1])
def test_the_outputs_sum_to_the_reference_as_it_was_recorded(channel: int) -> None:
    mixture = broken(channel)
    found = separate(mixture, RATE, **FEW)
    assert {notice.kind for notice in found.notices} >= {"channel-delayed", "gain-step"}
    np.testing.assert_allclose(found.sources.sum(axis=0), mixture[0], atol=1e-5)


def test_what_is_late_and_louder_is_separated_as_if_it_were_not() -> None:
    found = separate(broken(1), RATE, n_fft=4096)
    expected = separate(room(4)[:, 1000:], RATE, n_fft=4096)
    inside = slice(2 * RATE, 9 * RATE)  # whole windows
    assert worst_si_sdr(expected.sources[:, inside], found.sources[:, inside]) > 15


@pytest.mark.parametrize("lag", [640, 1600, -1600])
def test_what_one_channel_misses_at_an_end_is_no_burst_and_costs_little(lag: int) -> None:
    mixture = late(room(4), 1, lag)
    found = separate(mixture, RATE, n_fft=4096, n_threads=1)
    common = mixture.shape[1] - abs(lag)
    aligned = mixture[:, :common].copy(), mixture[:, abs(lag) :]
    whole = np.stack([aligned[lag < 0][0], aligned[lag > 0][1]])
    expected = separate(whole, RATE, n_fft=4096, n_threads=1).sources
    sources = found.sources[:, -common:] if lag < 0 else found.sources[:, :common]
    assert np.abs(found.sources).max() < np.abs(mixture).max()
    assert worst_si_sdr(expected, sources) > 34
    np.testing.assert_allclose(found.sources.sum(axis=0), mixture[0], atol=1e-6)


def test_images_lie_on_the_axis_of_each_channel() -> None:
    mixture = late(room(4), 1, 1000)
    filters = learn(mixture, RATE, **FEW)
    images = filters.images(mixture)
    assert images.shape == (2, *mixture.shape)
    np.testing.assert_allclose(images.sum(axis=0), mixture, atol=1e-5)
    np.testing.assert_allclose(images[:, 0], filters.apply(mixture), atol=1e-6)


def test_filters_carry_delays_to_disk_and_back(tmp_path: Path) -> None:
    mixture = late(room(4), 1, 1000)
    filters = learn(mixture, RATE, **FEW)
    filters.save(tmp_path / "late.npz")
    loaded = Filters.load(tmp_path / "late.npz")
    assert filters.lags is not None
    np.testing.assert_array_equal(loaded.lags, filters.lags)
    np.testing.assert_array_equal(loaded.apply(mixture), filters.apply(mixture))


def test_filters_that_do_not_fit_the_devices_of_a_recording_are_said(tmp_path: Path) -> None:
    mixture = inserted(
        late(room(4), 1, 1000), 1e-3 * np.random.default_rng(0).standard_normal(11 * RATE), 0
    )
    found = learn(mixture, RATE, **FEW)
    found.save(tmp_path / "filters.npz")
    said = {
        "itself": mixture,
        "later": late(mixture, 2, 800),
        "louder": louder(mixture, 2, 6, 88_000),
    }
    kinds = {}
    for name, each in said.items():
        soundfile.write(tmp_path / f"{name}.wav", each.T, RATE, subtype="FLOAT")
        command = ["apply", str(tmp_path / "filters.npz"), str(tmp_path / f"{name}.wav"), "--json"]
        run = CliRunner().invoke(cli, [*command, "-o", str(tmp_path / name)])
        kinds[name] = {warning["class"] for warning in json.loads(run.stdout)["warnings"]}
    devices = {"channel-delayed", "gain-step", "gain-wanders", "clock-slip", "clock-drift"}
    assert kinds["itself"] & devices == set()
    assert kinds["later"] & devices == {"channel-delayed"}
    assert kinds["louder"] & devices == {"gain-step"}


@pytest.mark.parametrize("channel", [0, 1])
def test_a_channel_that_starts_late_costs_nothing_elsewhere(channel: int) -> None:
    mixture, references = sample("two"), voices("two")
    start, heard = 3 * RATE, slice(3 * RATE + RATE // 4, None)
    late = mixture.copy()
    late[channel, :start] = 0
    found, cut = separated(late), separated(mixture[:, start:], ref_chan=1 - channel)
    assert "channel-dropout" in kinds(found)
    assert found.filters.ref_chan == 1 - channel
    np.testing.assert_allclose(found.sources.sum(axis=0), late[1 - channel], atol=1e-6)
    assert np.abs(found.sources[:, :start]).max() < np.abs(late[1 - channel, :start]).max()
    if channel == 1:
        expected = worst_si_sdr(references[:, start:], cut.sources)
        assert worst_si_sdr(references[:, heard], found.sources[:, heard]) > expected - 2


@pytest.mark.parametrize("seconds", [0.1, 0.4])
def test_a_channel_that_drops_out_costs_nothing_elsewhere(seconds: float) -> None:
    mixture, references = sample("two"), voices("two")
    gone = slice(int(4.6 * RATE), int((4.6 + seconds) * RATE))
    broken = mixture.copy()
    broken[1, gone] = 0
    found = separated(broken)
    assert kinds(found) == ["channel-dropout"]
    np.testing.assert_allclose(found.sources.sum(axis=0), broken[0], atol=1e-6)
    assert np.abs(found.sources[:, gone]).max() < np.abs(broken[0, gone]).max()
    apart = np.r_[: gone.start - RATE // 2, gone.stop + RATE // 2 : mixture.shape[1]]
    expected = worst_si_sdr(references[:, apart], separated(mixture).sources[:, apart])
    assert worst_si_sdr(references[:, apart], found.sources[:, apart]) > expected - 1


def test_a_reference_that_was_asked_for_is_shared_out_where_it_is_dead() -> None:
    mixture = sample("two").copy()
    mixture[0, : 2 * RATE] = 0
    found = separated(mixture, ref_chan=0)
    assert found.filters.ref_chan == 0
    np.testing.assert_allclose(found.sources.sum(axis=0), mixture[0], atol=1e-6)
    assert np.abs(found.sources[:, :RATE]).max() < 1e-6


def hiss(mixture: Array, level_db: float) -> Array:
    noise = np.random.default_rng(3).standard_normal(mixture.shape)
    return 10 ** (level_db / 20) * mixture.std() * noise


def test_a_quiet_room_before_the_talk_costs_nothing() -> None:
    mixture, references = sample("two"), voices("two")
    lead = 30 * RATE
    whole = np.pad(mixture, ((0, 0), (lead, 0)))
    whole += hiss(whole, -50 + 20 * np.log10(mixture.std() / whole.std()))
    found, cut = separated(whole), separated(whole[:, lead:])
    np.testing.assert_allclose(found.sources.sum(axis=0), whole[0], atol=1e-6)
    expected = worst_si_sdr(references, cut.sources)
    assert worst_si_sdr(references, found.sources[:, lead:]) > expected - 1


@pytest.mark.parametrize("level_db", [-40, -20])
def test_what_is_learnt_from_speech_with_pauses_is_what_it_is_without(level_db: float) -> None:
    mixture, references = sample("two"), voices("two")
    talk, pause = 3 * RATE, 5 * RATE
    starts = range(0, mixture.shape[1], talk)
    positions = np.concatenate(
        [np.arange(start, min(start + talk, mixture.shape[1])) + i * pause
         for i, start in enumerate(starts)]
    )  # fmt: skip
    whole = np.zeros((2, positions[-1] + pause))
    whole[:, positions] = mixture
    whole += hiss(whole, level_db + 20 * np.log10(mixture.std() / whole.std()))
    found, cut = separated(whole), separated(whole[:, positions])
    sources = found.filters.apply(whole[:, positions], n_threads=1)
    assert worst_si_sdr(references, sources) > worst_si_sdr(references, cut.sources) - 1


def headsets() -> tuple[Array, Array]:
    """Return three voices, and what the headset of each hears of all."""
    alone = voices("three")[:, SHORT]
    leak = 10 ** (-35 / 20)
    heard = [
        alone[k] + leak * sum(np.roll(alone[j], 8 * ((j - k) % 3)) for j in range(3) if j != k)
        for k in range(3)
    ]
    noise = 1e-4 * np.random.default_rng(0).standard_normal(alone.shape)
    return alone, np.stack(heard) + noise


def test_a_source_can_be_had_at_the_microphone_where_it_is_loudest(tmp_path: Path) -> None:
    alone, mixture = headsets()
    at_one = separate(mixture, RATE, max_iter=10, n_fft=2048)
    kinds = [notice.kind for notice in at_one.notices]
    assert "louder-elsewhere" in kinds
    assert "weak-output" not in kinds
    found = separate(mixture, RATE, ref_chan="loudest", max_iter=10, n_fft=2048)
    out_chans = found.filters.out_chans
    assert out_chans is not None
    assert sorted(out_chans) == [0, 1, 2]
    for source, channel in zip(found.sources, out_chans, strict=True):
        assert relative_level(source - alone[channel], alone[channel]) < -25
    found.filters.save(tmp_path / "headsets.npz")
    again = Filters.load(tmp_path / "headsets.npz").apply(mixture)
    np.testing.assert_allclose(again, found.sources, atol=1e-6)


def test_a_clock_that_drifts_makes_the_result_doubtful() -> None:
    assert separated(sample("two")).notices == ()
    assert "doubtful-result" in kinds(separated(drifting(sample("two"), 1, 200)))


def test_a_speaker_who_hardly_speaks_costs_the_other_nothing_or_it_is_said() -> None:
    talk = [each / each.std() for each in voices("two")]
    scene = simulate_room(talk, sample_rate=RATE, rt60=0.3, snr=80, seed=2)
    images = np.array(
        [
            [fftconvolve(each, response)[: len(each)] for response in responses]
            for each, responses in zip(talk, scene.responses, strict=True)
        ]
    )
    everything = separated(images.sum(axis=0))
    assert everything.notices == ()
    images[1, :, : -int(1.8 * RATE)] = 0
    images[1, :, -int(0.3 * RATE) :] = 0
    mixture, references = images.sum(axis=0), images[:, 0]
    found = separated(mixture)
    better = [
        worst_si_sdr(each[None], found.sources) > worst_si_sdr(each[None], mixture[:1])
        for each in references
    ]
    assert all(better) or "doubtful-result" in kinds(found)
