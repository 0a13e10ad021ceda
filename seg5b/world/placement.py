"""Rows with intensity: which countries and zones a merchant trades in, and how its volume splits among them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seg5b.world import portable
from seg5b.world.draws import GeneratorDraws
from seg5b.world.geography import Geography
from seg5b.world.merchants import WorldMerchants
from seg5b.world.plan import OwnSites, WorldPlan
from seg5b.world.shares import apportion_within, pick
from seg5b.world.vocabulary import MODES, ROLES
from seg5b.world.zone_shares import zone_targets

_HOME_PAIR_WEIGHT = 1.0
_NEXT_PAIR_WEIGHT = 0.34
_FOCUS_VOLUME = 20.0
"""Merchants of this many times the mean volume give half the usual weight to countries beyond their own."""
_NEIGHBOUR_KM = 2500.0
_FAR_WEIGHT = 0.15
_UNLISTED_ZONE = 0.01
"""Appeal of a zone that is no target, for a row beside a pair's anchor ..."""
_SHARED_ZONE = 8.0
"""... and of a zone that the merchant trades in from another country already, which makes one series of both."""
_VIRTUAL_ONLY = MODES.index("VIRTUAL_ONLY")


@dataclass(slots=True)
class ActiveRows:
    """Growing columns of the rows with intensity; codes index the geography, ``merchant`` the merchants."""

    merchant: list[int] = field(default_factory=list)
    country: list[int] = field(default_factory=list)
    zone: list[int] = field(default_factory=list)
    role: list[int] = field(default_factory=list)
    weekly: list[float] = field(default_factory=list)

    def add(self, merchant: int, country: int, zone: int, role: int, weekly: float) -> None:
        """Append one row."""
        self.merchant.append(merchant)
        self.country.append(country)
        self.zone.append(zone)
        self.role.append(role)
        self.weekly.append(weekly)


@dataclass(frozen=True, slots=True)
class _Pair:
    """One country of one merchant: its rows' roles, the one that anchors the pair first, and their volumes."""

    merchant: int
    place: int
    roles: tuple[int, ...]
    weekly: tuple[float, ...]


def place_active_rows(
    plan: WorldPlan, geography: Geography, merchants: WorldMerchants, draws: GeneratorDraws
) -> ActiveRows:
    """Place every merchant, largest first, where the targets of the zones are furthest from met. Where shares are stated,
    merchants of several countries come first: they have the least choice, and the others make up for them."""
    board = _Board(plan, geography, float(merchants.weekly.sum()))
    rows = ActiveRows()
    pairs = _plan_pairs(plan, merchants, draws)
    homes = plan.own.countries if plan.own else ()
    order = np.argsort(-merchants.weekly, kind="stable")
    if plan.zone_shares is not None:
        order = order[np.argsort(-merchants.pairs[order], kind="stable")]
    standing = _own_places(plan.own_sites, geography)
    for merchant in order:
        if merchant in standing:
            _place_own(int(merchant), float(merchants.weekly[merchant]), standing[merchant], board, rows)
            continue
        physical = bool(merchants.mode_code[merchant] != _VIRTUAL_ONLY)
        home = geography.countries.index(homes[merchant]) if homes else None
        _place_merchant(pairs[merchant], board, geography, rows, draws, physical, home)
    return rows


def _own_places(sites: OwnSites | None, geography: Geography) -> dict[int, dict[tuple[int, int], float]]:
    """Weight of a user's sites by merchant, country and zone."""
    places: dict[int, dict[tuple[int, int], float]] = {}
    if sites:
        for merchant, country, zone, weight in zip(
            sites.merchant, sites.country, sites.zone, sites.weight, strict=True
        ):
            key = (geography.countries.index(country), geography.tzids.index(zone))
            held = places.setdefault(merchant, {})
            held[key] = held.get(key, 0.0) + weight
    return places


def _place_own(
    merchant: int, weekly: float, places: dict[tuple[int, int], float], board: _Board, rows: ActiveRows
) -> None:
    """Rows where a user's sites are, by their weights: the largest is the primary one, those below a tenth the tail."""
    primary, secondary, tail = range(len(ROLES))
    total, largest = sum(places.values()), max(places, key=places.__getitem__)
    for (country, zone), weight in places.items():
        role = primary if (country, zone) == largest else secondary if weight >= 0.1 * total else tail
        rows.add(merchant, country, zone, role, weekly * weight / total)
        board.missing[zone] -= weekly * weight / total


def _plan_pairs(plan: WorldPlan, merchants: WorldMerchants, draws: GeneratorDraws) -> list[list[_Pair]]:
    """Pairs of each merchant with roles and volumes, before any country or zone is chosen."""
    owner = np.repeat(np.arange(merchants.id.size), merchants.pairs)
    place = np.concatenate([np.arange(count) for count in merchants.pairs])
    extra = _extra_rows(merchants, owner, place)
    roles = _roles(plan, owner, place, extra, draws)
    volume = _pair_volumes(merchants, owner, place, draws)
    planned: list[list[_Pair]] = [[] for _ in range(merchants.id.size)]
    for index, merchant in enumerate(owner.tolist()):
        shares = _row_shares(roles[index], draws, index)
        weekly = tuple(float(volume[index] * share) for share in shares)
        planned[merchant].append(_Pair(merchant, int(place[index]), roles[index], weekly))
    return planned


def _extra_rows(merchants: WorldMerchants, owner: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of each pair beyond its first, float over the pairs of a merchant in favour of the home country."""
    extra = np.zeros(owner.size, np.int64)
    first = np.concatenate([[0], np.cumsum(merchants.pairs)[:-1]])
    for merchant in np.flatnonzero(merchants.active > merchants.pairs):
        span = slice(first[merchant], first[merchant] + merchants.pairs[merchant])
        more = int(merchants.active[merchant] - merchants.pairs[merchant])
        weights = np.asarray(1.0 / (1.0 + place[span]), np.float64)
        extra[span] = apportion_within(more, weights, np.full(weights.size, 17))
    return extra


def _roles(
    plan: WorldPlan,
    owner: NDArray[np.int64],
    place: NDArray[np.int64],
    extra: NDArray[np.int64],
    draws: GeneratorDraws,
) -> list[tuple[int, ...]]:
    """Roles that add up to the plan's counts. A pair has one primary row, or two or more secondary ones."""
    primary, secondary, tail = range(len(ROLES))
    split_pairs = owner.size - plan.primary_rows
    if plan.zone_shares is not None:  # under calibrated_v1 a count below 0 means all but so many, and stays so
        split_pairs = max(0, split_pairs)
    # Home countries come last: a merchant's largest zone is nearly always a primary one.
    order = np.argsort(draws.uniform("split", owner, place) + (extra == 0) * 2 + (place == 0), kind="stable")
    split = np.zeros(owner.size, bool)
    split[order[: min(split_pairs, int((extra > 0).sum()))]] = True
    slots = np.repeat(np.arange(owner.size), extra)
    slot_place = np.arange(slots.size) - np.repeat(np.cumsum(extra) - extra, extra)
    # A split pair's second secondary row takes its first slot; the tail rows are spread over all other slots.
    uniform = draws.uniform("tail", owner[slots], place[slots], slot_place) + split[slots] * (slot_place == 0)
    is_tail = np.zeros(slots.size, bool)
    is_tail[np.argsort(uniform, kind="stable")[: plan.tail_rows]] = True
    by_pair = np.split(is_tail, np.cumsum(extra)[:-1])
    roles = []
    for index in range(owner.size):
        others = [tail if value else secondary for value in by_pair[index]]
        # At most two secondary rows beside a primary, or its share could not stay above 0.6 of the pair.
        others = sorted(others)[:2] + [tail] * (len(others) - 2)
        roles.append((secondary, secondary, *others[1:]) if split[index] else (primary, *others))
    return roles


def _pair_volumes(
    merchants: WorldMerchants, owner: NDArray[np.int64], place: NDArray[np.int64], draws: GeneratorDraws
) -> NDArray[np.float64]:
    noise = portable.exp(1.6 * (draws.uniform("pair volume", owner, place) - 0.5))
    falling = portable.power(np.maximum(place, 1).astype(np.float64), -1.2)
    focus = 1.0 / (1.0 + merchants.weekly[owner] / (_FOCUS_VOLUME * merchants.weekly.mean()))
    weight = np.where(place == 0, _HOME_PAIR_WEIGHT, _NEXT_PAIR_WEIGHT * focus * falling * noise)
    total = np.bincount(owner, weight)
    return np.asarray(merchants.weekly[owner] * weight / total[owner])


def _row_shares(roles: tuple[int, ...], draws: GeneratorDraws, pair: int) -> list[float]:
    """Shares of a pair's rows within the bounds of their roles: primary >= 0.6, tail <= 0.1, secondary between."""
    primary, secondary, _ = range(len(ROLES))
    tails = len(roles) - sum(role < 2 for role in roles)
    uniform = draws.uniform("row share", pair, np.arange(len(roles)))
    limit = 0.08 / max(tails, 1)
    shares = [0.0 if role == primary else limit * (0.4 + 0.6 * u) for role, u in zip(roles, uniform, strict=True)]
    if roles[0] == primary:
        spread = 0.05 if roles.count(secondary) > 1 else 0.08
        shares = [
            0.105 + spread * value if role == secondary else share
            for role, value, share in zip(roles, uniform, shares, strict=True)
        ]
        shares[0] = 1.0 - sum(shares[1:])
    else:
        left = 1.0 - sum(shares[2:])
        shares[0] = left * (0.5 + 0.09 * uniform[0])
        shares[1] = left - shares[0]
    return [float(share) for share in shares]


class _Board:
    """How much volume each zone still misses against its target."""

    def __init__(self, plan: WorldPlan, geography: Geography, volume: float) -> None:
        self.missing = zone_targets(plan, geography) * volume
        self.target = self.missing.copy()
        self._stated = plan.zone_shares is not None

    def appeal(self) -> NDArray[np.float64]:
        """Weight of each zone for a row beside a pair's anchor: stated shares, or all targets alike."""
        return self.target.copy() if self._stated else np.where(self.target > 0, 1.0, _UNLISTED_ZONE)

    def nearness(self, count: int) -> NDArray[np.float64]:
        """Weight of the zones that a country reaches, nearest first; stated shares know of no distance."""
        return np.asarray(np.ones(count) if self._stated else 1.0 / (1.0 + np.arange(count)))

    def choose(self, candidates: NDArray[np.bool_], favour: NDArray[np.float64], volume: float, uniform: float) -> int:
        """A candidate zone that misses at least half the volume, in proportion; else the one that misses most, of its
        target or, where shares are stated, of volume."""
        missing = np.where(candidates, self.missing, 0.0)
        short = np.where(missing > volume / 2, missing * favour, 0.0)
        if short.any():
            return pick(short, uniform)
        if self._stated:
            return int(np.argmax(np.where(candidates, self.missing, -np.inf)))
        return int(np.argmax(np.where(candidates, self.missing / self.target.clip(1e-9), -np.inf)))


def _place_merchant(
    pairs: list[_Pair],
    board: _Board,
    geography: Geography,
    rows: ActiveRows,
    draws: GeneratorDraws,
    physical: bool,
    home: int | None,
) -> None:
    """Anchor every pair in a country of its own, the first in the ``home`` that is known; then place the rows beside the
    anchors. What a country has no zone for stays with the anchor."""
    anchors = _place_anchors(pairs, board, geography, draws, physical, home)
    appeal = board.appeal()
    appeal[anchors] *= _SHARED_ZONE
    for pair, anchor in zip(pairs, anchors, strict=True):
        beside = _place_beside(pair, anchor, appeal, board, geography, draws)
        weekly = pair.weekly[: len(beside) + 1]
        if len(weekly) < len(pair.weekly):
            weekly = (weekly[0] + sum(pair.weekly[len(weekly) :]), *weekly[1:])
        if physical:
            board.missing[anchor] -= weekly[0] - pair.weekly[0]
            np.subtract.at(board.missing, beside, weekly[1:])
        country = int(geography.home[anchor])
        for zone, role, volume in zip((anchor, *beside), pair.roles, weekly, strict=False):
            rows.add(pair.merchant, country, zone, role, volume)


def _place_anchors(
    pairs: list[_Pair],
    board: _Board,
    geography: Geography,
    draws: GeneratorDraws,
    physical: bool,
    home: int | None,
) -> list[int]:
    homes = (board.target > 0) & (geography.home >= 0)
    favour = np.ones(homes.size)
    taken = np.zeros(len(geography.countries) + 1, bool)
    anchors: list[int] = []
    for pair in pairs:
        uniform = float(draws.uniform("anchor", pair.merchant, pair.place))
        here = homes & (geography.home == home) if home is not None and not anchors else homes & ~taken[geography.home]
        anchor = board.choose(here, favour, pair.weekly[0], uniform)
        taken[geography.home[anchor]] = True
        if not anchors:
            favour = _FAR_WEIGHT + portable.exp(-geography.distance_km[anchor] / _NEIGHBOUR_KM)
        if physical:
            board.missing[anchor] -= pair.weekly[0]
        anchors.append(anchor)
    return anchors


def _place_beside(
    pair: _Pair,
    anchor: int,
    appeal: NDArray[np.float64],
    board: _Board,
    geography: Geography,
    draws: GeneratorDraws,
) -> list[int]:
    """Zones of the pair's further rows, as far as there are any: near and appealing ones that its country reaches."""
    reach = [zone for zone in geography.reach[geography.home[anchor]] if zone != anchor]
    uniform = draws.uniform("beside", pair.merchant, pair.place, np.arange(len(pair.roles) - 1))
    used = []
    for value in uniform[: len(reach)]:
        used.append(reach.pop(pick(board.nearness(len(reach)) * appeal[reach], float(value))))
    return used
