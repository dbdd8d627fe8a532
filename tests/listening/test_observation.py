"""What is learnt from: frames and channels that sound, block by block."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from oracle import Array
from signals import SAMPLE_RATE, make_images

from auxiva_cli.errors import RecordingError
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.listening.observation import LOWEST_AUDIBLE_HZ, MANY, Observation, observe
from auxiva_cli.listening.stft import Stft
from auxiva_cli.listening.survey import survey
from auxiva_cli.parallel import Threads

STFT = Stft(256, 64, "hamming")
WAVEFORM = make_images(2, 3, seconds=12.0, seed=3).sum(axis=0)
HOLE = slice(30_080, 70_080)  # longer than a block, of whole cells


def look(
    waveform: Array,
    n_threads: int = 1,
    marks: list[tuple[int, int]] | None = None,
    stft: Stft = STFT,
) -> Observation:
    """Observe a waveform."""
    mixture = ArrayMixture(waveform, SAMPLE_RATE)
    seen = survey(mixture)
    with Threads(n_threads) as threads:
        return observe(
            mixture,
            seen,
            stft,
            threads,
            lambda done, total: None if marks is None else marks.append((done, total)),
        )


def joined(heard: Observation) -> Array:
    return np.concatenate([block() for block in heard.blocks])


def gain(waveform: Array) -> Array:
    """Return the powers of two by which channels were multiplied."""
    return survey(ArrayMixture(waveform, SAMPLE_RATE)).gain[:, None]


def with_hole() -> Array:
    waveform = WAVEFORM.copy()
    waveform[:, HOLE] = 0
    return waveform


def test_all_frames_of_a_recording_that_sounds_are_heard() -> None:
    heard = look(WAVEFORM)
    n_frames = STFT.n_frames(WAVEFORM.shape[1])
    assert n_frames - 2 <= heard.count.learnt_from <= n_frames  # the ends may fade
    lengths = [len(block()) for block in heard.blocks]
    assert len(lengths) > 3
    assert max(lengths) == heard.spectra.block_length


def test_silent_frames_are_left_out_and_the_others_are_what_they_were() -> None:
    whole, holed = joined(look(WAVEFORM)), joined(look(with_hole()))
    n_before = 30_080 // 64
    np.testing.assert_array_equal(
        (holed / gain(with_hole()))[: n_before - 3], (whole / gain(WAVEFORM))[: n_before - 3]
    )
    n_after = len(whole) - 70_080 // 64 - 3
    np.testing.assert_array_equal(
        (holed / gain(with_hole()))[-n_after:], (whole / gain(WAVEFORM))[-n_after:]
    )
    assert n_before + n_after <= len(holed) <= n_before + n_after + 6


def test_frames_are_counted() -> None:
    heard = look(with_hole())
    lengths = [len(block()) for block in heard.blocks]
    assert sum(lengths) == heard.count.learnt_from < heard.count.in_all
    assert 0 in lengths


def test_a_sample_is_of_the_frames_that_are_kept() -> None:
    heard = look(with_hole())
    chosen = np.arange(3, heard.count.learnt_from, 3)
    blocks = [block() for block in heard.sample(chosen)]
    assert max(map(len, blocks)) == heard.spectra.block_length
    np.testing.assert_allclose(np.concatenate(blocks), joined(heard)[chosen], atol=1e-6)


def test_the_covariance_is_that_of_the_frames() -> None:
    heard = look(with_hole())
    np.testing.assert_allclose(heard.R, oracle.covariance(joined(heard)), rtol=1e-4, atol=1e-7)


def test_of_many_frames_the_covariance_is_that_of_every_other() -> None:
    heard = look(np.tile(with_hole(), 2), stft=Stft(32, 8, "hamming"))
    assert heard.count.learnt_from > MANY
    every_other = joined(heard)[::2]
    np.testing.assert_array_equal(np.concatenate([block() for block in heard.spread]), every_other)
    np.testing.assert_allclose(heard.R, oracle.covariance(every_other), rtol=1e-4, atol=1e-6)


def test_blocks_are_the_same_each_time_they_are_made() -> None:
    heard = look(WAVEFORM)
    np.testing.assert_array_equal(heard.blocks[1](), heard.blocks[1]())


@pytest.mark.parametrize("n_threads", [2, 4])
def test_threads_give_the_same_bits(n_threads: int) -> None:
    np.testing.assert_array_equal(look(WAVEFORM, n_threads).R, look(WAVEFORM).R)


def test_each_block_is_told_of_once() -> None:
    marks: list[tuple[int, int]] = []
    n_blocks = len(look(WAVEFORM, 2, marks).blocks)
    assert marks == [(done + 1, n_blocks) for done in range(n_blocks)]


def test_a_dead_channel_is_left_out() -> None:
    waveform = np.insert(WAVEFORM, 1, 0.25, axis=0)
    heard = look(waveform)
    assert list(heard.channels) == [0, 2, 3]
    np.testing.assert_array_equal(heard.R, look(WAVEFORM).R)


def test_a_channel_of_weak_noise_is_left_out_of_blocks_and_covariance_alike() -> None:
    noise = 1e-6 * np.random.default_rng(0).standard_normal(WAVEFORM.shape[1])
    heard = look(np.insert(WAVEFORM, 0, noise, axis=0))
    assert list(heard.channels) == [1, 2, 3]
    assert [notice.kind for notice in heard.notices] == ["channel-dead"]
    assert heard.R.shape[:2] == (3, 3)
    np.testing.assert_allclose(heard.R, oracle.covariance(joined(heard)), rtol=1e-4, atol=1e-7)


def test_what_cannot_be_heard_is_marked() -> None:
    heard = look(WAVEFORM)
    np.testing.assert_array_equal(heard.frequencies, np.arange(129) * SAMPLE_RATE / 256)
    np.testing.assert_array_equal(heard.audible, heard.frequencies >= LOWEST_AUDIBLE_HZ)


def test_a_recording_that_hardly_sounds_is_refused() -> None:
    waveform = WAVEFORM.copy()
    waveform[:, 500:] = 0
    with pytest.raises(RecordingError) as caught:
        look(waveform)
    assert caught.value.kind == "too-little-signal"


def test_a_band_that_is_empty_is_not_audible() -> None:
    spectrum = np.fft.rfft(WAVEFORM)
    spectrum[:, round(0.5 * spectrum.shape[1]) :] *= 1e-4
    heard = look(np.fft.irfft(spectrum), stft=Stft(256, 64, "hann"))
    above = heard.frequencies > 0.25 * SAMPLE_RATE
    assert not heard.audible[above][8:].any()
    assert heard.audible[~above][1:].all()
