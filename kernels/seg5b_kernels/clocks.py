"""Local time: offsets of zones, and hours of the day. Law L7.clocks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.targets import scalar

MICROSECONDS = 1_000_000
HOUR_S = 3600
HOURS = 24


class Clocks(NamedTuple):
    """``start`` int64 [Z + 1] into ``second`` int64 (UTC seconds of changes, ascending per zone; the first lies at or
    before the horizon) and ``offset_min`` int32."""

    start: Any
    second: Any
    offset_min: Any


@scalar
def offset_minutes(clocks, zone, ts_us):
    """UTC offset in minutes of tz index ``zone`` at ``ts_us``: the last change at or before floor(ts_us / 10^6).

    A horizon holds a handful of changes per zone, so walking beats bisecting.
    """
    second = ts_us // MICROSECONDS
    at = np.uint64(clocks.start[np.uint64(zone)])
    stop = np.uint64(clocks.start[np.uint64(zone + 1)])
    while at + np.uint64(1) < stop and clocks.second[at + np.uint64(1)] <= second:
        at += np.uint64(1)
    return clocks.offset_min[at]


@scalar
def local_hour(clocks, zone, ts_us):
    """Hour of the day, 0 to 23, that the clocks of tz index ``zone`` show at ``ts_us`` (UTC epoch microseconds)."""
    local = ts_us // MICROSECONDS + np.int64(offset_minutes(clocks, zone, ts_us)) * 60
    return local // HOUR_S % HOURS
