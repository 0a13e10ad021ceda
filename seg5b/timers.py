"""Where the time of a state goes: seconds by lane, added up over all threads that work in it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

Item = TypeVar("Item")


class Timers:
    """Seconds by lane, such as ``encode``. Threads may enter a lane side by side; each adds its own seconds, so a lane
    may take longer than the state did. A lane is entered per row group or block, never per row. What no lane names is in
    none of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def lane(self, name: str) -> Iterator[None]:
        """Add what happens inside, waiting included, to a lane, even if it fails. Also a decorator: ``lane(name)(work)``
        is ``work``, timed at every call."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add({name: time.perf_counter() - start})

    def each(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items; what it takes to get each of them is added to a lane."""
        source = iter(items)
        while True:
            with self.lane(name):
                try:
                    item = next(source)
                except StopIteration:
                    return
            yield item

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add seconds by lane that were measured elsewhere, such as in another process."""
        with self._lock:
            for name, more in seconds.items():
                self._seconds[name] = self._seconds.get(name, 0.0) + more

    def seconds(self) -> dict[str, float]:
        """Seconds by lane so far, in the order in which lanes were first left."""
        with self._lock:
            return dict(self._seconds)
