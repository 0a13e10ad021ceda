"""Through which channels arrivals come, and in which hour of the week of each channel and class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seg5b.page.facts.scene import Scene


@dataclass(frozen=True, slots=True)
class Mix:
    """``routes``: (channel group, virtual, arrivals) of the compared keys; ``week`` int64 [7, 24] of each channel group:
    arrivals by weekday (Monday first) and hour of the primary local clock at the beginning of their bucket; ``class_week`` the
    same of each demand class."""

    routes: tuple[tuple[str, bool, int], ...]
    week: Mapping[str, np.ndarray]
    class_week: Mapping[str, np.ndarray]


def measure_mix(scene: Scene) -> Mix:
    """Channels of a scenario, from the tables of `open_scene`."""
    routes = scene.rows(
        """SELECT channel_group, is_virtual, sum(arrivals)::BIGINT FROM cells JOIN series USING (k)
           GROUP BY ALL ORDER BY ALL"""
    )
    found = tuple((str(channel), bool(virtual), int(n)) for channel, virtual, n in routes)
    return Mix(found, _weeks(scene, "channel_group"), _weeks(scene, "demand_class"))


def _weeks(scene: Scene, column: str) -> dict[str, np.ndarray]:
    """Arrivals by hour of the week, int64 [7, 24], of each value of a column of ``series``."""
    week: dict[str, np.ndarray] = {}
    for value, weekday, hour, arrivals in scene.rows(
        f"""SELECT {column}, (at_us // $day_us + 3) % 7, at_us // $hour_us % 24, sum(arrivals)::BIGINT
           FROM (SELECT {column}, $start_us + bucket::BIGINT * $bucket_us + gap_us AS at_us, arrivals
                 FROM cells JOIN series USING (k))
           GROUP BY ALL ORDER BY ALL"""  # 1970-01-01 was a Thursday
    ):
        week.setdefault(str(value), np.zeros((7, 24), np.int64))[int(weekday), int(hour)] = arrivals
    return week
