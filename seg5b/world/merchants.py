"""Merchants: ids, expected weekly volumes, demand classes, virtual modes, and number of countries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world import portable
from seg5b.world.draws import GeneratorDraws
from seg5b.world.plan import OwnMerchants, WorldPlan
from seg5b.world.shares import apportion, apportion_within, pick_short
from seg5b.world.templates import all_shapes
from seg5b.world.vocabulary import CLASSES, MODES, class_code

# Weekly volume by share of merchants below (docs/laws#world-merchants) ...
_SMALL = "low_volume_tail"
"""A class whose merchants are no larger than the mean, where places follow public figures."""
_BODY = (
    (0.0, 359.3), (0.05, 880.0), (0.15, 1569.0), (0.25, 2291.0), (0.35, 3138.0), (0.45, 4101.0), (0.5, 4508.6),
    (0.65, 6416.0), (0.75, 8261.9), (0.85, 12_000.0), (0.9, 16_619.0),
)  # fmt: skip
# ... and by share of merchants above, where the five largest of 886 are known one by one.
_TAIL = (
    (0.000564, 1_285_624.0), (0.00169, 440_000.0), (0.00282, 212_000.0), (0.00395, 182_000.0), (0.00508, 174_000.0),
    (0.01, 111_961.0), (0.05, 29_458.0), (0.1, 16_619.0),
)  # fmt: skip
_RANK_INFLUENCE = 0.4
"""Weight of the volume rank, against chance, in how many zones a merchant is active in (Spearman .416)."""


@dataclass(frozen=True, slots=True)
class WorldMerchants:
    """Columns over the merchants, in ascending order of ``id`` (uint64).

    ``weekly`` float64, expected arrivals of a normal week; ``class_code``, ``mode_code`` int8 (see
    `seg5b.world.vocabulary`); ``pairs`` and ``active`` int64, countries and rows with intensity.
    """

    id: NDArray[np.uint64]
    weekly: NDArray[np.float64]
    class_code: NDArray[np.int8]
    mode_code: NDArray[np.int8]
    pairs: NDArray[np.int64]
    active: NDArray[np.int64]


def make_merchants(plan: WorldPlan, draws: GeneratorDraws) -> WorldMerchants:
    """The merchants of a plan: its own ones, or made; what is not known of own ones is made."""
    own = plan.own or OwnMerchants(())
    index = np.arange(plan.merchants)
    ids = np.array(own.ids, np.uint64) if own.ids else np.sort(draws.bits("merchant", index) | np.uint64(1))
    by_volume = np.argsort(draws.uniform("volume", index), kind="stable")
    weekly = np.empty(plan.merchants)
    if own.weekly:
        weekly[:] = np.array(own.weekly) * (plan.weekly_total / math.fsum(own.weekly))
        by_volume = np.argsort(weekly, kind="stable")
    else:
        weekly[by_volume] = _volumes(plan)
    largest_first = by_volume[::-1]
    if own.classes:
        classes = np.array([class_code(name) for name in own.classes], np.int8)
    else:
        classes = _classes(plan, weekly, largest_first, draws)
    if own.modes:
        modes = np.array([MODES.index(mode) for mode in own.modes], np.int8)
    else:
        modes = _modes(plan, weekly, classes, largest_first, draws)
    pairs, active = _reach_counts(plan, largest_first, draws)
    return WorldMerchants(ids, weekly, classes, modes, pairs, active)


def _volumes(plan: WorldPlan) -> NDArray[np.float64]:
    """Weekly volumes in ascending order, summing to the plan's total."""
    below = (np.arange(plan.merchants) + 0.5) / plan.merchants
    if plan.pareto_alpha:
        volumes = portable.power(1.0 - below, -1.0 / plan.pareto_alpha)
        return np.asarray(volumes * (plan.weekly_total / volumes.sum()))
    shares, values = np.array(_BODY).T
    body = portable.interpolate(below, shares, portable.log(values))
    above, values = np.array(_TAIL).T
    tail = portable.interpolate(portable.log(1 - below), portable.log(above), portable.log(values))
    volumes = portable.exp(np.where(below < _BODY[-1][0], body, tail) * plan.volume_exponent)
    return np.asarray(volumes * (plan.weekly_total / volumes.sum()))


def _classes(
    plan: WorldPlan, weekly: NDArray[np.float64], largest_first: NDArray[np.int64], draws: GeneratorDraws
) -> NDArray[np.int8]:
    """Classes that meet the quotas of merchants in each part by size and, as well as they allow, of volume."""
    names = tuple(plan.class_volume)
    # No merchant expects more in its busiest hour: a spiky class is not for the largest.
    most = plan.peak_limit / all_shapes(plan)[[class_code(name) for name in names]].max(axis=(1, 2))
    limits = most.tolist()
    if plan.site_ceilings and len(names) > 1 and _SMALL in names:
        limits[names.index(_SMALL)] = float(weekly.mean())
    missing = (np.array([plan.class_volume[name] for name in names]) * weekly.sum()).tolist()
    chosen = np.empty(weekly.size, np.int64)
    uniform = draws.uniform("class", np.arange(weekly.size))
    for merchants, shares in zip(
        np.array_split(largest_first, len(plan.class_merchants)), reversed(plan.class_merchants), strict=True
    ):
        quota = apportion(merchants.size, np.array([shares[name] for name in names])).tolist()
        columns = (merchants.tolist(), weekly[merchants].tolist(), uniform[merchants].tolist())
        for merchant, volume, chance in zip(*columns, strict=True):
            allowed = [left > 0 and volume <= limit for left, limit in zip(quota, limits, strict=True)]
            if not any(allowed):  # none is left but the class of small ones
                allowed = [left > 0 for left in quota]
            place = _pick_missing(missing, volume, allowed, chance, quota)
            chosen[merchant] = place
            missing[place] -= volume
            quota[place] -= 1
    return np.array([class_code(name) for name in names], np.int8)[chosen]


def _pick_missing(
    missing: list[float], volume: float, allowed: list[bool], uniform: float, quota: Sequence[float]
) -> int:
    """Among the allowed, one that still misses at least half of ``volume``; else by the quota left."""
    half = volume / 2
    short = [left if may and left > half else 0.0 for left, may in zip(missing, allowed, strict=True)]
    return pick_short(
        short if any(short) else [left if may else 0 for left, may in zip(quota, allowed, strict=True)], uniform
    )


def _modes(
    plan: WorldPlan,
    weekly: NDArray[np.float64],
    classes: NDArray[np.int8],
    largest_first: NDArray[np.int64],
    draws: GeneratorDraws,
) -> NDArray[np.int8]:
    """Virtual modes of the merchants of the virtual classes, by volume; everyone else is NON_VIRTUAL, also
    who has sites of their own."""
    modes = np.zeros(weekly.size, np.int8)
    candidates = [CLASSES.index(name) for name in plan.virtual_classes]
    online = largest_first[np.isin(classes[largest_first], candidates)]
    if plan.own_sites:
        online = online[~np.isin(online, plan.own_sites.merchant)]
    if plan.remote_by_edges:
        modes[online] = MODES.index("VIRTUAL_ONLY")
        return modes
    volumes = np.array([plan.mode_volume.get(mode, 0.0) for mode in MODES]) * weekly.sum()
    volumes[0] = max(0.0, weekly[online].sum() - volumes.sum())
    missing = volumes.tolist()
    uniform = draws.uniform("mode", online)
    for merchant, volume, chance in zip(online.tolist(), weekly[online].tolist(), uniform.tolist(), strict=True):
        half = volume / 2
        short = [left if left > half else 0.0 for left in missing]
        place = pick_short(short, chance) if any(short) else missing.index(max(missing))
        modes[merchant] = place
        missing[place] -= volume
    return modes


def _reach_counts(
    plan: WorldPlan, largest_first: NDArray[np.int64], draws: GeneratorDraws
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Countries and active rows of each merchant: a few reach far, mostly large ones."""
    count = plan.merchants
    rank = np.empty(count)
    rank[largest_first] = np.arange(count)
    index = np.arange(count)
    score = _RANK_INFLUENCE * rank / count + (1 - _RANK_INFLUENCE) * draws.uniform("reach", index)
    order = np.argsort(score, kind="stable")
    # Extra rows fall off like a power of the place: median 2, 99th percentile near 10 at 2.44 rows a merchant.
    weight = np.zeros(count)
    weight[order] = portable.power(np.arange(20.0, count + 20.0), -0.9)
    extra = apportion_within(plan.active_rows - count, weight, np.full(count, 17))
    roaming = np.zeros(count, bool)
    eligible = order[extra[order] > 0]
    by_chance = eligible[np.argsort(draws.uniform("roaming", eligible) * (1 + np.arange(eligible.size)), kind="stable")]
    roaming[by_chance[: plan.roaming_merchants]] = True
    limits = np.where(roaming, np.minimum(extra, min(10, len(plan.countries) - 1)), 0)
    first = (limits > 0).astype(np.int64)
    more = apportion_within(
        plan.pairs - count - int(first.sum()), np.maximum(limits - first, 1e-9) * 1.0, limits - first
    )
    return 1 + first + more, 1 + extra
