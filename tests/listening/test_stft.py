"""The STFT: exact inverse, the same in blocks as in one piece."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Array

from auxiva_cli.errors import ParameterError
from auxiva_cli.listening.stft import Stft, default_n_fft, fast_n_fft, fitting_n_fft

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def transforms(draw: st.DrawFn) -> Stft:
    n_fft = 2 * draw(st.integers(2, 40))
    hop_length = draw(st.integers(1, n_fft // 2))
    return Stft(n_fft, hop_length, draw(st.sampled_from(["hann", "hamming"])))


def analyse(stft: Stft, waveform: Array) -> Array:
    """Transform a whole recording."""
    n_samples = waveform.shape[-1]
    start, stop = stft.span(0, stft.n_frames(n_samples))
    return stft.analyse(np.pad(waveform, ((0, 0), (-start, stop - n_samples))))


def synthesise(stft: Stft, spectrum: Array, n_samples: int) -> Array:
    """Transform a whole recording back."""
    waveform, tail = stft.synthesise(spectrum)
    start = stft.n_fft - stft.hop_length
    return np.concatenate([waveform, tail], axis=-1)[:, start : start + n_samples]


@given(transforms(), st.integers(1, 3), st.integers(1, 200), SEEDS)
def test_the_inverse_is_exact_for_every_window_hop_and_length(
    stft: Stft, n_chan: int, n_samples: int, seed: int
) -> None:
    waveform = np.random.default_rng(seed).standard_normal((n_chan, n_samples))
    spectrum = analyse(stft, waveform)
    assert spectrum.shape == (stft.n_frames(n_samples), n_chan, stft.n_freq)
    # The dual of a window that is almost zero amplifies rounding.
    bound = 1e-14 * stft.n_fft * np.abs(stft.synthesis_window).max()
    np.testing.assert_allclose(synthesise(stft, spectrum, n_samples), waveform, atol=bound)


@given(transforms(), st.integers(30, 200), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_blocks_of_frames_are_those_of_the_whole_and_give_the_same_waveform(
    stft: Stft, n_samples: int, lengths: list[int]
) -> None:
    waveform = np.random.default_rng(0).standard_normal((2, n_samples))
    whole = analyse(stft, waveform)
    padded = np.pad(waveform, ((0, 0), (stft.n_fft, 2 * stft.n_fft)))
    borders = np.minimum(np.cumsum([0, *lengths, len(whole)]), len(whole))
    pieces, tail = [], None
    for first, last in pairwise(borders):
        if first == last:
            continue
        start, stop = stft.span(int(first), int(last - first))
        block = stft.analyse(padded[:, start + stft.n_fft : stop + stft.n_fft])
        np.testing.assert_allclose(block, whole[first:last], atol=1e-12)
        piece, tail = stft.synthesise(block, tail)
        assert piece.shape[-1] == (last - first) * stft.hop_length
        pieces.append(piece)
    assert tail is not None
    expected, expected_tail = stft.synthesise(whole)
    np.testing.assert_allclose(np.concatenate(pieces, axis=-1), expected, atol=1e-9)
    np.testing.assert_allclose(tail, expected_tail, atol=1e-9)


@given(transforms(), st.integers(1, 200), SEEDS)
def test_the_power_of_the_frames_is_that_of_the_windowed_waveform(
    stft: Stft, n_samples: int, seed: int
) -> None:
    waveform = np.random.default_rng(seed).standard_normal((1, n_samples))
    both_sides = np.full(stft.n_freq, 2.0)
    both_sides[[0, -1]] = 1.0
    power = np.sum(np.abs(analyse(stft, waveform)) ** 2 @ both_sides) / stft.n_fft
    overlap = np.zeros(n_samples)
    for t in range(stft.n_frames(n_samples)):
        start, _ = stft.span(t, 1)
        for n in range(max(start, 0), min(start + stft.n_fft, n_samples)):
            overlap[n] += stft.analysis_window[n - start] ** 2
    assert power == pytest.approx(np.sum(waveform**2 * overlap), rel=1e-9)


@given(transforms(), SEEDS)
def test_of_all_waveforms_synthesis_finds_the_one_whose_frames_are_closest(
    stft: Stft, seed: int
) -> None:
    n_samples = 60
    rng = np.random.default_rng(seed)
    shape = (stft.n_frames(n_samples), 1, stft.n_freq)
    wanted = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    wanted[..., [0, -1]] = wanted[..., [0, -1]].real
    residue = wanted - analyse(stft, synthesise(stft, wanted, n_samples))
    both_sides = np.full(stft.n_freq, 2.0)
    both_sides[[0, -1]] = 1.0
    direction = analyse(stft, rng.standard_normal((1, n_samples)))
    product = np.sum(both_sides * residue * direction.conj()).real
    size = np.linalg.norm(wanted) * np.linalg.norm(direction)
    assert abs(product) <= 1e-12 * size * np.abs(stft.synthesis_window).max() * stft.n_fft


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_of_the_waveform_is_kept(dtype: type) -> None:
    stft = Stft(64, 16, "hann")
    waveform = np.ones((2, 640), dtype)
    spectrum = analyse(stft, waveform)
    assert spectrum.real.dtype == dtype
    assert synthesise(stft, spectrum, 640).dtype == dtype


def test_a_sinusoid_stands_in_the_bin_of_its_frequency() -> None:
    stft = Stft(64, 16, "hann")
    centres = stft.frequencies(8000.0)
    assert centres[-1] == 4000
    waveform = np.cos(2 * np.pi * centres[5] / 8000 * np.arange(1000))[None]
    middle = np.abs(analyse(stft, waveform)[20, 0])
    assert middle.argmax() == 5
    np.testing.assert_allclose(middle[[4, 6]], middle[5] / 2, rtol=1e-9)


RATES = [
    8000,
    11_025,
    12_000,
    16_000,
    22_050,
    24_000,
    32_000,
    44_100,
    48_000,
    88_200,
    96_000,
    192_000,
]


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("seconds", [0.128, 0.256, 0.512, 1.024])
def test_a_window_lasts_as_long_at_every_sample_rate(seconds: float, sample_rate: int) -> None:
    n_fft = fast_n_fft(seconds, sample_rate)
    assert n_fft / sample_rate == pytest.approx(seconds, rel=0.03)
    assert n_fft % 8 == 0
    rest = n_fft
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    assert rest == 1


@given(st.floats(0.01, 3.0), st.integers(1000, 768_000))
def test_no_other_fast_length_is_nearer(seconds: float, sample_rate: int) -> None:
    wanted = seconds * sample_rate
    found = fast_n_fft(seconds, sample_rate)
    fast = [8 * 2**a * 3**b * 5**c for a in range(20) for b in range(13) for c in range(9)]
    distances = np.abs(np.log(np.array([n for n in fast if n >= 16]) / max(wanted, 16)))
    assert abs(np.log(found / max(wanted, 16))) == pytest.approx(distances.min(), abs=1e-12)


@pytest.mark.parametrize(
    ("seconds", "n_src", "n_fft"),
    [
        (600, 2, 16_384),
        (46, 2, 16_384),
        (45, 2, 8192),
        (181, 4, 16_384),
        (180, 4, 8192),
        (5, 2, 8192),
        (4, 2, 4096),
        (10, 4, 8192),
        (9, 4, 4096),
        (4, 4, 2048),
        (0.1, 4, 2048),
    ],
)
def test_a_short_recording_of_many_sources_gets_a_shorter_window(
    seconds: float, n_src: int, n_fft: int
) -> None:
    assert fitting_n_fft(16_000, round(16_000 * seconds), n_src) == n_fft


def test_the_window_depends_on_seconds_not_on_samples() -> None:
    durations = [fitting_n_fft(rate, 60 * rate, 2) / rate for rate in RATES]
    np.testing.assert_allclose(durations, 1.024, rtol=0.03)


def test_the_default_window_of_an_absurdly_low_sample_rate_is_still_a_window() -> None:
    assert Stft(fitting_n_fft(1, 1, 1), 4, "hann").n_freq > 1


@pytest.mark.parametrize(
    ("n_fft", "hop_length", "window", "what"),
    [
        (2, 1, "hann", "n_fft=2"),
        (0, 1, "hann", "n_fft=0"),
        (-4, 1, "hann", "n_fft=-4"),
        (9, 2, "hann", "n_fft=9"),
        (8, 0, "hann", "hop_length=0"),
        (8, -1, "hann", "hop_length=-1"),
        (8, 5, "hann", "hop_length=5"),
        (8, 2, "blackman", "window='blackman'"),
    ],
)
def test_lengths_that_do_not_fit_are_refused_by_name(
    n_fft: int, hop_length: int, window: str, what: str
) -> None:
    with pytest.raises(ParameterError, match=what):
        Stft(n_fft, hop_length, window)


def test_a_window_is_a_quarter_of_a_second_unless_a_longer_one_is_of_use() -> None:
    assert default_n_fft(16_000) == 4096
