"""Totals of a scenario that the report and the sentinels speak of, measured once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seg5b.validation.subject import Subject


@dataclass(frozen=True, slots=True)
class Measures:
    """Totals of one scenario. ``arrivals`` and ``virtual`` count every arrival; ``looked_at`` those that were judged
    row by row (a sample in sampled mode), and ``by_zone``, ``weekend_seen``, ``weekend_true`` are among them.
    ``residuals``: number, mean and variance of (N - mu) / sqrt(mu) over count rows with mu > 1e-9."""

    buckets: int = 0
    buckets_nonzero: int = 0
    arrivals: int = 0
    virtual: int = 0
    looked_at: int = 0
    looked_at_counts: int = 0
    by_zone: Mapping[str, int] = field(default_factory=dict)
    weekend_seen: int = 0
    weekend_true: int = 0
    residuals: tuple[int, float, float] = (0, 0.0, 0.0)


def measure(subject: Subject) -> Measures:
    """Totals of the scenario from whatever tables exist; zero where one is missing."""
    found: dict[str, object] = {}
    if "counts" in subject.tables:
        found["buckets"], found["buckets_nonzero"] = subject.row("SELECT count(*), count_if(count_N > 0) FROM counts")
        found["residuals"] = subject.row(
            """SELECT count(r), coalesce(avg(r), 0), coalesce(var_pop(r), 0)
               FROM (SELECT (count_N - mu) / sqrt(mu) AS r FROM counts_sample WHERE mu > 1e-9)"""
        )
        (found["looked_at_counts"],) = subject.row("SELECT count(*) FROM counts_sample")
    if "walks" in subject.tables:
        found["arrivals"], found["virtual"] = subject.row(
            "SELECT coalesce(sum(arrivals), 0)::BIGINT, coalesce(sum(virtual_arrivals), 0)::BIGINT FROM walks"
        )
    if "cells" in subject.tables:
        rows = subject.rows("SELECT tzid_primary, sum(arrivals)::BIGINT FROM cells GROUP BY ALL ORDER BY ALL")
        found["by_zone"] = dict(rows)
        found["looked_at"] = sum(count for _, count in rows)
    if "civil" in subject.tables:
        found["weekend_seen"], found["weekend_true"] = subject.row(
            f"""SELECT coalesce(sum(arrivals) FILTER ({_weekend("seen_hour")}), 0)::BIGINT,
                       coalesce(sum(arrivals) FILTER ({_weekend("true_hour")}), 0)::BIGINT FROM civil"""
        )
    return Measures(**found)  # type: ignore[arg-type]


def _weekend(hours: str) -> str:
    """Whether an hour since 1970 (a Thursday) lies on a Saturday or Sunday."""
    return f"({hours} // 24 + 3) % 7 >= 5"


def combined(parts: list[Measures]) -> Measures:
    """All scenarios together."""
    zones: dict[str, int] = {}
    for part in parts:
        for tzid, rows in part.by_zone.items():
            zones[tzid] = zones.get(tzid, 0) + rows
    whole = {
        name: sum(getattr(part, name) for part in parts)
        for name in ("buckets", "buckets_nonzero", "arrivals", "virtual", "looked_at", "looked_at_counts")
        + ("weekend_seen", "weekend_true")
    }
    return Measures(**whole, by_zone=zones, residuals=_pooled([part.residuals for part in parts]))


def _pooled(parts: list[tuple[int, float, float]]) -> tuple[int, float, float]:
    """Number, mean and population variance of several groups taken together."""
    number = sum(n for n, _, _ in parts)
    if not number:
        return 0, 0.0, 0.0
    mean = sum(n * m for n, m, _ in parts) / number
    return number, mean, sum(n * (v + (m - mean) ** 2) for n, m, v in parts) / number
