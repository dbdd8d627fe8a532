"""Whether a recording can be separated, and into how many sources."""

from __future__ import annotations

from functools import partial

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array
from problems import complex_normal

from auxiva_cli.config import Settings
from auxiva_cli.errors import ParameterError, RecordingError
from auxiva_cli.listening.checks import (
    FRAMES_PER_CHANNEL,
    check_channels,
    check_length,
    check_settings,
    check_signal,
    choose_n_src,
    choose_ref_chan,
    count_independent,
    find_noise_channels,
)

N_FRAMES = 60


def draw(n_chan: int, seed: int = 0) -> Array:
    """Draw a block of independent channels, of levels that fall with frequency."""
    X = complex_normal(np.random.default_rng(seed), N_FRAMES, n_chan, 40)
    return X * np.logspace(0, -5, 40)


def choose(X: Array, n_src: int | None = None) -> tuple[int, list[str]]:
    """Choose the number of sources of a block."""
    R = oracle.covariance(X)
    channels = np.arange(X.shape[1])
    n_src, notices = choose_n_src(R, count_independent(R), channels, Settings(n_src=n_src))
    assert all(notice.kind == "channels-dependent" for notice in notices)
    return n_src, [notice.text for notice in notices]


def refusal(X: Array, n_src: int | None = None) -> RecordingError:
    """Return the error with which a block is refused."""
    with pytest.raises(RecordingError) as caught:
        choose(X, n_src)
    return caught.value


def test_one_channel_is_too_few() -> None:
    with pytest.raises(RecordingError, match="this recording has 1") as caught:
        check_channels(1)
    assert caught.value.kind == "too-few-channels"


@pytest.mark.parametrize("settings", [Settings(n_src=3), Settings(ref_chan=2)])
def test_no_more_can_be_asked_for_than_there_are_channels(settings: Settings) -> None:
    with pytest.raises(ParameterError, match=r"3.*2 channels"):
        check_settings(2, settings)
    check_settings(3, settings)


@given(st.integers(2, 8), st.integers(0, 300))
def test_length_is_refused_remarked_upon_or_fine(n_chan: int, n_frames: int) -> None:
    if n_frames < FRAMES_PER_CHANNEL * n_chan:
        with pytest.raises(RecordingError, match=f"{n_frames} frames") as caught:
            check_length(n_frames, n_chan, 0.064, n_frames * 0.064)
        assert caught.value.kind == "too-short"
    else:
        seconds = n_frames * 0.064
        kinds = [notice.kind for notice in check_length(n_frames, n_chan, 0.064, seconds)]
        assert kinds == (["short"] if n_frames < 15 * n_chan or seconds < 4 else [])


def test_a_recording_with_few_frames_that_sound_is_refused_with_their_number() -> None:
    check_signal(8, 500, 2)
    with pytest.raises(RecordingError, match="only 7 of 500 frames") as caught:
        check_signal(7, 500, 2)
    assert caught.value.kind == "too-little-signal"


def test_the_reference_is_the_first_channel_that_carries_a_signal() -> None:
    live = np.array([False, True, True])
    assert choose_ref_chan(live, Settings()) == 1
    assert choose_ref_chan(live, Settings(ref_chan=2)) == 2
    with pytest.raises(RecordingError, match="channel 1 carries no signal") as caught:
        choose_ref_chan(live, Settings(ref_chan=0))
    assert caught.value.kind == "silent"
    assert "Channel 2" in caught.value.hint


@pytest.mark.parametrize("n_chan", [2, 3, 6])
def test_independent_channels_give_as_many_sources(n_chan: int) -> None:
    assert choose(draw(n_chan)) == (n_chan, [])
    assert choose(draw(n_chan), n_src=2) == (2, [])
    assert choose(draw(n_chan), n_src=1) == (1, [])


def test_levels_of_channels_do_not_matter() -> None:
    assert choose(draw(3) * np.array([1, 1e-4, 1e-8])[:, None]) == (3, [])


def test_channels_of_a_room_are_not_taken_for_copies() -> None:
    X = draw(3)
    X[:, 2] = X[:, 1] + 3e-3 * X[:, 2]  # 50 dB of independence
    assert choose(X) == (3, [])


@pytest.mark.parametrize("factor", [1.0, -0.3, 1e-6, 2j])
def test_a_copy_is_named_and_counts_once(factor: complex) -> None:
    X = draw(3)
    X[:, 2] = factor * X[:, 0]
    n_src, texts = choose(X)
    assert n_src == 2
    assert texts == [
        "3 channels with a signal hold only 2 independent signals: "
        "channels 1 and 3 are copies of each other"
    ]
    error = refusal(X, n_src=3)
    assert error.kind == "channels-dependent"
    assert error.what == texts[0]
    assert error.hint == "Ask for 2 sources."


def test_a_sum_of_other_channels_counts_for_nothing() -> None:
    X = draw(4)
    X[:, 3] = X[:, :3].sum(axis=1)
    n_src, texts = choose(X)
    assert n_src == 3
    assert texts == ["4 channels with a signal hold only 3 independent signals"]


@pytest.mark.parametrize("rest", [0.0, 1e-5])
def test_two_channels_of_one_signal_cannot_be_separated(rest: float) -> None:
    X = draw(2)
    X[:, 1] = X[:, 0] + rest * X[:, 1]
    error = refusal(X)
    assert error.kind == "channels-dependent"
    assert "only 1 independent signal: channels 1 and 2 are copies" in error.what
    assert "One microphone" in error.hint


def test_a_single_channel_with_a_signal_cannot_be_separated() -> None:
    assert refusal(draw(1)).what == "only 1 channel carries a signal"


def test_frequencies_without_power_say_nothing_about_dependence() -> None:
    X = draw(3)
    X[..., 15:] = 0
    assert choose(X) == (3, [])


def test_channels_are_named_as_in_the_recording() -> None:
    X = draw(2)
    X[:, 1] = X[:, 0]
    with pytest.raises(RecordingError, match="channels 2 and 5 are copies"):
        choose_n_src(oracle.covariance(X), 1, np.array([1, 4]), Settings())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weak", [2, 0])
def test_weak_noise_of_its_own_is_told_from_a_weak_microphone(weak: int, seed: int) -> None:
    rng = np.random.default_rng(seed + 100)
    X = draw(3, seed)
    X[:, np.arange(3) != weak] *= rng.gamma(0.5, size=(N_FRAMES, 1, 1)) + 0.01  # what these share
    rms = np.full(3, 0.1)
    rms[weak] = 1e-7
    expected = np.arange(3) == weak
    blocks = [partial(np.asarray, part) for part in (X[:20], X[20:])]
    np.testing.assert_array_equal(find_noise_channels(blocks, rms), expected)
    assert not find_noise_channels(blocks, np.roll(rms, 1)).any()
    assert not find_noise_channels(blocks, np.full(3, 0.1)).any()
