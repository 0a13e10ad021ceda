"""The calendar of a scenario: drawn events, and those that a specification states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product

import numpy as np

from seg5b.world.drawn_events import drawn_events
from seg5b.world.draws import GeneratorDraws
from seg5b.world.overlays import Calendar, Event
from seg5b.world.plan import Overlay, WorldPlan
from seg5b.world.tzcache import CompiledZones


def make_calendar(
    plan: WorldPlan,
    scenario_id: str,
    countries: Sequence[str],
    tzids: Sequence[str],
    draws: GeneratorDraws,
    cache: CompiledZones,
) -> Calendar:
    """The calendar of one scenario of a plan, over the countries and the zones with intensity."""
    scenario = plan.scenario(scenario_id)
    events = drawn_events(plan, not scenario.is_baseline, countries, tzids, draws) if scenario.drawn else []
    for overlay in scenario.overlays:
        events += _stated_events(plan, overlay, tzids, cache)
    return Calendar(events, plan.buckets)


def _stated_events(plan: WorldPlan, overlay: Overlay, tzids: Sequence[str], cache: CompiledZones) -> Iterator[Event]:
    """An overlay as events of single scopes (docs/laws#world-stated-overlays). By local clocks, each zone has its own
    start and length: a day around a change of the clocks has 23 or 25 hours."""
    rank = 4 * bool(overlay.zones) + 2 * bool(overlay.countries) + bool(overlay.classes)
    zones = overlay.zones or (tzids if overlay.local else ("",))
    scopes = (zones, overlay.countries or ("",), overlay.classes or ("",), overlay.channels or ("",))
    per_hour = plan.buckets_per_hour
    for span, zone in product(overlay.spans, zones):
        start, end = (_bucket(plan, moment, zone if overlay.local else "", cache) for moment in span)
        rising = end - start if overlay.ramp_in_hours is None else overlay.ramp_in_hours * per_hour
        for country, class_name, channel in product(*scopes[1:]):
            yield Event(
                overlay.kind,
                start,
                max(1, end - start),
                overlay.factor,
                rising,
                overlay.ramp_out_hours * per_hour,
                country,
                zone,
                class_name,
                channel,
                rank,
            )


def _bucket(plan: WorldPlan, moment: datetime, tzid: str, cache: CompiledZones) -> int:
    """Bucket, counted from the start of the horizon, that holds a moment of a zone's clock or (no zone) of UTC. A moment
    that the clock shows twice is the later one; one that it skips is moved by the change."""
    clock_s = int((moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1))
    instant_s = clock_s
    if tzid:
        for _ in range(2):
            instant_s = clock_s - 60 * int(cache.offsets_min(tzid, np.array([instant_s]))[0])
    return (instant_s - int(plan.start_utc.timestamp())) // plan.bucket_seconds
