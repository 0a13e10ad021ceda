"""The scenario calendar: paydays, holidays, outages, campaigns and stress, and the factor they put on intensity.

Law: docs/laws#world-overlays. Within one type the most specific scope that is active wins, then
the largest factor (payday, campaign, stress) or the smallest (holiday, outage). An outage caps every uplift at 1;
stress caps the campaign. The types multiply; the product stays within [0, 5].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from seg5b.world.draws import GeneratorDraws
from seg5b.world.presets import STRESS, Preset

_CAP = 5.0
_PAYDAY_CLASSES = {"consumer_daytime": 1.25, "evening_weekend": 1.20, "online_24h": 1.30}
_HOLIDAY_CLASSES = {"office_hours": 0.65, "consumer_daytime": 0.85, "online_24h": 1.03}
_CAMPAIGN_CLASS = "online_bursty"
_OUTAGE_FACTOR = 0.05
_OUTAGES_PER_DAY = 0.6
_EXTRA_CLASSES = ("fuel_convenience", "online_bursty", "bills_utilities", "travel_hospitality", "office_hours")
_DAMPING = ("HOLIDAY", "OUTAGE")
TYPES = ("PAYDAY", "HOLIDAY", "CAMPAIGN", "STRESS", "OUTAGE")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: hours [``start_hour``, ``start_hour + hours``) of the horizon, peak ``factor`` reached after
    ``ramp_in`` hours and left over ``ramp_out``. An empty scope field matches everything."""

    kind: str
    start_hour: int
    hours: int
    factor: float
    ramp_in: int = 0
    ramp_out: int = 0
    country: str = ""
    tzid: str = ""
    class_name: str = ""

    def specificity(self) -> int:
        """Scopes in ascending order: everywhere, class, country, country and class, zone."""
        return 4 * bool(self.tzid) + 2 * bool(self.country) + bool(self.class_name)

    def covers(self, country: str, tzid: str, class_name: str) -> bool:
        """Whether the scope holds a row with these names."""
        return self.country in ("", country) and self.tzid in ("", tzid) and self.class_name in ("", class_name)

    def ramp(self) -> NDArray[np.float64]:
        """Strength within the event, float64 [hours], 0 to 1."""
        hour = np.arange(self.hours, dtype=np.float64)
        rising = (hour + 1) / self.ramp_in if self.ramp_in else np.ones(self.hours)
        falling = (self.hours - hour) / self.ramp_out if self.ramp_out else np.ones(self.hours)
        return np.asarray(np.minimum(1.0, np.minimum(rising, falling)))


class Calendar:
    """Events of one scenario, looked up by the names of a row."""

    def __init__(self, events: Sequence[Event], buckets: int) -> None:
        self.events = tuple(events)
        self._buckets = buckets
        # Most events name a country or a zone: look only at those and at the few that name neither.
        self._by_place: dict[str, list[Event]] = {}
        for event in self.events:
            self._by_place.setdefault(event.tzid or event.country, []).append(event)

    def factors(self, country: str, tzid: str, class_name: str) -> NDArray[np.float64]:
        """Overlay factor of each hour of the horizon, float64 [buckets], in [0, 5]."""
        near = [event for place in ("", country, tzid) for event in self._by_place.get(place, ())]
        matching = [event for event in near if event.covers(country, tzid, class_name)]
        by_kind = {kind: self._kind(kind, matching) for kind in TYPES}
        stressed = by_kind["STRESS"] > 1
        campaign = np.where(stressed, np.minimum(by_kind["CAMPAIGN"], by_kind["STRESS"]), by_kind["CAMPAIGN"])
        product = by_kind["HOLIDAY"]
        uplifts = by_kind["PAYDAY"] * campaign * by_kind["STRESS"]
        out = by_kind["OUTAGE"] < 1
        product = product * np.where(out, np.minimum(uplifts, 1.0), uplifts) * by_kind["OUTAGE"]
        return np.clip(product, 0.0, _CAP)

    def _kind(self, kind: str, matching: Sequence[Event]) -> NDArray[np.float64]:
        factor = np.ones(self._buckets)
        level = np.full(self._buckets, -1)
        ordered = sorted((event for event in matching if event.kind == kind), key=Event.specificity)
        choose = np.minimum if kind in _DAMPING else np.maximum
        for event in ordered:
            first, last = max(0, event.start_hour), min(self._buckets, event.start_hour + event.hours)
            if first >= last:
                continue
            span = slice(first, last)
            value = 1.0 + (event.factor - 1.0) * event.ramp()[first - event.start_hour : last - event.start_hour]
            rank = event.specificity()
            factor[span] = np.where(level[span] < rank, value, choose(factor[span], value))
            level[span] = rank
        return factor


def make_calendar(
    preset: Preset, scenario_id: str, countries: Sequence[str], tzids: Sequence[str], draws: GeneratorDraws
) -> Calendar:
    """The calendar of one scenario of a preset, over the countries and the zones with intensity."""
    events = [*_country_events(preset, countries, draws), *_outages(preset, tzids, draws)]
    events += _campaigns(preset, 1.80 if scenario_id == STRESS else 1.35)
    if scenario_id == STRESS:
        events += _stress(preset, countries, draws)
    events += _extras(preset, countries, draws, preset.least_events - len(events))
    return Calendar(events, preset.buckets)


def _months(preset: Preset) -> list[date]:
    first = preset.start_utc.date().replace(day=1)
    months = []
    while first < preset.end_utc.date():
        months.append(first)
        first = _next_month(first)
    return months


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _hour(preset: Preset, day: date) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int((moment - preset.start_utc) / timedelta(hours=1))


def _payday(month: date, choice: float) -> date:
    """Day 15, 25 or the last of the month; a weekend moves it to the Friday before."""
    last = _next_month(month) - timedelta(days=1)
    day = (month.replace(day=15), month.replace(day=25), last)[int(3 * choice)]
    return day - timedelta(days=max(0, day.isoweekday() - 5))


def _country_events(preset: Preset, countries: Sequence[str], draws: GeneratorDraws) -> Iterator[Event]:
    for place, country in enumerate(countries):
        habit = float(draws.uniform("payday", place))
        for number, month in enumerate(_months(preset)):
            start = _hour(preset, _payday(month, habit))
            for name, factor in _PAYDAY_CLASSES.items():
                yield Event("PAYDAY", start, 48, factor, 6, 24, country=country, class_name=name)
            holidays = 1 + (float(draws.uniform("second holiday", place, number)) < 0.6)
            for which in range(holidays):
                day = month + timedelta(days=int(28 * draws.uniform("holiday", place, number, which)))
                for name, factor in _HOLIDAY_CLASSES.items():
                    yield Event("HOLIDAY", _hour(preset, day), 24, factor, country=country, class_name=name)


def _outages(preset: Preset, tzids: Sequence[str], draws: GeneratorDraws) -> Iterator[Event]:
    for number in range(int(np.ceil(_OUTAGES_PER_DAY * preset.days))):
        zone, hours, start = draws.uniform("outage", number, np.arange(3))
        yield Event(
            "OUTAGE",
            int(start * preset.buckets),
            (2, 4, 8)[int(3 * hours)],
            _OUTAGE_FACTOR,
            tzid=tzids[int(zone * len(tzids))],
        )


def _campaigns(preset: Preset, factor: float) -> Iterator[Event]:
    for month in _months(preset):
        start = _hour(preset, month.replace(day=8))
        yield Event("CAMPAIGN", start, 7 * 24, factor, 24, 24, class_name=_CAMPAIGN_CLASS)


def _stress(preset: Preset, countries: Sequence[str], draws: GeneratorDraws) -> Iterator[Event]:
    length, start, several = draws.uniform("stress", np.arange(3))
    hours = (14 + int(8 * length)) * 24
    yield Event("STRESS", int(start * max(1, preset.buckets - hours)), hours, 1.60, 24, 24)
    order = np.argsort(draws.uniform("stress country", np.arange(len(countries))), kind="stable")
    for place in order[: 2 + int(3 * several)]:
        length, start = draws.uniform("country stress", int(place), np.arange(2))
        hours = (7 + int(8 * length)) * 24
        first = int(start * max(1, preset.buckets - hours))
        yield Event("STRESS", first, hours, 1.85, 24, 24, country=countries[place])


def _extras(preset: Preset, countries: Sequence[str], draws: GeneratorDraws, count: int) -> Iterator[Event]:
    """Small local events of single classes, until the calendar has the events it should."""
    for number in range(max(0, count)):
        place, which, start, kind = draws.uniform("extra", number, np.arange(4))
        payday = kind < 0.6
        yield Event(
            "PAYDAY" if payday else "HOLIDAY",
            int(start * preset.days) * 24,
            24,
            1.10 if payday else 0.90,
            6 if payday else 0,
            12 if payday else 0,
            country=countries[int(place * len(countries))],
            class_name=_EXTRA_CLASSES[int(which * len(_EXTRA_CLASSES))],
        )
