"""Edges that follow customers: cities drawn with a chance in proportion to their weight (docs/laws#world-public-places)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world.draws import GeneratorDraws
from seg5b.world.plan import WorldPlan

LARGEST_SHARE = 0.15
"""Most of a merchant's virtual trade that one city has, where there are `_LEAST_CAPPED` edges or more."""
_LEAST_CAPPED = 20


@dataclass(frozen=True, slots=True)
class VirtualMerchants:
    """Merchants that have edges: ``position`` int64, of all merchants; ``weekly`` float64, their volumes; ``trade`` float64
    [merchants, countries], each one's part of its volume by country, rows summing to 1."""

    position: NDArray[np.int64]
    weekly: NDArray[np.float64]
    trade: NDArray[np.float64]


def draw_edge_cities(
    plan: WorldPlan, merchants: VirtualMerchants, country: NDArray[np.int64], draws: GeneratorDraws, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Edges of each of the ``merchants``, int64; then of all edges, merchant by merchant, the city, int64 position in the
    plan's edge cities, ascending within a merchant, and the weight, float64, summing to 1 per merchant. ``country`` int64 of
    each of these cities, a column of the merchants' trade, or -1. Larger merchants have more edges; a city's expected weight is
    what the merchant's customers make it."""
    weights = np.array([city.weight for city in plan.edge_cities])
    weights = weights / weights.sum()
    virtual, weekly = merchants.position, merchants.weekly
    own = _within_countries(weights, country, merchants.trade.shape[1])
    least, most = plan.edge_limits
    rank = (np.argsort(np.argsort(weekly, kind="stable")) + 0.5) / max(1, virtual.size)
    score = 0.5 * rank + 0.5 * draws.uniform("edge count", virtual)
    counts = np.minimum(np.rint(least + (most - least) * score).astype(np.int64), weights.size)
    uniform = draws.uniform("edge cities", seed, virtual)
    home = (_at_home(weights, own, country, each, plan.edge_home_share) for each in merchants.trade)
    drawn = [_drawn(*each) for each in zip(home, counts.tolist(), uniform.tolist(), strict=True)]
    none = (np.zeros(0, np.int64), np.zeros(0))
    city, weight = (np.concatenate(columns) for columns in zip(none, *drawn, strict=True))
    return np.array([each[0].size for each in drawn], np.int64), city, weight


def _within_countries(weights: NDArray[np.float64], country: NDArray[np.int64], countries: int) -> NDArray[np.float64]:
    """Part of its country that each city has; 0 in a country where nobody trades."""
    known = country >= 0
    total = np.bincount(country[known], weights[known], countries)
    return np.where(known, weights / np.where(known, total[country], 1.0), 0.0)


def _at_home(
    weights: NDArray[np.float64],
    own: NDArray[np.float64],
    country: NDArray[np.int64],
    trade: NDArray[np.float64],
    home_share: float,
) -> NDArray[np.float64]:
    """Weights of cities for a merchant of whose customers ``home_share`` are of the countries in which it trades."""
    near = trade[country] * own
    total = near.sum()
    if not home_share or not total:
        return weights
    return np.asarray(home_share / total * near + (1.0 - home_share) * weights)


def _drawn(weights: NDArray[np.float64], count: int, uniform: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """``count`` different cities and their weights. Those that would be drawn more than once are there with what they have; of
    the others systematic sampling draws each with a chance in proportion to its weight, and all weigh the same."""
    order = np.argsort(-weights, kind="stable")
    left = np.cumsum(weights[order][::-1])[::-1]
    sure = weights[order] * (count - np.arange(weights.size)) >= left
    certain = int(np.argmin(sure[:count])) if not sure[:count].all() else count
    chosen = np.zeros(weights.size, bool)
    chosen[order[:certain]] = True
    weight = np.where(chosen, weights, 0.0)
    drawn = count - certain
    if drawn:
        total = np.cumsum(np.where(chosen, 0.0, weights))
        points = (np.arange(drawn) + uniform) * (total[-1] / drawn)
        places = np.minimum(np.searchsorted(total, points, side="right"), int(order[certain:].max()))
        chosen[places] = True
        weight += np.bincount(places, minlength=weights.size) * (left[certain] / drawn)
    city = np.flatnonzero(chosen)
    return city, _capped(weight[city] / weight[city].sum())


def _capped(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """None above `LARGEST_SHARE`; what that cuts off goes to the others, by their weights."""
    if weight.size < _LEAST_CAPPED:
        return weight
    while (weight > LARGEST_SHARE * (1 + 1e-12)).any():
        held = weight >= LARGEST_SHARE
        rest = 1.0 - LARGEST_SHARE * int(held.sum())
        weight = np.where(held, LARGEST_SHARE, weight * (rest / weight[~held].sum()))
    return weight
