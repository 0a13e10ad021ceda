"""Events that are drawn: paydays, holidays, outages, campaigns and stress of a scenario (docs/laws#world-overlays).

The law counts in hours of UTC; a world of shorter buckets has the same events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from seg5b.world.draws import GeneratorDraws
from seg5b.world.overlays import Event
from seg5b.world.plan import WorldPlan

_PAYDAY_CLASSES = {"consumer_daytime": 1.25, "evening_weekend": 1.20, "online_24h": 1.30}
_HOLIDAY_CLASSES = {"office_hours": 0.65, "consumer_daytime": 0.85, "online_24h": 1.03}
_CAMPAIGN_CLASS = "online_bursty"
_OUTAGE_FACTOR = 0.05
_OUTAGES_PER_DAY = 0.6
_EXTRA_CLASSES = ("fuel_convenience", "online_bursty", "bills_utilities", "travel_hospitality", "office_hours")


def drawn_events(
    plan: WorldPlan, is_stress: bool, countries: Sequence[str], tzids: Sequence[str], draws: GeneratorDraws
) -> list[Event]:
    """Events of one scenario, over the countries and the zones with intensity."""
    events = [*_country_events(plan, countries, draws), *_outages(plan, tzids, draws)]
    events += _campaigns(plan, 1.80 if is_stress else 1.35)
    if is_stress:
        events += _stress(plan, countries, draws)
    events += _extras(plan, countries, draws, plan.least_events - len(events))
    per_hour = plan.buckets_per_hour
    return events if per_hour == 1 else [_in_buckets(event, per_hour) for event in events]


def _in_buckets(event: Event, per_hour: int) -> Event:
    names = ("start", "length", "ramp_in", "ramp_out")
    return replace(event, **{name: getattr(event, name) * per_hour for name in names})


def _months(plan: WorldPlan) -> list[date]:
    first = plan.start_utc.date().replace(day=1)
    months = []
    while first < plan.end_utc.date():
        months.append(first)
        first = _next_month(first)
    return months


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _hour(plan: WorldPlan, day: date) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int((moment - plan.start_utc) / timedelta(hours=1))


def _payday(month: date, choice: float) -> date:
    """Day 15, 25 or the last of the month; a weekend moves it to the Friday before."""
    last = _next_month(month) - timedelta(days=1)
    day = (month.replace(day=15), month.replace(day=25), last)[int(3 * choice)]
    return day - timedelta(days=max(0, day.isoweekday() - 5))


def _country_events(plan: WorldPlan, countries: Sequence[str], draws: GeneratorDraws) -> Iterator[Event]:
    for place, country in enumerate(countries):
        habit = float(draws.uniform("payday", place))
        for number, month in enumerate(_months(plan)):
            start = _hour(plan, _payday(month, habit))
            for name, factor in _PAYDAY_CLASSES.items():
                yield Event("PAYDAY", start, 48, factor, 6, 24, country=country, class_name=name)
            holidays = 1 + (float(draws.uniform("second holiday", place, number)) < 0.6)
            for which in range(holidays):
                day = month + timedelta(days=int(28 * draws.uniform("holiday", place, number, which)))
                for name, factor in _HOLIDAY_CLASSES.items():
                    yield Event("HOLIDAY", _hour(plan, day), 24, factor, country=country, class_name=name)


def _outages(plan: WorldPlan, tzids: Sequence[str], draws: GeneratorDraws) -> Iterator[Event]:
    for number in range(int(np.ceil(_OUTAGES_PER_DAY * plan.days))):
        zone, hours, start = draws.uniform("outage", number, np.arange(3))
        yield Event(
            "OUTAGE",
            int(start * plan.hours),
            (2, 4, 8)[int(3 * hours)],
            _OUTAGE_FACTOR,
            tzid=tzids[int(zone * len(tzids))],
        )


def _campaigns(plan: WorldPlan, factor: float) -> Iterator[Event]:
    for month in _months(plan):
        start = _hour(plan, month.replace(day=8))
        yield Event("CAMPAIGN", start, 7 * 24, factor, 24, 24, class_name=_CAMPAIGN_CLASS)


def _stress(plan: WorldPlan, countries: Sequence[str], draws: GeneratorDraws) -> Iterator[Event]:
    length, start, several = draws.uniform("stress", np.arange(3))
    hours = (14 + int(8 * length)) * 24
    yield Event("STRESS", int(start * max(1, plan.hours - hours)), hours, 1.60, 24, 24)
    order = np.argsort(draws.uniform("stress country", np.arange(len(countries))), kind="stable")
    for place in order[: 2 + int(3 * several)]:
        length, start = draws.uniform("country stress", int(place), np.arange(2))
        hours = (7 + int(8 * length)) * 24
        first = int(start * max(1, plan.hours - hours))
        yield Event("STRESS", first, hours, 1.85, 24, 24, country=countries[place])


def _extras(plan: WorldPlan, countries: Sequence[str], draws: GeneratorDraws, count: int) -> Iterator[Event]:
    """Small local events of single classes, until the calendar has the events it should."""
    for number in range(max(0, count)):
        place, which, start, kind = draws.uniform("extra", number, np.arange(4))
        payday = kind < 0.6
        yield Event(
            "PAYDAY" if payday else "HOLIDAY",
            int(start * plan.days) * 24,
            24,
            1.10 if payday else 0.90,
            6 if payday else 0,
            12 if payday else 0,
            country=countries[int(place * len(countries))],
            class_name=_EXTRA_CLASSES[int(which * len(_EXTRA_CLASSES))],
        )
