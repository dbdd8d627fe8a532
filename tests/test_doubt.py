"""Outputs that are so much alike that they can hardly be different speakers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from field_recordings import RATE, sample, voices
from oracle import Array
from signals import SAMPLE_RATE, make_images

from auxiva_cli import separate
from auxiva_cli.doubt import FEWEST, Likeness
from auxiva_cli.filters import Filters
from auxiva_cli.listening.counting import Count
from auxiva_cli.listening.levels import Levels, cell_length, cell_powers
from auxiva_cli.listening.stft import Stft

STFT = Stft(64, 16, "hann")
VOICES = make_images(3, 1, seconds=20, seed=2)[:, 0]


def identity(n_src: int, R: Array | None = None) -> Filters:
    """Filters that give each source an equal share of each channel."""
    G = np.zeros((n_src, n_src, n_src, STFT.n_freq), np.complex64)
    for k in range(n_src):
        G[k, 0, k] = 1
    return Filters(G, STFT, SAMPLE_RATE, 0, R=R)


def likeness_of(outputs: Array, filters: Filters | None = None, borders: int = 1) -> Likeness:
    length = cell_length(SAMPLE_RATE)
    levels = Levels(cell_powers(outputs, length), length, outputs.shape[1])
    likeness = Likeness(filters or identity(len(outputs)), levels)
    for stretch in np.array_split(outputs, borders, axis=1):
        likeness.update(stretch)
    return likeness


def test_different_voices_are_no_cause_for_doubt() -> None:
    likeness = likeness_of(VOICES)
    assert likeness.notices() == []
    np.testing.assert_allclose(likeness.energies, np.sum(VOICES**2, axis=1))
    np.testing.assert_allclose(
        likeness.waveforms + np.eye(3), np.eye(3) + 0 * likeness.waveforms, atol=0.1
    )


@pytest.mark.parametrize("leak", [0.3, -0.3])
def test_a_voice_in_two_outputs_is_doubtful(leak: float) -> None:
    outputs = VOICES + leak * np.roll(VOICES, 1, axis=0)
    (notice,) = likeness_of(outputs).notices()
    assert notice.kind == "doubtful-result"
    assert notice.text.startswith("outputs ")


def kinds(outputs: Array, count: Count | None, filters: Filters | None = None) -> list[str]:
    return [notice.kind for notice in likeness_of(outputs, filters).notices(count)]


def test_who_is_in_all_of_as_many_outputs_as_microphones_is_one_more_speaker() -> None:
    people = voices("three")[:, :: RATE // SAMPLE_RATE]
    both = people[:2] + 0.5 * np.stack([people[2], np.roll(people[2], 200)])
    count = Count(2, (0.0, 1.0))
    wide = replace(identity(2), G=np.pad(identity(2).G, ((0, 0), (0, 1), (0, 1), (0, 0)), "edge"))
    assert kinds(both, count) == ["more-speakers"]
    assert kinds(both, None) == kinds(both, count, wide) == kinds(people[:2], count) == []


def test_a_third_speaker_is_noticed_by_two_microphones_and_nobody_where_there_are_enough() -> None:
    kinds_of_two, kinds_of_three = (
        [notice.kind for notice in separate(sample("three")[:n], RATE).notices] for n in (2, 3)
    )
    assert "more-speakers" in kinds_of_two
    assert "more-speakers" not in kinds_of_three


def test_what_is_left_of_a_voice_in_an_output_too_many_is_no_cause_for_doubt() -> None:
    rest = VOICES[0] + 2 * VOICES[2]
    rest *= VOICES[:2].std(axis=1).max() / rest.std()
    for level_db, is_doubtful in ((-10, True), (-14, False)):
        outputs = np.stack([VOICES[0], VOICES[1], 10 ** (level_db / 20) * rest])
        assert bool(likeness_of(outputs).notices()) == is_doubtful


def test_the_same_voice_through_two_rooms_is_doubtful_though_nothing_correlates() -> None:
    later = np.stack([VOICES[0], np.roll(VOICES[0], 80)])
    likeness = likeness_of(later)
    assert abs(likeness.waveforms[0, 1]) < 0.1
    assert likeness.spectra[0, 1] > 0.3
    assert [notice.kind for notice in likeness.notices()] == ["doubtful-result"]


def test_pauses_that_all_share_do_not_make_voices_alike() -> None:
    on = np.arange(VOICES.shape[1]) // SAMPLE_RATE % 4 == 0
    noise = np.random.default_rng(0).standard_normal(VOICES.shape) * 1e-3
    likeness = likeness_of(VOICES * on + noise * VOICES.std())
    assert likeness.spectra[0, 1] < 0.2
    assert likeness.notices() == []


@pytest.mark.parametrize("borders", [7, 100])
def test_how_the_outputs_are_cut_does_not_matter(borders: int) -> None:
    whole, cut = likeness_of(VOICES), likeness_of(VOICES, borders=borders)
    np.testing.assert_allclose(cut.spectra, whole.spectra, rtol=1e-9)
    np.testing.assert_allclose(cut.waveforms, whole.waveforms, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(cut.energies, whole.energies)


def test_a_correlation_that_filters_are_meant_to_have_is_no_cause_for_doubt() -> None:
    correlated = np.stack([VOICES[0] + 0.2 * VOICES[1], VOICES[1] + 0.2 * VOICES[0]])
    R = np.cov(correlated)[..., None].repeat(STFT.n_freq, axis=-1).astype(np.complex64)
    assert abs(likeness_of(correlated).waveforms[0, 1]) > 0.3
    assert abs(likeness_of(correlated, identity(2, R)).waveforms[0, 1]) < 0.01


def test_silence_and_a_moment_tell_nothing() -> None:
    length = cell_length(SAMPLE_RATE)
    assert likeness_of(np.stack([VOICES[0], np.zeros_like(VOICES[0])])).notices() == []
    moment = VOICES[:1, : 2 * length * (FEWEST - 1)].repeat(2, axis=0)
    assert likeness_of(moment).notices() == []
