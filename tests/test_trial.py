"""Speakers are counted before they are separated."""

from __future__ import annotations

import numpy as np
import pytest
from field_recordings import RATE, room, sample
from oracle import Array

from auxiva_cli import separate
from auxiva_cli.config import AUTO, Settings
from auxiva_cli.errors import ParameterError
from auxiva_cli.listening.counting import Count
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads
from auxiva_cli.separation import Learnt, learn
from auxiva_cli.trial import MOST_OUTPUTS, trial_features

CHOICES: tuple[dict[str, None], ...] = ({}, {"n_src": None})


class Steps(Observer):
    def __init__(self) -> None:
        self.shares: list[float] = []

    def advanced(self, step: str, done: int, total: int) -> None:
        if step == "count":
            self.shares.append(done / total)


def learnt(waveform: Array, observer: Observer | None = None, **settings: int) -> Learnt:
    with Threads(1) as threads:
        return learn(
            ArrayMixture(waveform, RATE),
            Settings(n_src=AUTO, max_iter=1, **settings),
            threads=threads,
            observer=observer or Observer(),
        )


def counted(waveform: Array) -> Count:
    count = learnt(waveform).count
    assert count is not None
    return count


@pytest.mark.parametrize(("word", "n_src"), [("two", 2), ("three", 3)])
def test_the_samples_hold_as_many_as_they_say(word: str, n_src: int) -> None:
    count = counted(sample(word))
    assert count.n_src == n_src
    assert count.sure


def test_fewer_speakers_than_microphones_are_as_many_files() -> None:
    found = learnt(room(44, 4, n_src=3))
    assert found.count is not None
    assert found.count.sure
    assert found.filters.n_src == found.count.n_src == 3


def test_who_speaks_alone_is_one_file_which_is_the_microphone() -> None:
    waveform = room(45, 4, n_src=1)
    result = separate(waveform, RATE, max_iter=1)
    np.testing.assert_allclose(result.sources, waveform[:1], atol=1e-5 * np.abs(waveform).max())


def test_the_count_does_not_depend_on_the_scale_of_channels() -> None:
    mixture = room(43, 3)
    assert counted(mixture * np.array([[1e-4], [1.0], [30.0]])).n_src == counted(mixture).n_src


def test_of_what_is_too_short_nothing_is_left_out() -> None:
    found = learnt(sample("three")[:, : 4 * RATE], n_fft=512)
    assert found.count is None
    assert found.filters.n_src == 3


def outputs_tried(waveform: Array, sample_rate: int) -> int:
    with Threads(1) as threads:
        mixture = ArrayMixture(waveform, sample_rate)
        return trial_features(mixture, 0, None, threads, Observer()).shape[1]


def test_of_many_microphones_no_more_outputs_are_tried_than_people_are_counted() -> None:
    rng = np.random.default_rng(0)
    waveform = rng.standard_normal((10, 8 * 2000))
    assert outputs_tried(waveform, 2000) == MOST_OUTPUTS


@pytest.mark.parametrize("step", [2, 4, 8])
def test_speakers_are_counted_at_low_sample_rates_too(step: int) -> None:
    assert outputs_tried(sample("two")[:, ::step], RATE // step) == 2


def test_the_way_to_the_count_is_told() -> None:
    observer = Steps()
    learnt(sample("two"), observer)
    assert observer.shares[-1] == 1
    assert observer.shares == sorted(observer.shares)


def test_python_counts_unless_it_is_told_not_to_and_another_word_is_none() -> None:
    counted, asked = (separate(room(44, 4, n_src=3), RATE, max_iter=1, **n) for n in CHOICES)
    assert (len(counted.sources), len(asked.sources)) == (3, 4)
    assert counted.count is not None
    assert (counted.count.n_src, asked.count) == (3, None)
    with pytest.raises(ParameterError, match="n_src"):
        separate(sample("two"), RATE, n_src="many")  # type: ignore[arg-type]
