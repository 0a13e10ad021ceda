"""Virtual merchants: settlement zones and edges (docs/laws#world-edges)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world import portable
from seg5b.world.draws import GeneratorDraws
from seg5b.world.edge_cities import VirtualMerchants, draw_edge_cities
from seg5b.world.geography import Geography
from seg5b.world.merchants import WorldMerchants
from seg5b.world.plan import WorldPlan
from seg5b.world.shares import falling, pick_each, sums_of_runs

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
    of the geography of all zones; ``weight`` float64, summing to 1 per merchant; ``city`` int64 position in the edge cities of
    the plan, -1 where there are none. ``virtual`` int64 positions of the virtual merchants and ``hub`` their settlement
    zone, in the same codes.
    """

    merchant: NDArray[np.int64]
    edge_id: tuple[str, ...]
    seq_index: NDArray[np.int64]
    zone: NDArray[np.int64]
    weight: NDArray[np.float64]
    city: NDArray[np.int64]
    virtual: NDArray[np.int64]
    hub: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trade:
    """Where merchants sell: ``home_zones``, of each the zone in which it has most volume; ``parts`` float64 [merchants,
    countries] of its volume by country, rows summing to 1, and the names of these ``countries``."""

    home_zones: Sequence[str]
    countries: Sequence[str]
    parts: NDArray[np.float64]


def make_edges(
    plan: WorldPlan,
    merchants: WorldMerchants,
    trade: Trade,
    world: Geography,
    draws: GeneratorDraws,
    seed: int,
) -> WorldEdges:
    """Edges of every HYBRID and VIRTUAL_ONLY merchant. ``world`` holds all countries and zones."""
    virtual = np.flatnonzero(merchants.mode_code > 0)
    hub = _hubs(plan, trade.home_zones, virtual, world, draws)
    if plan.edge_cities:
        zones = np.array([world.tzids.index(each.zone) for each in plan.edge_cities])
        code = {world.countries.index(name): place for place, name in enumerate(trade.countries)}
        country = np.array([code.get(each, -1) for each in world.home[zones].tolist()])
        sellers = VirtualMerchants(virtual, merchants.weekly[virtual], trade.parts[virtual])
        counts, city, weight = draw_edge_cities(plan, sellers, country, draws, seed)
        ids, number, order, owner = _numbered(merchants, virtual, counts)
        return WorldEdges(owner, ids, number, zones[city][order], weight[order], city[order], virtual, hub)
    tercile = np.argsort(np.argsort(merchants.weekly[virtual], kind="stable")) * 3 // max(1, virtual.size)
    profile = pick_each(np.array(_PROFILE_CHANCE), draws.uniform("edge profile", virtual))
    spread = 0.40 + 1.35 * draws.uniform("edge count", virtual)
    factor = np.array([each.count for each in _PROFILES])[profile]
    counts = np.rint(_BASE_EDGES * factor * np.array(_SIZE_FACTORS)[tercile] * spread).astype(np.int64)
    counts = np.clip(counts, *plan.edge_limits)
    at = np.repeat(np.arange(virtual.size), counts)
    first = np.cumsum(counts) - counts
    number = np.arange(at.size) - first[at]
    zone = pick_each(_zone_weights(plan, world, draws), draws.uniform("edge zone", seed, virtual[at], number))
    ids, number, order, owner = _numbered(merchants, virtual, counts)
    weight = _edge_weights(profile, hub, zone[order], at, first, counts, world)
    return WorldEdges(owner, ids, number, zone[order], weight, np.full(at.size, -1), virtual, hub)


def _numbered(
    merchants: WorldMerchants, virtual: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ids of ``counts`` edges of each virtual merchant in order of merchant and id, with the number of each, the place that it
    had before, and its merchant."""
    at = np.repeat(np.arange(virtual.size), counts)
    number = np.arange(at.size) - (np.cumsum(counts) - counts)[at]
    owner = virtual[at]
    digests = [
        _edge_digest(merchant_id, each)
        for merchant_id, each in zip(merchants.id[owner].tolist(), number.tolist(), strict=True)
    ]
    order = np.lexsort((np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64), at))
    return tuple(digests[place].hex() for place in order.tolist()), number[order], order, owner


def edge_id(merchant_id: int, seq_index: int) -> str:
    """16 hex digits: the last 8 bytes of SHA-256 over the tagged merchant and sequence number."""
    return _edge_digest(merchant_id, seq_index).hex()


def _edge_digest(merchant_id: int, seq_index: int) -> bytes:
    message = b"3B.EDGE\x1f" + str(merchant_id).encode() + b"\x1f" + seq_index.to_bytes(4, "little")
    return hashlib.sha256(message).digest()[24:]


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


def _edge_weights(
    profile: NDArray[np.int64],
    hub: NDArray[np.int64],
    zone: NDArray[np.int64],
    at: NDArray[np.int64],
    first: NDArray[np.int64],
    counts: NDArray[np.int64],
    world: Geography,
) -> NDArray[np.float64]:
    """Weight of each edge. ``profile``, ``hub``, ``first`` and ``counts`` are of the virtual merchants, ``at`` says whose an
    edge is."""
    of_profile = [
        np.array([getattr(each, name) for each in _PROFILES])[profile]
        for name in ("coupling", "home_boost", "floor", "cap", "exponent")
    ]
    coupling, home_boost, floor, _, exponent = (column[at] for column in of_profile)
    near = portable.exp(-world.distance_km[hub[at], zone] / _LOCALITY_KM)
    home = world.home[zone] == world.home[hub[at]]
    raw = (floor + coupling * near) * np.where(home, home_boost, 1.0)
    weight = portable.power(raw, exponent)
    weight = weight / sums_of_runs(weight, counts)[at]
    cap = of_profile[3]
    for merchant in np.unique(at[weight > cap[at]]).tolist():
        span = slice(first[merchant], first[merchant] + counts[merchant])
        weight[span] = _capped(weight[span], float(cap[merchant]))
    return weight


def _capped(weight: NDArray[np.float64], cap: float) -> NDArray[np.float64]:
    """Capping one edge lifts the others; a few rounds settle it, since caps above 1/3 hold two edges at most."""
    for _ in range(4):
        over = weight > cap
        free = ~over
        if not over.any() or not free.any():  # one edge alone has all
            break
        left = 1.0 - cap * int(over.sum())
        weight = np.where(over, cap, weight * (left / weight[free].sum()))
    return weight
