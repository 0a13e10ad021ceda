"""Work on several threads whose results come in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Pool(ThreadPoolExecutor):
    """Threads that work in the context of whoever gave them their task: what it logs goes where their caller's goes."""

    def submit(self, function: Callable[..., Result], /, *args: Any, **named: Any) -> Future[Result]:
        """As the library's."""
        return super().submit(copy_context().run, function, *args, **named)


def all_threads() -> int:
    """As many threads as cores that this process may use."""
    return len(os.sched_getaffinity(0))


def in_order(
    items: Iterable[Item], work: Callable[[Item], Result], threads: int, *, label: str = "work"
) -> Iterator[tuple[Item, Result]]:
    """(item, ``work(item)``) for each item, in the order of ``items``, worked on by up to ``threads`` threads.

    Items are taken from ``items`` by the calling thread, at most ``threads`` + 1 ahead of the result that was handed
    out last, so memory is bounded. What ``work`` raises is raised here, as it was; items behind it are given up.
    """
    under_way: deque[tuple[Item, Future[Result]]] = deque()
    pool = Pool(threads, thread_name_prefix=f"seg5b-{label}")
    try:
        for item in items:
            under_way.append((item, pool.submit(work, item)))
            if len(under_way) > threads:
                first, result = under_way.popleft()
                yield first, result.result()
        while under_way:
            first, result = under_way.popleft()
            yield first, result.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
