"""Outlets: how many each row has, where they stand, and how a merchant's trade splits among them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from seg5b.world import portable
from seg5b.world.domain import CountryRows
from seg5b.world.draws import GeneratorDraws
from seg5b.world.geography import Geography
from seg5b.world.merchants import WorldMerchants
from seg5b.world.plan import WorldPlan
from seg5b.world.shares import apportion_each
from seg5b.world.vocabulary import MODES

_VIRTUAL_ONLY = MODES.index("VIRTUAL_ONLY")


@dataclass(frozen=True, slots=True)
class SiteProfile:
    """Weight law of one size band, by shape hub_spoke, heavy_tail, near_uniform: mixture and exponent; then the cap of
    the largest weight. (The least mass of the other sites, 0.06 at most, never binds below a cap of 0.8.)"""

    mixture: tuple[float, float, float]
    exponent: tuple[float, float, float]
    cap: float


# Largest site count of the band and its law (alias_layout_policy_v1, profile_mixture_v2).
_BANDS = (
    (3, SiteProfile((0.58, 0.27, 0.15), (2.2, 1.45, 0.28), 0.8)),
    (8, SiteProfile((0.42, 0.38, 0.20), (1.85, 1.25, 0.22), 0.7)),
    (2**31, SiteProfile((0.30, 0.45, 0.25), (1.55, 1.05, 0.16), 0.6)),
)


@dataclass(frozen=True, slots=True)
class WorldSites:
    """Columns over the sites, sorted by merchant id, country, site_order.

    ``row`` int64 position in the rows (gives the zone), ``merchant`` int64 position in the merchants; ``site_order``
    int32 from 1 per (merchant, country); ``weight`` float64, summing to 1 per merchant; ``city`` int64 position in the cities
    of the plan, -1 for a site that lies in none.
    """

    row: NDArray[np.int64]
    merchant: NDArray[np.int64]
    site_order: NDArray[np.int32]
    weight: NDArray[np.float64]
    city: NDArray[np.int64]


def count_sites(plan: WorldPlan, rows: CountryRows, merchants: WorldMerchants) -> NDArray[np.int64]:
    """Sites of each row, int64 [rows]: at least one where there is intensity, none elsewhere, and none at all for
    VIRTUAL_ONLY merchants. They grow linearly with weekly volume (docs/laws#world-sites)."""
    counts = np.zeros(len(rows), np.int64)
    wanted = np.rint(plan.least_sites + merchants.weekly / plan.weekly_per_site).astype(np.int64)
    active = np.flatnonzero((rows.weekly > 0) & (merchants.mode_code[rows.merchant] != _VIRTUAL_ONLY))
    owner, first, sizes = np.unique(rows.merchant[active], return_index=True, return_counts=True)
    for size in np.unique(sizes).tolist():
        alike = np.flatnonzero(sizes == size)
        members = active[first[alike][:, None] + np.arange(size)]
        more = np.maximum(0, wanted[owner[alike]] - size)
        counts[members] = 1 + apportion_each(more, rows.weekly[members])
    if plan.site_ceilings:  # a merchant of many rows and few sites has one in each, however large
        counts[active] = np.maximum(
            counts[active], np.rint(rows.weekly[active] / plan.weekly_per_site).astype(np.int64)
        )
    if plan.own_sites:
        mine = np.isin(rows.merchant, plan.own_sites.merchant)
        # Both are sorted by merchant, country and zone, and every row of these merchants has a site.
        places = zip(plan.own_sites.merchant, plan.own_sites.country, plan.own_sites.zone, strict=True)
        counts[mine] = [len(list(group)) for _, group in groupby(places)]
    return counts


def make_sites(
    plan: WorldPlan, rows: CountryRows, counts: NDArray[np.int64], geography: Geography, draws: GeneratorDraws
) -> WorldSites:
    """Every site with its weight: a user's own, or made."""
    row = np.repeat(np.arange(len(rows)), counts)
    merchant = rows.merchant[row]
    pair = merchant * 1_000 + rows.country[row]
    order = (_rank_in_run(pair) + 1).astype(np.int32)
    weight = _log_normal(plan.site_sigma, merchant, row, order, draws) if plan.site_sigma else _weights(merchant, draws)
    city = _cities(plan, merchant, row, order, rows.zone[row], geography, draws)
    if plan.own_sites:
        owner, own = np.array(plan.own_sites.merchant), np.array(plan.own_sites.weight)
        mine = np.isin(merchant, owner)
        weight[mine], city[mine] = own / np.bincount(owner, own)[owner], -1
    return WorldSites(row, merchant, order, weight, city)


def positions(
    plan: WorldPlan, sites: WorldSites, rows: CountryRows, geography: Geography, draws: GeneratorDraws, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude in degrees, scattered around a city or the zone's place; these differ by seed. A user's own
    sites are where they are."""
    zone = rows.zone[sites.row]
    middle_east, middle_north = geography.longitude[zone], geography.latitude[zone]
    if plan.cities:
        in_city = sites.city >= 0
        middle_east = np.where(in_city, np.array([city.longitude for city in plan.cities])[sites.city], middle_east)
        middle_north = np.where(in_city, np.array([city.latitude for city in plan.cities])[sites.city], middle_north)
    east = draws.uniform("site east", seed, sites.merchant, sites.row, sites.site_order)
    north = draws.uniform("site north", seed, sites.merchant, sites.row, sites.site_order)
    longitude = middle_east + plan.spread_deg * (2 * east - 1)
    latitude = middle_north + plan.spread_deg * (2 * north - 1)
    longitude, latitude = (longitude + 540.0) % 360.0 - 180.0, np.clip(latitude, -90.0, 90.0)
    if plan.own_sites:
        mine = np.isin(sites.merchant, plan.own_sites.merchant)
        longitude[mine], latitude[mine] = plan.own_sites.longitude, plan.own_sites.latitude
    return longitude, latitude


def _cities(
    plan: WorldPlan,
    merchant: NDArray[np.int64],
    row: NDArray[np.int64],
    order: NDArray[np.int32],
    zone: NDArray[np.int64],
    geography: Geography,
    draws: GeneratorDraws,
) -> NDArray[np.int64]:
    """The city of each site: in a zone with cities, one of these by their weights. Cities of a plan lie zone by zone."""
    city = np.full(row.size, -1)
    if not plan.cities:
        return city
    uniform = draws.uniform("site city", merchant, row, order)
    first = 0
    for tzid, group in groupby(plan.cities, lambda each: each.zone):
        total = np.cumsum([each.weight for each in group])
        here = np.flatnonzero(zone == geography.tzids.index(tzid))
        chosen = np.searchsorted(total, uniform[here] * total[-1], side="right").clip(max=total.size - 1)
        city[here] = first + chosen
        first += total.size
    return city


def _log_normal(
    sigma: float,
    merchant: NDArray[np.int64],
    row: NDArray[np.int64],
    order: NDArray[np.int32],
    draws: GeneratorDraws,
) -> NDArray[np.float64]:
    """Weights whose logarithms are normal with deviation ``sigma`` within each merchant."""
    uniforms = [draws.uniform(label, merchant, row, order) for label in ("site size", "site size angle")]
    size = portable.exp(sigma * portable.normal(*uniforms))
    return np.asarray(size / np.bincount(merchant, size)[merchant])


def _rank_in_run(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each element within its run of equal values."""
    if not values.size:
        return np.zeros(0, np.int64)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1])
    lengths = np.diff(np.append(starts, values.size))
    return np.asarray(np.arange(values.size) - np.repeat(starts, lengths))


def _weights(merchant: NDArray[np.int64], draws: GeneratorDraws) -> NDArray[np.float64]:
    """Weights by rank within the merchant; which site has which rank, and which law holds, is hashed."""
    index = np.arange(merchant.size)
    order = np.lexsort((draws.uniform("site rank", merchant, index), merchant))
    rank = np.empty(merchant.size, np.int64)
    rank[order] = _rank_in_run(merchant[order])
    count = np.bincount(merchant)[merchant]
    shape = draws.uniform("site law", merchant)
    raw = np.zeros(merchant.size)
    cap = np.ones(merchant.size)
    least = 0
    for most, profile in _BANDS:
        band = (count > least) & (count <= most)
        raw[band] = _raw(profile, rank[band] + 1, count[band], shape[band])
        cap[band] = profile.cap
        least = most
    return _cap(raw / np.bincount(merchant, raw)[merchant], rank, merchant, cap)


def _raw(
    profile: SiteProfile, rank: NDArray[np.int64], count: NDArray[np.int64], uniform: NDArray[np.float64]
) -> NDArray[np.float64]:
    hub, heavy, near = profile.exponent
    place = rank.astype(np.float64)
    boost = np.maximum(1.0, hub * np.maximum(2, count // 2))
    spoke = portable.power(place, -max(hub, 1.0)) + np.where(rank == 1, boost, 0.0)
    tail = portable.power(place, -max(heavy, 0.5))
    first, second = profile.mixture[0], profile.mixture[0] + profile.mixture[1]
    flat = 1.0 + near / (place + 1.0)
    return np.where(uniform < first, spoke, np.where(uniform < second, tail, flat))


def _cap(
    share: NDArray[np.float64], rank: NDArray[np.int64], merchant: NDArray[np.int64], cap: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Hold the largest weight (rank 0) of several at the cap and hand the excess to the others in proportion."""
    first = np.flatnonzero(rank == 0)
    top = np.zeros(int(merchant.max(initial=-1)) + 1)
    top[merchant[first]] = share[first]
    largest = top[merchant]
    over = (largest > cap) & (largest < 1.0)
    others = share * np.where(over, (1.0 - cap) / np.where(over, 1.0 - largest, 1.0), 1.0)
    return np.where(over & (rank == 0), cap, others)
