"""Where the time of a state goes: seconds by lane, added up over all threads that work in it; and ranges that NVIDIA's
profilers show."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from threading import Lock
from typing import Any, TypeVar

Item = TypeVar("Item")


def profiled(name: str) -> AbstractContextManager[Any]:
    """What happens inside, as a range of domain ``seg5b`` in Nsight Systems and its like; nothing where the package nvtx,
    which cudf brings along, is not installed."""
    annotate = _annotate()
    return nullcontext() if annotate is None else annotate(name, domain="seg5b")


@cache
def _annotate() -> Any:
    try:
        return importlib.import_module("nvtx").annotate
    except (ImportError, OSError, AttributeError):  # not installed, or not as it should be: nobody's run depends on it
        return None


class Timers:
    """Seconds by lane, such as ``encode``. Threads may enter a lane side by side; each adds its own seconds, so a lane
    may take longer than the state did. A lane is entered per row group or block, never per row. What no lane names is in
    none of them. Each time in a lane is a range of profilers, too. ``first_failure``: the lane that an error left first, if one
    did."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seconds: dict[str, float] = {}
        self.first_failure: str | None = None

    @contextmanager
    def lane(self, name: str) -> Iterator[None]:
        """Add what happens inside, waiting included, to a lane, even if it fails. Also a decorator: ``lane(name)(work)``
        is ``work``, timed at every call."""
        start = time.perf_counter()
        try:
            with profiled(name):
                yield
        except BaseException:
            self.first_failure = self.first_failure or name
            raise
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
