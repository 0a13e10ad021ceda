"""The whole world in memory but for the intensity surface; the datasets are written from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.progress import unreported
from seg5b.tzdb import open_tzdb
from seg5b.world.calendars import make_calendar
from seg5b.world.channels import ChannelRows, split_channels
from seg5b.world.domain import CountryRows, build_rows
from seg5b.world.draws import GeneratorDraws
from seg5b.world.edges import Trade
from seg5b.world.geography import Geography, country_of_every_zone, load_geography
from seg5b.world.identity import world_law
from seg5b.world.merchants import WorldMerchants, make_merchants
from seg5b.world.overlays import Calendar
from seg5b.world.placement import place_active_rows
from seg5b.world.plan import WorldPlan
from seg5b.world.site_limits import limited
from seg5b.world.sites import WorldSites, count_sites, make_sites
from seg5b.world.steps import Progress, Steps
from seg5b.world.tzcache import CompiledZones, compile_cache
from seg5b.world.zone_shares import plan_geography


@dataclass(frozen=True, slots=True)
class BuiltWorld:
    """One world. ``planet`` is the geography of all countries, where virtual edges lie; ``geography`` that of the
    plan. ``site_counts`` int64 [rows]; ``calendars`` by scenario id."""

    plan: WorldPlan
    draws: GeneratorDraws
    geography: Geography
    planet: Geography
    merchants: WorldMerchants
    rows: CountryRows
    channels: ChannelRows
    site_counts: NDArray[np.int64]
    sites: WorldSites
    calendars: Mapping[str, Calendar]
    cache: CompiledZones

    def trade(self) -> Trade:
        """Where each merchant sells."""
        countries = len(self.geography.countries)
        cells = self.rows.merchant * countries + self.rows.country
        volume = np.bincount(cells, self.rows.weekly, self.plan.merchants * countries).reshape(-1, countries)
        return Trade(self._home_zones(), self.geography.countries, volume / volume.sum(axis=1, keepdims=True))

    def _home_zones(self) -> list[str]:
        """The zone of each merchant in which it has most volume, over its countries; of equals the first by name."""
        zones = len(self.geography.tzids)
        keys, place = np.unique(self.rows.merchant * zones + self.rows.zone, return_inverse=True)
        volume = np.bincount(place, self.rows.weekly)
        owner = keys // zones
        order = np.lexsort((keys, -volume, owner))
        largest = keys[order[np.unique(owner[order], return_index=True)[1]]] % zones
        return [self.geography.tzids[zone] for zone in largest.tolist()]


def build_world(plan: WorldPlan, *, unique_keys: bool, report: Progress = unreported) -> BuiltWorld:
    """Everything that does not depend on a seed. Deterministic in the plan alone. Raises `WorldError`
    ``5B.WORLD.SPEC_INVALID`` where sites are too few for their ceilings."""
    steps = Steps(report, "merchants", 1)
    draws = GeneratorDraws(f"{world_law(plan)}|{plan.name}")
    geography = plan_geography(plan)
    database = open_tzdb(plan.time_zone_release)
    countries = country_of_every_zone(database)
    planet = load_geography(database, tuple(sorted(set(countries.values()))), 1)
    merchants = make_merchants(plan, draws)
    steps.done()
    active = place_active_rows(plan, geography, merchants, draws, report)
    steps = Steps(report, "rows and sites", 3)
    rows = build_rows(plan, geography, merchants, active, draws, unique_keys=unique_keys)
    counts = count_sites(plan, rows, merchants)
    steps.done()
    used = [geography.countries[code] for code in np.unique(rows.country)]
    zones = [geography.tzids[code] for code in np.unique(rows.zone[rows.weekly > 0])]
    cache = compile_cache(database, {*countries, "Etc/UTC"})
    calendars = {scenario: make_calendar(plan, scenario, used, zones, draws, cache) for scenario in plan.scenarios}
    steps.done()
    sites = limited(plan, rows, merchants, make_sites(plan, rows, counts, geography, draws))
    channels = split_channels(plan, rows, geography.tzids)
    steps.done()
    return BuiltWorld(plan, draws, geography, planet, merchants, rows, channels, counts, sites, calendars, cache)
