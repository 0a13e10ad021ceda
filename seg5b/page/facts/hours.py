"""When arrivals come: by local hour, weekday, demand class and day, beside what S2 expected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg5b.page.facts.scene import DAY_US, VARIANCE_MICRO, Row, Scene


@dataclass(frozen=True, slots=True)
class HourProfile:
    """One demand class and kind of series: promised intensity and its variance by S3's law (millionths), and arrivals by
    local hour, int64 [24] each."""

    demand_class: str
    virtual_series: bool
    promised: np.ndarray
    variance: np.ndarray
    seen: np.ndarray

    @property
    def gap_pp(self) -> float:
        """Mean over 24 hours of the absolute gap between the two shares, in percentage points."""
        return float(np.abs(shares(self.promised) - shares(self.seen)).mean() * 100)


@dataclass(frozen=True, slots=True)
class Hours:
    """``physical`` and ``virtual``: arrivals by local hour of the primary clock, int64 [24]. ``weekend``: (label, part,
    whole) of the share on Saturday and Sunday. ``daily_promised`` and ``daily_variance`` (millionths; the variance is that
    of S3's law) and ``daily_seen`` by UTC day."""

    physical: np.ndarray
    virtual: np.ndarray
    weekend: tuple[tuple[str, int, int], ...]
    profiles: tuple[HourProfile, ...]
    daily_promised: np.ndarray
    daily_variance: np.ndarray
    daily_seen: np.ndarray


def shares(parts: np.ndarray) -> np.ndarray:
    """Parts of their sum; zeros when there is nothing."""
    whole = float(parts.sum())
    return parts.astype(np.float64) / whole if whole else np.zeros(parts.shape)


def measure_hours(scene: Scene) -> Hours:
    """Local hours, weekends, profiles and days of a scenario, from the tables of `open_scene`."""
    days = scene.rows("SELECT at_us // $day_us, sum(arrivals)::BIGINT FROM clock GROUP BY ALL ORDER BY ALL")
    promised = scene.rows(
        """SELECT at_us // $day_us, sum(micro)::BIGINT, sum(variance_micro)::BIGINT FROM promise
           GROUP BY ALL ORDER BY ALL"""
    )
    first = scene.start_us // DAY_US
    return Hours(
        physical=_by_hour(scene, "NOT is_virtual"),
        virtual=_by_hour(scene, "is_virtual"),
        weekend=_weekend(scene),
        profiles=_profiles(scene),
        daily_promised=_placed([(day, micro) for day, micro, _ in promised], first, scene.days),
        daily_variance=_placed([(day, variance) for day, _, variance in promised], first, scene.days),
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
    SELECT demand_class, virtual_series, (at_us + true_us) // $hour_us % 24 AS hour, sum(micro)::BIGINT AS amount,
           sum(variance_micro)::BIGINT AS variance
    FROM promise GROUP BY ALL ORDER BY ALL"""
_SEEN = """
    SELECT demand_class, virtual_series, (at_us + shift_us) // $hour_us % 24 AS hour, sum(arrivals)::BIGINT AS amount,
           0 AS variance
    FROM (SELECT demand_class, virtual_series, at_us, arrivals,
                 CASE WHEN is_virtual THEN coalesce(offset_min, 0)::BIGINT * 60000000 ELSE gap_us END AS shift_us
          FROM (SELECT tzid, demand_class, virtual_series, is_virtual, gap_us,
                       $start_us + bucket::BIGINT * $bucket_us AS at_us, sum(arrivals)::BIGINT AS arrivals
                FROM cells JOIN series USING (k) GROUP BY ALL) AS c
          LEFT JOIN steps AS s ON s.tzid = c.tzid AND at_us >= from_us AND at_us < to_us)
    GROUP BY ALL ORDER BY ALL"""
_PROMISED_COMPARED = f"""
    SELECT demand_class, virtual_series, (at_us + coalesce(offset_min, 0)::BIGINT * 60000000) // $hour_us % 24 AS hour,
           sum(micro)::BIGINT AS amount, sum(variance_micro)::BIGINT AS variance
    FROM (SELECT tzid, demand_class, virtual_series, $start_us + bucket::BIGINT * $bucket_us AS at_us,
                 sum(CAST(lam * 1e6 AS BIGINT)) AS micro, sum({VARIANCE_MICRO}) AS variance_micro
          FROM active JOIN series USING (k) WHERE compared GROUP BY ALL) AS p
    LEFT JOIN steps AS s ON s.tzid = p.tzid AND at_us >= from_us AND at_us < to_us
    GROUP BY ALL ORDER BY ALL"""


def _profiles(scene: Scene) -> tuple[HourProfile, ...]:
    """Every class and kind of series that was promised anything, largest first."""
    held: dict[tuple[str, bool], np.ndarray] = {}  # promised, variance, seen
    for place, query in ((0, _PROMISED if scene.thinning == 1 else _PROMISED_COMPARED), (2, _SEEN)):
        for demand_class, virtual_series, hour, amount, variance in scene.rows(query):
            found = held.setdefault((str(demand_class), bool(virtual_series)), np.zeros((3, 24), np.int64))
            found[place, hour] = amount
            found[1, hour] += variance
    ordered = sorted(held.items(), key=lambda item: (-int(item[1][0].sum()), item[0]))
    return tuple(HourProfile(*key, *found) for key, found in ordered)
