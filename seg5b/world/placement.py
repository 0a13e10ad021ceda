"""Rows with intensity: which countries and zones a merchant trades in, and how its volume splits among them.

Where a merchant goes depends on what those before it left of the targets, so merchants are placed one by one; all that
does not depend on it is drawn and planned before, in `seg5b.world.pairs`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.progress import unreported
from seg5b.world import portable
from seg5b.world.draws import GeneratorDraws
from seg5b.world.geography import Geography
from seg5b.world.merchants import WorldMerchants
from seg5b.world.pairs import Pairs, plan_pairs
from seg5b.world.plan import WorldPlan
from seg5b.world.shares import pick
from seg5b.world.steps import Progress
from seg5b.world.vocabulary import MODES, ROLES
from seg5b.world.zone_shares import zone_targets

_NEIGHBOUR_KM = 2500.0
_FAR_WEIGHT = 0.15
_UNLISTED_ZONE = 0.01
"""Appeal of a zone that is no target, for a row beside a pair's anchor ..."""
_SHARED_ZONE = 8.0
"""... and of a zone that the merchant trades in from another country already, which makes one series of both."""
_VIRTUAL_ONLY = MODES.index("VIRTUAL_ONLY")
_TOLD_MERCHANTS = 4096


@dataclass(frozen=True, slots=True)
class ActiveRows:
    """Columns of the rows with intensity, in no order; codes index the geography, ``merchant`` the merchants.

    ``merchant``, ``country``, ``zone`` int64; ``role`` int8; ``weekly`` float64 arrivals of a normal week.
    """

    merchant: NDArray[np.int64]
    country: NDArray[np.int64]
    zone: NDArray[np.int64]
    role: NDArray[np.int8]
    weekly: NDArray[np.float64]


def place_active_rows(
    plan: WorldPlan,
    geography: Geography,
    merchants: WorldMerchants,
    draws: GeneratorDraws,
    report: Progress = unreported,
) -> ActiveRows:
    """Place every merchant, largest first, where the targets of the zones are furthest from met. Where shares are stated,
    merchants of several countries come first: they have the least choice, and the others make up for them. Before all come
    those that are too large for any zone, where a merchant may have a part of one only."""
    order = np.argsort(-merchants.weekly, kind="stable")
    if plan.zone_shares is not None:
        order = order[np.argsort(-merchants.pairs[order], kind="stable")]
    board = _Board(plan, geography, float(merchants.weekly.sum()))
    placing = _Placing(plan_pairs(plan, merchants, draws), board, geography)
    code = {name: place for place, name in enumerate(geography.countries)}
    homes = [code[name] for name in plan.own.countries] if plan.own else []
    physical = (merchants.mode_code != _VIRTUAL_ONLY).tolist()
    standing = _own_places(plan, geography)
    too_large = board.too_large(merchants.weekly) & (merchants.mode_code != _VIRTUAL_ONLY)
    order = order[np.argsort(~too_large[order], kind="stable")]
    own = []
    for done, merchant in enumerate(order.tolist()):
        if done % _TOLD_MERCHANTS == 0:
            report("placement", done, order.size)
        if merchant in standing:
            own += _place_own(merchant, float(merchants.weekly[merchant]), standing[merchant], board)
        elif too_large[merchant]:
            weekly, uniform = float(merchants.weekly[merchant]), float(draws.uniform("spread", merchant))
            places = board.spread(weekly, homes[merchant] if homes else None, uniform)
            own += _place_own(merchant, weekly, places, board)
        else:
            placing.place(merchant, physical[merchant], homes[merchant] if homes else None)
    report("placement", order.size, order.size)
    return placing.rows(own)


Row = tuple[int, int, int, int, float]
"""Merchant, country, zone, role, weekly volume."""


def _own_places(plan: WorldPlan, geography: Geography) -> dict[int, dict[tuple[int, int], float]]:
    """Weight of a user's sites by merchant, country and zone; where a table of intensities tells zones apart, what it expects
    in each counts instead."""
    places: dict[int, dict[tuple[int, int], float]] = {}
    code = {name: place for place, name in enumerate(geography.tzids)}

    def add(merchant: int, zone: str, weight: float) -> None:
        key = (int(geography.home[code[zone]]), code[zone])
        held = places.setdefault(merchant, {})
        held[key] = held.get(key, 0.0) + weight

    sites, surface = plan.own_sites, plan.own_surface
    if sites:
        for merchant, zone, weight in zip(sites.merchant, sites.zone, sites.weight, strict=True):
            add(merchant, zone, weight)
    if surface and surface.zone:
        for merchant in np.unique(surface.merchant).tolist():
            places.pop(merchant, None)
        for merchant, zone, weight in zip(
            surface.merchant.tolist(), surface.zone, surface.totals().tolist(), strict=True
        ):
            if weight > 0:
                add(merchant, zone, weight)
    return places


def _place_own(merchant: int, weekly: float, places: dict[tuple[int, int], float], board: _Board) -> list[Row]:
    """Rows at given places, by their weights: the largest is the primary one, those below a tenth the tail."""
    primary, secondary, tail = range(len(ROLES))
    total, largest = math.fsum(places.values()), max(places, key=places.__getitem__)
    rows = []
    for (country, zone), weight in places.items():
        role = primary if (country, zone) == largest else secondary if weight >= 0.1 * total else tail
        rows.append((merchant, country, zone, role, weekly * weight / total))
        board.missing[zone] -= weekly * weight / total
    return rows


class _Board:
    """How much volume each zone still misses against its target."""

    def __init__(self, plan: WorldPlan, geography: Geography, volume: float) -> None:
        self.missing = zone_targets(plan, geography) * volume
        self.target = self.missing.copy()
        self._stated = plan.zone_shares is not None
        self._room = self.target * plan.largest_city_share if plan.largest_city_share < 1.0 else None
        self._home = geography.home
        self.homes = (self.target > 0) & (geography.home >= 0)
        self.everywhere = np.ones(self.homes.size)
        self.appeal = self.target if self._stated else np.where(self.target > 0, 1.0, _UNLISTED_ZONE)
        """Weight of each zone for a row beside a pair's anchor: stated shares, or all targets alike."""
        falling = 1.0 / (1.0 + np.arange(self.homes.size, dtype=np.float64))
        self._nearness = self.everywhere if self._stated else falling

    def too_large(self, volumes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which volumes are more than a merchant may have of any zone."""
        return np.zeros(volumes.size, bool) if self._room is None else volumes > self._room.max()

    def spread(self, volume: float, home: int | None, uniform: float) -> dict[tuple[int, int], float]:
        """Where a merchant lies that is too large for any zone, as weights by country and zone: in all zones of its ``home``,
        or of a country that can hold it, drawn in proportion to what it misses; else in all of the world."""
        room = np.zeros(self.homes.size) if self._room is None else self._room
        zones = np.flatnonzero(self.homes)
        country = self._home[zones].astype(np.int64)
        missing = np.bincount(country, self.missing[zones])
        holds = (np.bincount(country, room[zones]) >= volume) & (missing > volume / 2)
        if home is None and holds.any():
            home = pick(np.where(holds, missing, 0.0), uniform)
        chosen = zones if home is None else zones[country == home]
        return {(int(self._home[zone]), int(zone)): float(self.target[zone]) for zone in chosen}

    def nearness(self, count: int) -> NDArray[np.float64]:
        """Weight of the zones that a country reaches, nearest first; stated shares know of no distance."""
        return self._nearness[:count]

    def choose(self, candidates: NDArray[np.bool_], favour: NDArray[np.float64], volume: float, uniform: float) -> int:
        """A candidate zone that misses at least half the volume, in proportion; else the one that misses most, of its
        target or, where shares are stated, of volume. Where no merchant may have more than a part of a zone, one that can hold
        ``volume`` comes first, and then the largest."""
        is_short = candidates & (self.missing > volume / 2)
        if self._room is not None and is_short.any():
            holds = is_short & (self._room >= volume)
            if not holds.any():
                return int(np.argmax(np.where(is_short, self.target, -1.0)))
            is_short = holds
        short = np.where(is_short, self.missing * favour, 0.0)
        if short.any():
            return pick(short, uniform)
        if self._stated:
            return int(np.argmax(np.where(candidates, self.missing, -np.inf)))
        return int(np.argmax(np.where(candidates, self.missing / self.target.clip(1e-9), -np.inf)))


class _Placing:
    """The places of the planned rows: ``zone`` int64 [rows], -1 where a row has none."""

    def __init__(self, pairs: Pairs, board: _Board, geography: Geography) -> None:
        self._pairs, self._board, self._geography = pairs, board, geography
        self._zone = np.full(pairs.role.size, -1)
        self._weekly = pairs.weekly.copy()
        # Views that give plain numbers one by one.
        self._first_pair, self._first_row = pairs.first_pair.data, pairs.first_row.data
        self._planned, self._uniform = pairs.weekly.data, pairs.anchor_uniform.data
        self._home = geography.home.tolist()
        self._reach = [np.array(zones, np.int64) for zones in geography.reach]
        # The last one is of zones without a country, code -1: it takes none away.
        self._elsewhere = [geography.home != code for code in range(len(geography.countries))] + [board.homes]
        self._favour: dict[int, NDArray[np.float64]] = {}

    def place(self, merchant: int, physical: bool, home: int | None) -> None:
        """Anchor every pair in a country of its own, the first in the ``home`` that is known; then place the rows beside
        the anchors. Only volume that is ``physical`` counts for the targets."""
        first, end = self._first_pair[merchant], self._first_pair[merchant + 1]
        anchors = self._place_anchors(first, end, physical, home)
        if self._first_row[end] - self._first_row[first] == end - first:
            return
        appeal = self._board.appeal.copy()
        appeal[anchors] *= _SHARED_ZONE
        for pair, anchor in zip(range(first, end), anchors, strict=True):
            if self._first_row[pair + 1] - self._first_row[pair] > 1:
                self._place_beside(pair, anchor, appeal, physical)

    def _place_anchors(self, first: int, end: int, physical: bool, home: int | None) -> list[int]:
        board = self._board
        candidates, favour = board.homes, board.everywhere
        if home is not None:
            candidates = candidates & ~self._elsewhere[home]
        anchors: list[int] = []
        for pair in range(first, end):
            row = self._first_row[pair]
            anchor = board.choose(candidates, favour, self._planned[row], self._uniform[pair])
            if physical:
                board.missing[anchor] -= self._planned[row]
            self._zone[row] = anchor
            anchors.append(anchor)
            if pair + 1 < end:
                if pair == first:
                    candidates, favour = board.homes, self._favour_near(anchor)
                candidates = candidates & self._elsewhere[self._home[anchor]]
        return anchors

    def _favour_near(self, anchor: int) -> NDArray[np.float64]:
        if anchor not in self._favour:
            near = portable.exp(-self._geography.distance_km[anchor] / _NEIGHBOUR_KM)
            self._favour[anchor] = _FAR_WEIGHT + near
        return self._favour[anchor]

    def _place_beside(self, pair: int, anchor: int, appeal: NDArray[np.float64], physical: bool) -> None:
        """Zones of the pair's further rows, as far as there are any: near and appealing ones that its country reaches. What
        it has no zone for stays with the anchor."""
        board, missing = self._board, self._board.missing
        start, end = self._first_row[pair], self._first_row[pair + 1]
        reach = self._reach[self._home[anchor]]
        reach = reach[reach != anchor]
        last = min(end, start + 1 + reach.size)
        for row in range(start + 1, last):
            chosen = pick(board.nearness(reach.size) * appeal[reach], float(self._pairs.beside_uniform[row]))
            self._zone[row] = reach[chosen]
            reach = reach[np.arange(reach.size) != chosen]
        if last < end:
            rest = 0.0
            for row in range(last, end):
                rest += self._planned[row]
            self._weekly[start] += rest
        if physical:
            missing[anchor] -= self._weekly[start] - self._planned[start]
            for row in range(start + 1, last):
                missing[self._zone[row]] -= self._planned[row]

    def rows(self, own: list[Row]) -> ActiveRows:
        """Every row that has a place, and those of merchants with ``own`` sites."""
        pairs = self._pairs
        anchor = np.repeat(pairs.first_row[:-1], np.diff(pairs.first_row))
        merchant = np.repeat(pairs.owner, np.diff(pairs.first_row))
        country = self._geography.home[self._zone[anchor]].astype(np.int64)
        placed = np.flatnonzero(self._zone >= 0)
        columns = (merchant, country, self._zone, pairs.role, self._weekly)
        stated = zip(*own, strict=True) if own else ((),) * len(columns)
        return ActiveRows(
            *(
                np.append(column[placed], np.array(more, column.dtype))
                for column, more in zip(columns, stated, strict=True)
            )
        )
