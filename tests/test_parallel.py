"""Threads: the same results in the same order, a bounded number in flight."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from auxiva_cli.parallel import Threads, available_cpus

each_number = pytest.mark.parametrize("n_threads", [1, 2, 5])


@each_number
def test_results_come_in_the_order_of_the_blocks(n_threads: int) -> None:
    with Threads(n_threads) as threads:
        assert list(threads.map(lambda i: i * i, range(50))) == [i * i for i in range(50)]


@each_number
def test_nothing_is_taken_from_the_blocks_before_it_is_needed(n_threads: int) -> None:
    taken = 0

    def blocks() -> Iterator[int]:
        nonlocal taken
        for i in range(100):
            taken += 1
            yield i

    with Threads(n_threads) as threads:
        results = threads.map(lambda i: i, blocks())
        for i in range(10):
            assert next(results) == i
            assert taken <= i + 1 + n_threads


@each_number
def test_an_error_in_a_block_is_raised_where_its_result_would_be(n_threads: int) -> None:
    def invert(i: int) -> float:
        return 1 / (i - 3)

    with Threads(n_threads) as threads:
        results = threads.map(invert, range(6))
        assert [next(results) for _ in range(3)] == [-1 / 3, -1 / 2, -1]
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_several_blocks_are_worked_on_at_a_time() -> None:
    together = threading.Barrier(3, timeout=10)
    with Threads(3) as threads:
        assert len(list(threads.map(lambda _: together.wait(), range(3)))) == 3


def test_a_single_thread_is_the_callers() -> None:
    with Threads(1) as threads:
        assert list(threads.map(lambda _: threading.current_thread(), [0])) == [
            threading.current_thread()
        ]


def test_no_thread_outlives_the_pool_even_when_results_are_left() -> None:
    before = threading.active_count()
    with Threads(4) as threads:
        next(threads.map(lambda i: i, range(100)))
    assert threading.active_count() == before


def test_there_is_a_processor() -> None:
    assert available_cpus() >= 1
