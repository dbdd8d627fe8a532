"""Settings: every range, and iterations that are shared out to the last one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxiva_cli.config import ALGORITHMS, MODELS, SCHEDULES, Settings
from auxiva_cli.errors import ParameterError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_src", 0),
        ("n_src", -1),
        ("max_iter", -1),
        ("tol", -1e-9),
        ("tol", 1),
        ("tol", float("nan")),
        ("tol", float("inf")),
        ("ref_chan", -1),
        ("step_size", 0.3),
        ("algorithm", "fastica"),
        ("algorithm", ""),
        ("model", "student"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=f"{name}=") as caught:
        Settings(**{name: value})
    assert caught.value.kind == "bad-parameter"
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("step_size", [0, -1, 11, float("nan"), float("inf")])
def test_a_step_size_out_of_range_is_refused(step_size: float) -> None:
    with pytest.raises(ParameterError, match=f"step_size={step_size}"):
        Settings(algorithm="gradient", step_size=step_size)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_src", 1), ("max_iter", 0), ("tol", 0), ("tol", 0.999), ("ref_chan", 0)],
)
def test_the_ends_of_a_range_belong_to_it(name: str, value: Any) -> None:
    assert getattr(Settings(**{name: value}), name) == value


def test_every_algorithm_and_model_that_is_offered_can_be_asked_for() -> None:
    for algorithm in ALGORITHMS:
        assert Settings(algorithm=algorithm).algorithm == algorithm  # type: ignore[arg-type]
    for model in MODELS:
        assert Settings(model=model).stages()  # type: ignore[arg-type]


@given(st.sampled_from(MODELS), st.integers(0, 500))
def test_the_stages_share_out_exactly_all_iterations(model: Any, max_iter: int) -> None:
    stages = Settings(model=model, max_iter=max_iter).stages()
    assert sum(n_iter for _, n_iter in stages) == max_iter
    plans = SCHEDULES[model]
    total = sum(plan.share for plan in plans)
    for plan, n_iter in stages:
        assert abs(n_iter - max_iter * plan.share / total) <= 1
    names = [plan.name for plan, _ in stages]
    assert names == [plan.name for plan in plans if plan.name in names]


def test_by_default_every_stage_gets_its_whole_share() -> None:
    stages = Settings().stages()
    assert len(stages) > 2
    assert all(n_iter == plan.share for plan, n_iter in stages)


@pytest.mark.parametrize("model", MODELS)
def test_without_iterations_there_is_one_stage_whose_cost_can_be_told(model: Any) -> None:
    assert [n_iter for _, n_iter in Settings(model=model, max_iter=0).stages()] == [0]


def test_the_iterations_of_a_stage_that_cannot_be_are_the_others() -> None:
    stages = Settings(max_iter=100).stages(without={"guided"})
    assert sum(n_iter for _, n_iter in stages) == 100
    assert "guided" not in {plan.model for plan, _ in stages}
