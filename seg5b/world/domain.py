"""The domain of the intensity surface: rows with intensity and the others, whose intensity is zero."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seg5b.world.draws import GeneratorDraws
from seg5b.world.geography import Geography
from seg5b.world.merchants import WorldMerchants
from seg5b.world.placement import ActiveRows
from seg5b.world.plan import WorldPlan
from seg5b.world.shares import sum_by, unique_keys
from seg5b.world.vocabulary import CLASSES, ROLES, class_code

_TAIL = ROLES.index("tail")
_HANDED_OVER = 0.08
_SAME_CHANNEL = {
    "consumer_daytime": "evening_weekend",
    "online_24h": "online_bursty",
    "online_bursty": "online_24h",
}


@dataclass(frozen=True, slots=True)
class CountryRows:
    """Columns over the (merchant, country, tzid) rows, sorted by merchant id, country, tzid.

    ``merchant`` int64 position in the merchants; ``country``, ``zone`` int64 codes of the geography; ``role``,
    ``class_code`` int8 codes of the vocabulary; ``weekly`` float64 expected arrivals of a normal week, 0 for most.
    """

    merchant: NDArray[np.int64]
    country: NDArray[np.int64]
    zone: NDArray[np.int64]
    role: NDArray[np.int8]
    class_code: NDArray[np.int8]
    weekly: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.merchant.size)

    def series(self) -> NDArray[np.int64]:
        """Code of each row's (merchant, tzid), equal for rows that share it."""
        return np.asarray(self.merchant * 10_000 + self.zone)


def build_rows(
    plan: WorldPlan,
    geography: Geography,
    merchants: WorldMerchants,
    active: ActiveRows,
    draws: GeneratorDraws,
    *,
    unique_keys: bool,
) -> CountryRows:
    """The whole domain. ``unique_keys`` leaves one country per (merchant, tzid), with the volume of all."""
    if plan.country_rows or len(plan.component_keys) > 1:
        rows = _select(plan, _candidates(plan, geography, active, merchants), draws)
    else:
        rows = _active_only(active, merchants)
    if unique_keys:
        return _merge_countries(rows)
    return _mix_one_series(rows) if plan.mixed_class_series else rows


def _active_only(active: ActiveRows, merchants: WorldMerchants) -> CountryRows:
    """The rows with intensity, where a plan asks for no others."""
    kept = np.flatnonzero(active.weekly > 0)
    order = kept[np.argsort(_code(active.merchant, active.country, active.zone)[kept])]
    merchant = active.merchant[order]
    return CountryRows(
        merchant,
        active.country[order],
        active.zone[order],
        active.role[order],
        merchants.class_code[merchant],
        active.weekly[order],
    )


def _candidates(plan: WorldPlan, geography: Geography, active: ActiveRows, merchants: WorldMerchants) -> CountryRows:
    """Every zone that each (merchant, country) pair reaches, in sorted order; active ones carry their volume."""
    reach = [np.array(zones, np.int64) for zones in geography.reach]
    (merchant, country), _ = unique_keys(active.merchant, active.country)
    zones = np.concatenate([reach[code] for code in country.tolist()])
    sizes = np.array([zones.size for zones in reach])[country]
    merchant, country = np.repeat(merchant, sizes), np.repeat(country, sizes)
    order = np.lexsort((zones, country, merchant))
    merchant, country, zones = merchant[order], country[order], zones[order]
    role = np.full(zones.size, _TAIL, np.int8)
    weekly = np.zeros(zones.size)
    code = _code(merchant, country, zones)
    at = np.searchsorted(code, _code(active.merchant, active.country, active.zone))
    role[at] = active.role
    weekly[at] = active.weekly
    return CountryRows(merchant, country, zones, role, merchants.class_code[merchant], weekly)


def _code(merchant: NDArray[np.int64], country: NDArray[np.int64], zone: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray((merchant * 1_000 + country) * 10_000 + zone)


def _select(plan: WorldPlan, candidates: CountryRows, draws: GeneratorDraws) -> CountryRows:
    """Keep the active rows and as many others as give the plan's count of rows and of countries per series."""
    _, series = np.unique(candidates.series(), return_inverse=True)
    is_active = candidates.weekly > 0
    wanted = _wanted_countries(plan, series, is_active, draws)
    chance = draws.uniform("country", candidates.merchant, candidates.country, candidates.zone)
    order = np.lexsort((chance, ~is_active, series))
    start = np.concatenate([[0], np.cumsum(np.bincount(series))[:-1]])
    rank = np.empty(series.size, np.int64)
    rank[order] = np.arange(series.size) - start[series[order]]
    return _take(candidates, np.flatnonzero(rank < wanted[series]))


def _wanted_countries(
    plan: WorldPlan, series: NDArray[np.int64], is_active: NDArray[np.bool_], draws: GeneratorDraws
) -> NDArray[np.int64]:
    """Number of countries to keep for each series: the plan's histogram, from the most countries down."""
    reachable = np.bincount(series)
    least = np.bincount(series, is_active).astype(np.int64)
    wanted = least.copy()
    order = np.argsort(draws.uniform("series", np.arange(reachable.size)), kind="stable")
    free = np.ones(reachable.size, bool)
    for count in range(len(plan.component_keys), 1, -1):
        forced = free & (least >= count)
        room = max(0, plan.component_keys[count - 1] - int(forced.sum()))
        open_keys = order[(free & ~forced & (reachable >= count))[order]][:room]
        wanted[open_keys] = count
        free[open_keys] = False
        free[forced] = False
    left = plan.country_rows - int(wanted.sum())
    wanted[order[(free & (wanted == 0))[order]][: max(0, left)]] = 1
    return wanted


def _take(rows: CountryRows, index: NDArray[np.int64]) -> CountryRows:
    return CountryRows(
        rows.merchant[index],
        rows.country[index],
        rows.zone[index],
        rows.role[index],
        rows.class_code[index],
        rows.weekly[index],
    )


def _merge_countries(rows: CountryRows) -> CountryRows:
    """One row per (merchant, tzid): its largest country, with the volume of all of them."""
    keys, series = np.unique(rows.series(), return_inverse=True)
    order = np.lexsort((np.arange(series.size), -rows.weekly, series))
    first = order[np.unique(series[order], return_index=True)[1]]
    total = sum_by(series, rows.weekly, keys.size)
    kept = np.sort(first)
    return replace(_take(rows, kept), weekly=total[series[kept]])


def _mix_one_series(rows: CountryRows) -> CountryRows:
    """Give one series two active countries of different demand classes: the pipeline has to add their intensities,
    choose the larger one's class and report the case.

    The first series with an active country and an idle one hands a little of its volume to the idle one.
    """
    keys, series = np.unique(rows.series(), return_inverse=True)
    active = np.bincount(series, rows.weekly > 0, keys.size)
    candidates = np.flatnonzero((active == 1) & (np.bincount(series) > 1))
    if not candidates.size:
        return rows
    members = np.flatnonzero(series == candidates[0])
    giver, taker = members[np.argmax(rows.weekly[members])], members[np.argmin(rows.weekly[members])]
    classes, weekly = rows.class_code.copy(), rows.weekly.copy()
    classes[taker] = class_code(_SAME_CHANNEL.get(CLASSES[classes[taker]], "consumer_daytime"))
    weekly[taker] = _HANDED_OVER * weekly[giver]
    weekly[giver] -= weekly[taker]
    return replace(rows, class_code=classes, weekly=weekly)
