"""The coin of hybrid merchants: how likely an arrival is virtual. Law L7.routing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.clocks import HOURS, local_hour
from seg5b_kernels.targets import scalar


class Coins(NamedTuple):
    """Coins of the channels: ``p_virtual`` float64 [channels * 24], the probability that an arrival of a hybrid merchant is
    virtual, by channel and then by the hour of the day in the zone of its series. ``by_hour``: 0 where the 24 of each channel
    are one number, so that no clock need be looked at."""

    by_hour: int
    p_virtual: Any


@scalar
def p_virtual(coins, clocks, channel, zone, ts_us):
    """Probability that an arrival of a hybrid merchant at ``ts_us`` (UTC epoch microseconds) is virtual, its series being of
    index ``channel`` and tz index ``zone`` of ``clocks``. No draws."""
    at = np.int64(channel) * HOURS
    if coins.by_hour != 0:
        at += local_hour(clocks, zone, ts_us)
    return coins.p_virtual[np.uint64(at)]
