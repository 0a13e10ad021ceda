"""Public holidays by rule, against dates that are known."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from seg5b.contracts import load_yaml
from seg5b.errors import WorldError
from seg5b.resources import resource_root
from seg5b.tzdb import open_tzdb
from seg5b.world import World
from seg5b.world.geography import country_of_every_zone
from seg5b.world.spec.holidays import TABLE, easter, holidays
from seg5b.world.world import build_world

OVERLAY = {"name": "holidays", "type": "public_holiday", "factor": 0.5}


def world_with(overlay: dict[str, Any], **places: Any) -> World:
    return World.from_mapping(
        {
            "name": "shops",
            "horizon": {"start": "2026-12-20", "days": 14},
            "places": {"countries": ["US", "GB"], **places},
            "scenarios": [{"id": "a", "overlays": [overlay]}],
        }
    )


EASTER = (
    "1975-03-30",
    "2000-04-23",
    "2008-03-23",
    "2011-04-24",
    "2024-03-31",
    "2025-04-20",
    "2026-04-05",
    "2038-04-25",
)


@pytest.mark.parametrize("day", EASTER)
def test_easter_is_easter(day: str) -> None:
    assert easter(int(day[:4])).isoformat() == day


@pytest.mark.parametrize(
    ("country", "day"),
    [
        ("US", date(2026, 11, 26)),
        ("US", date(2026, 5, 25)),
        ("US", date(2027, 1, 18)),
        ("GB", date(2026, 5, 4)),
        ("GB", date(2027, 3, 26)),
        ("DE", date(2026, 5, 14)),
        ("FR", date(2026, 7, 14)),
        ("MX", date(2026, 3, 16)),
        ("NO", date(2026, 5, 17)),
    ],
)
def test_known_holidays(country: str, day: date) -> None:
    assert day in holidays(country, day.year)


def test_every_rule_is_a_day_and_every_country_one_of_zone_tab() -> None:
    table = load_yaml(resource_root() / TABLE)
    assert set(table) <= set(country_of_every_zone(open_tzdb()).values())
    for country, rules in table.items():
        # two of them may fall on one day of a year
        assert max(len(holidays(country, year)) for year in range(2026, 2036)) == len(rules), country


def test_each_country_has_its_own_days() -> None:
    own = world_with(OVERLAY)
    dates = {each["countries"][0]: each["dates"] for each in own.document["scenarios"][0]["overlays"]}
    assert dates == {"GB": ["2026-12-25", "2026-12-26", "2027-01-01"], "US": ["2026-12-25", "2027-01-01"]}
    calendar = build_world(own.plan, unique_keys=False).calendars["a"]
    quiet = np.flatnonzero(calendar.factors("GB", "Europe/London", "consumer_daytime") == 0.5)
    assert quiet.tolist() == [*range(120, 168), *range(288, 312)]
    assert World.from_mapping(own.document) == own


def test_a_horizon_without_holidays_has_no_overlay() -> None:
    own = world_with(OVERLAY).with_({"horizon.start": "2026-09-21", "scenarios": [{"id": "a", "overlays": [OVERLAY]}]})
    assert own.document["scenarios"][0]["overlays"] == []


def test_a_country_without_rules_is_refused() -> None:
    with pytest.raises(WorldError, match="has no rules in") as caught:
        world_with(OVERLAY, countries=["US", "KI"])
    assert caught.value.where == "scenarios.0.overlays.0.countries"
