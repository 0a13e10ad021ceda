"""Results come in order whichever is ready first, few are under way at once, and a failure ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from seg5b.parallel import in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    def slower_first(item: int) -> int:
        time.sleep(0.01 * (3 - item % 4))
        return item * item

    assert list(in_order(range(12), slower_first, threads)) == [(item, item * item) for item in range(12)]
    assert list(in_order([], slower_first, threads)) == []


def test_no_more_are_taken_than_can_be_under_way() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    for item, _ in in_order(items(), lambda item: item, 2):
        assert len(taken) <= item + 3


def test_work_runs_side_by_side() -> None:
    both = threading.Barrier(2, timeout=30)
    assert [result for _, result in in_order("ab", lambda item: both.wait() >= 0, 2)] == [True, True]


def test_a_failure_is_raised_and_ends_the_rest() -> None:
    done: list[int] = []

    def work(item: int) -> int:
        if item == 3:
            raise KeyError(item)
        done.append(item)
        return item

    seen = []
    with pytest.raises(KeyError):
        for item, _ in in_order(range(100), work, 2):
            seen.append(item)
    assert seen == [0, 1, 2] and max(done) < 10


def test_what_the_items_raise_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(in_order(items(), lambda item: item, 3))
