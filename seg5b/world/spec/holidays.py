"""Public holidays by country: shipped rules, as days of the horizon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Final

from seg5b.contracts import load_yaml
from seg5b.errors import WorldError
from seg5b.resources import resource_root
from seg5b.world.spec.moments import days_between
from seg5b.world.spec.refusal import SPEC_INVALID, refusal

TABLE: Final = "config/worlds/public_holidays.yaml"
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def with_holidays(
    complete: Mapping[str, Any], countries: Sequence[str], start: datetime, hours: int
) -> Mapping[str, Any]:
    """A resolved specification in which an overlay of type public_holiday without a day has become one for each of its
    countries that has holidays in the horizon, with their dates: so dates are part of a world's identity.

    Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` for a country without rules.
    """
    days = days_between(start.date() - timedelta(days=1), (start + timedelta(hours=hours)).date() + timedelta(days=1))
    scenarios = []
    for place, scenario in enumerate(complete["scenarios"]):
        overlays: list[Any] = []
        for at, overlay in enumerate(scenario["overlays"]):
            if overlay["type"] != "public_holiday" or "start" in overlay or "dates" in overlay:
                overlays.append(overlay)
            else:
                overlays += _expanded(overlay, f"scenarios.{place}.overlays.{at}", countries, days)
        scenarios.append({**scenario, "overlays": overlays})
    return {**complete, "scenarios": scenarios}


def holidays(country: str, year: int) -> list[date]:
    """Holidays of a country in a year, in order; none without rules."""
    return sorted({_day(str(rule), year) for rule in _table().get(country, ())})


def holidays_among(country: str, days: Sequence[date]) -> list[date]:
    """Those of some days that are holidays of a country, in their order."""
    free = {day for year in {day.year for day in days} for day in holidays(country, year)}
    return [day for day in days if day in free]


def is_ruled(country: str) -> bool:
    """Whether the table has rules for a country."""
    return country in _table()


def orthodox_easter(year: int) -> date:
    """Easter Sunday of the Julian calendar by Meeus' algorithm, as a day of the Gregorian one, 1900 to 2099."""
    moon = (19 * (year % 19) + 15) % 30
    sunday = (2 * (year % 4) + 4 * (year % 7) - moon + 34) % 7
    month, day = divmod(moon + sunday + 114, 31)
    return date(year, month, day + 1) + timedelta(days=13)


def easter(year: int) -> date:
    """Easter Sunday of the western calendar, by the anonymous Gregorian algorithm."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    month, day = divmod(h + k - 7 * m + 114, 31)
    return date(year, month, day + 1)


@cache
def _table() -> Mapping[str, Any]:
    return load_yaml(resource_root() / TABLE, error=WorldError, code=SPEC_INVALID)


def _day(rule: str, year: int) -> date:
    words = rule.split()
    if words[0] == "easter":
        return easter(year) + timedelta(days=int(words[1]))
    if words[0] == "orthodox":
        return orthodox_easter(year) + timedelta(days=int(words[1]))
    if len(words) == 1:
        return date(year, int(rule[:2]), int(rule[3:]))
    month, weekday = int(words[0]), _WEEKDAYS.index(words[2])
    if words[1] == "last":
        end = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        return end - timedelta(days=(end.weekday() - weekday) % 7)
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (int(words[1]) - 1))


def _expanded(
    overlay: Mapping[str, Any], key: str, countries: Sequence[str], days: Sequence[date]
) -> Iterator[dict[str, Any]]:
    for country in overlay.get("countries", countries):
        if not is_ruled(country):
            raise refusal(f"{key}.countries", country, f"has no rules in {TABLE}", "state dates, or other countries")
        dates = [day.isoformat() for day in holidays_among(country, days)]
        if dates:
            yield {**overlay, "name": f"{overlay['name']} {country}", "countries": [country], "dates": dates}
