"""The Python API: its signature, what it returns and what it refuses."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracle import Array
from signals import SAMPLE_RATE, make_images, relative_level

import auxiva_cli
from auxiva_cli import Filters, ParameterError, SeparationResult, learn, separate
from auxiva_cli.bss.auxiva import Iteration
from auxiva_cli.config import Settings
from auxiva_cli.listening.stft import Stft
from auxiva_cli.observer import Observer, Plan

MIXTURE = make_images(2, 3, seconds=2).sum(axis=0)


@pytest.fixture(scope="module")
def result() -> SeparationResult:
    return separate(MIXTURE, SAMPLE_RATE, n_src=2, n_fft=512)


def test_the_keywords_are_the_settings_with_their_defaults() -> None:
    parameters = inspect.signature(separate).parameters
    settings = {field.name: field.default for field in fields(Settings)}
    keywords = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert {name: keywords.pop(name) for name in settings} == settings
    assert keywords == {
        "learn_from": None,
        "activity_from": None,
        "mask": False,
        "n_threads": None,
        "observer": None,
    }
    assert list(parameters)[:2] == ["mixture", "sample_rate"]


def test_every_setting_reaches_the_separation() -> None:
    asked: dict[str, Any] = {
        "n_src": 2,
        "algorithm": "gradient",
        "step_size": 0.2,
        "model": "gauss",
        "max_iter": 3,
        "tol": 0.0,
        "n_fft": 256,
        "hop_length": 128,
        "window": "hann",
        "ref_chan": 1,
    }
    found = separate(MIXTURE, SAMPLE_RATE, **asked)
    assert [(stage.name, len(stage.costs)) for stage in found.stages] == [("gauss", 4)]
    assert found.filters.G.shape == (2, 3, 3, 129)
    assert found.ref_chan == 1
    for name, value in (
        ("n_fft", 512),
        ("hop_length", 64),
        ("window", "hamming"),
        ("step_size", 0.1),
    ):
        assert separate(MIXTURE, SAMPLE_RATE, **{**asked, name: value}).costs != found.costs


def test_the_result_has_the_shapes_that_it_promises(result: SeparationResult) -> None:
    assert result.sources.shape == (2, MIXTURE.shape[1])
    assert result.demixing_matrices.shape == (2, 3, 257)
    assert result.filters.G.shape == (2, 3, 3, 257)
    assert result.levels.shape == (2,)
    assert result.levels[0] == 0
    assert result.levels[1] <= 0
    assert result.ref_chan == 0
    assert [notice.kind for notice in result.notices] == ["short"]
    assert result.costs == tuple(cost for stage in result.stages for cost in stage.costs)
    assert result.converged == result.stages[-1].converged


def test_the_filters_give_the_sources(result: SeparationResult) -> None:
    stft = Stft(512, 128, "hamming")
    n_samples = MIXTURE.shape[1]
    start, stop = stft.span(0, stft.n_frames(n_samples))
    X = stft.analyse(np.pad(MIXTURE, ((0, 0), (-start, stop - n_samples))))
    Y = np.einsum("kcf,tcf->tkf", result.filters.G[:, result.ref_chan], X)
    waveform, tail = stft.synthesise(Y)
    sources = np.concatenate([waveform, tail], axis=-1)[:, -start : n_samples - start]
    assert relative_level(result.sources - sources, sources) < -100


def test_the_demixing_matrices_give_the_sources_up_to_their_scale() -> None:
    found = separate(MIXTURE[:2], SAMPLE_RATE, n_fft=512)
    rows, W = found.filters.G[:, found.ref_chan], found.demixing_matrices
    live = np.abs(W).sum(axis=(0, 1)) > 0
    assert live.sum() > 250
    scale = rows[:, :1] / np.where(live, W[:, :1], 1)
    np.testing.assert_allclose((scale * W)[..., live], rows[..., live], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_precision_of_the_mixture_is_that_of_the_sources(dtype: type) -> None:
    found = separate(MIXTURE.astype(dtype), SAMPLE_RATE, n_fft=512, n_src=2, max_iter=3)
    assert found.sources.dtype == dtype


def test_a_list_of_lists_is_a_mixture() -> None:
    found = separate(MIXTURE[:2].tolist(), SAMPLE_RATE, n_fft=512, max_iter=3)
    expected = separate(MIXTURE[:2], SAMPLE_RATE, n_fft=512, max_iter=3)
    np.testing.assert_array_equal(found.sources, expected.sources)


def test_the_mixture_is_left_alone() -> None:
    waveform = MIXTURE.copy()
    waveform.flags.writeable = False
    separate(waveform + 0, SAMPLE_RATE, n_fft=512, max_iter=1)
    separate(waveform, SAMPLE_RATE, n_fft=512, max_iter=1)
    np.testing.assert_array_equal(waveform, MIXTURE)


@pytest.mark.parametrize(
    "mixture",
    [
        np.zeros(100),
        np.zeros((2, 3, 100)),
        np.zeros((2, 100), int),
        np.zeros((2, 100), complex),
        [["a", "b"]],
    ],
)
def test_what_is_no_waveform_is_refused_with_its_type_and_shape(mixture: Any) -> None:
    with pytest.raises(ParameterError, match="of shape") as caught:
        separate(mixture, SAMPLE_RATE)
    assert str(np.shape(mixture)) in caught.value.what


@pytest.mark.parametrize("sample_rate", [0, -1, 999])
def test_a_sample_rate_must_be_one_of_sound(sample_rate: int) -> None:
    with pytest.raises(ParameterError, match=f"sample_rate={sample_rate}"):
        separate(MIXTURE, sample_rate)


@pytest.mark.parametrize(
    "setting",
    [
        {"step_size": 0.1},
        {"n_src": 0},
        {"n_src": 4},
        {"ref_chan": 3},
        {"n_fft": 7},
        {"hop_length": 5000},
    ],
)
def test_settings_out_of_range_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(ParameterError):
        separate(MIXTURE, SAMPLE_RATE, **setting)  # type: ignore[arg-type]


def test_an_observer_hears_of_the_start_and_of_every_cost() -> None:
    class Listener(Observer):
        def __init__(self) -> None:
            self.start: list[tuple[int, int]] = []
            self.costs: list[float] = []

        def started(self, plan: Plan) -> None:
            self.start.append((plan.n_src, plan.stft.n_fft))

        def iterated(self, iteration: Iteration, demixing_matrices: Callable[[], Array]) -> None:
            self.costs.append(iteration.cost)
            self.matrices = demixing_matrices()

    listener = Listener()
    found = separate(MIXTURE, SAMPLE_RATE, n_src=2, n_fft=512, observer=listener)
    assert listener.start == [(2, 512)]
    assert tuple(listener.costs) == found.costs
    assert listener.matrices.shape == found.demixing_matrices.shape


@pytest.mark.parametrize("model", ["auto", "laplace", "gauss", "bands"])
def test_without_iterations_the_whitened_mixture_is_projected_back(model: Any) -> None:
    found = separate(MIXTURE, SAMPLE_RATE, n_fft=512, model=model, max_iter=0)
    assert len(found.costs) == 1
    assert not found.converged
    assert relative_level(found.sources.sum(axis=0) - MIXTURE[0], MIXTURE[0]) < -100


def test_a_result_cannot_be_changed(result: SeparationResult) -> None:
    with pytest.raises(FrozenInstanceError):
        result.levels = result.levels  # type: ignore[misc]


def test_what_the_package_offers_it_has_and_nothing_else() -> None:
    for name in auxiva_cli.__all__:
        assert getattr(auxiva_cli, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'unmix'"):
        auxiva_cli.unmix  # noqa: B018


@pytest.mark.parametrize(
    ("mixture", "hint"),
    [
        (np.zeros((2, 100), np.int16), "Divide by 32768"),
        (np.zeros((32000, 2)), "samples.T"),
        (np.zeros((65, 100_000), np.float32), "Choose the microphones"),
    ],
)
def test_a_common_mistake_is_answered_with_what_to_do(mixture: Array, hint: str) -> None:
    with pytest.raises(ParameterError) as caught:
        separate(mixture, SAMPLE_RATE)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_src", 2.0),
        ("n_src", True),
        ("max_iter", 2.5),
        ("max_iter", None),
        ("max_memory", "1GB"),
        ("tol", "small"),
        ("n_threads", 0),
        ("n_threads", -1),
        ("n_threads", 10**9),
        ("window", "boxcar"),
        ("learn_from", (2, 1)),
    ],
)
def test_every_argument_out_of_place_is_named(name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=f"{name}="):
        separate(MIXTURE, SAMPLE_RATE, **{name: value})


def test_a_sample_rate_is_a_whole_number() -> None:
    with pytest.raises(ParameterError, match="sample_rate='16000'"):
        separate(MIXTURE, "16000")  # type: ignore[arg-type]


def test_filters_are_learnt_applied_saved_and_loaded(tmp_path: Path) -> None:
    found = separate(MIXTURE, SAMPLE_RATE, n_src=2, n_fft=512, max_iter=3)
    filters = learn(MIXTURE, SAMPLE_RATE, n_src=2, n_fft=512, max_iter=3)
    filters.save(tmp_path / "seats.npz")
    loaded = Filters.load(tmp_path / "seats.npz")
    np.testing.assert_array_equal(loaded.G, found.filters.G)
    np.testing.assert_array_equal(loaded.apply(MIXTURE), found.sources)
    images = loaded.images(MIXTURE)
    np.testing.assert_array_equal(images[:, loaded.ref_chan], found.sources)
    assert relative_level(images.sum(axis=0) - MIXTURE, MIXTURE) < -100


def test_filters_learnt_from_a_stretch_are_those_of_the_stretch_alone() -> None:
    asked: dict[str, Any] = {"n_fft": 256, "max_iter": 3}
    filters = learn(MIXTURE, SAMPLE_RATE, learn_from=(0.5, 1.5), **asked)
    excerpt = MIXTURE[:, SAMPLE_RATE // 2 : SAMPLE_RATE * 3 // 2]
    np.testing.assert_array_equal(filters.G, learn(excerpt, SAMPLE_RATE, **asked).G)


def test_an_unknown_setting_is_a_type_error_as_for_any_function() -> None:
    with pytest.raises(TypeError, match="'n_sources'"):
        learn(MIXTURE, SAMPLE_RATE, n_sources=2)
