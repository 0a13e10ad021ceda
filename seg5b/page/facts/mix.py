"""Through which channels arrivals come, and in which hour of the week of each channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seg5b.page.facts.scene import Scene


@dataclass(frozen=True, slots=True)
class Mix:
    """``routes``: (channel group, virtual, arrivals) of the compared keys; ``week`` int64 [7, 24] of each channel group:
    arrivals by weekday (Monday first) and hour of the primary local clock at the beginning of their bucket."""

    routes: tuple[tuple[str, bool, int], ...]
    week: Mapping[str, np.ndarray]


def measure_mix(scene: Scene) -> Mix:
    """Channels of a scenario, from the tables of `open_scene`."""
    routes = scene.rows(
        """SELECT channel_group, is_virtual, sum(arrivals)::BIGINT FROM cells JOIN series USING (k)
           GROUP BY ALL ORDER BY ALL"""
    )
    week: dict[str, np.ndarray] = {}
    for channel, weekday, hour, arrivals in scene.rows(
        """SELECT channel_group, (at_us // $day_us + 3) % 7, at_us // $hour_us % 24, sum(arrivals)::BIGINT
           FROM (SELECT channel_group, $start_us + bucket::BIGINT * $bucket_us + gap_us AS at_us, arrivals
                 FROM cells JOIN series USING (k))
           GROUP BY ALL ORDER BY ALL"""  # 1970-01-01 was a Thursday
    ):
        week.setdefault(str(channel), np.zeros((7, 24), np.int64))[int(weekday), int(hour)] = arrivals
    return Mix(tuple((str(channel), bool(virtual), int(n)) for channel, virtual, n in routes), week)
