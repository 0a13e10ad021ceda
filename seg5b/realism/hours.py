"""T17: do people pay at the hours and on the days at which the public does? (docs/laws#T17)

By demand class: payments of the night, the busiest hour, weekends; and holidays against ordinary days of their weekday, in the
countries whose holidays they are. Clocks are those of sites, and of edges for virtual arrivals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from seg5b.query import literal
from seg5b.realism import public_bands as public
from seg5b.realism.profile import LOCAL_HOURS
from seg5b.realism.public_bands import PublicBand
from seg5b.realism.readings import LEAST_UNITS, Reading, finding, ratio_of_sums, shortage, unstressed
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import Finding
from seg5b.world.spec.holidays import holidays

_DAY_US = 86_400_000_000
_DAY_MIN = 1_440
_NIGHT_ENDS_H = 6
_EPOCH = date(1970, 1, 1)
_CHRISTMAS_WEEKS = (1218, 106)
"""From 18 December to 6 January, as month and day: no ordinary days."""


@dataclass(frozen=True, slots=True)
class Days:
    """Arrivals of whole local days: ``arrivals`` float64 [zones, days], not a number where the horizon has not the whole day;
    ``country`` of each zone; ``first`` day."""

    arrivals: np.ndarray
    country: Sequence[str]
    first: date


def share_readings(
    kind: str,
    of_class: Mapping[str, tuple[np.ndarray, np.ndarray]],
    bands: Mapping[str, PublicBand],
    least: int,
    factor: float = 1.0,
) -> list[Reading]:
    """A share of each class with a band, times a ``factor``, from parts and wholes of its merchants, float64 [merchants]
    each."""
    readings = []
    for name, (parts, wholes) in sorted(of_class.items()):
        if name not in bands:
            continue
        share, error = ratio_of_sums(parts, wholes)
        few = shortage(("arrivals", wholes.sum(), least), ("merchants", int((wholes > 0).sum()), LEAST_UNITS))
        band, size = bands[name].ends, f"{wholes.sum():,.0f} arrivals"
        readings.append(Reading(f"{kind}, {name}", factor * share, factor * error, (band, band), size, few))
    return readings


def weekend_reading(name: str, by_merchant: np.ndarray, by_week: np.ndarray, band: PublicBand) -> Reading:
    """The share of some days of whole weeks, from parts and wholes float64 [2, merchants] and [2, weeks]; the larger of both
    standard errors, as neither merchants nor days are all that varies."""
    share, error = ratio_of_sums(*by_merchant)
    error = max(error, ratio_of_sums(*by_week)[1])
    weeks, arrivals, merchants = int((by_week[1] > 0).sum()), by_merchant[1].sum(), int((by_merchant[1] > 0).sum())
    wanted = (
        ("arrivals", arrivals, public.LEAST_FOR_WEEKEND),
        ("weeks", weeks, public.LEAST_WEEKS),
        ("merchants", merchants, LEAST_UNITS),
    )
    return Reading(
        name, share, error, (band.ends, band.ends), f"{arrivals:,.0f} arrivals, {weeks} weeks", shortage(*wanted)
    )


def day_reading(name: str, days: Days, special: Callable[[str, int], Iterable[date]], band: PublicBand) -> Reading:
    """Arrivals on ``special`` days (by country and year) over what ordinary days of the same weekday have in the same zone.

    Ordinary is what is no holiday of the country, nor from 18 December to 6 January. An ordinary day scatters about the mean of
    its weekday, and so does what a special day would have had: that is the standard error.
    """
    dates = [days.first + timedelta(days=day) for day in range(days.arrivals.shape[1])]
    weekday = np.array([day.weekday() for day in dates])
    near = _around_christmas(dates)
    seen = expected = variance = 0.0
    least_ordinary = len(dates)
    for own, country in zip(days.arrivals, days.country, strict=True):
        wanted = _among(dates, country, special) & np.isfinite(own)
        ordinary = np.isfinite(own) & ~_among(dates, country, holidays) & ~near
        means = _means(own[ordinary], weekday[ordinary])
        if not wanted.any() or not means.any():
            continue
        least_ordinary = min(least_ordinary, int(ordinary.sum()))
        gaps = own[ordinary] - means[weekday[ordinary]]
        relative = (gaps**2).sum() / max(ordinary.sum() - 7, 1) / means.mean() ** 2
        hoped = means[weekday[wanted]]
        seen += float(own[wanted].sum())
        expected += float(hoped.sum())
        variance += float((hoped**2).sum() * relative)
    few = shortage(
        ("arrivals expected on such days", expected, public.LEAST_EXPECTED_ON_DAY),
        ("ordinary days", least_ordinary if expected else 0, public.LEAST_ORDINARY_DAYS),
    )
    safe = expected or 1.0
    return Reading(
        name, seen / safe, math.sqrt(variance) / safe, (band.ends, band.ends), f"{expected:,.0f} expected", few
    )


def _means(arrivals: np.ndarray, weekday: np.ndarray) -> np.ndarray:
    """Mean of each weekday, float64 [7]; 0 for one that is not there."""
    return np.asarray(np.bincount(weekday, arrivals, 7) / np.maximum(np.bincount(weekday, minlength=7), 1))


def _among(dates: Sequence[date], country: str, chosen: Callable[[str, int], Iterable[date]]) -> np.ndarray:
    """Which dates are chosen for a country, bool [days]."""
    found = {day for year in {day.year for day in dates} for day in chosen(country, year)}
    return np.array([day in found for day in dates], bool)


def _around_christmas(dates: Sequence[date]) -> np.ndarray:
    since, until = _CHRISTMAS_WEEKS
    numbers = np.array([100 * day.month + day.day for day in dates])
    return np.asarray((numbers >= since) | (numbers <= until))


def _fixed(month: int, *days: int, holiday: tuple[int, int]) -> Callable[[str, int], Iterable[date]]:
    """Days of a month, in the countries in which ``holiday`` (month and day) is one."""

    def chosen(country: str, year: int) -> Iterable[date]:
        free = date(year, *holiday) in holidays(country, year)
        return [date(year, month, day) for day in days] if free else []

    return chosen


def _others(country: str, year: int) -> Iterable[date]:
    """Holidays but for those of `_CHRISTMAS_WEEKS`."""
    free = holidays(country, year)
    return [day for day, near in zip(free, _around_christmas(free), strict=True) if not near]


_CHRISTMAS_DAY = (12, 25)
SPECIAL = (
    ("25 December, physical", "physical", _fixed(12, 25, holiday=_CHRISTMAS_DAY), public.CHRISTMAS),
    ("25 December, online", "online", _fixed(12, 25, holiday=_CHRISTMAS_DAY), public.CHRISTMAS_ONLINE),
    ("23 and 24 December, groceries", "groceries", _fixed(12, 23, 24, holiday=_CHRISTMAS_DAY), public.BEFORE_CHRISTMAS),
    ("1 January, physical", "physical", _fixed(1, 1, holiday=(1, 1)), public.NEW_YEAR),
    ("other public holidays, physical", "physical", _others, public.HOLIDAY),
)
"""Name, kind of arrivals, days and band of each kind of special day."""


def hours(subject: Subject) -> Finding:
    """T17 of a scenario: readings, and as fact ``by_hour`` the arrivals of each class by local hour of the day."""
    by_hour = _attach_hours(subject)
    night, peak = _of_merchants(subject)
    readings = [
        *share_readings("night (0-6 h)", night, public.NIGHT_SHARE, public.LEAST_FOR_NIGHT),
        *share_readings("busiest over mean hour", peak, public.PEAK_TO_MEAN, public.LEAST_FOR_PEAK, 24.0),
        *_weekends(subject),
    ]
    days = _days(subject)
    readings += [day_reading(name, days[kind], special, band) for name, kind, special, band in SPECIAL if kind in days]
    rows = sum(map(sum, by_hour.values()))
    return finding(unstressed(subject, readings), rows, {"by_hour": by_hour})


def _attach_hours(subject: Subject) -> dict[str, list[int]]:
    """``class_hours``: arrivals by class, merchant and local hour; returned by class and hour."""
    subject.run(
        f"""CREATE OR REPLACE TABLE class_hours AS
            SELECT demand_class, merchant_id, hour, sum(arrivals)::BIGINT AS arrivals
            FROM ({LOCAL_HOURS}) JOIN grouping USING (merchant_id, zone_representation, channel_group)
            WHERE hour IS NOT NULL GROUP BY ALL"""
    )
    found: dict[str, list[int]] = {}
    for name, hour, arrivals in subject.rows(
        "SELECT demand_class, hour, sum(arrivals)::BIGINT FROM class_hours GROUP BY ALL ORDER BY ALL"
    ):
        found.setdefault(name, [0] * 24)[hour] = arrivals
    return found


def _of_merchants(subject: Subject) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], ...]:
    """Arrivals of the night, and of the class's busiest hour, beside all, by class and merchant."""
    columns = subject.arrays(
        f"""WITH profile AS (SELECT demand_class, hour, sum(arrivals) AS arrivals FROM class_hours GROUP BY ALL),
                 busiest AS (SELECT demand_class, arg_max(hour, (arrivals, -hour)) AS peak FROM profile GROUP BY ALL)
            SELECT demand_class, coalesce(sum(arrivals) FILTER (hour < {_NIGHT_ENDS_H}), 0)::DOUBLE AS night,
                   coalesce(sum(arrivals) FILTER (hour = peak), 0)::DOUBLE AS peak, sum(arrivals)::DOUBLE AS arrivals
            FROM class_hours JOIN busiest USING (demand_class) GROUP BY demand_class, merchant_id ORDER BY ALL"""
    )
    names = np.array([str(name) for name in columns["demand_class"]])
    return tuple(
        {
            str(name): (np.asarray(columns[part][names == name]), np.asarray(columns["arrivals"][names == name]))
            for name in np.unique(names)
        }
        for part in ("night", "peak")
    )


def _weekends(subject: Subject) -> list[Reading]:
    """Shares of weekends by class in whole weeks from the start of the horizon; of shops by whether they open on Sundays."""
    bucket_us, buckets = int(subject.constants["bucket_us"] or 0), int(subject.constants["buckets"] or 0)
    week = 7 * _DAY_US // bucket_us
    _attach_countries(subject)
    subject.run(
        f"""CREATE OR REPLACE TABLE class_days AS
            SELECT demand_class, merchant_id, bucket_index // {week} AS week,
                   demand_class IN ({_listed(public.SHOPS)}) AND NOT coalesce(is_virtual, FALSE)
                   AND coalesce(country IN ({_listed(public.SHUT_ON_SUNDAYS)}), FALSE) AS shut,
                   (($start_us + bucket_index * $bucket_us + offset_min * 60000000) // {_DAY_US} + 3) % 7 AS weekday,
                   sum(arrivals)::DOUBLE AS arrivals
            FROM cells JOIN grouping USING (merchant_id, zone_representation, channel_group)
                 LEFT JOIN zone_countries ON tzid = tzid_primary
            WHERE bucket_index < {buckets // week * week} GROUP BY ALL"""
    )
    readings = [
        weekend_reading(
            f"weekend, {name}", *_parts(subject, f"demand_class = {literal(name)} AND NOT shut", "weekday >= 5"), band
        )
        for name, band in sorted(public.WEEKEND_SHARE.items())
    ]
    sundays = _parts(subject, "shut", "weekday = 6")
    name, band = "Sunday, shops where they are shut", public.SUNDAY_SHARE_WHERE_SHUT
    return [each for each in [*readings, weekend_reading(name, *sundays, band)] if each.size[0] != "0"]


def _parts(subject: Subject, where: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Part and whole by merchant and by week, float64 [2, units] each."""
    found = []
    for unit in ("merchant_id", "week"):
        columns = subject.arrays(
            f"""SELECT coalesce(sum(arrivals) FILTER ({part}), 0)::DOUBLE AS part, sum(arrivals)::DOUBLE AS whole
                FROM class_days WHERE {where} GROUP BY {unit} ORDER BY {unit}"""
        )
        found.append(np.stack([np.asarray(columns["part"], np.float64), np.asarray(columns["whole"], np.float64)]))
    return found[0], found[1]


def _attach_countries(subject: Subject) -> None:
    """``zone_countries``: the country with most sites of each zone, else with most edges."""
    subject.run(
        """CREATE OR REPLACE TABLE zone_countries AS
           SELECT tzid, arg_max(country, (places, country)) AS country
           FROM (SELECT tzid, country, count(*) * 1000000 AS places FROM sites GROUP BY ALL
                 UNION ALL SELECT tzid, country, count(*) FROM edges GROUP BY ALL)
           WHERE tzid IS NOT NULL GROUP BY tzid"""
    )


def _days(subject: Subject) -> dict[str, Days]:
    """Arrivals of whole local days by zone: ``physical`` ones of all classes but the online, ``groceries`` among them, and
    those of ``online`` classes wherever they land."""
    online, groceries = (f"demand_class IN ({_listed(names)})" for names in (public.ONLINE, public.GROCERIES))
    columns = subject.arrays(
        f"""WITH clock AS (
                SELECT tzid, unnest(range($buckets)) AS bucket_index FROM (SELECT DISTINCT tzid_primary AS tzid FROM cells)),
            whole AS (
                SELECT c.tzid,
                       (($start_us + bucket_index * $bucket_us) // 60000000 + offset_min) // {_DAY_MIN} AS day
                FROM clock c JOIN cache_steps s ON s.tzid = c.tzid AND $start_us + bucket_index * $bucket_us >= from_us
                     AND $start_us + bucket_index * $bucket_us < to_us
                GROUP BY ALL HAVING count(*) * $bucket_us >= {_DAY_US - 3_600_000_000}),
            seen AS (
                SELECT tzid_primary AS tzid,
                       (($start_us + bucket_index * $bucket_us) // 60000000 + offset_min) // {_DAY_MIN} AS day,
                       coalesce(sum(arrivals) FILTER (NOT {online} AND NOT is_virtual), 0)::DOUBLE AS physical,
                       coalesce(sum(arrivals) FILTER ({groceries} AND NOT is_virtual), 0)::DOUBLE AS groceries,
                       coalesce(sum(arrivals) FILTER ({online}), 0)::DOUBLE AS online
                FROM cells JOIN grouping USING (merchant_id, zone_representation, channel_group) GROUP BY ALL)
            SELECT w.tzid, country, w.day, coalesce(physical, 0) AS physical, coalesce(groceries, 0) AS groceries,
                   coalesce(online, 0) AS online
            FROM whole w JOIN zone_countries z ON z.tzid = w.tzid LEFT JOIN seen s ON s.tzid = w.tzid AND s.day = w.day
            ORDER BY w.tzid, w.day"""
    )
    if not len(columns["day"]):
        return {}
    zones, place = np.unique([str(zone) for zone in columns["tzid"]], return_inverse=True)
    first = int(columns["day"].min())
    day = columns["day"] - first
    country = [""] * len(zones)
    for at, name in zip(place, columns["country"], strict=True):
        country[at] = str(name)
    found = {}
    for kind in ("physical", "groceries", "online"):
        arrivals = np.full((len(zones), int(day.max()) + 1), np.nan)
        arrivals[place, day] = columns[kind]
        found[kind] = Days(arrivals, country, _EPOCH + timedelta(days=first))
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(literal, names))
