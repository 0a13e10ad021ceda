"""How long work takes on a backend, and how fast the same clock sees memory being copied there."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from seg5b.backends.cuda import CupyArrays

Work = Callable[[], Any]


class Timed(NamedTuple):
    """``seconds`` of work; ``asked_s``: how long the host took to ask for it, which other work may hide. ``waited``: nothing
    can hide it, because the work waits for the device itself; then ``seconds`` hold the asking and the way back too."""

    seconds: float
    asked_s: float
    waited: bool = False


class Timer(Protocol):
    """A backend's clock."""

    def time(self, prepare: Callable[[], Work]) -> Timed:
        """Time the work that ``prepare`` makes ready; it may be asked for more than once."""

    def copy_bytes_per_s(self, repeats: int) -> float:
        """Bytes read plus bytes written per second by a copy of much memory, median of ``repeats``."""


class HostTimer:
    """The host's clock around the call; kernels and copies by one thread."""

    COPIED = 1 << 28  # bytes; far more than any cache holds

    def time(self, prepare: Callable[[], Work]) -> Timed:
        work = prepare()
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        return Timed(seconds, seconds)

    def copy_bytes_per_s(self, repeats: int) -> float:
        source = np.ones(self.COPIED, np.uint8)
        target = np.zeros_like(source)
        timed = [self.time(lambda: lambda: np.copyto(target, source)) for _ in range(repeats)]
        return 2 * self.COPIED / statistics.median(each.seconds for each in timed)


class DeviceTimer:
    """CUDA events on the backend's stream.

    A launch takes the host longer to ask for than a small kernel takes to run. So the device is first given copies to
    make, and the events stand behind them: when the first event comes due, the work is already queued. Work that waits for
    the device is never queued in time, however many copies there are: so there are `MOST_AHEAD` at most.
    """

    COPIED = 1 << 30  # bytes
    MOST_AHEAD = 64  # copies: 30 ms of a device that moves 4 TB/s, three times what asking for the largest kernel took

    def __init__(self, arrays: CupyArrays) -> None:
        self._arrays, self._cupy = arrays, arrays.functions
        with arrays.work():
            self._source = self._cupy.zeros(self.COPIED, np.uint8)
            self._target = self._cupy.empty(self.COPIED, np.uint8)
        self._copies_ahead = 4

    def time(self, prepare: Callable[[], Work]) -> Timed:
        while True:
            work = prepare()
            with self._arrays.work():
                before, start, stop = (self._cupy.cuda.Event() for _ in range(3))
                before.record()
                for _ in range(self._copies_ahead):
                    self._copy()
                start.record()
                asked = time.perf_counter()
                work()
                asked_s = time.perf_counter() - asked
                stop.record()
                stop.synchronize()
            hidden = asked_s < self._elapsed_s(before, start)
            if hidden or self._copies_ahead >= self.MOST_AHEAD:
                return Timed(self._elapsed_s(start, stop), asked_s, not hidden)
            self._copies_ahead *= 2  # the device ran out of copies before the work was queued

    def copy_bytes_per_s(self, repeats: int) -> float:
        timed = [self.time(lambda: self._copy) for _ in range(repeats)]
        return 2 * self.COPIED / statistics.median(each.seconds for each in timed)

    def _copy(self) -> None:
        self._target.data.copy_from_device_async(self._source.data, self.COPIED)

    def _elapsed_s(self, start: Any, stop: Any) -> float:
        return float(self._cupy.cuda.get_elapsed_time(start, stop)) / 1000
