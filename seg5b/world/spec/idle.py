"""What a specification asks for and what cannot show in its world: allowed, and told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from seg5b.tzdb import open_tzdb
from seg5b.world.geography import country_of_every_zone
from seg5b.world.plan import Overlay, WorldPlan
from seg5b.world.spec.moments import FARTHEST_CLOCK


def idle_requests(plan: WorldPlan) -> list[str]:
    """A sentence for each overlay that covers no moment of the horizon, or no place."""
    homes = country_of_every_zone(open_tzdb(plan.time_zone_release))
    return [
        f"{overlay.name} of scenario {scenario.scenario_id} {why}"
        for scenario in plan.scenario_plans
        for overlay in scenario.overlays
        for why in _reasons(overlay, plan, homes)
    ]


def _reasons(overlay: Overlay, plan: WorldPlan, homes: dict[str, str]) -> Iterator[str]:
    room = FARTHEST_CLOCK if overlay.local else timedelta(0)
    first, last = plan.start_utc.replace(tzinfo=None) - room, plan.end_utc.replace(tzinfo=None) + room
    if not any(start < last and end > first for start, end in overlay.spans):
        yield "lies outside the horizon"
    elif overlay.countries and overlay.zones and not {homes[zone] for zone in overlay.zones} & {*overlay.countries}:
        yield "covers no place: its zones are of other countries than those it names"
