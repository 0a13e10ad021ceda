"""Civil time: the wall clock of each arrival beside the time-zone database's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg5b.page.facts.scene import DAY_US, Scene
from seg5b.query import literal

HEAT_ZONES = 12


@dataclass(frozen=True, slots=True)
class ZoneDays:
    """One zone: arrivals and wrong wall clocks by UTC day of the horizon, int64 [days] each; ``changes``: days (from
    0, with fraction) at which its offset changes."""

    tzid: str
    arrivals: np.ndarray
    wrong: np.ndarray
    changes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """``errors``: arrivals by written minus true wall clock in seconds; ``unknown``: arrivals in zones that it does
    not know; ``hours`` int64 [24, 24]: arrivals by true and by written local hour; ``zones``: those of most interest,
    ``changing``: how many zones in use change offset within the horizon."""

    errors: tuple[tuple[float, int], ...]
    unknown: int
    hours: np.ndarray
    zones: tuple[ZoneDays, ...]
    changing: int

    @property
    def wrong(self) -> int:
        """Arrivals whose wall clock is off by half a second or more."""
        return sum(arrivals for error, arrivals in self.errors if abs(error) >= 0.5)


def measure_clocks(scene: Scene) -> ClockFacts:
    """Wall clocks of every arrival."""
    errors = scene.rows(
        "SELECT (gap_us - true_us) / 1e6, sum(arrivals)::BIGINT FROM clock WHERE known GROUP BY ALL ORDER BY ALL"
    )
    changing = scene.number(
        "SELECT count(DISTINCT tzid) FROM steps WHERE from_us > $start_us AND tzid IN (SELECT tzid FROM clock)"
    )
    return ClockFacts(
        errors=tuple(errors),
        unknown=scene.number("SELECT sum(arrivals) FROM clock WHERE NOT known"),
        hours=_hours(scene),
        zones=tuple(_zone(scene, str(tzid)) for (tzid,) in scene.rows(_OF_INTEREST)),
        changing=changing,
    )


def _hours(scene: Scene) -> np.ndarray:
    grid = np.zeros((24, 24), np.int64)
    found = scene.arrays(
        """SELECT (at_us + true_us) // $hour_us % 24 AS expected, (at_us + gap_us) // $hour_us % 24 AS seen,
                  sum(arrivals)::BIGINT AS arrivals FROM clock WHERE known GROUP BY ALL"""
    )
    np.add.at(grid, (found["expected"].astype(int), found["seen"].astype(int)), found["arrivals"].astype(np.int64))
    return grid


_OF_INTEREST = f"""
    SELECT tzid FROM clock
    GROUP BY tzid
    ORDER BY coalesce(sum(arrivals) FILTER (known AND abs(gap_us - true_us) >= 500000), 0) DESC,
             tzid IN (SELECT tzid FROM steps WHERE from_us > $start_us) DESC, sum(arrivals) DESC, tzid
    LIMIT {HEAT_ZONES}"""


def _zone(scene: Scene, tzid: str) -> ZoneDays:
    first = scene.start_us // DAY_US
    arrivals, wrong = np.zeros(scene.days, np.int64), np.zeros(scene.days, np.int64)
    for day, all_of_them, off in scene.rows(
        f"""SELECT at_us // $day_us, sum(arrivals)::BIGINT,
                   coalesce(sum(arrivals) FILTER (known AND abs(gap_us - true_us) >= 500000), 0)::BIGINT
            FROM clock WHERE tzid = {literal(tzid)} GROUP BY ALL ORDER BY ALL"""
    ):
        place = int(day) - first
        if 0 <= place < scene.days:
            arrivals[place], wrong[place] = all_of_them, off
    changes = scene.rows(f"SELECT from_us FROM steps WHERE tzid = {literal(tzid)} AND from_us > $start_us ORDER BY ALL")
    return ZoneDays(tzid, arrivals, wrong, tuple(at / DAY_US - first for (at,) in changes))
