"""Daily group weights of 2B: shares of a merchant's zones, day by day (docs/laws#world-group-weights)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world import portable
from seg5b.world.domain import CountryRows
from seg5b.world.draws import GeneratorDraws

SIGMA_GAMMA = 0.12
_STRENGTH = 0.52
_CAP = 0.68
# The regulariser's third step lifts the entropy to 0.62 nats. A largest weight of at most 0.68 already means 0.627 or
# more, so that step never acts and is left out.


@dataclass(frozen=True, slots=True)
class GroupWeights:
    """Columns over (merchant, day, zone), sorted so; each merchant has all its active zones on every day.

    ``merchant``, ``day``, ``zone`` int64 codes; ``base_share``, ``gamma``, ``log_gamma``, ``mass_raw``, ``denom_raw``,
    ``p_group`` float64. ``p_group`` sums to 1 per merchant and day.
    """

    merchant: NDArray[np.int64]
    day: NDArray[np.int64]
    zone: NDArray[np.int64]
    base_share: NDArray[np.float64]
    gamma: NDArray[np.float64]
    log_gamma: NDArray[np.float64]
    mass_raw: NDArray[np.float64]
    denom_raw: NDArray[np.float64]
    p_group: NDArray[np.float64]


def make_group_weights(rows: CountryRows, days: int, draws: GeneratorDraws, seed: int) -> GroupWeights:
    """Weights of every merchant with intensity, for each day."""
    active = rows.weekly > 0
    series, at = np.unique(rows.series()[active], return_inverse=True)
    volume = np.bincount(at, rows.weekly[active])
    owner, zone = np.divmod(series, 10_000)
    base = volume / np.bincount(owner, volume)[owner]
    first = np.flatnonzero(np.concatenate([[True], np.diff(owner) > 0]))
    size = np.diff(np.append(first, owner.size))
    # Row r of the result is merchant block, then day, then zone within the merchant.
    block = np.repeat(np.arange(first.size), size * days)
    within = np.arange(block.size) - np.repeat(np.cumsum(size * days) - size * days, size * days)
    day = within // size[block]
    key = first[block] + within % size[block]
    u1, u2 = (draws.uniform(label, seed, owner[key], zone[key], day) for label in ("gamma 1", "gamma 2"))
    log_gamma = SIGMA_GAMMA * portable.normal(u1, u2) - SIGMA_GAMMA**2 / 2
    gamma = portable.exp(log_gamma)
    mass = base[key] * gamma
    starts = np.flatnonzero(within % size[block] == 0)
    total = np.repeat(np.add.reduceat(mass, starts), size[block[starts]])
    weight = _regularise(mass / total, size[block], starts)
    return GroupWeights(owner[key], day, zone[key], base[key], gamma, log_gamma, mass, total, weight)


def _regularise(share: NDArray[np.float64], size: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Blend with equal shares by the strength, then as much more as the cap of the largest share asks for."""
    even = 1.0 / size
    blended = share + _STRENGTH * (even - share)
    largest = np.repeat(np.maximum.reduceat(blended, starts), size[starts])
    several = size > 1
    more = np.where(several & (largest > _CAP), (largest - _CAP) / np.where(several, largest - even, 1.0), 0.0)
    return np.where(several, blended + more * (even - blended), 1.0)
