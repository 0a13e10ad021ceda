"""The coin of hybrid merchants: how likely an arrival is virtual. Law L7.routing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.clocks import HOURS, local_hour
from seg5b_kernels.targets import scalar


class Coins(NamedTuple):
    """What a hybrid merchant's coin follows.

    ``p_virtual`` float64 [channels * 24]: probability that an arrival is virtual, by channel and then by the hour of the day
    in the zone of its series. ``by_hour``: 0 where the 24 of each channel are one number, so that no clock need be looked at.
    ``channel`` int8, ``zone`` int16 tz index: of each series. ``clocks``: `seg5b_kernels.clocks.Clocks`.
    """

    by_hour: int
    p_virtual: Any
    channel: Any
    zone: Any
    clocks: Any


@scalar
def p_virtual(coins, series, ts_us):
    """Probability that an arrival of a hybrid merchant's ``series`` (uint64) at ``ts_us`` (UTC epoch microseconds) is virtual.
    No draws."""
    at = np.int64(coins.channel[series]) * HOURS
    if coins.by_hour != 0:
        at += local_hour(coins.clocks, coins.zone[series], ts_us)
    return coins.p_virtual[np.uint64(at)]
