"""UTC offsets and wall clocks at the edges of changes, against the plain reading of the law."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seg5b_kernels.clocks import Clocks, local_hour, offset_minutes

from seg5b.expansion.columns import wall_clock

CHANGE = 1_774_746_000  # 2026-03-29T01:00:00Z, Europe/London
CLOCKS = Clocks(
    np.array([0, 1, 3, 7]),
    np.array([-(2**63), -(2**63), CHANGE, -100, -1, 0, 50]),
    np.array([330, 0, 60, 10, 20, 30, 40], np.int32),
)


@pytest.mark.parametrize(
    ("zone", "ts_us", "minutes"),
    [
        (0, CHANGE * 1_000_000, 330),
        (1, CHANGE * 1_000_000 - 1, 0),
        (1, CHANGE * 1_000_000, 60),
        (1, CHANGE * 1_000_000 + 1, 60),
        (1, -1, 0),
        # Before 1970 seconds are floored, not cut: -0.5 s lies in second -1.
        (2, -1_000_001, 10),
        (2, -1_000_000, 20),
        (2, -1, 20),
        (2, 0, 30),
        (2, 49_999_999, 30),
        (2, 50_000_000, 40),
        # Before a zone's first change its first offset holds.
        (2, -(10**15), 10),
        (2, 2**62, 40),
    ],
)
def test_a_change_holds_from_its_second_on(zone: int, ts_us: int, minutes: int) -> None:
    assert offset_minutes(CLOCKS, np.int16(zone), np.int64(ts_us)) == minutes


@pytest.mark.parametrize(
    ("zone", "ts_us", "hour"),
    [
        (0, CHANGE * 1_000_000, 6),  # 01:00 UTC is 06:30 under an offset of half an hour
        (0, (CHANGE + 1800) * 1_000_000 - 1, 6),
        (0, (CHANGE + 1800) * 1_000_000, 7),
        (1, CHANGE * 1_000_000 - 1, 0),
        (1, CHANGE * 1_000_000, 2),  # the hour from 1 to 2 does not occur
        (1, (CHANGE - 3600) * 1_000_000 - 1, 23),
        (2, -1, 0),
        (2, -1_500_000_000, 23),
    ],
)
def test_the_local_hour_is_that_of_the_wall_clock(zone: int, ts_us: int, hour: int) -> None:
    assert local_hour(CLOCKS, np.int16(zone), np.int64(ts_us)) == hour


@settings(deadline=None)
@given(
    changes=st.lists(st.integers(-1000, 1000), min_size=1, max_size=8, unique=True),
    ts_us=st.integers(-1_100_000_000, 1_100_000_000),
)
def test_offsets_equal_a_bisection(changes: list[int], ts_us: int) -> None:
    second = sorted(changes)
    clocks = Clocks(np.array([0, len(second)]), np.array(second), np.arange(len(second), dtype=np.int32))
    expected = max(bisect_right(second, ts_us // 1_000_000) - 1, 0)
    assert offset_minutes(clocks, np.int16(0), np.int64(ts_us)) == expected


@pytest.mark.parametrize("minutes", [-720, -570, 0, 345, 840])
def test_wall_clocks_are_utc_plus_the_offset(minutes: int) -> None:
    ts_us = 1_774_746_000_123_456
    found = wall_clock(np.array([ts_us]), np.array([minutes], np.int16))
    assert found.dtype == np.int64 and found.tolist() == [ts_us + minutes * 60_000_000]
