"""Totals of a scenario that the report and the sentinels state, measured once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from seg5b.run_tables.cell_tables import cell_totals
from seg5b.run_tables.scatter import Scatter
from seg5b.run_tables.subject import Subject

_SECOND_US = 1_000_000
_HOUR_US = 3600 * _SECOND_US


@dataclass(frozen=True, slots=True)
class ChangeWindow:
    """Arrivals around one change of offset: by written and by true local hour of the day, int64 [24] each."""

    written: np.ndarray
    true: np.ndarray

    @property
    def support(self) -> int:
        """Arrivals in the window."""
        return int(self.written.sum())

    @property
    def gap_pp(self) -> float:
        """Mean over 24 hours of the absolute gap between the two shares, in percentage points."""
        return float(np.abs(self.written - self.true).sum() / max(self.support, 1) * 100 / 24)


@dataclass(frozen=True, slots=True)
class Measures:
    """Totals of one scenario. ``arrivals`` and ``virtual`` count every arrival; ``judged_arrivals`` those that were
    judged row by row (a sample in sampled mode); ``by_zone``, ``weekend_*``, ``clock_*`` and ``windows`` are among
    them. ``clock_wrong``: wall clocks beyond the tolerance, ``clock_hour``: those off by an hour. ``windows`` by zone
    and instant (UTC microseconds) of the change. ``residuals``: number, mean and variance of (N - mu) / sqrt(mu) over
    count rows with mu > 1e-9; ``scatter``: what the count law says of their squares."""

    buckets: int = 0
    buckets_nonzero: int = 0
    arrivals: int = 0
    virtual: int = 0
    judged_arrivals: int = 0
    judged_counts: int = 0
    by_zone: Mapping[str, int] = field(default_factory=dict)
    weekend_written: int = 0
    weekend_true: int = 0
    clock_rows: int = 0
    clock_wrong: int = 0
    clock_hour: int = 0
    windows: Mapping[tuple[str, int], ChangeWindow] = field(default_factory=dict)
    residuals: tuple[int, float, float] = (0, 0.0, 0.0)
    scatter: Scatter = field(default_factory=Scatter)


def measure(subject: Subject) -> Measures:
    """Totals of the scenario from whatever tables exist; zero where one is missing."""
    found: dict[str, object] = {}
    if "count_faults" in subject.tables:
        totals = cell_totals(subject, "counts")
        found["buckets"], found["judged_counts"] = totals.rows, totals.judged
        (found["buckets_nonzero"],) = subject.row(
            "SELECT coalesce(sum(rows) FILTER (count_n > 0), 0)::BIGINT FROM count_histogram"
        )
        found["residuals"], found["scatter"] = _residuals(*totals.residuals), totals.scatter
    if "merchant_parts" in subject.tables:
        found["arrivals"], found["virtual"] = subject.row(
            "SELECT coalesce(sum(arrivals), 0)::BIGINT, coalesce(sum(virtual_arrivals), 0)::BIGINT FROM merchant_parts"
        )
    if "cells" in subject.tables:
        rows = subject.rows("SELECT tzid_primary, sum(arrivals)::BIGINT FROM cells GROUP BY ALL ORDER BY ALL")
        found["by_zone"] = dict(rows)
        found["judged_arrivals"] = sum(count for _, count in rows)
    if "window_hours" in subject.tables:
        found.update(_civil(subject))
    return Measures(**found)  # type: ignore[arg-type]


def _residuals(number: int, first: int, second: int) -> tuple[int, float, float]:
    """Number, mean and variance of the residuals from the integer sums of them and of their squares, in millionths: the
    order in which threads add them cannot show."""
    if not number:
        return 0, 0.0, 0.0
    mean = first / 1e6 / number
    return number, mean, max(second / 1e6 / number - mean * mean, 0.0)


def _civil(subject: Subject) -> dict[str, object]:
    tolerance_us = round(subject.policies.validation.civil_time_gates.clock_tolerance_seconds * _SECOND_US)
    conditions = {
        "weekend_written": _weekend("written_hour"),
        "weekend_true": _weekend("true_hour"),
        "clock_rows": "TRUE",
        "clock_wrong": f"error_us IS NULL OR abs(error_us) > {tolerance_us}",
        "clock_hour": f"abs(abs(error_us) - {_HOUR_US}) <= {tolerance_us}",
    }
    sums = [f"coalesce(sum(arrivals) FILTER ({condition}), 0)::BIGINT" for condition in conditions.values()]
    totals = dict(zip(conditions, subject.row(f"SELECT {', '.join(sums)} FROM civil"), strict=True))
    return {**totals, "windows": _windows(subject)}


def _windows(subject: Subject) -> dict[tuple[str, int], ChangeWindow]:
    """Every window of the scenario, also those without arrivals."""
    windows = {
        (tzid, at_us): ChangeWindow(np.zeros(24, np.int64), np.zeros(24, np.int64))
        for tzid, at_us in subject.rows("SELECT tzid, at_us FROM windows ORDER BY ALL")
    }
    for tzid, at_us, written, true, arrivals in subject.rows(
        "SELECT tzid, at_us, written_of_day, true_of_day, arrivals FROM window_hours"
    ):
        windows[tzid, at_us].written[written] += arrivals
        if true is not None:
            windows[tzid, at_us].true[true] += arrivals
    return windows


def _weekend(hours: str) -> str:
    """Whether an hour since 1970 (a Thursday) lies on a Saturday or Sunday."""
    return f"({hours} // 24 + 3) % 7 >= 5"


_SUMS = (
    "buckets",
    "buckets_nonzero",
    "arrivals",
    "virtual",
    "judged_arrivals",
    "judged_counts",
    "weekend_written",
    "weekend_true",
    "clock_rows",
    "clock_wrong",
    "clock_hour",
)


def combined(parts: list[Measures]) -> Measures:
    """All scenarios together."""
    zones: dict[str, int] = {}
    windows: dict[tuple[str, int], ChangeWindow] = {}
    for part in parts:
        for tzid, rows in part.by_zone.items():
            zones[tzid] = zones.get(tzid, 0) + rows
        for key, window in part.windows.items():
            held = windows.get(key)
            windows[key] = (
                window if held is None else ChangeWindow(held.written + window.written, held.true + window.true)
            )
    whole = {name: sum(getattr(part, name) for part in parts) for name in _SUMS}
    windows = dict(sorted(windows.items()))
    residuals, scatter = _pooled([part.residuals for part in parts]), sum((part.scatter for part in parts), Scatter())
    return Measures(**whole, by_zone=zones, windows=windows, residuals=residuals, scatter=scatter)


def run_measures(subject: Subject) -> Measures:
    """Measures of all scenarios together."""
    return combined(list(subject.shared.get("measures", {}).values()))


def _pooled(parts: list[tuple[int, float, float]]) -> tuple[int, float, float]:
    """Number, mean and population variance of several groups taken together."""
    number = sum(n for n, _, _ in parts)
    if not number:
        return 0, 0.0, 0.0
    mean = sum(n * m for n, m, _ in parts) / number
    return number, mean, sum(n * (v + (m - mean) ** 2) for n, m, v in parts) / number
