"""The calendar public_v1: overlays of each country's days, what they do to intensity, and the countries that have rules."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from seg5b.errors import WorldError
from seg5b.public_tables import card_payments
from seg5b.world import World
from seg5b.world.public_hours import week_weights
from seg5b.world.spec import with_values
from seg5b.world.spec.holidays import holidays, is_ruled, orthodox_easter
from seg5b.world.spec.idle import idle_requests
from seg5b.world.spec.moments import days_shown
from seg5b.world.world import BuiltWorld, build_world

YEAR_END = {
    "name": "year_end",
    "horizon": {"start": "2026-11-20", "days": 60},
    "places": {"countries": ["DE", "US", "JP"]},
    "merchants": {"count": 60, "classes": {"consumer_daytime": 2, "online_24h": 1, "low_volume_tail": 1}},
    "scenarios": [{"id": "a", "calendar": "public_v1"}],
}


def world(**values: Any) -> World:
    return World.from_mapping(with_values(YEAR_END, values))


@pytest.fixture(scope="module")
def built() -> BuiltWorld:
    return build_world(world().plan, unique_keys=False)


def factor(built: BuiltWorld, country: str, tzid: str, class_name: str, day: date) -> float:
    """The factor over the whole local day; it must be one number."""
    factors = built.calendars["a"].factors(country, tzid, class_name, "")
    hour = int((datetime(day.year, day.month, day.day, tzinfo=UTC) - built.plan.start_utc).total_seconds()) // 3600
    shift = {"Europe/Berlin": -1, "America/New_York": 5, "Asia/Tokyo": -9}[tzid]
    values = np.unique(factors[hour + shift : hour + shift + 24])
    assert values.size == 1
    return float(values[0])


@pytest.mark.parametrize(
    ("country", "tzid", "class_name", "day", "expected"),
    [
        ("DE", "Europe/Berlin", "consumer_daytime", date(2026, 12, 25), 0.10 * 0.97),
        ("DE", "Europe/Berlin", "online_24h", date(2026, 12, 25), 0.60 * 0.97),
        ("DE", "Europe/Berlin", "consumer_daytime", date(2026, 12, 26), 0.75 * 0.97),
        ("DE", "Europe/Berlin", "consumer_daytime", date(2026, 12, 23), 1.5),
        ("DE", "Europe/Berlin", "low_volume_tail", date(2026, 12, 23), 1.0),
        ("DE", "Europe/Berlin", "consumer_daytime", date(2027, 1, 1), 0.5 * 1.07),
        ("DE", "Europe/Berlin", "online_24h", date(2027, 1, 1), 1.07),
        ("DE", "Europe/Berlin", "consumer_daytime", date(2027, 1, 12), 1.0),
        ("DE", "Europe/Berlin", "consumer_daytime", date(2027, 1, 10), 0.1),
        ("DE", "Europe/Berlin", "online_24h", date(2027, 1, 10), 1.0),
        ("US", "America/New_York", "consumer_daytime", date(2027, 1, 10), 1.0),
        ("US", "America/New_York", "consumer_daytime", date(2026, 11, 26), 0.75 * 0.97),
        ("US", "America/New_York", "online_24h", date(2026, 11, 27), 3.0 * 0.97),
        ("US", "America/New_York", "low_volume_tail", date(2026, 11, 27), 1.8 * 0.97),
        ("US", "America/New_York", "consumer_daytime", date(2026, 11, 27), 0.97),
        ("JP", "Asia/Tokyo", "online_24h", date(2026, 11, 27), 0.97),
        ("JP", "Asia/Tokyo", "consumer_daytime", date(2026, 12, 23), 1.0),
        ("JP", "Asia/Tokyo", "consumer_daytime", date(2026, 12, 25), 0.97),
        ("JP", "Asia/Tokyo", "consumer_daytime", date(2026, 12, 24), 1.0),
        ("JP", "Asia/Tokyo", "consumer_daytime", date(2026, 11, 23), 0.75),
    ],
)
def test_days_have_their_factors(
    built: BuiltWorld, country: str, tzid: str, class_name: str, day: date, expected: float
) -> None:
    assert factor(built, country, tzid, class_name, day) == pytest.approx(expected, rel=1e-12)


def test_a_calendar_is_what_it_stands_for() -> None:
    made = world().document
    (scenario,) = made["scenarios"]
    assert scenario["calendar"] == "none" and len(scenario["overlays"]) > 10
    again = World.from_mapping(made)
    assert again.document == made


def test_stated_overlays_stay_beside_it() -> None:
    stated = {"name": "own sale", "type": "campaign", "start": "2026-12-01", "days": 2, "factor": 2}
    made = world(scenarios=[{"id": "a", "calendar": "public_v1", "overlays": [stated]}]).document["scenarios"][0]
    plain = world().document["scenarios"][0]
    assert made["overlays"][0]["name"] == "own sale" and made["overlays"][1:] == plain["overlays"]


def test_a_country_without_rules_is_refused() -> None:
    assert not is_ruled("EG")
    with pytest.raises(WorldError, match=r"scenarios\.0\.calendar.*has no rules for EG"):
        world(**{"places.countries": ["DE", "EG"]})


@pytest.mark.parametrize(("start", "days"), [("2037-12-20", 12), ("1975-01-01", 19)])
def test_the_first_and_last_days_that_may_be_named(start: str, days: int) -> None:
    made = world(horizon={"start": start, "days": days})
    named = {day for each in made.document["scenarios"][0]["overlays"] for day in each["dates"]}
    assert min(named) >= "1975-01-01" and max(named) <= "2037-12-31"


def test_only_days_that_a_clock_shows_in_the_horizon() -> None:
    made = world(horizon={"start": "2026-03-15", "days": 16})
    assert idle_requests(made.plan) == []
    assert days_shown(datetime(2026, 3, 15, tzinfo=UTC), 24) == [
        date(2026, 3, 14),
        date(2026, 3, 15),
        date(2026, 3, 16),
    ]
    assert days_shown(datetime(2026, 3, 15, 15, tzinfo=UTC), 24)[0] == date(2026, 3, 15)


def test_every_country_with_card_payments_has_rules() -> None:
    assert [name for name in card_payments() if not is_ruled(name)] == []


def test_where_shops_shut_a_hundredth_to_three_of_their_week_is_sunday() -> None:
    """Held against the published shape: what a week of groceries has on Sundays, once they are shut."""
    week = week_weights("consumer_daytime", 1, 1).reshape(7, 24).sum(axis=1).astype(float)
    (sunday,) = {each["factor"] for each in world().document["scenarios"][0]["overlays"] if "Sundays" in each["name"]}
    assert 0.01 <= week[6] * sunday / (week[:6].sum() + week[6] * sunday) <= 0.03


@pytest.mark.parametrize("day", ["2024-05-05", "2025-04-20", "2026-04-12", "2027-05-02", "2030-04-28", "2038-04-25"])
def test_eastern_easter(day: str) -> None:
    assert orthodox_easter(int(day[:4])).isoformat() == day


@pytest.mark.parametrize(
    ("country", "day"),
    [
        ("GR", date(2026, 2, 23)),
        ("RO", date(2027, 6, 21)),
        ("BG", date(2026, 4, 10)),
        ("JP", date(2026, 10, 12)),
        ("CZ", date(2026, 4, 3)),
        ("IS", date(2026, 8, 3)),
        ("EE", date(2026, 6, 23)),
    ],
)
def test_known_holidays_of_the_added_countries(country: str, day: date) -> None:
    assert day in holidays(country, day.year)


@pytest.mark.parametrize("country", ["GB", "JP", "US"])
def test_another_day_is_no_holiday(country: str) -> None:
    assert date(2026, 10, 14) not in holidays(country, 2026)
