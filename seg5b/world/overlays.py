"""The scenario calendar: its events, and the factor that they put on intensity.

Law: docs/laws#world-overlays. Within one type the most specific scope that is active wins, then
the largest factor (payday, campaign, season, stress) or the smallest (holiday, outage). An outage caps every uplift at
1; stress caps the campaign. The types multiply; the product stays within [0, 5].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CAP = 5.0
_DAMPING = ("HOLIDAY", "OUTAGE")
TYPES = ("PAYDAY", "HOLIDAY", "CAMPAIGN", "SEASON", "STRESS", "OUTAGE")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: buckets [``start``, ``start + length``) of the horizon, peak ``factor`` reached after ``ramp_in``
    buckets and left over ``ramp_out``. An empty scope field matches everything. ``rank`` is how specific it is, where
    that does not follow from its scope."""

    kind: str
    start: int
    length: int
    factor: float
    ramp_in: int = 0
    ramp_out: int = 0
    country: str = ""
    tzid: str = ""
    class_name: str = ""
    channel: str = ""
    rank: int | None = None

    def specificity(self) -> int:
        """Scopes in ascending order: everywhere, class, country, country and class, zone."""
        scope = 4 * bool(self.tzid) + 2 * bool(self.country) + bool(self.class_name)
        return scope if self.rank is None else self.rank

    def covers(self, country: str, tzid: str, class_name: str, channel: str) -> bool:
        """Whether the scope holds a row with these names."""
        names = ((self.country, country), (self.tzid, tzid), (self.class_name, class_name), (self.channel, channel))
        return all(scope in ("", name) for scope, name in names)

    def ramp(self) -> NDArray[np.float64]:
        """Strength within the event, float64 [length], 0 to 1."""
        place = np.arange(self.length, dtype=np.float64)
        rising = (place + 1) / self.ramp_in if self.ramp_in else np.ones(self.length)
        falling = (self.length - place) / self.ramp_out if self.ramp_out else np.ones(self.length)
        return np.asarray(np.minimum(1.0, np.minimum(rising, falling)))


class Calendar:
    """Events of one scenario, looked up by the names of a row."""

    def __init__(self, events: Sequence[Event], buckets: int) -> None:
        self.events = tuple(events)
        self._buckets = buckets
        # Most events name a country or a zone: look only at those and at the few that name neither.
        self._by_place: dict[str, list[int]] = {}
        for place, event in enumerate(self.events):
            self._by_place.setdefault(event.tzid or event.country, []).append(place)
        self._of_country: dict[tuple[str, str, str], list[int]] = {}

    def matching(self, country: str, tzid: str, class_name: str, channel: str = "") -> tuple[int, ...]:
        """Positions of the events that cover a row with these names; rows of the same events have the same factors."""
        key = (country, class_name, channel)
        if key not in self._of_country:  # these name no zone
            self._of_country[key] = self._covering(("", country), country, "", class_name, channel)
        return (*self._of_country[key], *self._covering((tzid,), country, tzid, class_name, channel))

    def _covering(self, places: Sequence[str], *names: str) -> list[int]:
        near = (event for place in places for event in self._by_place.get(place, ()))
        return [event for event in near if self.events[event].covers(*names)]

    def factors(self, country: str, tzid: str, class_name: str, channel: str = "") -> NDArray[np.float64]:
        """Overlay factor of each bucket of the horizon, float64 [buckets], in [0, 5]."""
        return self.factors_of(self.matching(country, tzid, class_name, channel))

    def factors_of(self, positions: Sequence[int]) -> NDArray[np.float64]:
        """As `factors`, of the events at ``positions`` together."""
        matching = [self.events[position] for position in positions]
        by_kind = {kind: self._kind(kind, matching) for kind in TYPES}
        stressed = by_kind["STRESS"] > 1
        campaign = np.where(stressed, np.minimum(by_kind["CAMPAIGN"], by_kind["STRESS"]), by_kind["CAMPAIGN"])
        product = by_kind["HOLIDAY"]
        uplifts = by_kind["PAYDAY"] * campaign * by_kind["STRESS"] * by_kind["SEASON"]
        out = by_kind["OUTAGE"] < 1
        product = product * np.where(out, np.minimum(uplifts, 1.0), uplifts) * by_kind["OUTAGE"]
        return np.clip(product, 0.0, _CAP)

    def _kind(self, kind: str, matching: Sequence[Event]) -> NDArray[np.float64]:
        factor = np.ones(self._buckets)
        level = np.full(self._buckets, -1)
        ordered = sorted((event for event in matching if event.kind == kind), key=Event.specificity)
        choose = np.minimum if kind in _DAMPING else np.maximum
        for event in ordered:
            first, last = max(0, event.start), min(self._buckets, event.start + event.length)
            if first >= last:
                continue
            span = slice(first, last)
            value = 1.0 + (event.factor - 1.0) * event.ramp()[first - event.start : last - event.start]
            rank = event.specificity()
            factor[span] = np.where(level[span] < rank, value, choose(factor[span], value))
            level[span] = rank
        return factor
