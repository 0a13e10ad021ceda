"""Everything routing looks up, checked before the first draw: a table that is missing fails closed (law L7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from seg5b_kernels.arrivals import HYBRID, PHYSICAL, VIRTUAL
from seg5b_kernels.clocks import Clocks
from seg5b_kernels.coins import Coins
from seg5b_kernels.routing import NO_TABLE, Edges, Groups, RoutePolicy, Series, Sites

from seg5b.backends.base import Backend
from seg5b.context import ScenarioWork
from seg5b.errors import InputError
from seg5b.expansion.anomalies import Anomaly
from seg5b.expansion.realise import RouteTables
from seg5b.expansion.totals import ArrivalTotals
from seg5b.expansion.world import RoutingWorld
from seg5b.inputs.alias_tables import AliasTables
from seg5b.inputs.sites import SiteTables, made_up_site_id
from seg5b.policy import RoutingPolicy

MODES = {"NON_VIRTUAL": PHYSICAL, "HYBRID": HYBRID, "VIRTUAL_ONLY": VIRTUAL}
PINNED, WEIGHTS_OR_ZONE = "zone_pinned_v1", "group_weights_or_zone_v1"
MERCHANT_SITES, MADE_UP_SITES = "merchant_sites", "merchant_or_made_up_sites"


class RouteTableBuilder:
    """Resolves names to positions for one scenario. ``anomalies``: what was unusual about it."""

    def __init__(self, work: ScenarioWork, world: RoutingWorld, totals: ArrivalTotals, policy: RoutingPolicy) -> None:
        self.anomalies: list[Anomaly] = []
        self._world, self._axis, self._grid, self._totals = world, work.axis, work.grid, totals
        self._policy, self._code = policy, work.code("INPUTS_MISSING")
        self._zone_index = world.cache.index()
        self._active = totals.active()
        self._made_up: dict[tuple[int, str], int] = {}  # the table of each

    def build(self, backend: Backend) -> RouteTables:
        """The tables on ``backend``. Raises `InputError` for anything that an arrival of this scenario would need and
        the world does not have."""
        mode = self._modes()
        self._check_sites(mode)
        site_table, zones = self._site_tables(mode)
        edge_table, plain = self._edge_tables(mode)
        merchant_row = np.cumsum(np.append(0, self._axis.merchant_id[1:] != self._axis.merchant_id[:-1]))
        group_row, groups = self._groups(mode, merchant_row, backend)
        series = Series(
            self._axis.merchant_id,
            mode,
            zones,
            self._axis.channel.astype(np.int8),
            site_table,
            edge_table,
            plain,
            group_row,
            self._settlement(mode),
            self._totals.merchant_start[merchant_row],
        )
        temper = self._policy.edge_temper
        policy = RoutePolicy(
            temper.redirect_p if temper.enabled else 0.0,
            int(self._policy.primary_clock == "settlement"),
        )
        return RouteTables(
            backend.table(series),
            self._sites(backend),
            self._edges(backend),
            groups,
            self._clocks(backend),
            policy,
            backend.table(self._coins()),
            mode,
        )

    def _missing(self, what: str, where: str, remedy: str) -> InputError:
        return InputError(self._code, what, where=where, remedy=remedy)

    def _zone(self, tzid: str, owner: str) -> int:
        """Position of a zone in the cache."""
        if tzid not in self._zone_index:
            raise self._missing(
                f"zone {tzid} of {owner} is not in the time-zone cache",
                "tz_timetable_cache",
                "compile the cache of 2A again",
            )
        return self._zone_index[tzid]

    def _coins(self) -> Coins:
        """Coins of all channels, by the hour of the day."""
        of_channels = np.array([self._policy.p_virtual(channel) for channel in self._axis.channels], np.float64)
        return Coins(int(self._policy.coins_have_hours), of_channels.ravel())

    def _modes(self) -> np.ndarray:
        mode = np.zeros(len(self._axis), np.uint8)
        for series in self._active.tolist():
            merchant = int(self._axis.merchant_id[series])
            if merchant not in self._world.modes:
                raise self._missing(
                    f"merchant {merchant} has no virtual mode",
                    "virtual_classification_3B",
                    "classify every merchant in 3B",
                )
            mode[series] = MODES[self._world.modes[merchant]]
            if mode[series] != VIRTUAL and self._has_edges_only(merchant):
                mode[series] = VIRTUAL
                self._tell("MERCHANT_WITHOUT_SITES_ON_EDGES", "no site at all; the edges serve", merchant, series)
        return mode

    def _has_edges_only(self, merchant: int) -> bool:
        """Whether edges take the place of sites, of which there are none."""
        allowed = self._policy.on_missing_site_table == MADE_UP_SITES
        return allowed and merchant not in self._world.sites.by_merchant and merchant in self._world.edges.by_merchant

    def _tell(self, code: str, message: str, merchant: int, series: int) -> None:
        self.anomalies.append(
            Anomaly(code, "WARN", message, {"merchant_id": str(merchant), "tzid": self._axis.key(series)[1]})
        )

    def _check_sites(self, mode: np.ndarray) -> None:
        """Refuse what the policy has no sites for, told as a whole: zones, and merchants without any site."""
        sites, law = self._world.sites, self._policy.on_missing_site_table
        keys = {self._axis.key(series)[:2] for series in self._active[mode[self._active] != VIRTUAL].tolist()}
        bare = sorted(key for key in keys if key not in sites.by_zone)
        homeless = sorted({merchant for merchant, _ in bare if merchant not in sites.by_merchant})
        if law == MADE_UP_SITES or not bare or (law == MERCHANT_SITES and not homeless):
            return
        merchant, tzid = next(key for key in bare if key[0] == homeless[0]) if homeless else bare[0]
        accepts = MADE_UP_SITES if homeless else MERCHANT_SITES
        raise self._missing(
            f"merchant {merchant} has arrivals in {tzid} but no site there; so it is with {len(bare)} of {len(keys)} pairs of "
            f"merchant and zone, and {len(homeless)} merchants have no site at all",
            "s1_site_weights, site_timezones",
            f"give the merchant a site in that zone, or set on_missing_site_table: {accepts} and reseal",
        )

    def _site_tables(self, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Site table int32 [n] and zone position int16 [n] of each series."""
        table = np.full(len(self._axis), NO_TABLE, np.int32)
        zones = np.zeros(len(self._axis), np.int16)
        for series in self._active.tolist():
            merchant, tzid, _ = self._axis.key(series)
            zones[series] = self._zone(tzid, f"series {self._axis.key(series)}")
            if mode[series] != VIRTUAL:
                table[series] = self._site_table(merchant, tzid)
        return table, zones

    def _site_table(self, merchant: int, tzid: str) -> int:
        """Where the zone has no site: what the policy puts in its place, each time an anomaly."""
        sites, law = self._world.sites, self._policy.on_missing_site_table
        found = sites.by_zone.get((merchant, tzid))
        if found is not None:
            return found
        where: dict[str, str | int | float] = {"merchant_id": str(merchant), "tzid": tzid}
        if merchant in sites.by_merchant and law in (MERCHANT_SITES, MADE_UP_SITES):
            message = "no site in the zone; all sites of the merchant serve"
            self.anomalies.append(Anomaly("SITE_TABLE_OF_MERCHANT_USED", "WARN", message, where))
            return sites.by_merchant[merchant]
        if law == MADE_UP_SITES:
            self.anomalies.append(Anomaly("MADE_UP_SITE_USED", "WARN", "no site at all; a made-up one serves", where))
            return self._made_up.setdefault((merchant, tzid), sites.tables.start.size - 1 + len(self._made_up))
        raise self._missing(
            f"merchant {merchant} may have arrivals in {tzid} but has no site there",
            "s1_site_weights, site_timezones",
            f"give the merchant a site in that zone, or set on_missing_site_table: {MERCHANT_SITES} and reseal",
        )

    def _edge_tables(self, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Edge table and plain edge table, int32 [n] each."""
        edges = self._world.edges
        table, plain = np.full((2, len(self._axis)), NO_TABLE, np.int32)
        for series in self._active[mode[self._active] != PHYSICAL].tolist():
            merchant = int(self._axis.merchant_id[series])
            if merchant not in edges.by_merchant:
                raise self._missing(
                    f"merchant {merchant} is {self._world.modes[merchant]} but has no edge table",
                    "edge_alias_index_3B",
                    "give every virtual merchant its edges in 3B",
                )
            table[series] = edges.by_merchant[merchant]
            plain[series] = edges.plain_by_merchant.get(merchant, NO_TABLE)
        return table, plain

    def _settlement(self, mode: np.ndarray) -> np.ndarray:
        """Settlement zone position int16 [n], -1 where unknown."""
        zones = np.full(len(self._axis), -1, np.int16)
        for series in self._active[mode[self._active] != PHYSICAL].tolist():
            merchant = int(self._axis.merchant_id[series])
            tzid = self._world.settlement.get(merchant)
            if tzid is not None:
                zones[series] = self._zone(tzid, f"the settlement of merchant {merchant}")
        return zones

    def _groups(self, mode: np.ndarray, merchant_row: np.ndarray, backend: Backend) -> tuple[np.ndarray, Groups]:
        """Row of each series in the tz-group tables by day, int32 [n], and these where weights pick zones; under `PINNED` no
        rows, no tables, and only the coverage check."""
        groups, days = self._world.groups, self._grid.days
        needed = np.argwhere((self._totals.by_day > 0) & (mode != VIRTUAL)[:, np.newaxis]).tolist()
        if self._policy.tz_group_law == PINNED:
            if self._policy.use_group_weights:
                self._check_coverage(needed)
            columns: list[np.ndarray] = [np.zeros((1, 1), np.int32), np.zeros(1, np.int64)]
            columns += [np.zeros(0, dtype) for dtype in (np.float64, np.int32, np.int32, np.int16)]
            return np.full(len(self._axis), NO_TABLE, np.int32), backend.table(Groups(*columns))
        table = np.full((int(merchant_row[-1]) + 1, days), NO_TABLE, np.int32)
        site_table = np.full(len(groups.tzid), NO_TABLE, np.int32)
        zone = np.zeros(len(groups.tzid), np.int16)
        unweighted: Counter[int] = Counter()
        for series, day in needed:
            merchant, epoch_day = int(self._axis.merchant_id[series]), self._grid.first_day + day
            number = groups.by_day.get((merchant, epoch_day))
            if number is None and self._policy.tz_group_law == WEIGHTS_OR_ZONE:
                unweighted[series] += 1
                continue
            if number is None:
                raise self._missing(
                    f"merchant {merchant} has no group weights on epoch day {epoch_day}",
                    "s4_group_weights",
                    f"2B must weight every day of the horizon; or set tz_group_law: {WEIGHTS_OR_ZONE} and reseal",
                )
            table[merchant_row[series], day] = number
            for entry in range(int(groups.tables.start[number]), int(groups.tables.start[number + 1])):
                site_table[entry] = self._site_table(merchant, groups.tzid[entry])
                zone[entry] = self._zone(groups.tzid[entry], f"a group of merchant {merchant}")
        message = "merchant has no group weights on some days; the bucket's zone serves"
        self._tell_days("GROUP_WEIGHTS_ABSENT", message, unweighted)
        columns = [table, groups.tables.start, groups.tables.probability, groups.tables.alias, site_table, zone]
        return merchant_row.astype(np.int32), backend.table(Groups(*columns))

    def _check_coverage(self, needed: list[list[int]]) -> None:
        """Under the pinned law group weights only have to know the zones that are used; where not, say so."""
        uncovered: Counter[int] = Counter()
        for series, day in needed:
            merchant, tzid, _ = self._axis.key(series)
            uncovered[series] += tzid not in self._world.groups.zones(merchant, self._grid.first_day + day)
        self._tell_days("GROUP_WEIGHT_NOT_COVERED", "zone has arrivals but no group weight on some days", +uncovered)

    def _tell_days(self, code: str, message: str, days: Mapping[int, int]) -> None:
        for series, count in days.items():
            merchant, tzid, _ = self._axis.key(series)
            context: dict[str, str | int | float] = {"merchant_id": str(merchant), "tzid": tzid, "days": count}
            self.anomalies.append(Anomaly(code, "WARN", message, context))

    def _sites(self, backend: Backend) -> Sites:
        sites = self._with_made_up(self._world.sites)
        used = {tzid: self._zone_index.get(tzid, -1) for tzid in set(sites.tzid)}
        absent = sorted(tzid for tzid, position in used.items() if position < 0)
        if absent:
            raise self._missing(
                f"zone {absent[0]} of a site is not in the time-zone cache",
                "tz_timetable_cache",
                "compile the cache again",
            )
        zone = np.array([used[tzid] for tzid in sites.tzid], np.int16)
        tables = sites.tables
        columns = (tables.start, tables.probability, tables.alias, sites.site_id, zone)
        return backend.table(Sites(*columns))

    def _with_made_up(self, sites: SiteTables) -> SiteTables:
        """The same with a table for each site that was made up, in the order of their numbers."""
        made_up, tables = len(self._made_up), sites.tables
        longer = AliasTables(
            np.append(tables.start, tables.start[-1] + 1 + np.arange(made_up)),
            np.append(tables.probability, np.ones(made_up)),
            np.append(tables.alias, np.zeros(made_up, tables.alias.dtype)),
        )
        ids = np.array([made_up_site_id(*key) for key in self._made_up], np.uint64)
        zones = tuple(tzid for _, tzid in self._made_up)
        return replace(sites, tables=longer, site_id=np.append(sites.site_id, ids), tzid=(*sites.tzid, *zones))

    def _edges(self, backend: Backend) -> Edges:
        edges = self._world.edges
        zone = np.array([self._zone(tzid, "an edge") for tzid in edges.tzid], np.int16)
        tables = edges.tables
        columns = (tables.start, tables.probability, tables.alias, edges.edge_id, zone, edges.is_busy)
        return backend.table(Edges(*columns))

    def _clocks(self, backend: Backend) -> Clocks:
        cache = self._world.cache.within(self._grid.start_us, self._grid.end_us)
        return backend.table(Clocks(cache.start, cache.second, cache.offset_min))
