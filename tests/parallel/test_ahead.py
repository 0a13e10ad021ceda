"""Items that another thread takes before they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from seg5b.parallel import ahead


def counted(taken: list[int], stop: int) -> Iterator[int]:
    for number in range(stop):
        taken.append(number)
        yield number


def test_all_of_them_in_order_by_another_thread() -> None:
    here, threads = threading.get_ident(), set()

    def items() -> Iterator[int]:
        for number in range(50):
            threads.add(threading.get_ident())
            yield number

    assert list(ahead(items(), 3)) == list(range(50))
    assert len(threads) == 1 and here not in threads


def test_no_more_than_so_many_ahead() -> None:
    taken: list[int] = []
    items = ahead(counted(taken, 1000), 4)
    assert [next(items) for _ in range(10)] == list(range(10))
    items.close()
    assert len(taken) <= 10 + 4 + 1


def test_what_taking_raises_is_raised_where_it_is_due() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("gone")

    found = []
    with pytest.raises(OSError, match="gone"):
        for item in ahead(items(), 8):
            found.append(item)
    assert found == [1, 2]
