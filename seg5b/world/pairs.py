"""The countries that each merchant trades in, with the rows of each and their volumes, before any of them has a place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world import portable
from seg5b.world.draws import GeneratorDraws
from seg5b.world.merchants import WorldMerchants
from seg5b.world.plan import WorldPlan
from seg5b.world.shares import apportion_within
from seg5b.world.vocabulary import ROLES

_PRIMARY, _SECONDARY, _TAIL = range(len(ROLES))
_MOST_EXTRA_ROWS = 17
_HOME_PAIR_WEIGHT = 1.0
_NEXT_PAIR_WEIGHT = 0.34
_FOCUS_VOLUME = 20.0
"""Merchants of this many times the mean volume give half the usual weight to countries beyond their own."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """(Merchant, country) pairs in order of the merchants; a pair's rows lie together, the one that anchors it first.

    Per pair: ``owner`` int64 position of the merchant, ``place`` int64 number among its pairs, ``anchor_uniform`` float64.
    ``first_pair`` int64 [merchants + 1] and ``first_row`` int64 [pairs + 1] say where those of a merchant and of a pair
    begin. Per row: ``role`` int8, ``weekly`` float64 arrivals of a normal week, ``beside_uniform`` float64 (0 for anchors).
    """

    owner: NDArray[np.int64]
    place: NDArray[np.int64]
    anchor_uniform: NDArray[np.float64]
    first_pair: NDArray[np.int64]
    first_row: NDArray[np.int64]
    role: NDArray[np.int8]
    weekly: NDArray[np.float64]
    beside_uniform: NDArray[np.float64]


def plan_pairs(plan: WorldPlan, merchants: WorldMerchants, draws: GeneratorDraws) -> Pairs:
    """Pairs of every merchant with roles and volumes."""
    first_pair = _starts(merchants.pairs)
    owner = np.repeat(np.arange(merchants.id.size), merchants.pairs)
    place = np.arange(owner.size) - first_pair[owner]
    extra = _extra_rows(merchants, first_pair)
    split = _split_pairs(plan, owner, place, extra, draws)
    counts = 1 + np.maximum(extra, split)
    first_row = _starts(counts)
    pair = np.repeat(np.arange(owner.size), counts)
    number = np.arange(pair.size) - first_row[pair]
    role = _roles(plan, owner, place, extra, split, first_row, draws)
    volume = _pair_volumes(merchants, owner, place, draws)
    weekly = volume[pair] * _row_shares(role, pair, number, first_row, draws)
    beside = np.flatnonzero(number)
    uniform = np.zeros(pair.size)
    uniform[beside] = draws.uniform("beside", owner[pair[beside]], place[pair[beside]], number[beside] - 1)
    anchor_uniform = draws.uniform("anchor", owner, place)
    return Pairs(owner, place, anchor_uniform, first_pair, first_row, role, weekly, uniform)


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)])


def _extra_rows(merchants: WorldMerchants, first_pair: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of each pair beyond its first, spread over the pairs of a merchant in favour of the home country."""
    extra = np.zeros(int(first_pair[-1]), np.int64)
    more = merchants.active - merchants.pairs
    for count, rows in np.unique(np.stack([merchants.pairs, more], axis=1)[more > 0], axis=0).tolist():
        places = np.arange(count)
        quota = apportion_within(rows, 1.0 / (1.0 + places), np.full(count, _MOST_EXTRA_ROWS))
        alike = np.flatnonzero((merchants.pairs == count) & (more == rows))
        extra[first_pair[alike][:, None] + places] = quota
    return extra


def _split_pairs(
    plan: WorldPlan,
    owner: NDArray[np.int64],
    place: NDArray[np.int64],
    extra: NDArray[np.int64],
    draws: GeneratorDraws,
) -> NDArray[np.bool_]:
    """Whether a pair has two or more secondary rows instead of a primary one, as often as the plan's counts ask for."""
    split_pairs = owner.size - plan.primary_rows
    if plan.zone_shares is not None:  # under calibrated_v1 a count below 0 means all but so many, and stays so
        split_pairs = max(0, split_pairs)
    # Home countries come last: a merchant's largest zone is nearly always a primary one.
    order = np.argsort(draws.uniform("split", owner, place) + (extra == 0) * 2 + (place == 0), kind="stable")
    split = np.zeros(owner.size, bool)
    split[order[: min(split_pairs, int((extra > 0).sum()))]] = True
    return split


def _roles(
    plan: WorldPlan,
    owner: NDArray[np.int64],
    place: NDArray[np.int64],
    extra: NDArray[np.int64],
    split: NDArray[np.bool_],
    first_row: NDArray[np.int64],
    draws: GeneratorDraws,
) -> NDArray[np.int8]:
    """Role of each row, adding up to the plan's counts."""
    slots = np.repeat(np.arange(owner.size), extra)
    slot_place = np.arange(slots.size) - _starts(extra)[slots]
    # A split pair's second secondary row takes its first slot; the tail rows are spread over all other slots.
    uniform = draws.uniform("tail", owner[slots], place[slots], slot_place) + split[slots] * (slot_place == 0)
    is_tail = np.zeros(slots.size, bool)
    is_tail[np.argsort(uniform, kind="stable")[: plan.tail_rows]] = True
    # At most two secondary rows beside a primary, or its share could not stay above 0.6 of the pair.
    secondary = np.minimum(np.bincount(slots, ~is_tail, owner.size), 2)
    role = np.empty(int(first_row[-1]), np.int8)
    role[first_row[:-1]] = np.where(split, _SECONDARY, _PRIMARY)
    role[first_row[slots] + 1 + slot_place] = np.where(slot_place < secondary[slots], _SECONDARY, _TAIL)
    role[first_row[:-1][split] + 1] = _SECONDARY
    return role


def _pair_volumes(
    merchants: WorldMerchants, owner: NDArray[np.int64], place: NDArray[np.int64], draws: GeneratorDraws
) -> NDArray[np.float64]:
    noise = portable.exp(1.6 * (draws.uniform("pair volume", owner, place) - 0.5))
    falling = portable.power(np.maximum(place, 1).astype(np.float64), -1.2)
    focus = 1.0 / (1.0 + merchants.weekly[owner] / (_FOCUS_VOLUME * merchants.weekly.mean()))
    weight = np.where(place == 0, _HOME_PAIR_WEIGHT, _NEXT_PAIR_WEIGHT * focus * falling * noise)
    total = np.bincount(owner, weight)
    return np.asarray(merchants.weekly[owner] * weight / total[owner])


def _row_shares(
    role: NDArray[np.int8],
    pair: NDArray[np.int64],
    number: NDArray[np.int64],
    first_row: NDArray[np.int64],
    draws: GeneratorDraws,
) -> NDArray[np.float64]:
    """Share of each row in its pair within the bounds of its role: primary >= 0.6, tail <= 0.1, secondary between."""
    uniform = draws.uniform("row share", pair, number)
    first = first_row[:-1]
    by_primary = role[first] == _PRIMARY
    tails, secondaries = (np.bincount(pair, role == kind) for kind in (_TAIL, _SECONDARY))
    share = (0.08 / np.maximum(tails, 1))[pair] * (0.4 + 0.6 * uniform)
    spread = np.where(secondaries > 1, 0.05, 0.08)[pair]
    share = np.where(by_primary[pair] & (role == _SECONDARY), 0.105 + spread * uniform, share)
    # The first row takes what the others leave; of two secondary ones, the second takes it.
    given = number >= np.where(by_primary, 1, 2)[pair]
    left = 1.0 - np.bincount(pair[given], share[given], first.size)
    share[first] = np.where(by_primary, left, left * (0.5 + 0.09 * uniform[first]))
    second = first[~by_primary] + 1
    share[second] = left[~by_primary] - share[second - 1]
    return share
