"""Filters applied to samples as they come: the same as to the whole, and never late."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array

from auxiva_cli.filters import Filters
from auxiva_cli.filters.live import LiveFilters
from auxiva_cli.listening.stft import Stft

SAMPLE_RATE = 8000
STFTS = [Stft(64, 16, "hamming"), Stft(64, 32, "hann"), Stft(60, 7, "hamming"), Stft(4, 1, "hann")]


def some_filters(stft: Stft, n_src: int = 2, n_chan: int = 3) -> Filters:
    """Draw filters that sum to the identity."""
    rng = np.random.default_rng(1)
    G = rng.standard_normal((2, n_src, n_chan, n_chan, stft.n_freq))
    G = G[0] + 1j * G[1]
    G[..., [0, -1]] = G[..., [0, -1]].real
    G[-1] = np.eye(n_chan)[..., None] - G[:-1].sum(axis=0)
    return Filters(G.astype(np.complex64), stft, SAMPLE_RATE, ref_chan=1)


def at_once(filters: Filters, waveform: Array, channels: Array) -> Array:
    """Apply filters to the frames of a whole recording."""
    stft, n_samples = filters.stft, waveform.shape[-1]
    n_before, n_frames = stft.n_fft - stft.hop_length, stft.n_frames(n_samples)
    n_behind = (n_frames - 1) * stft.hop_length + stft.n_fft - n_before - n_samples
    X = stft.analyse(np.pad(waveform, ((0, 0), (n_before, max(n_behind, 0)))))
    chosen = np.broadcast_to(channels, (filters.n_src, channels.shape[-1]))
    rows = filters.G[np.arange(filters.n_src)[:, None], chosen]
    Y = np.einsum("kocf,tcf->tkof", rows, X)
    images, tail = stft.synthesise(Y.reshape(len(Y), -1, stft.n_freq))
    whole = np.concatenate([images, tail], axis=-1)[:, n_before : n_before + n_samples]
    return whole.reshape(*chosen.shape, n_samples)


def pieces(waveform: Array, lengths: list[int]) -> list[Array]:
    """Cut a waveform into pieces, over and over of these lengths."""
    cut, start = [], 0
    while start < waveform.shape[-1]:
        length = lengths[len(cut) % len(lengths)]
        cut.append(waveform[:, start : start + length])
        start += length
    return cut


@pytest.mark.parametrize("stft", STFTS, ids=lambda stft: f"{stft.n_fft}-{stft.hop_length}")
@given(
    n_samples=st.integers(1, 500),
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=4),
    whose=st.sampled_from(["one", "all", "own"]),
)
def test_live_is_what_offline_is(
    stft: Stft, n_samples: int, lengths: list[int], whose: str
) -> None:
    filters = some_filters(stft)
    channels = {"one": np.array([1]), "all": np.arange(3), "own": np.array([[2], [0]])}[whose]
    waveform = np.random.default_rng(n_samples).standard_normal((3, n_samples)) + 0.5
    live = LiveFilters(filters, channels)
    images = [live.push(piece) for piece in pieces(waveform, lengths)]
    separated = np.concatenate([*images, live.finish()], axis=-1)
    expected = at_once(filters, waveform, channels)
    assert separated.shape == expected.shape
    np.testing.assert_allclose(separated, expected, atol=1e-5 * np.abs(expected).max())
    if whose == "one":
        np.testing.assert_allclose(separated.sum(axis=0), waveform[[1]], atol=1e-4)


@pytest.mark.parametrize("stft", STFTS, ids=lambda stft: f"{stft.n_fft}-{stft.hop_length}")
def test_no_sample_waits_for_more_than_a_window(stft: Stft) -> None:
    live, n_in, n_out = LiveFilters(some_filters(stft), np.array([0])), 0, 0
    for _ in range(20 * stft.n_fft // stft.hop_length):
        n_out += live.push(np.ones((3, stft.hop_length))).shape[-1]
        n_in += stft.hop_length
        assert n_in - n_out <= stft.n_fft


def test_live_is_what_the_filters_give_of_a_whole_recording() -> None:
    filters = some_filters(Stft(64, 16, "hamming"))
    waveform = np.random.default_rng(0).standard_normal((3, 5000))
    live = LiveFilters(filters, filters.outputs)
    images = [live.push(piece) for piece in pieces(waveform, [160])]
    separated = np.concatenate([*images, live.finish()], axis=-1)[:, 0]
    np.testing.assert_allclose(separated, filters.apply(waveform, n_threads=1), atol=1e-4)
