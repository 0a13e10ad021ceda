"""What no site, and no merchant in a city, may exceed (docs/laws#world-public-places). Payments move to other sites of the same
merchant and zone, so that volumes of merchants and zones stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg5b.world.domain import CountryRows
from seg5b.world.merchants import WorldMerchants
from seg5b.world.plan import WorldPlan
from seg5b.world.shares import sum_by
from seg5b.world.sites import WorldSites
from seg5b.world.spec.refusal import refusal
from seg5b.world.templates import HOURS, all_shapes
from seg5b.world.vocabulary import CLASSES, HYBRID_COIN, MODES

CEILING_PER_HOUR: Final[Mapping[str, float]] = {
    "always_on_local": 250.0, "bills_utilities": 400.0, "consumer_daytime": 1200.0, "evening_weekend": 200.0,
    "fuel_convenience": 300.0, "low_volume_tail": 250.0, "office_hours": 400.0, "online_24h": 400.0,
    "online_bursty": 400.0, "travel_hospitality": 400.0,
}  # fmt: skip
"""Payments that a site can take in an hour. Measured is the supermarket (1.2 times the busiest hour of 54 stores in five
years, 840 to 1,000); the others are judgement, from lanes and minutes."""
EXPECTED_PART: Final = 0.5
"""Part of the ceiling that a normal week's busiest hour may expect: overlays, bursts and chance have the rest."""
BUSY_CITY: Final = 100
"""Merchants with sites in a city from which on one of them can be held below a share of it."""
_ROUNDS: Final = 32


def limited(plan: WorldPlan, rows: CountryRows, merchants: WorldMerchants, sites: WorldSites) -> WorldSites:
    """The sites with weights that keep to what the plan limits. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` where a row has
    too few sites for their ceiling."""
    if not sites.row.size or not (plan.site_ceilings or plan.largest_city_share < 1.0):
        return sites
    of_row = sum_by(sites.row, sites.weight, len(rows))
    share = sites.weight / of_row[sites.row]
    volume = volume_at_sites(plan, rows, merchants)
    if plan.largest_city_share < 1.0:
        share = _below_city_share(plan, sites, share, volume)
    if plan.site_ceilings:
        share = _below_ceilings(plan, rows, sites, share, volume)
    return replace(sites, weight=share * of_row[sites.row])


def volume_at_sites(plan: WorldPlan, rows: CountryRows, merchants: WorldMerchants) -> NDArray[np.float64]:
    """Weekly payments at the sites of each row, float64 [rows]: less what goes to edges."""
    coin = plan.document.get("virtual", {}).get("hybrid_probability", HYBRID_COIN)
    part = np.array([{"HYBRID": 1.0 - coin, "VIRTUAL_ONLY": 0.0}.get(mode, 1.0) for mode in MODES])
    return np.asarray(rows.weekly * part[merchants.mode_code[rows.merchant]])


def busiest_hour(plan: WorldPlan) -> NDArray[np.float64]:
    """Largest share of a week in one hour by class, float64 [classes]; of variants the largest."""
    shapes = all_shapes(plan)
    return np.asarray(shapes.reshape(len(CLASSES), -1, HOURS, plan.buckets_per_hour).sum(axis=3).max(axis=(1, 2)))


def _below_city_share(
    plan: WorldPlan, sites: WorldSites, share: NDArray[np.float64], volume: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shares of sites in their rows such that no merchant has more than the plan's share of a busy city, as far as it has sites
    in other cities of the zone."""
    cities = len(plan.cities)
    in_city = np.flatnonzero(sites.city >= 0)
    keys, pair = np.unique(sites.merchant[in_city] * max(1, cities) + sites.city[in_city], return_inverse=True)
    city = keys % max(1, cities)
    busy = np.bincount(city, minlength=cities)[city] >= BUSY_CITY
    most, full = plan.largest_city_share, np.zeros(keys.size, bool)
    for _ in range(_ROUNDS):
        at = (volume[sites.row] * share)[in_city]
        held = sum_by(pair, at, keys.size)
        others = sum_by(city, held, cities)[city] - held
        allowed = others * (most / (1.0 - most))
        over = busy & (held > allowed * (1 + 1e-6))
        if not over.any():
            break
        full |= over
        factor = np.ones(sites.row.size)
        factor[in_city] = np.where(over, allowed / np.where(over, held, 1.0), 1.0)[pair]
        free = np.ones(sites.row.size, bool)
        free[in_city] = ~full[pair]
        share = _moved(sites.row, share, share * factor, free, volume.size)
    return share


def _below_ceilings(
    plan: WorldPlan,
    rows: CountryRows,
    sites: WorldSites,
    share: NDArray[np.float64],
    volume: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Shares of sites in their rows such that none expects more in its busiest hour than `EXPECTED_PART` of the ceiling of its
    class; a user's own sites stay as they are."""
    ceiling = EXPECTED_PART * np.array([CEILING_PER_HOUR[name] for name in CLASSES])
    peak = volume * busiest_hour(plan)[rows.class_code]
    cap = np.where(peak > 0, ceiling[rows.class_code] / np.where(peak > 0, peak, 1.0), 1.0)
    if plan.own_sites:
        cap[np.isin(rows.merchant, plan.own_sites.merchant)] = 1.0
    count = np.bincount(sites.row, minlength=len(rows))
    tight = np.flatnonzero((count > 0) & (cap * count < 1.0))
    if tight.size:
        worst = tight[np.argmin((cap * count)[tight])]
        name = CLASSES[rows.class_code[worst]]
        raise refusal(
            "merchants.sites.weekly_arrivals_per_site",
            plan.weekly_per_site,
            f"makes sites of {name} that expect {peak[worst] / count[worst]:,.0f} payments in their busiest hour, above "
            f"{EXPECTED_PART * CEILING_PER_HOUR[name]:,.0f}",
            "lower it, or raise merchants.sites.base",
        )
    limit = cap[sites.row]
    for _ in range(int(count.max())):  # each round fills a site more of every row, mostly many
        over = share > limit * (1 + 1e-9)
        if not over.any():
            break
        share = _moved(sites.row, share, np.where(over, limit, share), share < limit, len(rows))
    return share


def _moved(
    row: NDArray[np.int64],
    share: NDArray[np.float64],
    less: NDArray[np.float64],
    free: NDArray[np.bool_],
    rows: int,
) -> NDArray[np.float64]:
    """``less`` instead of ``share``, and what that takes away handed to the ``free`` sites of the same row, by their shares; a
    row without free sites stays as it was."""
    taker = np.where(free, less, 0.0)
    room = sum_by(row, taker, rows)
    excess = sum_by(row, share - less, rows)
    more = taker * (excess / np.where(room > 0, room, 1.0))[row]
    return np.where((room > 0)[row], less + more, share)
