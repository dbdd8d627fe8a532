"""Recordings as people have them: a room before the talk, pauses, channels dead for a while."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from oracle import Array
from scipy.signal import fftconvolve
from signals import worst_si_sdr

from auxiva_cli import SeparationResult
from auxiva_cli import separate as separate_mixture
from auxiva_cli.simulation import simulate_room

FOLDER = Path(__file__).parents[1] / "sample_audio"
SAMPLE_RATE = 16_000


def sample(name: str = "two") -> tuple[Array, Array]:
    """Return a sample mixture and its references, (n_chan, n_samples) and (n_src, n_samples)."""
    references = sorted(FOLDER.glob(f"{name}_speakers_ref*.flac"))
    return (
        sf.read(FOLDER / f"{name}_speakers_mix.wav")[0].T,
        np.stack([sf.read(path)[0] for path in references]),
    )


def separate(mixture: Array, **settings: int) -> SeparationResult:
    return separate_mixture(mixture, SAMPLE_RATE, n_threads=1, **settings)


def hiss(mixture: Array, level_db: float) -> Array:
    noise = np.random.default_rng(3).standard_normal(mixture.shape)
    return 10 ** (level_db / 20) * mixture.std() * noise


def kinds(found: SeparationResult) -> list[str]:
    return [notice.kind for notice in found.notices]


def test_a_quiet_room_before_the_talk_costs_nothing() -> None:
    mixture, references = sample()
    lead = 30 * SAMPLE_RATE
    whole = np.pad(mixture, ((0, 0), (lead, 0)))
    whole += hiss(whole, -50 + 20 * np.log10(mixture.std() / whole.std()))
    found, cut = separate(whole), separate(whole[:, lead:])
    np.testing.assert_allclose(found.sources.sum(axis=0), whole[0], atol=1e-6)
    expected = worst_si_sdr(references, cut.sources)
    assert worst_si_sdr(references, found.sources[:, lead:]) > expected - 1


@pytest.mark.parametrize("level_db", [-40, -20])
def test_what_is_learnt_from_speech_with_pauses_is_what_it_is_without(level_db: float) -> None:
    mixture, references = sample()
    talk, pause = 3 * SAMPLE_RATE, 5 * SAMPLE_RATE
    starts = range(0, mixture.shape[1], talk)
    positions = np.concatenate(
        [np.arange(start, min(start + talk, mixture.shape[1])) + i * pause
         for i, start in enumerate(starts)]
    )  # fmt: skip
    whole = np.zeros((2, positions[-1] + pause))
    whole[:, positions] = mixture
    whole += hiss(whole, level_db + 20 * np.log10(mixture.std() / whole.std()))
    found, cut = separate(whole), separate(whole[:, positions])
    separated = found.filters.apply(whole[:, positions], n_threads=1)
    assert worst_si_sdr(references, separated) > worst_si_sdr(references, cut.sources) - 1


@pytest.mark.parametrize("channel", [0, 1])
def test_a_channel_that_starts_late_costs_nothing_elsewhere(channel: int) -> None:
    mixture, references = sample()
    start, heard = 3 * SAMPLE_RATE, slice(3 * SAMPLE_RATE + SAMPLE_RATE // 4, None)
    late = mixture.copy()
    late[channel, :start] = 0
    found, cut = separate(late), separate(mixture[:, start:], ref_chan=1 - channel)
    assert "channel-dropout" in kinds(found)
    assert found.filters.ref_chan == 1 - channel
    np.testing.assert_allclose(found.sources.sum(axis=0), late[1 - channel], atol=1e-6)
    assert np.abs(found.sources[:, :start]).max() < np.abs(late[1 - channel, :start]).max()
    if channel == 1:
        expected = worst_si_sdr(references[:, start:], cut.sources)
        assert worst_si_sdr(references[:, heard], found.sources[:, heard]) > expected - 2


@pytest.mark.parametrize("seconds", [0.1, 0.4])
def test_a_channel_that_drops_out_costs_nothing_elsewhere(seconds: float) -> None:
    mixture, references = sample()
    gone = slice(int(4.6 * SAMPLE_RATE), int((4.6 + seconds) * SAMPLE_RATE))
    broken = mixture.copy()
    broken[1, gone] = 0
    found = separate(broken)
    assert kinds(found) == ["channel-dropout"]
    np.testing.assert_allclose(found.sources.sum(axis=0), broken[0], atol=1e-6)
    assert np.abs(found.sources[:, gone]).max() < np.abs(broken[0, gone]).max()
    apart = np.r_[: gone.start - SAMPLE_RATE // 2, gone.stop + SAMPLE_RATE // 2 : mixture.shape[1]]
    expected = worst_si_sdr(references[:, apart], separate(mixture).sources[:, apart])
    assert worst_si_sdr(references[:, apart], found.sources[:, apart]) > expected - 1


def test_a_reference_that_was_asked_for_is_shared_out_where_it_is_dead() -> None:
    mixture, _ = sample()
    mixture[0, : 2 * SAMPLE_RATE] = 0
    found = separate(mixture, ref_chan=0)
    assert found.filters.ref_chan == 0
    np.testing.assert_allclose(found.sources.sum(axis=0), mixture[0], atol=1e-6)
    assert np.abs(found.sources[:, :SAMPLE_RATE]).max() < 1e-6


def test_a_clock_that_drifts_makes_the_result_doubtful() -> None:
    mixture, _ = sample()
    assert separate(mixture).notices == ()
    times = np.arange(mixture.shape[1])
    mixture[1] = np.interp(times * (1 + 2e-4), times, mixture[1])
    assert "doubtful-result" in kinds(separate(mixture))


def test_a_speaker_who_hardly_speaks_costs_the_other_nothing_or_it_is_said() -> None:
    voices = [voice / voice.std() for voice in sample()[1]]
    scene = simulate_room(voices, sample_rate=SAMPLE_RATE, rt60=0.3, snr=80, seed=2)
    images = np.array(
        [
            [fftconvolve(voice, response)[: len(voice)] for response in responses]
            for voice, responses in zip(voices, scene.responses, strict=True)
        ]
    )
    everything = separate(images.sum(axis=0))
    assert everything.notices == ()
    images[1, :, : -int(1.8 * SAMPLE_RATE)] = 0
    images[1, :, -int(0.3 * SAMPLE_RATE) :] = 0
    mixture, references = images.sum(axis=0), images[:, 0]
    found = separate(mixture)
    better = [
        worst_si_sdr(each[None], found.sources) > worst_si_sdr(each[None], mixture[:1])
        for each in references
    ]
    assert all(better) or "doubtful-result" in kinds(found)
