"""The pipeline on recordings whose sources are known, sound ones and sick ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Array
from signals import (
    RMS,
    SAMPLE_RATE,
    high_passed,
    low_passed,
    make_images,
    relative_level,
    worst_si_sdr,
)

from auxiva_cli import AuxivaError, RecordingError, SeparationResult
from auxiva_cli import separate as separate_at
from auxiva_cli.errors import Notice
from auxiva_cli.separation import weak_output_notices

IMAGES = make_images(3, 3, seed=1)
MIXTURE = IMAGES.sum(axis=0)
PAIR_IMAGES = make_images(2, 2, seed=0)
PAIR = PAIR_IMAGES.sum(axis=0)
N_SAMPLES = MIXTURE.shape[1]
# Three channels, by the number of sources.
RECORDED_IMAGES = {2: make_images(2, 3, seed=2), 3: IMAGES}
RECORDINGS = {n_src: images.sum(axis=0) for n_src, images in RECORDED_IMAGES.items()}
RNG = np.random.default_rng(0)


def separate(mixture: Array, **asked: Any) -> SeparationResult:
    """Separate with a short window, as the rooms are short."""
    return separate_at(mixture, SAMPLE_RATE, **{"n_fft": 512, "n_threads": 1, **asked})


def noted(found: SeparationResult) -> dict[str, str]:
    """Return the notices by kind; of several of a kind, the last."""
    return {notice.kind: notice.text for notice in found.notices}


def refused(mixture: Array, **asked: Any) -> AuxivaError:
    """Return the error with which a mixture is refused."""
    with pytest.raises(RecordingError) as caught:
        separate(mixture, **asked)
    return caught.value


def outcome_of(mixture: Array, **asked: Any) -> SeparationResult | str:
    """Return the result, or the kind of the error with which the mixture is refused."""
    try:
        return separate(mixture, **asked)
    except AuxivaError as error:
        return error.kind


# Sources are ordered by what was learnt from: near-equal neighbours may stand the other way round.
NEAR_EQUAL_DB = 1.0


def assert_complete(found: SeparationResult, mixture: Array) -> None:
    """Hold a result to what every result must be: finite, as long as the mixture, nothing lost."""
    assert found.sources.shape[1] == mixture.shape[1]
    assert np.isfinite(found.sources).all()
    reference = mixture[found.ref_chan].astype(float)
    lost = found.sources.sum(axis=0) - reference
    assert relative_level(lost, reference) < -100
    assert np.all(np.diff(found.levels) <= NEAR_EQUAL_DB)


def quality(found: SeparationResult, images: Array) -> float:
    """SI-SDR (dB) of the worst source."""
    return worst_si_sdr(images[:, found.ref_chan], found.sources)


HEALTHY = quality(separate(MIXTURE), IMAGES)
PAIR_HEALTHY = quality(separate(PAIR), PAIR_IMAGES)


# Sound recordings


@pytest.mark.parametrize(("n_src", "n_chan"), [(2, 2), (3, 3), (4, 4), (2, 4), (3, 5)])
def test_known_sources_are_recovered_and_sum_to_the_reference(n_src: int, n_chan: int) -> None:
    images = make_images(n_src, n_chan, seconds=4, seed=2)
    mixture = images.sum(axis=0)
    found = separate(mixture, n_src=n_src)
    assert_complete(found, mixture)
    assert quality(found, images) > 10
    power = np.mean(found.sources**2, axis=1)
    np.testing.assert_allclose(found.levels, 10 * np.log10(power / power.max()), atol=0.2)


@pytest.mark.parametrize("ref_chan", [0, 1, 2])
@pytest.mark.parametrize("n_src", [1, 2, 3])
def test_the_outputs_sum_to_whichever_microphone_is_the_reference(
    n_src: int, ref_chan: int
) -> None:
    found = separate(MIXTURE, n_src=n_src, ref_chan=ref_chan, max_iter=6)
    assert found.ref_chan == ref_chan
    assert len(found.sources) == n_src
    assert_complete(found, MIXTURE)


@pytest.mark.parametrize("decibels", [-120, -40, 40, 120])
@pytest.mark.parametrize("n_src", [2, 3])
def test_a_gain_scales_the_outputs_and_changes_nothing_else(n_src: int, decibels: int) -> None:
    gain = 10 ** (decibels / 20)
    mixture = RECORDINGS[n_src]
    plain, scaled = separate(mixture, n_src=n_src), separate(gain * mixture, n_src=n_src)
    for source, expected in zip(scaled.sources / gain, plain.sources, strict=True):
        assert relative_level(source - expected, expected) < -60


@pytest.mark.parametrize("exponent", [-490, -1, 100, 490])
def test_a_power_of_two_goes_through_to_the_last_bit(exponent: int) -> None:
    scale = 2.0**exponent
    np.testing.assert_array_equal(separate(PAIR * scale).sources, separate(PAIR).sources * scale)


@pytest.mark.parametrize("n_src", [2, 3])
def test_channels_of_very_different_gains_separate_as_well(n_src: int) -> None:
    images = RECORDED_IMAGES[n_src]
    mixture = images.sum(axis=0)
    plain = separate(mixture, n_src=n_src)
    uneven = separate(np.array([[1.0], [1e-4], [1e-8]]) * mixture, n_src=n_src)
    assert noted(uneven)["channels-uneven"].startswith("channel 3 is 1")
    assert quality(uneven, images) == pytest.approx(quality(plain, images), abs=0.5)


@pytest.mark.parametrize("order", [[1, 2, 0], [2, 1, 0]])
@pytest.mark.parametrize("n_src", [2, 3])
def test_the_order_of_the_channels_does_not_matter(n_src: int, order: list[int]) -> None:
    mixture = RECORDINGS[n_src]
    plain = separate(mixture, n_src=n_src, ref_chan=0)
    permuted = separate(mixture[order], n_src=n_src, ref_chan=order.index(0))
    for source, expected in zip(permuted.sources, plain.sources, strict=True):
        assert relative_level(source - expected, expected) < -40


@pytest.mark.parametrize("n_src", [2, 3])
@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_results_are_the_same_to_the_last_bit_for_any_number_of_threads(
    n_threads: int, n_src: int
) -> None:
    once = separate(MIXTURE, n_src=n_src, n_threads=1)
    again = separate(MIXTURE, n_src=n_src, n_threads=n_threads)
    assert again.sources.tobytes() == once.sources.tobytes()
    assert again.filters.G.tobytes() == once.filters.G.tobytes()
    assert again.costs == once.costs


@pytest.mark.parametrize("model", ["auto", "laplace", "gauss", "bands"])
def test_the_cost_does_not_rise_within_a_stage_beyond_single_precision(model: Any) -> None:
    for stage in separate(MIXTURE, model=model, tol=0).stages:
        size = len(MIXTURE) * 257 * np.log(N_SAMPLES)  # of the terms that the cost adds up
        assert np.all(np.diff(stage.costs) <= np.finfo(np.float32).eps * size)


@pytest.mark.parametrize("window", ["hann", "hamming"])
@pytest.mark.parametrize(("n_fft", "hop_length"), [(256, 128), (500, 100), (1024, None)])
def test_any_window_and_hop_separates(n_fft: int, hop_length: int | None, window: Any) -> None:
    found = separate(PAIR, n_fft=n_fft, hop_length=hop_length, window=window)
    assert_complete(found, PAIR)
    assert quality(found, PAIR_IMAGES) > 10


@settings(max_examples=25)
@given(
    n_chan=st.integers(2, 4),
    n_samples=st.integers(1, 6000),
    rank=st.integers(1, 4),
    exponent=st.integers(-40, 40),
    gap=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_recording_is_either_refused_or_separated_completely(
    n_chan: int, n_samples: int, rank: int, exponent: int, gap: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mixture = rng.standard_normal((n_chan, rank)) @ rng.laplace(size=(rank, n_samples))
    mixture *= 10.0**exponent
    mixture[:, : round(gap * n_samples)] = 0
    outcome = outcome_of(mixture, n_fft=128, max_iter=12)
    if isinstance(outcome, SeparationResult):
        assert_complete(outcome, mixture)
    else:
        assert outcome in ("silent", "too-short", "too-little-signal", "channels-dependent")


# What cannot be separated


def test_one_channel_is_refused() -> None:
    assert refused(MIXTURE[:1]).kind == "too-few-channels"


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_silence_is_refused(level: float) -> None:
    assert refused(np.full((2, 8000), level)).kind == "silent"


def test_no_samples_are_refused() -> None:
    assert refused(np.zeros((2, 0))).kind == "input-empty"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sample_that_is_no_number_is_refused(value: float) -> None:
    mixture = MIXTURE.copy()
    mixture[1, 8000] = value
    error = refused(mixture)
    assert error.kind == "input-nonfinite"
    assert "channel 2 at 1.000 s" in error.what


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("position", [0, 5000, N_SAMPLES - 1])
def test_an_impulse_is_refused(position: int, dtype: type) -> None:
    mixture = np.zeros((2, N_SAMPLES), dtype)
    mixture[:, position] = [1.0, 0.5]
    error = refused(mixture)
    assert error.kind == "too-little-signal"
    assert "frames" in error.what


@pytest.mark.parametrize("n_samples", [1, 2, 100, 500])
def test_a_recording_of_a_few_frames_is_refused(n_samples: int) -> None:
    assert refused(MIXTURE[:, :n_samples]).kind in ("too-short", "silent")


def test_a_short_recording_is_separated_with_a_remark() -> None:
    found = separate(MIXTURE[:, :4000])
    assert_complete(found, MIXTURE[:, :4000])
    assert "short" in noted(found)


@pytest.mark.parametrize("gain", [1.0, 0.25, -1.0])
def test_one_signal_in_two_channels_is_refused_by_name(gain: float) -> None:
    error = refused(np.stack([PAIR[0], gain * PAIR[0]]))
    assert error.kind == "channels-dependent"
    assert "channels 1 and 2 are copies" in error.what


def test_mono_made_stereo_by_flipping_last_bits_is_refused_by_name() -> None:
    mono = np.round(PAIR[0] * 2**15)
    flipped = mono + (np.random.default_rng(0).random(len(mono)) < 0.01)
    error = refused(np.stack([mono, flipped]) / 2**15)
    assert error.kind == "channels-dependent"
    assert "channels 1 and 2 are copies" in error.what


# What can be separated in part


@pytest.mark.parametrize("gain", [1.0, 0.25, -1.0])
def test_a_copied_channel_is_named_and_the_rest_separated(gain: float) -> None:
    mixture = np.vstack([PAIR, gain * PAIR[1]])
    found = separate(mixture)
    assert_complete(found, mixture)
    assert len(found.sources) == 2
    assert "channels 2 and 3 are copies" in noted(found)["channels-dependent"]
    assert quality(found, PAIR_IMAGES) > PAIR_HEALTHY - 0.5
    assert refused(mixture, n_src=3).kind == "channels-dependent"


def test_a_channel_that_is_the_sum_of_others_adds_no_source() -> None:
    mixture = np.vstack([PAIR, PAIR.sum(axis=0)])
    found = separate(mixture)
    assert_complete(found, mixture)
    assert len(found.sources) == 2
    assert "only 2 independent signals" in noted(found)["channels-dependent"]
    assert quality(found, PAIR_IMAGES) > PAIR_HEALTHY - 0.5


DEAD = {
    "zero": np.zeros(N_SAMPLES),
    "stuck": np.full(N_SAMPLES, 0.25),
    "noise at -120 dB": 1e-6 * RMS * RNG.standard_normal(N_SAMPLES),
}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("dead", DEAD)
def test_a_dead_channel_is_named_and_the_rest_separated_as_without_it(
    dead: str, place: int
) -> None:
    mixture = np.insert(PAIR, place, DEAD[dead], axis=0)
    found, without = separate(mixture), separate(PAIR)
    assert noted(found)["channel-dead"].startswith(f"channel {place + 1} ")
    assert found.ref_chan == (1 if place == 0 else 0)
    assert_complete(found, mixture)
    for source, expected in zip(found.sources, without.sources, strict=True):
        assert relative_level(source - expected, expected) < -40
    assert refused(mixture, ref_chan=place).kind == "silent"
    assert refused(mixture, n_src=3).kind == "channels-dependent"


def test_a_weak_microphone_is_not_a_dead_one() -> None:
    found = separate(MIXTURE * np.array([[1.0], [1.0], [1e-6]]))
    assert "channel-dead" not in noted(found)
    assert quality(found, IMAGES) > HEALTHY - 0.5


# What is odd and separates all the same


def test_of_one_speaker_the_noise_is_the_rest() -> None:
    speaker = make_images(1, 3, seconds=6, seed=1)[0]
    noise = 0.02 * np.random.default_rng(0).standard_normal(speaker.shape)
    mixture = speaker + noise
    found = separate(mixture, n_src=1, rest=True)
    assert found.rest is not None
    np.testing.assert_allclose(found.sources[0] + found.rest, mixture[0], atol=1e-6)
    before, after = (oracle.si_sdr(speaker[0], x) for x in (mixture[0], found.sources[0]))
    assert after > before + 3


def test_an_offset_costs_nothing_and_is_shared_out_equally() -> None:
    found = separate(MIXTURE + 0.5)
    assert_complete(found, MIXTURE + 0.5)
    assert "dc-offset" in noted(found)
    centred = found.sources - found.sources.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found.sources.mean(axis=1), 0.5 / 3, atol=1e-3)
    assert worst_si_sdr(IMAGES[:, 0], centred) > HEALTHY - 0.5


SILENT = {
    "both ends": np.r_[0:8000, N_SAMPLES - 8000 : N_SAMPLES],
    "60 %": np.arange(2000, 2000 + round(0.6 * N_SAMPLES)),
}


@pytest.mark.parametrize("where", SILENT)
def test_digital_silence_stays_silent_and_the_rest_separates(where: str) -> None:
    mixture, images = PAIR.copy(), PAIR_IMAGES.copy()
    mixture[:, SILENT[where]] = images[..., SILENT[where]] = 0
    found = separate(mixture)
    assert_complete(found, mixture)
    cut = separate(np.delete(mixture, SILENT[where], axis=1))
    cut_images = np.delete(images, SILENT[where], axis=2)
    assert quality(found, images) > quality(cut, cut_images) - 2
    inside = SILENT[where][512:-512]  # further than a window from sound
    inside = inside[np.isin(inside - 512, SILENT[where]) & np.isin(inside + 512, SILENT[where])]
    assert np.abs(found.sources[:, inside]).max() < 10 ** (-90 / 20) * RMS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("highest", [500, 2500])
@pytest.mark.parametrize(("window", "leakage"), [("hann", -80), ("hamming", -60)])
def test_band_limited_sound_separates_and_nothing_but_leakage_of_the_window_appears_above(
    window: Any, leakage: float, highest: int, dtype: type
) -> None:
    fade = np.sin(np.pi * np.arange(N_SAMPLES) / N_SAMPLES)
    images = low_passed(PAIR_IMAGES * fade, highest)
    mixture = images.sum(axis=0).astype(dtype)
    found = separate(mixture, window=window)
    assert_complete(found, mixture)
    assert quality(found, images) > 10
    above = high_passed(found.sources.astype(float), highest + 200)
    assert relative_level(above, mixture[0]) < leakage


def test_sound_below_hearing_does_not_disturb() -> None:
    drift = np.sin(2 * np.pi * 3 / SAMPLE_RATE * np.arange(N_SAMPLES))
    mixture = PAIR + np.array([[0.3], [-0.2]]) * drift
    found = separate(mixture)
    assert_complete(found, mixture)
    cleaned = high_passed(found.sources, 50)
    assert worst_si_sdr(PAIR_IMAGES[:, 0], cleaned) > PAIR_HEALTHY - 1


def test_clipping_is_remarked_upon_and_loses_nothing() -> None:
    limit = np.quantile(np.abs(MIXTURE), 0.95)
    mixture = np.clip(MIXTURE, -limit, limit)
    found = separate(mixture)
    assert_complete(found, mixture)
    assert "is clipped" in noted(found)["clipped"]


def test_a_spike_is_remarked_upon_and_loses_nothing() -> None:
    mixture = MIXTURE.copy()
    mixture[1, 12_000] = 100 * mixture[1].std()
    found = separate(mixture)
    assert_complete(found, mixture)
    assert "channel 2 peaks" in noted(found)["outlier"]
    assert "at 1.500 s" in noted(found)["outlier"]


@pytest.mark.parametrize("stop", [12_000, N_SAMPLES])
@pytest.mark.parametrize("mixture", [PAIR, MIXTURE], ids=["2 channels", "3 channels"])
def test_a_channel_that_drops_out_is_remarked_upon_and_loses_nothing(
    mixture: Array, stop: int
) -> None:
    mixture = mixture.copy()
    mixture[1, 8000:stop] = 0
    found = separate(mixture)
    assert_complete(found, mixture)
    assert noted(found)["channel-dropout"].startswith("channel 2 drops out for about")
    assert "first at 1.0 s" in noted(found)["channel-dropout"]


@pytest.mark.parametrize("delay", [1, 5, 100])
def test_a_delayed_copy_is_refused_by_name(delay: int) -> None:
    error = refused(np.stack([PAIR[0], np.roll(PAIR[0], delay)]))
    assert error.kind == "channels-dependent"
    assert "channels 1 and 2 are copies" in error.what


@pytest.mark.parametrize(
    ("levels", "weak", "rest"),
    [
        ([0, -30], "source 2 is 30 dB below", "there was probably only 1 speaker"),
        ([0, -3, -26], "source 3 is 26 dB below", "there were probably only 2 speakers"),
    ],
)
def test_outputs_far_below_the_others_are_remarked_upon(
    levels: list[float], weak: str, rest: str
) -> None:
    energy = 10 ** (np.array(levels)[:, None] / 10)
    notices = weak_output_notices(energy, 0, np.arange(1))
    assert notices == [Notice("weak-output", f"{weak} the strongest: {rest}")]
    assert weak_output_notices(np.sqrt(energy), 0, np.arange(1)) == []


def test_an_output_that_is_strong_at_another_microphone_is_a_speaker() -> None:
    energy = np.array([[1.0, 1e-3], [3e-4, 1.0]])
    (notice,) = weak_output_notices(energy, 0, np.array([2, 5]))
    assert notice.kind == "louder-elsewhere"
    assert "source 2 is 35 dB louder at channel 6 than at the reference, channel 3" in notice.text
