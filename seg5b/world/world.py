"""The whole world in memory but for the intensity surface; the datasets are written from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world.domain import CountryRows, build_rows
from seg5b.world.draws import GeneratorDraws
from seg5b.world.geography import Geography, country_of_every_zone, load_geography
from seg5b.world.identity import WORLD_LAW
from seg5b.world.merchants import WorldMerchants, make_merchants
from seg5b.world.overlays import Calendar, make_calendar
from seg5b.world.placement import place_active_rows
from seg5b.world.presets import Preset
from seg5b.world.sites import WorldSites, count_sites, make_sites
from seg5b.world.tzcache import CompiledZones, compile_cache
from seg5b.world.zone_shares import preset_geography


@dataclass(frozen=True, slots=True)
class World:
    """One world. ``planet`` is the geography of all countries, where virtual edges lie; ``geography`` that of the
    preset. ``site_counts`` int64 [rows]; ``calendars`` by scenario id."""

    preset: Preset
    draws: GeneratorDraws
    geography: Geography
    planet: Geography
    merchants: WorldMerchants
    rows: CountryRows
    site_counts: NDArray[np.int64]
    sites: WorldSites
    calendars: Mapping[str, Calendar]
    cache: CompiledZones


def build_world(preset: Preset, *, unique_keys: bool) -> World:
    """Everything that does not depend on a seed. Deterministic in the preset alone."""
    draws = GeneratorDraws(f"{WORLD_LAW}|{preset.name}")
    geography = preset_geography(preset)
    countries = country_of_every_zone()
    planet = load_geography(tuple(sorted(set(countries.values()))), 1)
    merchants = make_merchants(preset, draws)
    active = place_active_rows(preset, geography, merchants, draws)
    rows = build_rows(preset, geography, merchants, active, draws, unique_keys=unique_keys)
    counts = count_sites(rows, merchants)
    used = [geography.countries[code] for code in np.unique(rows.country)]
    zones = [geography.tzids[code] for code in np.unique(rows.zone[rows.weekly > 0])]
    calendars = {scenario: make_calendar(preset, scenario, used, zones, draws) for scenario in preset.scenarios}
    cache = compile_cache({*countries, "Etc/UTC"})
    sites = make_sites(rows, counts, draws)
    return World(preset, draws, geography, planet, merchants, rows, counts, sites, calendars, cache)
