"""Calendar ``public_v1``: days on which people pay otherwise, by country and class (docs/laws#world-public-calendar)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from seg5b.world.spec.holidays import holidays_among, is_ruled
from seg5b.world.spec.moments import days_shown
from seg5b.world.spec.refusal import refusal
from seg5b.world.vocabulary import ONLINE

LAW: Final = "public_v1"
_SHOPS: Final = ("consumer_daytime", "low_volume_tail")
_PHYSICAL: Final = (
    "consumer_daytime",
    "evening_weekend",
    "fuel_convenience",
    "office_hours",
    "bills_utilities",
    "travel_hospitality",
    "always_on_local",
    "low_volume_tail",
)
_NO_BLACK_FRIDAY: Final = ("CN", "HK", "IN", "JP", "KR", "SG")
_CLOSED_ON_SUNDAYS: Final = ("AT", "CH", "DE", "NO", "PL")
"""Countries whose shops are shut on most Sundays. Both lists are judgement: no table was looked up."""
_DAY: Final = timedelta(days=1)
_PAYDAYS: Final = 2
_LEAN_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class _Effect:
    """Days of a kind: ``factor`` on what ``classes`` sell."""

    name: str
    kind: str
    factor: float
    classes: tuple[str, ...]


_HOLIDAY = _Effect("holiday", "public_holiday", 0.75, _PHYSICAL)
_SUNDAY = _Effect("closed Sundays", "public_holiday", 0.10, _SHOPS)
_CHRISTMAS = _Effect("25 December", "public_holiday", 0.10, _PHYSICAL)
_CHRISTMAS_ONLINE = _Effect("25 December online", "public_holiday", 0.60, ONLINE)
_NEW_YEAR = _Effect("1 January", "public_holiday", 0.50, _PHYSICAL)
_BEFORE_CHRISTMAS = _Effect("23-24 December", "campaign", 1.50, ("consumer_daytime",))
_BLACK_FRIDAY = _Effect("Black Friday", "campaign", 1.80, ("low_volume_tail",))
_BLACK_FRIDAY_ONLINE = _Effect("Black Friday online", "campaign", 3.00, ONLINE)
_PAYDAY = _Effect("paydays", "payday", 1.07, (*_SHOPS, "evening_weekend", *ONLINE))
_LEAN = _Effect("last week of the month", "payday", 0.97, (*_SHOPS, "evening_weekend", *ONLINE))


def with_public_calendar(
    complete: Mapping[str, Any], countries: Sequence[str], classes: Sequence[str], start: datetime, hours: int
) -> Mapping[str, Any]:
    """A resolved specification in which each calendar ``public_v1`` has become the overlays that it stands for, after those
    that are stated: so their days are part of a world's identity. Only days that some clock shows in the horizon are there, and
    classes of the world.

    Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` for a country without rules of holidays.
    """
    days = days_shown(start, hours)
    scenarios = []
    for place, scenario in enumerate(complete["scenarios"]):
        if scenario["calendar"] == LAW:
            made = _overlays(f"scenarios.{place}.calendar", countries, classes, days)
            usual = {"clock": "local", "ramp_out_hours": 0}
            overlays = [*scenario["overlays"], *({**each, **usual} for each in made)]
            scenario = {**scenario, "calendar": "none", "overlays": overlays}
        scenarios.append(scenario)
    return {**complete, "scenarios": scenarios}


def _overlays(
    key: str, countries: Sequence[str], classes: Sequence[str], days: Sequence[date]
) -> Iterator[dict[str, Any]]:
    for country in countries:
        if not is_ruled(country):
            raise refusal(key, LAW, f"has no rules for {country}", "use calendar: none and state overlays")
        for effect, moments in _effects(country, days):
            sold = [name for name in effect.classes if name in classes]
            if sold and moments:
                yield {
                    "name": f"{effect.name} {country}",
                    "type": effect.kind,
                    "factor": effect.factor,
                    "dates": [day.isoformat() for day in moments],
                    "countries": [country],
                    "classes": sold,
                }


def _effects(country: str, days: Sequence[date]) -> Iterator[tuple[_Effect, list[date]]]:
    """Effects of a country with their days, in order. On one day the lower of two holidays counts."""
    free = holidays_among(country, days)
    yield _HOLIDAY, free
    if country in _CLOSED_ON_SUNDAYS:
        yield _SUNDAY, [day for day in days if day.isoweekday() == 7]
    if holidays_among(country, [date(days[0].year, 12, 25)]):
        christmas = [day for day in days if (day.month, day.day) == (12, 25)]
        yield _CHRISTMAS, christmas
        yield _CHRISTMAS_ONLINE, christmas
        yield _BEFORE_CHRISTMAS, [day for day in days if day.month == 12 and day.day in (23, 24)]
    yield _NEW_YEAR, [day for day in free if (day.month, day.day) == (1, 1)]
    if country not in _NO_BLACK_FRIDAY:
        friday = [day for day in days if _is_black_friday(day)]
        yield _BLACK_FRIDAY, friday
        yield _BLACK_FRIDAY_ONLINE, friday
    yield _PAYDAY, [day for day in days if day.day <= _PAYDAYS]
    yield _LEAN, [day for day in days if (day + _LEAN_DAYS * _DAY).month != day.month]


def _is_black_friday(day: date) -> bool:
    """The day after the fourth Thursday of November."""
    return day.month == 11 and day.weekday() == 4 and 23 <= day.day <= 29
