"""The largest places of a world beside what was asked and what public figures say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.public_tables import card_payments
from seg5b.tzdb import open_tzdb
from seg5b.world.geography import country_of_every_zone
from seg5b.world.plan import WorldPlan
from seg5b.world.shares import sum_by
from seg5b.world.site_limits import volume_at_sites
from seg5b.world.spec.public import public_cities, public_zones
from seg5b.world.world import BuiltWorld
from seg5b.world.zone_shares import zone_targets


@dataclass(frozen=True, slots=True)
class PlaceShare:
    """A city or, where a world has none, a time zone. Shares of all payments at sites: as ``made``, in the expected normal
    week; as ``asked`` by the specification; ``public``, by the public figures of the world's countries, None where there are
    none.
    ``merchants`` with sites in it, and the share of it that the largest of them has."""

    place: str
    country: str
    made: float
    asked: float
    public: float | None
    merchants: int
    largest_merchant: float


def largest_places(world: BuiltWorld, count: int = 10) -> list[PlaceShare]:
    """The ``count`` places with most payments, largest first."""
    plan, rows = world.plan, world.rows
    volume = volume_at_sites(plan, rows, world.merchants)
    homes = country_of_every_zone(open_tzdb(plan.time_zone_release))
    if plan.cities:
        zones = [city.zone for city in plan.cities]
        names = [city.name for city in plan.cities]
        sites = world.sites
        held = sites.city >= 0
        of_row = sum_by(sites.row, sites.weight, len(rows))[sites.row]
        at, merchant = sites.city[held], sites.merchant[held]
        made = (volume[sites.row] * sites.weight / np.where(of_row > 0, of_row, 1.0))[held]
    else:
        zones, names = list(world.geography.tzids), list(world.geography.tzids)
        at, merchant, made = rows.zone, rows.merchant, volume
    total = sum_by(at, made, len(zones)) / (volume.sum() or 1.0)
    asked, public = _asked(world), _public(plan, zones)
    found = []
    for place in np.argsort(-total, kind="stable")[:count].tolist():
        here = at == place
        each = np.bincount(merchant[here], made[here])
        largest = float(each.max(initial=0.0) / (each.sum() or 1.0))
        shown = None if np.isnan(public[place]) else round(float(public[place]), 4)
        figures = round(float(total[place]), 4), round(float(asked[place]), 4), shown
        found.append(PlaceShare(names[place], homes[zones[place]], *figures, int((each > 0).sum()), round(largest, 4)))
    return found


def _asked(world: BuiltWorld) -> NDArray[np.float64]:
    """Share of volume of each place by the specification; of cities by their weights within their zones."""
    targets = zone_targets(world.plan, world.geography)
    if not world.plan.cities:
        return targets
    zone = np.array([world.geography.tzids.index(city.zone) for city in world.plan.cities])
    weight = np.array([city.weight for city in world.plan.cities])
    return np.asarray(targets[zone] * weight / np.bincount(zone, weight)[zone])


def _public(plan: WorldPlan, zones: Sequence[str]) -> NDArray[np.float64]:
    """Public share of each place among the countries of the plan that have figures; NaN where there is none."""
    database = open_tzdb(plan.time_zone_release)
    payments = {country: card_payments()[country] for country in plan.countries if country in card_payments()}
    whole = math.fsum(payments.values())
    shares: dict[str, float] = {}
    for country, number in payments.items():
        weights = public_zones(country, database)
        total = math.fsum(weights.values())
        shares |= {zone: number / whole * weight / total for zone, weight in weights.items()}
    if not plan.cities:
        known = {zone for zone, home in country_of_every_zone(database).items() if home in payments}
        return np.array([shares.get(zone, 0.0 if zone in known else np.nan) for zone in zones])
    cities = {(each.zone, each.name, each.latitude): each.weight for each in public_cities(shares, database)}
    return np.array([cities.get((each.zone, each.name, each.latitude), np.nan) for each in plan.cities])
