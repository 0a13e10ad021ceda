"""Offsets of zones over a horizon: as the sealed cache has them, and as the time-zone database has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from zoneinfo import ZoneInfo

import numpy as np

from seg5b.clocks import TzCache, read_tz_cache
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.views import Catalogue
from seg5b.tzdb import open_tzdb

MICROSECONDS = 1_000_000
_STEP_S = 12 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """An offset of a zone (minutes east of UTC) and the UTC second from which it holds."""

    tzid: str
    second: int
    offset_min: int


def attach_zones(catalogue: Catalogue) -> None:
    """``cache_steps`` and ``truth_steps``: per zone the intervals [from_us, to_us) that cover the horizon, each with
    its offset; ``changes``: every change inside the horizon, of either source."""
    subject = catalogue.subject
    catalogue.add("cache_steps", lambda: _attach(subject, "cache_steps", cached_steps(subject)))
    catalogue.add(
        "truth_steps",
        lambda: _attach(subject, "truth_steps", true_steps(subject, sealed_cache(subject).tzids)),
        needs=("cache_steps",),
    )
    catalogue.sql(
        "changes",
        """SELECT DISTINCT tzid, from_us AS at_us FROM (FROM cache_steps UNION ALL FROM truth_steps)
           WHERE from_us > $start_us AND from_us < $end_us""",
        needs=("cache_steps", "truth_steps"),
    )


def sealed_cache(subject: Subject) -> TzCache:
    """The decoded time-zone cache of the run. Raises `InputError` ``5B.S5.CIVIL_TIME_MAPPING_FAILED``."""
    if "tz_cache" not in subject.shared:
        blobs = [path for path in subject.gate.files("tz_timetable_cache") if path.suffix == ".bin"]
        named = [path for path in blobs if path.name == "tz_cache_v1.bin"] or blobs
        folder = subject.gate.path("tz_timetable_cache")
        chosen = named[0] if named else folder / "tz_cache_v1.bin"
        subject.shared["tz_cache"] = read_tz_cache(chosen, code="5B.S5.CIVIL_TIME_MAPPING_FAILED")
    cached: TzCache = subject.shared["tz_cache"]
    return cached


def cached_steps(subject: Subject) -> list[Step]:
    """Steps of the sealed cache that matter for the horizon."""
    horizon = subject.horizon
    near = sealed_cache(subject).within(horizon.start_us, horizon.end_us)
    return [
        Step(tzid, int(near.second[row]), int(near.offset_min[row]))
        for zone, tzid in enumerate(near.tzids)
        for row in range(int(near.start[zone]), int(near.start[zone + 1]))
    ]


def true_steps(subject: Subject, tzids: Iterable[str]) -> list[Step]:
    """Steps of the shipped time-zone database over the horizon, offsets rounded to minutes; unknown zones have none."""
    horizon = subject.horizon
    start_s, end_s = horizon.start_us // MICROSECONDS, -(-horizon.end_us // MICROSECONDS)
    return [step for tzid in tzids for step in zone_steps(tzid, start_s, end_s)]


@cache
def zone_steps(tzid: str, start_s: int, end_s: int) -> tuple[Step, ...]:
    """Offset at ``start_s`` and every change before ``end_s`` (UTC seconds) of a zone of the shipped database.

    Probes every twelve hours and bisects to the second where the offset differs; empty for an unknown zone.
    """
    zone = package_zone(tzid)
    if zone is None:
        return ()
    offset = _offset_min(zone, start_s)
    steps = [Step(tzid, start_s, offset)]
    at = start_s
    while at < end_s - 1:
        probe = min(at + _STEP_S, end_s - 1)
        if _offset_min(zone, probe) != offset:
            probe = _first_change(zone, at, probe)
            offset = _offset_min(zone, probe)
            steps.append(Step(tzid, probe, offset))
        at = probe
    return tuple(steps)


@cache
def package_zone(tzid: str) -> ZoneInfo | None:
    """A zone of the shipped database, never of the system; None when it has no such zone."""
    content = open_tzdb().zone(tzid)
    return None if content is None else ZoneInfo.from_file(BytesIO(content), key=tzid)


def _first_change(zone: ZoneInfo, low: int, high: int) -> int:
    """First second in (low, high] whose offset is not that of ``low``."""
    before = _offset_min(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset_min(zone, middle) == before else (low, middle)
    return high


def _offset_min(zone: ZoneInfo, second: int) -> int:
    offset = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    assert offset is not None
    return round(offset.total_seconds() / 60)


def intervals(steps: Iterable[Step], start_us: int, end_us: int) -> list[tuple[str, int, int, int]]:
    """(tzid, from_us, to_us, offset_min) per step, the first reaching back and the last forward without bound."""
    by_zone: dict[str, list[Step]] = {}
    for step in steps:
        by_zone.setdefault(step.tzid, []).append(step)
    rows = []
    for tzid, own in by_zone.items():
        ends = [step.second * MICROSECONDS for step in own[1:]] + [end_us + 10**15]
        starts = [start_us - 10**15, *ends[:-1]]
        rows += [(tzid, low, high, step.offset_min) for low, high, step in zip(starts, ends, own, strict=True)]
    return rows


def _attach(subject: Subject, name: str, steps: Iterable[Step]) -> None:
    rows = intervals(steps, subject.horizon.start_us, subject.horizon.end_us)
    kinds = {"tzid": "VARCHAR", "from_us": "BIGINT", "to_us": "BIGINT", "offset_min": "INTEGER"}
    columns: Mapping[str, np.ndarray] = {
        key: np.array([row[index] for row in rows], object if key == "tzid" else np.int64)
        for index, key in enumerate(kinds)
    }
    subject.database.table(name, columns, kinds)
