"""Worlds whose places follow public figures, and what the tables ask of them, worked out from the files."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from seg5b.resources import resource_root
from seg5b.world import World
from seg5b.world.edges import WorldEdges, make_edges
from seg5b.world.site_limits import volume_at_sites
from seg5b.world.spec import with_values
from seg5b.world.world import BuiltWorld, build_world

PUBLIC: dict[str, Any] = {
    "name": "public",
    "horizon": {"start": "2026-10-26", "days": 7},
    "places": {"law": "public_v1", "countries": "all"},
    "merchants": {"count": 3000},
}
FIVE = {
    "places.countries": ["US", "GB", "DE", "FR", "JP"],
    "merchants.count": 800,
    "virtual.only": 0.1,
    "virtual.hybrid": 0.05,
}


def built(values: Mapping[str, Any] | None = None) -> BuiltWorld:
    return build_world(World.from_mapping(with_values(PUBLIC, values or {})).plan, unique_keys=False)


def rows_of(name: str) -> list[dict[str, str]]:
    with (resource_root() / "config/worlds/public" / name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def asked_of(factors: Mapping[str, float]) -> dict[tuple[str, str, str], float]:
    """Share of each (country, zone, city), worked out here from the two files."""
    country = {
        row["country"]: int(row["population"]) * float(row["payments_per_head_2023"]) * factors[row["country"]]
        for row in rows_of("countries.csv")
        if row["country"] in factors
    }
    weights: defaultdict[str, dict[tuple[str, str, str], float]] = defaultdict(dict)
    for row in rows_of("places.csv"):
        key = (row["country"], row["zone"], f"{row['name']} {row['latitude_deg']}")
        weights[row["country"]][key] = int(row["population"]) ** 1.05
    whole = sum(country.values())
    return {
        key: country[name] / whole * weight / sum(weights[name].values())
        for name in country
        for key, weight in weights[name].items()
    }


def all_factors() -> dict[str, float]:
    return {row["country"]: 1.0 for row in rows_of("countries.csv")}


def volumes_of_sites(world: BuiltWorld) -> np.ndarray:
    """Expected payments a week at each site."""
    sites, volume = world.sites, volume_at_sites(world.plan, world.rows, world.merchants)
    return volume[sites.row] * sites.weight / np.bincount(sites.row, sites.weight, len(world.rows))[sites.row]


def edges_of(world: BuiltWorld, seed: int = 42) -> WorldEdges:
    return make_edges(world.plan, world.merchants, world.trade(), world.planet, world.draws, seed)
