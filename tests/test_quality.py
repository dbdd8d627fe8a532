"""What the figures of separation rest on: the references, the rooms, what is kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile

from benchmarks.mixtures import Example
from benchmarks.quality import Quality, compared_table, lengths_table, measure_all
from benchmarks.rooms import GROUPS, Group, lengths_group
from benchmarks.scores import Scores
from benchmarks.separators import best_linear_filter, itself, other_half, timed

SAMPLE_RATE = 16000


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def people(rng):
    return [rng.standard_normal(9 * SAMPLE_RATE) for _ in range(9)]


def instantaneous(rng, n_chan):
    """Return two sources through a mixing matrix without a room."""
    sources = rng.standard_normal((2, 2 * SAMPLE_RATE))
    A = rng.standard_normal((n_chan, 2))
    return Example("instantaneous", A @ sources, A[0, :, np.newaxis] * sources, SAMPLE_RATE)


@pytest.mark.parametrize("n_chan", [2, 3])
@pytest.mark.parametrize("reference", [best_linear_filter, other_half])
def test_the_references_undo_what_a_linear_filter_can_undo(rng, reference, n_chan):
    example = instantaneous(rng, n_chan)
    found = reference(example, n_fft=512)
    np.testing.assert_allclose(found, example.references, atol=1e-6)


def test_what_is_learnt_elsewhere_is_no_better(rng):
    example = instantaneous(rng, 2)
    noisy = Example(
        "noisy",
        example.mixture + 0.3 * rng.standard_normal(example.mixture.shape),
        example.references,
        SAMPLE_RATE,
    )

    def error(reference):
        return np.sum((reference(noisy, n_fft=512) - noisy.references) ** 2)

    assert error(best_linear_filter) < error(other_half)


def group_of(name):
    (group,) = [each for each in GROUPS if each.name == name]
    return group


def test_speakers_and_noise_make_the_mixture(people):
    example = group_of("3 of 3").example(people, 0, seed=1)
    assert example.mixture.shape[0] == example.references.shape[0] == 3
    noise = example.mixture[0] - example.references.sum(axis=0)
    snr = 10 * math.log10(np.var(example.references.sum(axis=0)) / np.var(noise))
    assert snr == pytest.approx(25, abs=0.1)


def test_numbers_of_speakers_and_microphones_take_turns(people):
    group = group_of("one alone, 2 to 4 microphones")
    shapes = [group.example(people, number, 0) for number in range(3)]
    assert [len(each.mixture) for each in shapes] == [2, 3, 4]
    assert {len(each.references) for each in shapes} == {1}


def test_sms_wsj_is_two_speakers_of_equal_power_at_8_khz(people):
    six = group_of("SMS-WSJ, 2 of 6").example(people, 0, seed=1)
    two = group_of("SMS-WSJ, 2 of 2").example(people, 0, seed=1)
    assert (len(six.mixture), len(two.mixture)) == (6, 2)
    for example in (six, two):
        assert example.sample_rate == 8000
        assert 4 <= example.mixture.shape[1] / 8000 <= 9
        powers = example.references.var(axis=1)
        assert powers[0] == pytest.approx(powers[1])


def test_a_measurement_that_was_stopped_goes_on(people, tmp_path):
    for number, own in enumerate(people):
        soundfile.write(tmp_path / f"{number}.wav", own / np.abs(own).max(), SAMPLE_RATE)
    asked = []

    def counted(example):
        asked.append(example.name)
        return itself(example)

    def measure(until, n_mixtures):
        scores = Scores(tmp_path / "scores.jsonl", Quality)
        methods = {"itself": timed(counted)}
        return measure_all(
            [Group("here", lambda people, number, rng: instantaneous(rng, 2))],
            methods,
            scores,
            speech=tmp_path,
            n_mixtures=n_mixtures,
            seed=0,
            until=until,
        )

    assert not measure(-math.inf, 2)
    assert not asked
    assert measure(math.inf, 1)
    assert measure(math.inf, 2)
    assert len(asked) == 2


def test_tables_have_the_groups_that_all_were_scored_on(tmp_path):
    scores = Scores(tmp_path / "scores.jsonl", Quality)
    for method in ("mixture", "published", "0.1", "ours", "best linear filter"):
        scores.add(Quality("2 of 2", 0, method, 10.04, 20.0, 1.0))
    assert "2 of 2" not in compared_table(scores)
    scores.add(Quality("2 of 2", 0, "learnt on the other half", 9.0, 20.0, 1.0))
    assert "| 2 of 2 | 1 | 10.0 | 10.0 | 10.0 | 10.0 | 10.0 | 9.0 |" in compared_table(scores)
    scores.add(Quality(lengths_group(2, 60, 0.45).name, 0, "ours", 12.0, 20.0, 1.0))
    scores.add(Quality(lengths_group(2, 60, 0.45).name, 0, "ours, 512 ms", 11.0, 20.0, 1.0))
    assert "| 2 speakers, 60 s |  | +1.0 (+1.0; 1) |  |" in lengths_table(scores)
