"""When arrivals come: by local hour, weekday, demand class and day, beside what S2 expected (figures 07, 08, 13,
14)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg5b.page.facts.scene import DAY_US, Row, Scene


@dataclass(frozen=True, slots=True)
class HourProfile:
    """One demand class and kind of series: promised intensity (millionths) and arrivals by local hour, [24] each."""

    demand_class: str
    virtual_series: bool
    promised: np.ndarray
    seen: np.ndarray

    @property
    def gap_pp(self) -> float:
        """Mean over 24 hours of the absolute gap between the two shares, in percentage points."""
        return float(np.abs(shares(self.promised) - shares(self.seen)).mean() * 100)


@dataclass(frozen=True, slots=True)
class Hours:
    """``physical`` and ``virtual``: arrivals by local hour of the primary clock, int64 [24]. ``weekend``: (label, part,
    whole) of the share on Saturday and Sunday. ``daily_promised`` (millionths) and ``daily_seen`` by UTC day."""

    physical: np.ndarray
    virtual: np.ndarray
    weekend: tuple[tuple[str, int, int], ...]
    profiles: tuple[HourProfile, ...]
    daily_promised: np.ndarray
    daily_seen: np.ndarray


def shares(parts: np.ndarray) -> np.ndarray:
    """Parts of their sum; zeros when there is nothing."""
    whole = float(parts.sum())
    return parts.astype(np.float64) / whole if whole else np.zeros(parts.shape)


def measure_hours(scene: Scene) -> Hours:
    """Local hours, weekends, profiles and days of a scenario, from the tables of `open_scene`."""
    days = scene.rows("SELECT at_us // $day_us, sum(arrivals)::BIGINT FROM clock GROUP BY ALL ORDER BY ALL")
    promised = scene.rows("SELECT at_us // $day_us, sum(micro)::BIGINT FROM promise GROUP BY ALL ORDER BY ALL")
    first = scene.start_us // DAY_US
    return Hours(
        physical=_by_hour(scene, "NOT is_virtual"),
        virtual=_by_hour(scene, "is_virtual"),
        weekend=_weekend(scene),
        profiles=_profiles(scene),
        daily_promised=_placed(promised, first, scene.days),
        daily_seen=_placed(days, first, scene.days),
    )


def _placed(rows: list[Row], first: int, size: int) -> np.ndarray:
    """(position, value) rows as an array, positions counted from ``first``; others are left out."""
    filled = np.zeros(size, np.int64)
    for place, value in rows:
        if 0 <= int(place) - first < size:
            filled[int(place) - first] = value
    return filled


def _by_hour(scene: Scene, route: str) -> np.ndarray:
    rows = scene.rows(
        f"""SELECT (at_us + gap_us) // $hour_us % 24, sum(arrivals)::BIGINT FROM clock WHERE {route}
            GROUP BY ALL ORDER BY ALL"""
    )
    return _placed(rows, 0, 24)


_DAY_OFF = "({at} // $day_us + 3) % 7 >= 5"  # 1970-01-01 was a Thursday


def _weekend(scene: Scene) -> tuple[tuple[str, int, int], ...]:
    seen, promised = _DAY_OFF.format(at="(at_us + gap_us)"), _DAY_OFF.format(at="(at_us + true_us)")
    part, whole = scene.rows(f"SELECT sum(micro) FILTER ({promised})::BIGINT, sum(micro)::BIGINT FROM promise")[0]
    found = [("expected by S2", int(part or 0), int(whole or 0))]
    for label, route in (("all arrivals", "TRUE"), ("physical", "NOT is_virtual"), ("virtual", "is_virtual")):
        part, whole = scene.rows(
            f"SELECT sum(arrivals) FILTER ({seen})::BIGINT, sum(arrivals)::BIGINT FROM clock WHERE {route}"
        )[0]
        found.append((label, int(part or 0), int(whole or 0)))
    return tuple(found)


# A bucket counts for the local hour in which it begins: the zone of the series for promises and virtual arrivals, the
# written wall clock for physical ones.
_PROMISED = """
    SELECT demand_class, virtual_series, (at_us + true_us) // $hour_us % 24 AS hour, sum(micro)::BIGINT AS amount
    FROM promise GROUP BY ALL ORDER BY ALL"""
_SEEN = """
    SELECT demand_class, virtual_series, (at_us + shift_us) // $hour_us % 24 AS hour, sum(arrivals)::BIGINT AS amount
    FROM (SELECT demand_class, virtual_series, at_us, arrivals,
                 CASE WHEN is_virtual THEN coalesce(offset_min, 0)::BIGINT * 60000000 ELSE gap_us END AS shift_us
          FROM (SELECT tzid, demand_class, virtual_series, is_virtual, gap_us,
                       $start_us + bucket::BIGINT * $bucket_us AS at_us, sum(arrivals)::BIGINT AS arrivals
                FROM cells JOIN series USING (k) GROUP BY ALL) AS c
          LEFT JOIN steps AS s ON s.tzid = c.tzid AND at_us >= from_us AND at_us < to_us)
    GROUP BY ALL ORDER BY ALL"""
_PROMISED_COMPARED = """
    SELECT demand_class, virtual_series, (at_us + coalesce(offset_min, 0)::BIGINT * 60000000) // $hour_us % 24 AS hour,
           sum(micro)::BIGINT AS amount
    FROM (SELECT tzid, demand_class, virtual_series, $start_us + bucket::BIGINT * $bucket_us AS at_us,
                 sum(CAST(lam * 1e6 AS BIGINT)) AS micro
          FROM active JOIN series USING (k) WHERE compared GROUP BY ALL) AS p
    LEFT JOIN steps AS s ON s.tzid = p.tzid AND at_us >= from_us AND at_us < to_us
    GROUP BY ALL ORDER BY ALL"""


def _profiles(scene: Scene) -> tuple[HourProfile, ...]:
    """Every class and kind of series that was promised anything, largest first."""
    held: dict[tuple[str, bool], tuple[np.ndarray, np.ndarray]] = {}
    for place, query in enumerate((_PROMISED if scene.thinning == 1 else _PROMISED_COMPARED, _SEEN)):
        for demand_class, virtual_series, hour, amount in scene.rows(query):
            key = (str(demand_class), bool(virtual_series))
            held.setdefault(key, (np.zeros(24, np.int64), np.zeros(24, np.int64)))[place][hour] = amount
    ordered = sorted(held.items(), key=lambda item: (-int(item[1][0].sum()), item[0]))
    return tuple(HourProfile(*key, promised, seen) for key, (promised, seen) in ordered)
