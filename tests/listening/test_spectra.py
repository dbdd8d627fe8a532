"""Blocks of the mixture STFT."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import Array

from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.listening.spectra import BLOCK_BYTES, SHARES, Spectra
from auxiva_cli.listening.stft import Stft

STFT = Stft(64, 16, "hamming")


def spectra_of(waveform: Array, stft: Stft = STFT, offset: float = 0.0) -> Spectra:
    n_chan = len(waveform)
    mixture = ArrayMixture(waveform, 8000)
    return Spectra(mixture, stft, np.full(n_chan, offset), np.full(n_chan, 0.5))


@pytest.mark.parametrize("n_samples", [1, 15, 16, 17, 63, 1000, 20_000])
def test_the_blocks_are_the_transform_of_the_normalised_recording(n_samples: int) -> None:
    waveform = np.random.default_rng(0).standard_normal((3, n_samples))
    spectra = spectra_of(waveform, offset=0.25)
    start, stop = STFT.span(0, spectra.n_frames)
    normalised = np.pad((waveform - 0.25) / 2, ((0, 0), (-start, stop - n_samples)))
    blocks = [block() for block in spectra.blocks()]
    assert {block.dtype for block in blocks} == {np.dtype(np.complex64)}
    assert {len(block) for block in blocks[:-1]} <= {spectra.block_length}
    assert len(blocks[-1]) <= spectra.block_length
    np.testing.assert_allclose(np.concatenate(blocks), STFT.analyse(normalised), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_offset_is_taken_out_before_precision_is_lost(dtype: type) -> None:
    signal = np.random.default_rng(0).choice([-1.0, 1.0], (1, 2000))
    level = 2.0**-9 if dtype == np.float16 else 2.0**-20
    spectra = spectra_of((0.5 + level * signal).astype(dtype), offset=0.5)
    middle = np.concatenate([block() for block in spectra.blocks()])[10:-10]
    alone = np.concatenate([block() for block in spectra_of(level * signal).blocks()])[10:-10]
    np.testing.assert_allclose(middle, alone, atol=1e-5 * level)


def test_the_recording_is_left_alone() -> None:
    waveform = np.ones((2, 500))
    for block in spectra_of(waveform, offset=0.25).blocks():
        block()
    np.testing.assert_array_equal(waveform, 1)


@pytest.mark.parametrize("n_fft", [64, 4096, 65_536])
def test_a_block_stays_small_but_holds_a_few_frames(n_fft: int) -> None:
    stft = Stft(n_fft, n_fft // 4, "hann")
    first = spectra_of(np.zeros((4, 400 * n_fft // 64)), stft).blocks()[0]()
    assert len(first) >= 8
    assert first.nbytes <= max(BLOCK_BYTES, 8 * first[0].nbytes)


def test_blocks_hold_the_frames_that_are_kept() -> None:
    spectra = spectra_of(np.random.default_rng(0).standard_normal((2, 20_000)))
    kept = np.random.default_rng(1).random(spectra.n_frames) < 0.5
    kept[: spectra.block_length] = False
    blocks = [block() for block in spectra.blocks(kept)]
    every = np.concatenate([block() for block in spectra.blocks()])
    assert len(blocks[0]) == 0
    np.testing.assert_array_equal(np.concatenate(blocks), every[kept])


def test_a_block_of_which_nothing_is_kept_is_not_even_read() -> None:
    class Unreadable(ArrayMixture):
        def read(self, start: int, n_samples: int) -> Array:
            raise AssertionError("read")

    waveform = np.zeros((2, 20_000))
    spectra = Spectra(Unreadable(waveform, 8000), STFT, np.zeros(2), np.ones(2))
    for block in spectra.blocks(np.zeros(spectra.n_frames, bool)):
        assert block().shape == (0, 2, STFT.n_freq)


def test_of_frames_that_lie_apart_nothing_else_is_read() -> None:
    class Counted(ArrayMixture):
        def read(self, start: int, n_samples: int) -> Array:
            asked.append(n_samples)
            return super().read(start, n_samples)

    asked: list[int] = []
    waveform = np.random.default_rng(0).standard_normal((2, 20_000))
    spectra = Spectra(Counted(waveform, 8000), STFT, np.zeros(2), np.ones(2))
    chosen = np.array([5, 6, 8, 100, 200, 204])
    X = spectra.frames(chosen)
    assert asked == [STFT.n_fft + 3 * STFT.hop_length, *[STFT.n_fft] * 3]
    np.testing.assert_array_equal(
        X, np.concatenate([block() for block in spectra.blocks()])[chosen]
    )


@pytest.mark.parametrize("n_samples", [5_000, 50_000, 150_000, 400_000])
def test_the_blocks_of_a_recording_can_be_shared_evenly(n_samples: int) -> None:
    spectra = spectra_of(np.zeros((3, n_samples)))
    lengths = [len(block()) for block in spectra.blocks()]
    assert len(lengths) % SHARES == 0
    assert max(lengths) - min(lengths) <= len(lengths)
