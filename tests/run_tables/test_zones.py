"""Offsets of the tzdata package, found by probing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from seg5b.run_tables.zones import Step, intervals, package_zone, zone_steps

START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
END = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("tzid", "changes"),
    [
        ("Europe/London", [("2026-03-29T01:00", 60), ("2026-10-25T01:00", 0)]),
        ("America/New_York", [("2026-03-08T07:00", -240), ("2026-11-01T06:00", -300)]),
        ("Australia/Lord_Howe", [("2026-04-04T15:00", 630), ("2026-10-03T15:30", 660)]),
        ("Antarctica/Troll", [("2026-03-29T01:00", 120), ("2026-10-25T01:00", 0)]),
        ("Asia/Tokyo", []),
    ],
)
def test_changes(tzid: str, changes: list[tuple[str, int]]) -> None:
    assert [(step.second, step.offset_min) for step in zone_steps(tzid, START, END)[1:]] == [
        (at(text), offset) for text, offset in changes
    ]


def test_unknown_zone_has_no_steps() -> None:
    assert package_zone("Nowhere/Land") is None
    assert zone_steps("Nowhere/Land", START, END) == ()


def test_intervals_cover_the_horizon_without_gaps() -> None:
    steps = [Step("Z", 100, 0), Step("Z", 200, 60), Step("Y", 100, 5)]
    rows = intervals(steps, 150_000_000, 300_000_000)
    assert [row[0] for row in rows] == ["Z", "Z", "Y"]
    assert rows[0][2] == rows[1][1] == 200_000_000
    assert all(low < 150_000_000 for _, low, _, _ in (rows[0], rows[2]))
    assert all(high > 300_000_000 for _, _, high, _ in rows[1:])
