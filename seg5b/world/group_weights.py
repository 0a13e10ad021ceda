"""Daily group weights of 2B: shares of a merchant's zones, day by day (docs/laws#world-group-weights)."""

from __future__ import annotations

from collections.abc import Iterator
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


@dataclass(frozen=True, slots=True)
class _Series:
    """(Merchant, zone) keys with intensity, sorted so, and where the ``size`` ones of each merchant begin."""

    owner: NDArray[np.int64]
    zone: NDArray[np.int64]
    base: NDArray[np.float64]
    first: NDArray[np.int64]
    size: NDArray[np.int64]


def make_group_weights(rows: CountryRows, days: int, draws: GeneratorDraws, seed: int) -> GroupWeights:
    """Weights of every merchant with intensity, for each day."""
    series = _series(rows)
    return _of_merchants(series, 0, series.first.size, days, draws, seed)


def group_weight_blocks(
    rows: CountryRows, days: int, draws: GeneratorDraws, seed: int, most_rows: int
) -> Iterator[GroupWeights]:
    """The same in blocks of ``most_rows`` rows, the last as long as it is. Merchants that lie across a border are made for
    both sides of it."""
    series = _series(rows)
    ends = np.cumsum(series.size * days)
    for start in range(0, int(ends[-1]), most_rows):
        stop = min(start + most_rows, int(ends[-1]))
        low, high = np.searchsorted(ends, start, side="right"), np.searchsorted(ends, stop, side="left")
        made = _of_merchants(series, int(low), int(high) + 1, days, draws, seed)
        before = int(ends[low] - series.size[low] * days)
        names = GroupWeights.__dataclass_fields__
        yield GroupWeights(**{name: getattr(made, name)[start - before : stop - before] for name in names})


def _series(rows: CountryRows) -> _Series:
    active = rows.weekly > 0
    series, at = np.unique(rows.series()[active], return_inverse=True)
    volume = np.bincount(at, rows.weekly[active])
    owner, zone = np.divmod(series, 10_000)
    base = volume / np.bincount(owner, volume)[owner]
    first = np.flatnonzero(np.concatenate([[True], np.diff(owner) > 0]))
    return _Series(owner, zone, base, first, np.diff(np.append(first, owner.size)))


def _of_merchants(series: _Series, low: int, high: int, days: int, draws: GeneratorDraws, seed: int) -> GroupWeights:
    """Weights of some of the merchants, counted among those with intensity."""
    first, size, owner, zone, base = series.first, series.size, series.owner, series.zone, series.base
    # Row r of the result is merchant block, then day, then zone within the merchant.
    lengths = size[low:high] * days
    block = np.repeat(np.arange(low, high), lengths)
    within = np.arange(block.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
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
