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
    made, other = plan(n_frames, allowed * MIB), plan(n_frames, None, n_threads=n_threads)
    assert made.n_sample == other.n_sample == min(n_frames, FRAMES_PER_SOURCE * SHAPE["n_src"])
    assert plan(n_frames, allowed * MIB, learn_all=True).n_sample == n_frames


def test_what_fits_is_kept_whole() -> None:
    few = FRAMES_PER_SOURCE
    assert plan(few, 2048 * MIB).n_kept == few
    assert plan(10**6, 2048 * MIB).n_kept == plan(10**6, None).n_sample


@pytest.mark.parametrize(("n_freq", "n_comb"), [(700, 0), (2049, 513)])
def test_frames_take_their_tables_and_a_comb_where_there_is_one(n_freq: int, n_comb: int) -> None:
    fewer, more = (plan(n_frames, None, n_freq=n_freq) for n_frames in (200, 300))
    assert more.keeps_comb
    assert more.n_bytes - fewer.n_bytes == 100 * 4 * 4**2 * (n_freq + n_comb)


def test_with_nothing_said_it_takes_what_it_takes_however_many_share() -> None:
    assert plan(10_000, None, n_sharing=1000).n_kept == 0
    with pytest.raises(RecordingError):
        plan(10_000, 2048 * MIB, n_sharing=1000)


@given(st.integers(1, 10**6), st.integers(1, 2000))
def test_the_sample_is_even(n_frames: int, n_chosen: int) -> None:
    n_chosen = min(n_frames, n_chosen)
    chosen = even_sample(n_frames, n_chosen)
    parts = np.arange(n_chosen + 1) * n_frames / n_chosen
    assert np.all((parts[:-1] <= chosen) & (chosen < parts[1:]))


def test_the_sample_of_all_is_all_and_of_none_is_none() -> None:
    assert list(even_sample(5, 5)) == [0, 1, 2, 3, 4]
    assert not len(even_sample(0, 0))


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
