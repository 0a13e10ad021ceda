"""Edges that follow customers: cities drawn with a chance in proportion to their weight (docs/laws#world-public-places)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seg5b.world.draws import GeneratorDraws
from seg5b.world.plan import WorldPlan

LARGEST_SHARE = 0.15
"""Most of a merchant's virtual trade that one city has, where there are `_LEAST_CAPPED` edges or more."""
_LEAST_CAPPED = 20


def draw_edge_cities(
    plan: WorldPlan, virtual: NDArray[np.int64], weekly: NDArray[np.float64], draws: GeneratorDraws, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Edges of each of the ``virtual`` merchants (positions) with volumes ``weekly``, int64; then of all edges, merchant by
    merchant, the city, int64 position in the plan's edge cities, ascending within a merchant, and the weight, float64, summing
    to 1 per merchant. Larger merchants have more edges; a city's expected weight is its own."""
    weights = np.array([city.weight for city in plan.edge_cities])
    weights = weights / weights.sum()
    least, most = plan.edge_limits
    rank = (np.argsort(np.argsort(weekly, kind="stable")) + 0.5) / max(1, virtual.size)
    score = 0.5 * rank + 0.5 * draws.uniform("edge count", virtual)
    counts = np.minimum(np.rint(least + (most - least) * score).astype(np.int64), weights.size)
    uniform = draws.uniform("edge cities", seed, virtual)
    drawn = [_drawn(weights, *each) for each in zip(counts.tolist(), uniform.tolist(), strict=True)]
    none = (np.zeros(0, np.int64), np.zeros(0))
    city, weight = (np.concatenate(columns) for columns in zip(none, *drawn, strict=True))
    return np.array([each[0].size for each in drawn], np.int64), city, weight


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
