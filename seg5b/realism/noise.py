"""T18: do days scatter as they do in shops, and together where places are the same? (docs/laws#T18)

Daily counts of sites, and of merchants in a zone, on whole local days. From each its own level (a moving mean of 57 days) and
its weekdays are removed; what is left is held against what shops show: much scatter of small sites, a floor of large ones,
some of it kept to the next day and shared within a place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from seg5b.realism import public_bands as public
from seg5b.realism.readings import LEAST_UNITS, Reading, finding, ratio_of_sums, shortage, unstressed
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import Finding

LEVEL_DAYS = 57
MOST_UNITS = 10_000
"""Sites, and series, that are looked at: those with the smallest ids, which are hashes."""
_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)
_LEFT_OUT = (1215, 105)
"""From 15 December to 5 January, as month and day."""
_BLOCKS = 8
_UNKNOWN = (math.nan, math.inf)


@dataclass(frozen=True, slots=True)
class Residuals:
    """What is left of daily counts: ``gaps`` float64 [units, days] and the ``fitted`` counts, both of the days that are kept;
    ``mean`` of each unit; ``inflation``: by how much removing took variance away."""

    gaps: np.ndarray
    fitted: np.ndarray
    mean: np.ndarray
    inflation: float

    @property
    def squared(self) -> np.ndarray:
        """CV^2 of each unit, float64 [units]: sum of gaps^2 over sum of fitted^2."""
        return np.asarray(self.inflation * (self.gaps**2).sum(axis=1) / np.maximum((self.fitted**2).sum(axis=1), 1e-12))

    @property
    def inverse(self) -> np.ndarray:
        """What b is multiplied by in each CV^2, float64 [units]: sum of fitted over sum of fitted^2."""
        return np.asarray(self.fitted.sum(axis=1) / np.maximum((self.fitted**2).sum(axis=1), 1e-12))

    def of(self, chosen: np.ndarray) -> Residuals:
        """Those of some units, bool [units]."""
        return Residuals(self.gaps[chosen], self.fitted[chosen], self.mean[chosen], self.inflation)


def residuals(counts: np.ndarray, first: date) -> Residuals:
    """Level and weekdays removed from float64 [units, days], the first day being ``first``.

    The level of a day is the mean of the 57 about it (fewer at the ends); a weekday's factor is its sum over that of its
    levels. Removing both leaves about 1 - 7 / days - 1 / 57 of the variance of independent days, which is put right. Days
    about Christmas are left out afterwards.
    """
    units, days = counts.shape
    window = np.ones(LEVEL_DAYS)
    covered = np.convolve(np.ones(days), window)[LEVEL_DAYS // 2 :][:days]
    sums = np.concatenate([np.zeros((units, 1)), np.cumsum(counts, axis=1)], axis=1)
    low, high = (np.clip(np.arange(days) + shift, 0, days) for shift in (-(LEVEL_DAYS // 2), LEVEL_DAYS // 2 + 1))
    level = (sums[:, high] - sums[:, low]) / covered
    dates = [first + timedelta(days=day) for day in range(days)]
    weekday = np.array([day.weekday() for day in dates])
    fitted = np.empty_like(level)
    for day in range(7):
        own = weekday == day
        base = level[:, own].sum(axis=1)
        factor = counts[:, own].sum(axis=1) / np.where(base > 0, base, 1.0)
        fitted[:, own] = level[:, own] * factor[:, None]
    numbers = np.array([100 * day.month + day.day for day in dates])
    kept = (numbers < _LEFT_OUT[0]) & (numbers > _LEFT_OUT[1])
    inflation = 1.0 / max(1.0 - 7.0 / max(days, 8) - 1.0 / LEVEL_DAYS, 0.1)
    return Residuals((counts - fitted)[:, kept], fitted[:, kept], counts.mean(axis=1), inflation)


def scatter_readings(sites: Residuals, series: Residuals) -> list[Reading]:
    """a and b of CV^2 = a + b / mean of sites, a of series, and the exponent of Taylor's law.

    b comes from small sites, less the a that large ones show (or the middle of what is public, where there are too few), a
    from large ones, less b. The units of the errors are sites and series.
    """
    days = sites.gaps.shape[1] if sites.mean.size else series.gaps.shape[1]
    small = sites.of((sites.mean >= public.SMALL_SITE[0]) & (sites.mean < public.SMALL_SITE[1]))
    large = sites.of(sites.mean >= public.LARGE_SITE)
    whole = series.of(series.mean >= public.BUSY_SITE)
    floor = (public.NOISE_FLOOR.low + public.NOISE_FLOOR.high) / 2
    slope, slope_error = ratio_of_sums(small.squared - floor, small.inverse)
    assumed = slope if math.isfinite(slope) else (public.NOISE_SLOPE.low + public.NOISE_SLOPE.high) / 2
    if large.mean.size >= public.LEAST_SITES:
        floor, _ = _mean(large, assumed)
        slope, slope_error = ratio_of_sums(small.squared - floor, small.inverse)
    bands = (public.NOISE_SLOPE, public.NOISE_FLOOR, public.NOISE_OF_SERIES)
    found = [
        _reading("b of sites of 5 to 200 a day", slope, slope_error, bands[0], small.mean.size, public.LEAST_SITES, days),
        _reading("a of sites of 1,000 a day", *_mean(large, assumed), bands[1], large.mean.size, public.LEAST_SITES, days),
        _reading("a of merchants in a zone, 200 a day", *_mean(whole, assumed), bands[2], whole.mean.size, LEAST_UNITS, days),
    ]  # fmt: skip
    return [*found, taylor_reading(sites.of(sites.mean >= public.BUSY_SITE), days)]


def taylor_reading(sites: Residuals, days: int) -> Reading:
    """The slope of the logarithm of the residual variance over that of the mean, by least squares over sites."""
    variance = sites.inflation * (sites.gaps**2).mean(axis=1)
    known = variance > 0
    decade = bool(known.any()) and float(sites.mean[known].max() / sites.mean[known].min()) >= 10.0
    slope, error = math.nan, math.inf
    if decade and known.sum() > 2:
        x, y = np.log(sites.mean[known]), np.log(variance[known])
        x, y = x - x.mean(), y - y.mean()
        slope = float((x * y).sum() / (x * x).sum())
        error = math.sqrt(float(((y - slope * x) ** 2).sum() / (known.sum() - 2) / (x * x).sum()))
    wide = "" if decade else "a decade between the smallest and the largest of them"
    found = _reading(
        "Taylor exponent of sites of 200 a day", slope, error, public.TAYLOR, sites.mean.size, public.LEAST_SITES, days
    )
    return replace(found, short=", ".join(filter(None, (found.short, wide))))


def memory_readings(sites: Residuals) -> list[Reading]:
    """Autocorrelation after one day and after seven, a mean over large sites; the error from blocks of days, which sites may
    have in common."""
    large, days = sites.of(sites.mean >= public.LARGE_SITE), sites.gaps.shape[1]
    relative = _standardised(large)
    found = []
    for name, lag, band in (("a day", 1, public.DAY_AFTER), ("seven days", 7, public.WEEK_AFTER)):
        value, error = (
            _over_blocks((relative[:, lag:] * relative[:, :-lag]).mean(axis=0)) if relative.size else _UNKNOWN
        )
        found.append(
            _reading(
                f"autocorrelation after {name}", value, error, band, large.mean.size, LEAST_UNITS, days,
                public.LEAST_DAYS_OF_MEMORY,
            )
        )  # fmt: skip
    return found


def place_reading(sites: Residuals, zone: np.ndarray) -> Reading:
    """Mean correlation of two sites of one zone less that of two zones (``zone`` int64 [units]), of busy sites; the error from
    blocks of days."""
    busy = sites.mean >= public.BUSY_SITE
    own, days = sites.of(busy), sites.gaps.shape[1]
    _, place, members = np.unique(zone[busy], return_inverse=True, return_counts=True)
    within, pairs = float((members * (members - 1)).sum()), own.mean.size * (own.mean.size - 1.0)
    value, error = _UNKNOWN
    if within > 0 and pairs > within:
        relative = _standardised(own)
        of_zone = np.zeros((members.size, days))
        np.add.at(of_zone, place, relative)
        alone, together = (relative**2).sum(axis=0), relative.sum(axis=0) ** 2
        same = (of_zone**2).sum(axis=0) - alone
        value, error = _over_blocks(same / within - (together - alone - same) / (pairs - within))
    found = _reading(
        "correlation within a zone above between zones", value, error, public.SAME_PLACE, own.mean.size,
        public.LEAST_SITES_OF_ZONES, days, public.LEAST_DAYS_OF_MEMORY,
    )  # fmt: skip
    few = shortage(("zones with two such sites", int((members > 1).sum()), 2))
    return replace(found, short=", ".join(filter(None, (found.short, few))))


def _standardised(units: Residuals) -> np.ndarray:
    """Relative residuals divided by their standard deviation, float64 [units, days]."""
    relative = units.gaps / np.maximum(units.fitted, 1e-12)
    return np.asarray(relative / np.maximum(relative.std(axis=1, keepdims=True), 1e-300))


def _over_blocks(by_day: np.ndarray) -> tuple[float, float]:
    """Mean over days float64 [days], and its error from the means of eight blocks of days."""
    blocks = np.array([block.mean() for block in np.array_split(by_day, _BLOCKS)])
    return float(by_day.mean()), float(blocks.std(ddof=1)) / math.sqrt(_BLOCKS)


def _mean(units: Residuals, slope: float) -> tuple[float, float]:
    """a of some units, given b, and its error over them."""
    own = units.squared - slope * units.inverse
    if own.size < 2:
        return (float(own.mean()) if own.size else math.nan), math.inf
    return float(own.mean()), float(own.std(ddof=1)) / math.sqrt(own.size)


def _reading(
    name: str,
    value: float,
    error: float,
    band: public.PublicBand,
    units: int,
    least: int,
    days: int,
    least_days: int = 0,
) -> Reading:
    few = shortage(
        ("sites or merchants of this size", units, least), ("whole days", days, least_days or public.LEAST_DAYS)
    )
    return Reading(name, value, error, (band.ends, band.ends), f"{units:,} over {days} days", few)


def noise(subject: Subject) -> Finding:
    """T18 of a scenario. Nothing is counted where the horizon is shorter than any reading needs."""
    first, days = _whole_days(subject)
    if days < public.LEAST_DAYS:
        short = shortage(("whole days", days, public.LEAST_DAYS))
        band = (public.NOISE_FLOOR.ends, public.NOISE_FLOOR.ends)
        return finding([Reading("scatter of daily counts", math.nan, math.inf, band, f"{days} days", short)], 1)
    by_site, zone = _daily(subject, "site_id", first, days)
    by_series, _ = _daily(subject, "tzid_primary", first, days)
    start = _EPOCH + timedelta(days=first)
    sites, series = residuals(by_site, start), residuals(by_series, start)
    readings = [*scatter_readings(sites, series), *memory_readings(sites), place_reading(sites, zone)]
    return finding(unstressed(subject, readings), int(by_series.sum()) or 1)


def _whole_days(subject: Subject) -> tuple[int, int]:
    """First local date (days since 1970) that the horizon holds wholly in every zone, and how many there are: 14 hours east
    to 12 hours west."""
    hour_us = _DAY_US // 24
    start, end = int(subject.constants["start_us"] or 0), int(subject.constants["end_us"] or 0)
    first = -(-(start + 14 * hour_us) // _DAY_US)
    return first, max((end - 12 * hour_us) // _DAY_US - first, 0)


def _daily(subject: Subject, unit: str, first: int, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Physical arrivals float64 [units, days] of sites (``site_id``) or of merchants in a zone (``tzid_primary``) with at least
    `SMALL_SITE` a day, at most `MOST_UNITS` of them, and the number of each unit's zone int64 [units]."""
    least = public.SMALL_SITE[0] * days
    columns = subject.arrays(
        f"""WITH unit AS (
                SELECT row_number() OVER (ORDER BY merchant_id, {unit}) - 1 AS place, merchant_id, {unit}
                FROM (SELECT merchant_id, {unit} FROM site_routes WHERE {unit} IS NOT NULL GROUP BY ALL
                      HAVING sum(arrivals) >= {least} ORDER BY {unit}, merchant_id LIMIT {MOST_UNITS}))
            SELECT place, any_value(tzid_primary) AS zone, epoch_us(ts_local_primary::TIMESTAMP) // {_DAY_US} - {first} AS day,
                   count(*)::DOUBLE AS arrivals
            FROM arrivals JOIN unit USING (merchant_id, {unit})
            WHERE NOT is_virtual AND epoch_us(ts_local_primary::TIMESTAMP) // {_DAY_US} BETWEEN {first} AND {first + days - 1}
            GROUP BY place, day ORDER BY place, day"""
    )
    place = np.asarray(columns["place"], np.int64)
    counts = np.zeros((int(place.max()) + 1 if place.size else 0, days))
    counts[place, np.asarray(columns["day"], np.int64)] = columns["arrivals"]
    zones = np.unique(np.array([str(zone) for zone in columns["zone"]]), return_inverse=True)[1]
    zone = np.zeros(len(counts), np.int64)
    zone[place] = zones
    return counts, zone
