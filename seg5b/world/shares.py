"""Small arithmetic of shares: quotas that add up, and picks that follow weights."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray


def apportion(total: int, weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole quotas in proportion to ``weights`` that sum to ``total`` (largest remainders, ties to the first)."""
    exact = weights * (total / float(weights.sum()))
    quota = np.floor(exact).astype(np.int64)
    order = np.argsort(quota - exact, kind="stable")
    quota[order[: total - int(quota.sum())]] += 1
    return quota


def apportion_each(totals: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """As `apportion`, for each of several totals by weights of its own, float64 [totals, n]."""
    exact = weights * (totals / weights.sum(axis=1))[:, None]
    quota = np.floor(exact).astype(np.int64)
    order = np.argsort(quota - exact, axis=1, kind="stable")
    left = totals - quota.sum(axis=1)
    more = np.zeros(quota.shape, bool)
    np.put_along_axis(more, order, np.arange(quota.shape[1]) < left[:, None], axis=1)
    return np.asarray(quota + more)


def apportion_within(total: int, weights: NDArray[np.float64], limits: NDArray[np.int64]) -> NDArray[np.int64]:
    """As `apportion`, none above its limit; what a limit cuts off goes to the others."""
    quota = np.zeros(weights.size, np.int64)
    while (left := min(total, int(limits.sum())) - int(quota.sum())) > 0:
        room = np.where(quota < limits, weights, 0.0)
        quota = np.minimum(quota + apportion(left, room), limits)
    return quota


def pick(weights: NDArray[np.float64], uniform: float) -> int:
    """Index drawn in proportion to ``weights`` (at least one positive) by one uniform in (0, 1)."""
    total = np.cumsum(weights)
    place = int(total.searchsorted(uniform * total[-1], side="right"))
    return place if place < total.size else int(np.flatnonzero(weights)[-1])


def pick_each(weights: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """As `pick`, once for each of several uniforms."""
    total = np.cumsum(weights)
    places = np.searchsorted(total, uniform * total[-1], side="right")
    return np.asarray(np.minimum(places, np.flatnonzero(weights)[-1]))


def pick_short(weights: Sequence[float], uniform: float) -> int:
    """As `pick`, from a few plain numbers: for a handful of weights a list is faster than an array."""
    total = list(accumulate(weights))
    place = bisect_right(total, uniform * total[-1])
    return place if place < len(total) else max(index for index, weight in enumerate(weights) if weight)


def sums_of_runs(values: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum of each run of ``counts`` values that lie together, each as numpy adds up such a run alone."""
    first = np.cumsum(counts) - counts
    total = np.zeros(counts.size)
    for count in np.unique(counts[counts > 0]).tolist():
        alike = np.flatnonzero(counts == count)
        total[alike] = values[first[alike][:, None] + np.arange(count)].sum(axis=1)
    return total


def sum_by(codes: NDArray[Any], values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Sum of the values of each code 0 to ``count`` - 1, added in order."""
    return np.asarray(np.bincount(codes, values, count), np.float64)


def unique_keys(*columns: NDArray[Any]) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """Distinct rows of integer ``columns`` (>= 0) in ascending order, as columns again, and the place of each row among
    them. The product of the columns' ranges must stay below 2^63."""
    sizes = [int(column.max(initial=0)) + 1 for column in columns]
    code = np.zeros(columns[0].size, np.int64)
    for column, size in zip(columns, sizes, strict=True):
        code = code * size + column
    found, place = np.unique(code, return_inverse=True)
    distinct = []
    for size in reversed(sizes):
        found, rest = np.divmod(found, size)
        distinct.append(rest)
    return distinct[::-1], place


def falling(count: int, ratio: float) -> NDArray[np.float64]:
    """1, ratio, ratio^2 ... by repeated multiplication, which every machine rounds alike (a power function may not)."""
    return np.multiply.accumulate(np.concatenate([[1.0], np.full(max(0, count - 1), ratio)]))[:count]


def gini(values: NDArray[np.float64]) -> float:
    """Gini coefficient of non-negative values, 0 of none."""
    if not values.any():
        return 0.0
    ordered = np.sort(values)
    rank = np.arange(1, ordered.size + 1)
    return float(((2 * rank - ordered.size - 1) * ordered).sum() / (ordered.size * ordered.sum()))


def top_share(values: NDArray[np.float64], count: int) -> float:
    """Share of the sum held by the ``count`` largest values, 0 of none."""
    if not values.any():
        return 0.0
    return float(np.sort(values)[::-1][:count].sum() / values.sum())
