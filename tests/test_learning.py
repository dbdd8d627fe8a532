"""Filters from a stretch of a recording, and filters that were learnt before."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import Array
from signals import RMS, SAMPLE_RATE, make_images, relative_level

from auxiva_cli.config import Settings
from auxiva_cli.errors import FiltersError, RecordingError
from auxiva_cli.filters import apply_filters
from auxiva_cli.listening.mixture import ArrayMixture
from auxiva_cli.observer import Observer
from auxiva_cli.parallel import Threads
from auxiva_cli.separation import Learnt, learn, use

SETTINGS = Settings(n_fft=256, max_iter=6)
WAVEFORM = make_images(2, 2, seconds=8.0, seed=4).sum(axis=0)
MIXTURE = ArrayMixture(WAVEFORM, SAMPLE_RATE)


class Steps(Observer):
    """Takes down how far each step was."""

    def __init__(self) -> None:
        self.marks: dict[str, list[tuple[int, int]]] = {}

    def advanced(self, step: str, done: int, total: int) -> None:
        self.marks.setdefault(step, []).append((done, total))


def learnt(
    stretch: tuple[float, float] | None,
    mixture: ArrayMixture = MIXTURE,
    observer: Observer | None = None,
) -> Learnt:
    with Threads(1) as threads:
        return learn(
            mixture,
            SETTINGS,
            learn_from=stretch,
            threads=threads,
            observer=observer or Observer(),
        )


def applied(found: Learnt, mixture: ArrayMixture = MIXTURE) -> Array:
    with Threads(1) as threads:
        stretches = apply_filters(found.filters, mixture, [0, 1], found.survey, threads=threads)
        return np.concatenate(list(stretches), axis=-1)


@pytest.mark.parametrize("stretch", [(2.0, 5.0), (0.0, 3.5), (4.1, 8.0)])
def test_a_stretch_teaches_what_it_teaches_when_it_is_cut_out(
    stretch: tuple[float, float],
) -> None:
    first, last = (round(seconds * SAMPLE_RATE) for seconds in stretch)
    excerpt = ArrayMixture(WAVEFORM[:, first:last], SAMPLE_RATE)
    with Threads(1) as threads:
        expected = learn(excerpt, SETTINGS, threads=threads, observer=Observer())
    found = learnt(stretch)
    np.testing.assert_array_equal(found.filters.G, expected.filters.G)
    assert found.stages == expected.stages


def test_what_lies_outside_the_stretch_teaches_nothing() -> None:
    spoilt = WAVEFORM.copy()
    spoilt[:, :16_000] = 3 * spoilt[::-1, :16_000]
    found = learnt((2.0, 8.0), ArrayMixture(spoilt, SAMPLE_RATE))
    np.testing.assert_array_equal(found.filters.G, learnt((2.0, 8.0)).filters.G)


def test_the_outputs_cover_the_whole_recording_and_sum_to_it() -> None:
    images = applied(learnt((2.0, 5.0)))
    assert images.shape == (2, *WAVEFORM.shape)
    assert relative_level(images.sum(axis=0) - WAVEFORM, WAVEFORM) < -100


def test_a_stretch_that_ends_later_than_the_recording_ends_with_it() -> None:
    np.testing.assert_array_equal(learnt((3.0, 3600.0)).filters.G, learnt((3.0, 8.0)).filters.G)


@pytest.mark.parametrize("stretch", [(8.0, 9.0), (3600.0, 7200.0), (2.0, 2.00001), (7.99, 8.0)])
def test_a_stretch_without_enough_of_the_recording_is_refused(
    stretch: tuple[float, float],
) -> None:
    with pytest.raises(RecordingError) as caught:
        learnt(stretch)
    assert caught.value.kind == "too-short"


def test_every_step_is_told_of_once_with_one_goal() -> None:
    steps = Steps()
    learnt((2.0, 5.0), observer=steps)
    assert list(steps.marks) == ["levels", "survey", "covariance", "tables", "fit"]
    for marks in steps.marks.values():
        assert marks == sorted(marks)
        assert {total for _, total in marks} == {marks[-1][0]}


def test_given_filters_are_taken_as_they_are() -> None:
    found = learnt(None)
    with Threads(1) as threads:
        used = use(found.filters, MIXTURE, threads=threads, observer=Observer())
    assert used.filters is found.filters
    assert (used.stages, used.n_passes) == ((), 1)
    np.testing.assert_array_equal(applied(used), applied(found))


def test_given_filters_fit_a_recording_at_another_level_with_another_offset() -> None:
    found = learnt(None)
    moved = ArrayMixture(WAVEFORM / 64 + RMS, SAMPLE_RATE)
    with Threads(1) as threads:
        used = use(found.filters, moved, threads=threads, observer=Observer())
    images = applied(used, moved)
    lost = images.sum(axis=0) - moved.waveform
    assert relative_level(lost, WAVEFORM / 64) < -100
    plain = applied(found) / 64
    centred = images - images.mean(axis=-1, keepdims=True)
    assert relative_level(centred - (plain - plain.mean(axis=-1, keepdims=True)), plain) < -100


@pytest.mark.parametrize(
    ("waveform", "sample_rate"), [(WAVEFORM, 16_000), (np.vstack([WAVEFORM, WAVEFORM[:1]]), 8000)]
)
def test_filters_of_another_rate_or_number_of_channels_are_refused(
    waveform: Array, sample_rate: int
) -> None:
    filters = learnt(None).filters
    with Threads(1) as threads, pytest.raises(FiltersError) as caught:
        use(filters, ArrayMixture(waveform, sample_rate), threads=threads, observer=Observer())
    assert "2 channels at 8000 Hz" in caught.value.what
    assert f"{len(waveform)} channels at {sample_rate} Hz" in caught.value.what
