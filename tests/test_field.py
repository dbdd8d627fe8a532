"""Separation of recordings with faults: as well as without them, and the outputs still sum."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from field_recordings import RATE, inserted, late, louder, room, sample, voice
from oracle import Array
from signals import relative_level, worst_si_sdr

from auxiva_cli import Filters, learn, separate
from auxiva_cli.cli.main import cli
from auxiva_cli.errors import ParameterError

FEW = {"max_iter": 4, "n_fft": 2048}
SHORT = slice(0, 5 * RATE)


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


def headsets() -> tuple[Array, Array]:
    """Return three voices, and what the headset of each hears of all."""
    voices = np.stack([voice("three", k + 1)[SHORT] for k in range(3)])
    leak = 10 ** (-35 / 20)
    heard = [
        voices[k] + leak * sum(np.roll(voices[j], 8 * ((j - k) % 3)) for j in range(3) if j != k)
        for k in range(3)
    ]
    noise = 1e-4 * np.random.default_rng(0).standard_normal(voices.shape)
    return voices, np.stack(heard) + noise


def test_a_source_can_be_had_at_the_microphone_where_it_is_loudest(tmp_path: Path) -> None:
    voices, mixture = headsets()
    at_one = separate(mixture, RATE, max_iter=10, n_fft=2048)
    kinds = [notice.kind for notice in at_one.notices]
    assert "louder-elsewhere" in kinds
    assert "weak-output" not in kinds
    found = separate(mixture, RATE, ref_chan="loudest", max_iter=10, n_fft=2048)
    out_chans = found.filters.out_chans
    assert out_chans is not None
    assert sorted(out_chans) == [0, 1, 2]
    for source, channel in zip(found.sources, out_chans, strict=True):
        assert relative_level(source - voices[channel], voices[channel]) < -25
    found.filters.save(tmp_path / "headsets.npz")
    again = Filters.load(tmp_path / "headsets.npz").apply(mixture)
    np.testing.assert_allclose(again, found.sources, atol=1e-6)


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
