"""Virtual merchants: settlement zones and edges (docs/laws#world-edges)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world import portable
from seg5b.world.draws import GeneratorDraws
from seg5b.world.geography import Geography
from seg5b.world.merchants import WorldMerchants
from seg5b.world.plan import WorldPlan
from seg5b.world.shares import falling, pick

HUBS = (
    "Europe/Monaco",
    "Europe/Luxembourg",
    "Europe/Zurich",
    "Europe/Dublin",
    "Atlantic/Bermuda",
    "Asia/Macau",
)
_NAMED_COUNTRIES = {
    "CN": 112, "IN": 70, "US": 27, "ID": 18, "BR": 16, "RU": 12, "JP": 9, "MX": 9, "NG": 8, "PH": 8,
}  # fmt: skip
_OTHER_COUNTRIES = 107
_COUNTRY_TOTAL = 500
_NEXT_ZONE = 0.6
_BASE_EDGES = 500 * 0.038
_LOCALITY_KM = 2800.0
_PROFILE_CHANCE = (0.18, 0.40, 0.42)


@dataclass(frozen=True, slots=True)
class EdgeProfile:
    """How one kind of merchant spreads its traffic: factor of the edge count, weight of nearness, uplift of the
    settlement country, floor, largest share of one edge, and exponent."""

    count: float
    coupling: float
    home_boost: float
    floor: float
    cap: float
    exponent: float


_PROFILES = (
    EdgeProfile(1.40, 0.78, 2.30, 0.07, 0.34, 1.22),
    EdgeProfile(0.98, 0.72, 2.10, 0.085, 0.38, 1.00),
    EdgeProfile(0.62, 0.90, 2.55, 0.125, 0.45, 0.92),
)
_SIZE_FACTORS = (0.8, 1.0, 1.2)
"""By tercile of weekly volume among the virtual merchants."""


@dataclass(frozen=True, slots=True)
class WorldEdges:
    """Columns over the edges, sorted by merchant id, then edge id text.

    ``merchant`` int64 position in the merchants; ``edge_id`` 16 hex digits; ``seq_index`` int64; ``zone`` int64 code
    of the geography of all zones; ``weight`` float64, summing to 1 per merchant. ``virtual`` int64 positions of the
    virtual merchants and ``hub`` their settlement zone, in the same codes.
    """

    merchant: NDArray[np.int64]
    edge_id: tuple[str, ...]
    seq_index: NDArray[np.int64]
    zone: NDArray[np.int64]
    weight: NDArray[np.float64]
    virtual: NDArray[np.int64]
    hub: NDArray[np.int64]


def make_edges(
    plan: WorldPlan,
    merchants: WorldMerchants,
    homes: Sequence[str],
    world: Geography,
    draws: GeneratorDraws,
    seed: int,
) -> WorldEdges:
    """Edges of every HYBRID and VIRTUAL_ONLY merchant. ``homes``: the zone of every merchant in which it has most volume;
    ``world`` holds all countries and zones."""
    virtual = np.flatnonzero(merchants.mode_code > 0)
    hub = _hubs(plan, homes, virtual, world, draws)
    tercile = np.argsort(np.argsort(merchants.weekly[virtual], kind="stable")) * 3 // max(1, virtual.size)
    zone_weight = _zone_weights(plan, world, draws)
    parts = [
        _merchant_edges(
            merchant, int(merchants.id[merchant]), home, size, zone_weight, world, draws, seed, plan.edge_limits
        )
        for merchant, home, size in zip(virtual.tolist(), hub.tolist(), tercile.tolist(), strict=True)
    ]
    ids = tuple(edge for part in parts for edge in part[0])
    empty = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    columns = [np.concatenate([empty[column], *(part[1 + column] for part in parts)]) for column in range(3)]
    owner = np.repeat(virtual, [len(part[0]) for part in parts])
    return WorldEdges(owner, ids, columns[0], columns[1], columns[2], virtual, hub)


def edge_id(merchant_id: int, seq_index: int) -> str:
    """16 hex digits: the last 8 bytes of SHA-256 over the tagged merchant and sequence number."""
    message = b"3B.EDGE\x1f" + str(merchant_id).encode() + b"\x1f" + seq_index.to_bytes(4, "little")
    return hashlib.sha256(message).digest()[24:].hex()


def settlement_site_id(merchant_id: int) -> str:
    """16 hex digits: the last 8 bytes of SHA-256 over the tagged merchant."""
    return hashlib.sha256(b"3B.SETTLEMENT\x1f" + str(merchant_id).encode()).digest()[24:].hex()


def _hubs(
    plan: WorldPlan, homes: Sequence[str], virtual: NDArray[np.int64], world: Geography, draws: GeneratorDraws
) -> NDArray[np.int64]:
    """Settlement zone of each virtual merchant."""
    stated = HUBS if plan.settlement_zones is None else plan.settlement_zones
    if not stated:
        return np.array([world.tzids.index(homes[merchant]) for merchant in virtual.tolist()], np.int64)
    hubs = np.array([world.tzids.index(tzid) for tzid in stated])
    return np.asarray(hubs[(draws.uniform("hub", virtual) * hubs.size).astype(np.int64)])


def _zone_weights(plan: WorldPlan, world: Geography, draws: GeneratorDraws) -> NDArray[np.float64]:
    """Chance of each zone to hold an edge: stated, or country weights of the CDN, most populous zones first."""
    if plan.edge_shares is not None:
        return np.array([plan.edge_shares.get(tzid, 0.0) for tzid in world.tzids])
    others = [code for code, name in enumerate(world.countries) if name not in _NAMED_COUNTRIES]
    order = np.argsort(draws.uniform("cdn country", np.array(others)), kind="stable")[:_OTHER_COUNTRIES]
    left = (_COUNTRY_TOTAL - sum(_NAMED_COUNTRIES.values())) / order.size
    by_country = {world.countries[others[place]]: left for place in order} | _NAMED_COUNTRIES
    weights = np.zeros(len(world.tzids))
    for name, weight in by_country.items():
        zones = world.own[world.countries.index(name)]
        share = falling(len(zones), _NEXT_ZONE)
        weights[list(zones)] = weight * share / share.sum()
    return weights


def _merchant_edges(
    merchant: int,
    merchant_id: int,
    hub: int,
    size: int,
    zone_weight: NDArray[np.float64],
    world: Geography,
    draws: GeneratorDraws,
    seed: int,
    limits: tuple[int, int],
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Ids, sequence numbers, zones and weights of one merchant's edges, in order of the id text."""
    profile = _PROFILES[pick(np.array(_PROFILE_CHANCE), float(draws.uniform("edge profile", merchant)))]
    spread = 0.40 + 1.35 * float(draws.uniform("edge count", merchant))
    count = round(_BASE_EDGES * profile.count * _SIZE_FACTORS[size] * spread)
    sequence = np.arange(min(max(count, limits[0]), limits[1]))
    total = np.cumsum(zone_weight)
    place = draws.uniform("edge zone", seed, merchant, sequence) * total[-1]
    zone = np.searchsorted(total, place, side="right")
    ids = [edge_id(merchant_id, int(number)) for number in sequence]
    order = np.array(sorted(range(len(ids)), key=ids.__getitem__))
    weight = _edge_weights(profile, hub, zone[order], world)
    return [ids[index] for index in order], sequence[order], zone[order], weight


def _edge_weights(profile: EdgeProfile, hub: int, zone: NDArray[np.int64], world: Geography) -> NDArray[np.float64]:
    near = portable.exp(-world.distance_km[hub][zone] / _LOCALITY_KM)
    home = world.home[zone] == world.home[hub]
    raw = (profile.floor + profile.coupling * near) * np.where(home, profile.home_boost, 1.0)
    weight = portable.power(raw, profile.exponent)
    weight = weight / weight.sum()
    # Capping one edge lifts the others; a few rounds settle it, since caps above 1/3 hold two edges at most.
    for _ in range(4):
        over = weight > profile.cap
        free = ~over
        if not over.any():
            break
        left = 1.0 - profile.cap * int(over.sum())
        weight = np.where(over, profile.cap, weight * (left / weight[free].sum()))
    return np.asarray(weight)
