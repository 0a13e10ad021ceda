"""When arrivals are due: the clock of the world, run faster by a factor, and a limit on rows a second."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

_MICROS = 1_000_000


class Pace:
    """The schedule, which begins when it is first asked. It is fixed: whoever falls behind it may catch up.

    ``speed``: seconds of the world in a second, None for no schedule. ``rate``: rows a second at most, None for no limit.
    ``clock``: seconds, as `time.monotonic`.
    """

    def __init__(self, speed: float | None, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed, self._rate, self._clock = speed, rate, clock
        self._began: float | None = None
        self._first_micros = 0
        self._released = 0

    def due(self, micros: np.ndarray, most: int) -> tuple[int, float]:
        """How many of the next rows may leave now, at most ``most``, and in how many seconds the next one may if none.
        ``micros`` int64 [n >= 1]: when they happen, ascending, microseconds since 1970."""
        now = self._clock()
        if self._began is None:
            self._began, self._first_micros = now, int(micros[0])
        elapsed = now - self._began
        count, waits = min(most, len(micros)), 0.0
        if self._speed is not None:
            reached = self._first_micros + int(elapsed * self._speed * _MICROS)
            count = min(count, int(np.searchsorted(micros, reached, side="right")))
            waits = (int(micros[0]) - reached) / (self._speed * _MICROS)
        if self._rate is not None:
            allowed = 1 + int(elapsed * self._rate) - self._released
            count = min(count, max(0, allowed))
            waits = max(waits, (self._released - elapsed * self._rate) / self._rate)
        self._released += count
        return count, max(waits, 0.0)

    def lag_s(self, micros: int) -> float | None:
        """Seconds by which the row that happened then is late, if it leaves now; None without a schedule."""
        if self._speed is None or self._began is None:
            return None
        due = self._began + (micros - self._first_micros) / (self._speed * _MICROS)
        return max(0.0, self._clock() - due)
