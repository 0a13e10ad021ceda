"""Civil time gates: local clocks against the tzdata package, most of all around changes of offset (realism_gates 1.1, 3)."""

from __future__ import annotations

import json

import numpy as np

from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Query, Severity
from seg5b.validation.subject import Subject
from seg5b.validation.zones import sealed_cache

_MAPPING = "5B.S5.CIVIL_TIME_MAPPING_FAILED"
_FIELD = "civil_time_gate_ok"
_BLOCK = "civil_time_gates"
_SECOND_US = 1_000_000


def _rate(subject: Subject, condition: str, name: str, most: float) -> Finding:
    rows, odd = subject.row(
        f"""SELECT coalesce(sum(arrivals), 0)::BIGINT, coalesce(sum(arrivals) FILTER ({condition}), 0)::BIGINT
            FROM civil"""
    )
    rate = odd / rows if rows else None
    facts = {name: rate, "rows": odd, "limit": most}
    failed = rate is None or rate > most
    return Finding(odd if failed else 0, (facts,) if failed else (), rows, facts)


def _mismatch(subject: Subject) -> Finding:
    gates = subject.policies.validation.civil_time_gates
    tolerance_us = round(gates.clock_tolerance_seconds * _SECOND_US)
    condition = f"error_us IS NULL OR abs(error_us) > {tolerance_us}"
    return _rate(subject, condition, "civil_mismatch_rate", gates.max_civil_mismatch_rate)


def _one_hour(subject: Subject) -> Finding:
    gates = subject.policies.validation.civil_time_gates
    tolerance_us = round(gates.clock_tolerance_seconds * _SECOND_US)
    condition = f"abs(abs(error_us) - 3600000000) <= {tolerance_us}"
    return _rate(subject, condition, "one_hour_shift_rate", gates.max_one_hour_shift_rate)


def window_support(subject: Subject) -> list[tuple[str, int, int]]:
    """(zone, instant of the change, arrivals within its window) of every window, also those without arrivals."""
    return [
        (tzid, at_us, rows)
        for tzid, at_us, rows in subject.rows(
            """SELECT tzid, at_us, coalesce(sum(arrivals), 0)::BIGINT FROM windows LEFT JOIN window_hours
               USING (tzid, at_us) GROUP BY ALL ORDER BY ALL"""
        )
    ]


def _material(subject: Subject) -> list[tuple[str, int, int]]:
    floor = subject.policies.validation.civil_time_gates.dst_window_min_support
    return [window for window in window_support(subject) if window[2] >= max(floor, 1)]


def _hour_bins(subject: Subject) -> Finding:
    """Mean over material windows of the mean absolute gap, in points, between written and true shares of 24 hours."""
    material = {(tzid, at_us): rows for tzid, at_us, rows in _material(subject)}
    if not material:
        return Finding(skipped="no window has enough arrivals to compare hours")
    seen = {key: np.zeros(24) for key in material}
    true = {key: np.zeros(24) for key in material}
    for tzid, at_us, seen_hour, true_hour, rows in subject.rows("SELECT * FROM window_hours"):
        if (tzid, at_us) in material:
            seen[tzid, at_us][seen_hour] += rows
            if true_hour is not None:
                true[tzid, at_us][true_hour] += rows
    gaps = {key: float(np.abs(seen[key] - true[key]).sum() / rows * 100 / 24) for key, rows in material.items()}
    mean = sum(gaps.values()) / len(gaps)
    most = subject.policies.validation.civil_time_gates.dst_window_hour_bin_mae_pp_max
    facts = {"dst_window_hour_bin_mae_pp": mean, "limit": most, "windows": len(gaps)}
    failed = mean > most
    worst = sorted(gaps, key=lambda key: -gaps[key])[:MOST_KEYS] if failed else []
    keys = tuple({"tzid": tzid, "change_us": at_us, "mae_pp": gaps[tzid, at_us]} for tzid, at_us in worst)
    return Finding(int(failed), keys, sum(material.values()), facts)


def _power(subject: Subject) -> Finding:
    """Enough arrivals near changes of offset to notice wrong clocks there. A horizon with fewer changes than the
    policy's floor of windows needs each of them, not more than there are."""
    gates = subject.policies.validation.civil_time_gates
    windows, material = window_support(subject), _material(subject)
    needed = min(gates.dst_window_min_exposed_windows, len(windows))
    total = sum(rows for *_, rows in material)
    facts = {
        "dst_window_count": len(windows),
        "dst_windows_with_exposure": sum(rows > 0 for *_, rows in windows),
        "dst_windows_material_count": len(material),
        "dst_window_support_min": min((rows for *_, rows in windows), default=None),
        "dst_window_support_material_min": min((rows for *_, rows in material), default=None),
        "dst_window_support_material_total": total,
        "dst_window_material_floor": gates.dst_window_min_support,
        "dst_window_material_windows_threshold": needed,
        "dst_window_material_total_support_threshold": gates.dst_window_min_total_support,
    }
    weak = len(material) < needed or total < gates.dst_window_min_total_support
    return Finding(int(weak), (facts,) if weak else (), sum(rows for *_, rows in windows), facts)


def _coverage(subject: Subject) -> Finding:
    """The cache reaches to the end of the horizon: by its newest change, or by what its manifest states."""
    stated = [
        _stated_end(path.read_bytes()) for path in subject.gate.files("tz_timetable_cache") if path.suffix == ".json"
    ]
    newest_s = sealed_cache(subject).newest_change_s()
    reach_s = max([newest_s, *(second for second in stated if second is not None)])
    short = subject.horizon.end_us > reach_s * _SECOND_US
    facts = {"cache_reach_s": reach_s, "horizon_end_us": subject.horizon.end_us}
    return Finding(int(short), (facts,) if short else (), len(sealed_cache(subject).tzids), facts)


def _stated_end(manifest: bytes) -> int | None:
    try:
        text = json.loads(manifest)["coverage_end_utc"]
        return int(np.datetime64(text.rstrip("Z"), "s").astype(np.int64))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _has_changes(subject: Subject) -> str:
    (changes,) = subject.row("SELECT count(*) FROM windows")
    return "" if changes else "no zone in use changes its offset within the horizon"


_DIFFERENCES = """
    SELECT coalesce(c.tzid, t.tzid) AS tzid, c.from_us AS cache_from_us, c.offset_min AS cache_offset_min,
           t.from_us AS tzdata_from_us, t.offset_min AS tzdata_offset_min
    FROM cache_steps c FULL JOIN truth_steps t ON t.tzid = c.tzid AND t.from_us = c.from_us AND t.to_us = c.to_us
    WHERE c.offset_min IS DISTINCT FROM t.offset_min"""
_IN_USE = """(SELECT tzid_primary AS tzid FROM routes UNION SELECT tzid_operational FROM routes
              UNION SELECT tzid_settlement FROM routes)"""

CHECKS = (
    Check(
        "civil.cache_covers_horizon",
        _MAPPING,
        "civil_time_ok",
        _BLOCK,
        "the sealed time-zone cache is complete to the end of the horizon",
        Compute(_coverage),
        needs=("cache_steps",),
    ),
    Check(
        "civil.cache_is_true",
        "5B.S5.TZ_CACHE_DIFFERS",
        _FIELD,
        _BLOCK,
        "offsets and changes of every zone in use are those of the tzdata package over the horizon",
        Query(f"SELECT * FROM ({_DIFFERENCES}) WHERE tzid IN (FROM {_IN_USE})", "cache_steps"),
        needs=("cache_steps", "truth_steps", "routes"),
        severity=Severity.WARN,
    ),
    Check(
        "civil.cache_is_true_elsewhere",
        "5B.S5.TZ_CACHE_DIFFERS",
        _FIELD,
        _BLOCK,
        "the same of the cache's zones that no arrival uses",
        Query(f"SELECT * FROM ({_DIFFERENCES}) WHERE tzid NOT IN (FROM {_IN_USE})", "cache_steps"),
        needs=("cache_steps", "truth_steps", "routes"),
        severity=Severity.INFO,
    ),
    Check(
        "civil.mismatch_rate",
        "5B.S5.CIVIL_TIME_MISMATCH",
        "civil_time_ok",
        f"{_BLOCK}.max_civil_mismatch_rate",
        "few enough wall clocks differ from the tzdata package's",
        Compute(_mismatch),
        needs=("civil",),
    ),
    Check(
        "civil.one_hour_rate",
        "5B.S5.CIVIL_TIME_ONE_HOUR_SHIFT_EXCEEDS_LIMIT",
        _FIELD,
        f"{_BLOCK}.max_one_hour_shift_rate",
        "few enough wall clocks are off by exactly an hour",
        Compute(_one_hour),
        needs=("civil",),
    ),
    Check(
        "civil.dst_hour_bins",
        "5B.S5.DST_WINDOW_HOUR_BIN_MAE_EXCEEDS_LIMIT",
        _FIELD,
        f"{_BLOCK}.dst_window_hour_bin_mae_pp_max",
        "around changes of offset, arrivals fall into the hours of the day that they should",
        Compute(_hour_bins),
        needs=("window_hours",),
        applies=_has_changes,
    ),
    Check(
        "civil.dst_power",
        "5B.S5.DST_WINDOW_INSUFFICIENT_POWER",
        _FIELD,
        f"{_BLOCK}.dst_window_min_total_support",
        "enough arrivals lie around changes of offset to judge the clocks there",
        Compute(_power),
        needs=("window_hours",),
        applies=_has_changes,
        must_have_rows=False,
    ),
)
