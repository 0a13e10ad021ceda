"""When arrivals are due, by a clock that the test holds."""

from __future__ import annotations

import numpy as np

from seg5b.stream.pacing import Pace

SECONDS = np.arange(0, 1000, dtype=np.int64) * 1_000_000
"""One arrival a second."""


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_the_world_runs_faster_by_a_factor() -> None:
    clock = Clock()
    pace = Pace(10.0, None, clock)
    assert pace.due(SECONDS, 100) == (1, 0.0)  # the first is due when it is there
    assert pace.due(SECONDS[1:], 100) == (0, 0.1)
    clock.now += 1.05
    assert pace.due(SECONDS[1:], 100)[0] == 10
    assert pace.lag_s(int(SECONDS[10])) is not None and abs((pace.lag_s(int(SECONDS[10])) or 0) - 0.05) < 1e-9


def test_who_is_late_catches_up() -> None:
    clock = Clock()
    pace = Pace(1.0, None, clock)
    pace.due(SECONDS, 1)
    clock.now += 30.0
    assert pace.due(SECONDS[1:], 100)[0] == 30
    assert pace.due(SECONDS[31:], 100) == (0, 1.0)


def test_a_rate_is_not_exceeded() -> None:
    clock = Clock()
    pace = Pace(None, 20.0, clock)
    sent = 0
    for _ in range(100):
        count, wait = pace.due(SECONDS[sent:], 7)
        assert count <= 7 and (count or wait > 0)
        sent += count
        assert sent <= 1 + 20.0 * (clock.now - 50.0)
        clock.now += max(wait, 0.01)
    assert sent >= 20.0 * (clock.now - 50.0) - 8


def test_without_a_schedule_nothing_waits_and_nothing_is_late() -> None:
    pace = Pace(None, None, Clock())
    assert pace.due(SECONDS, 300) == (300, 0.0)
    assert pace.due(SECONDS[300:], 10_000) == (700, 0.0)
    assert pace.lag_s(0) is None
