"""The sample mixtures are what their README says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

FOLDER = Path(__file__).parents[1] / "sample_audio"
SAMPLE_RATE = 16_000
FULL_SCALE = 2**15
MIXTURES = [("two_speakers", 2), ("three_speakers", 3)]

each_mixture = pytest.mark.parametrize(("name", "n_src"), MIXTURES)


def load_mixture(name: str) -> np.ndarray:
    """Samples as integers, (n_chan, n_samples)."""
    samples, _ = sf.read(FOLDER / f"{name}_mix.wav", dtype="int16", always_2d=True)
    return samples.T.astype(np.int32)


def reference_paths(name: str) -> list[Path]:
    return sorted(FOLDER.glob(f"{name}_ref*.flac"))


def load_references(name: str) -> np.ndarray:
    """Samples as integers, (n_src, n_samples)."""
    references = [sf.read(path, dtype="int16")[0] for path in reference_paths(name)]
    return np.stack(references).astype(np.int32)


def test_the_samples_stay_under_three_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 3_000_000


@each_mixture
def test_a_mixture_has_a_channel_and_a_reference_for_each_speaker(name, n_src):
    assert sf.info(FOLDER / f"{name}_mix.wav").channels == n_src
    assert [path.name for path in reference_paths(name)] == [
        f"{name}_ref{number}.flac" for number in range(1, n_src + 1)
    ]


@each_mixture
def test_every_file_is_16_bits_at_16_khz_and_10_to_15_seconds_long(name, n_src):
    for path in [FOLDER / f"{name}_mix.wav", *reference_paths(name)]:
        info = sf.info(path)
        assert (info.subtype, info.samplerate) == ("PCM_16", SAMPLE_RATE)
        assert 10 <= info.duration <= 15


@each_mixture
def test_the_references_sum_exactly_to_the_first_microphone(name, n_src):
    np.testing.assert_array_equal(load_references(name).sum(axis=0), load_mixture(name)[0])


@each_mixture
def test_the_mixture_peaks_at_minus_3_dbfs_up_to_rounding(name, n_src):
    peak = np.abs(load_mixture(name)).max()
    # each speaker's image was rounded before they were summed
    assert abs(peak - 10 ** (-3 / 20) * FULL_SCALE) <= n_src / 2


@each_mixture
def test_every_speaker_is_heard_in_every_second(name, n_src):
    seconds = load_references(name).astype(float).reshape(n_src, -1, SAMPLE_RATE)
    power = np.mean(seconds**2, axis=2)
    assert (power > 0.01 * power.mean(axis=1, keepdims=True)).all()


@each_mixture
def test_no_speaker_drowns_another(name, n_src):
    power = np.mean(load_references(name).astype(float) ** 2, axis=1)
    assert power.max() < 10 * power.min()


@each_mixture
def test_no_microphone_repeats_another(name, n_src):
    correlation = np.corrcoef(load_mixture(name))
    assert np.abs(correlation - np.eye(n_src)).max() < 0.999
