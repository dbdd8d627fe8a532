"""How much is kept: all that fits, an even sample of the rest, never more than is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxiva_cli import memory
from auxiva_cli.errors import RecordingError
from auxiva_cli.memory import (
    DEFAULT_MEMORY,
    FRAMES_PER_SOURCE,
    MemoryPlan,
    default_memory,
    even_sample,
    plan_memory,
)

MIB = 2**20
SHAPE = {"n_src": 4, "n_chan": 4, "n_freq": 2049, "block_length": 64, "n_threads": 2}


def plan(n_frames: int, allowed: int | None, **changed: int) -> MemoryPlan:
    return plan_memory(n_frames, allowed=allowed, **(SHAPE | changed))


def least_budget(**changed: int) -> int:
    """Find the smallest budget (MiB) that is not refused."""
    for budget in range(1, 4096):
        try:
            plan(10_000, budget * MIB, **changed)
        except RecordingError:
            continue
        return budget
    raise AssertionError


@given(st.integers(1, 10**7), st.integers(300, 4096), st.integers(1, 8))
def test_the_plan_never_takes_more_than_is_allowed(
    n_frames: int, allowed: int, n_sharing: int
) -> None:
    made = plan(n_frames, allowed * n_sharing * MIB, n_sharing=n_sharing)
    assert made.n_bytes <= allowed * MIB


@given(st.integers(1, 10**7), st.integers(300, 4096), st.integers(1, 8))
def test_the_sample_follows_from_the_recording_alone(
    n_frames: int, allowed: int, n_threads: int
) -> None:
    made = plan(n_frames, allowed * MIB)
    assert made.stride == plan(n_frames, None, n_threads=n_threads).stride
    assert n_frames / made.stride <= FRAMES_PER_SOURCE * SHAPE["n_src"]
    assert made.stride == 1 or n_frames / (made.stride - 1) > FRAMES_PER_SOURCE * SHAPE["n_src"]


def test_what_fits_is_kept_whole() -> None:
    made = plan(1000, 2048 * MIB)
    assert made.stride == 1
    assert made.n_kept >= 1000


def test_with_nothing_said_it_takes_what_it_takes_however_many_share() -> None:
    assert plan(10_000, None, n_sharing=1000).n_kept == 0
    with pytest.raises(RecordingError):
        plan(10_000, 2048 * MIB, n_sharing=1000)


LENGTH = SHAPE["block_length"]
lengths_of_blocks = st.lists(st.integers(0, LENGTH), min_size=1, max_size=60).filter(any)


@given(lengths_of_blocks, st.integers(1, 9))
def test_what_is_kept_is_never_silent_and_hardly_more_than_planned(
    lengths: list[int], stride: int
) -> None:
    n_frames = np.array(lengths)
    kept = even_sample(n_frames, LENGTH, stride)
    if stride == 1:
        assert len(kept) == len(lengths)
    else:
        assert n_frames[kept].all()
        assert n_frames[kept].sum() <= sum(lengths) / stride + LENGTH / 2


@given(lengths_of_blocks, st.integers(2, 9))
def test_what_is_kept_is_spread_evenly(lengths: list[int], stride: int) -> None:
    step = stride * LENGTH
    kept = even_sample(np.array(lengths), LENGTH, stride)
    before = np.cumsum(lengths)[kept] - step / 2  # each lies where its share is half over
    assert np.all((before % step) < LENGTH)
    assert np.all(np.diff(before // step) == 1)


def test_of_a_recording_without_silence_every_so_many_blocks_are_kept() -> None:
    kept = even_sample(np.full(20, LENGTH), LENGTH, 4)
    assert list(kept) == [1, 5, 9, 13, 17]


least = least_budget()


@pytest.mark.parametrize("changed", [{"n_threads": 8}, {"n_src": 6, "n_chan": 6}, {"n_freq": 4097}])
def test_more_threads_channels_or_frequencies_take_more(changed: dict[str, int]) -> None:
    assert least_budget(**changed) > least


def test_a_budget_that_is_too_small_is_refused_with_what_it_takes() -> None:
    with pytest.raises(RecordingError) as caught:
        plan(10_000, (least - 1) * MIB)
    assert caught.value.kind == "resource-limit"
    needed = re.search(r"at least (\d+) MiB", caught.value.what)
    assert needed is not None
    assert int(needed[1]) in (least - 1, least)  # rounded
    assert f"{least - 1} MiB are allowed" in caught.value.what
    assert "more memory" in caught.value.hint


def test_the_default_is_fixed_where_there_is_enough() -> None:
    assert 0 < default_memory() <= DEFAULT_MEMORY == 2048 * MIB


def test_the_lower_limit_of_a_container_is_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = tmp_path / "max", tmp_path / "bytes", tmp_path / "missing"
    limits[0].write_text("max\n")
    limits[1].write_text(f"{512 * MIB}\n")
    monkeypatch.setattr(memory, "LIMITS", limits)
    assert default_memory() == 256 * MIB
