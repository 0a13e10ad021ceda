"""Law L7 for one arrival: from its number to its instant, site or edge, and clocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from seg5b.errors import RunError
from seg5b.twin.alias import Pick, Table, pick, vose
from seg5b.twin.merchants import MISSING, Around, CountRow, Edge, MerchantFacts, Segment, Site
from seg5b.twin.randomness import Draw, Stream
from seg5b.twin.scene import Scene

JITTER_FAMILY, SITE_FAMILY = "S4.arrival_time_jitter.v1", "S4.arrival_site_pick.v1"
EDGE_FAMILY, TEMPER_FAMILY = "S4.arrival_edge_pick.v1", "S4.arrival_edge_temper.v1"
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Derivation:
    """One arrival derived again. ``values`` are its published columns (instants in microseconds since 1970);
    ``draws`` name what was drawn for it, ``picks`` how tables were read, ``notes`` the intermediate values."""

    values: Mapping[str, Any]
    draws: Mapping[str, Draw]
    picks: Mapping[str, Pick]
    notes: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The whole chain."""
        return {
            "derived": dict(self.values),
            "draws": {name: draw.as_json() for name, draw in self.draws.items()},
            "picks": {name: asdict(found) for name, found in self.picks.items()},
            "notes": dict(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Slot:
    """One draw of a segment: the series row it belongs to, its index there, its offset into the bucket."""

    offset_us: int
    row: int
    index: int


def derive_arrival(scene: Scene, merchant: MerchantFacts, segment: Segment) -> Derivation:
    """Derive the arrival of a segment's ``rank``: draw and order every offset of the segment, then derive the route and
    clocks of that one.

    Raises `RunError` ``5B.EXPLAIN.NOT_FOUND`` when the inputs have nothing to route it by.
    """
    slot = ordered_slots(scene, segment)[segment.rank - 1]
    row, router = segment.rows[slot.row], Router(scene, merchant)
    routed = router.route(row, segment.bucket, slot.index)
    start_us = scene.bucket_start_us(segment.bucket)
    stream = scene.origin.stream(JITTER_FAMILY, routed.domain)
    values = {
        "bucket_index": segment.bucket,
        "zone_representation": row.zone,
        "channel_group": row.channel,
        "ts_us": start_us + slot.offset_us,
        **router.values(routed, row, start_us + slot.offset_us),
    }
    notes = {
        "series_in_bucket": [
            {name: value for name, value in asdict(each).items() if value is not None} for each in segment.rows
        ],
        "rank_in_bucket": segment.rank,
        "draw_index": slot.index,
        "offset_us": slot.offset_us,
        "virtual_mode": merchant.mode,
        **routed.notes,
    }
    return Derivation(values, {"time": stream.draw(slot.index), **routed.draws}, routed.picks, notes)


def ordered_slots(scene: Scene, segment: Segment) -> list[Slot]:
    """Draws of a segment in the order of time, series and draw index."""
    slots = []
    for number, row in enumerate(segment.rows):
        domain = scene.bucket_key(segment.merchant_id, row.zone, row.channel, segment.bucket)
        stream = scene.origin.stream(JITTER_FAMILY, domain)
        slots += [Slot(offset_of(scene, stream, row, index), number, index) for index in range(row.count)]
    return sorted(slots, key=lambda slot: (slot.offset_us, slot.row, slot.index))


def offset_of(scene: Scene, stream: Stream, row: CountRow, index: int) -> int:
    """Microseconds into its bucket of draw ``index`` of a row, whose time ``stream`` it is."""
    place = place_of(stream.draw(index).u0, row)
    return min(int(place * float(scene.bucket_us)), scene.bucket_us - 1)


def place_of(u: float, row: CountRow) -> float:
    """Where in its bucket a draw of a row falls, 0 to 1: at ``u``, or under ``linear_v1`` where the density has ``u`` of the
    bucket's mass behind it (law L17)."""
    if row.around is None:
        return u
    first, middle, last = heights(row.around)
    left = (first + middle) / 4.0
    if u < left:
        return _way(first, middle, u)
    return min(0.5 + _way(middle, last, u - left), 1.0)


def heights(around: Around) -> tuple[float, float, float]:
    """Density at the start, the centre and the end of a bucket, in units of its own intensity; 1 throughout where that is not
    above 0."""
    first, last = (_edge(near, around.own) for near in (around.before, around.after))
    return first, (4.0 - first - last) / 2.0, last


def _edge(near: float, own: float) -> float:
    ratio = near / own if own > 0.0 else 1.0
    return min((1.0 + ratio) / 2.0, 2.0 * min(ratio, 1.0))


def _way(start: float, end: float, mass: float) -> float:
    """From the start of a half to where ``mass`` lies behind: the root of start x + (end - start) x^2 = mass."""
    reach = start + math.sqrt(max(start * start + 4.0 * (end - start) * mass, 0.0))
    return 2.0 * mass / reach if reach > 0.0 else 0.0


@dataclass(slots=True)
class Routed:
    """Where one arrival went: ``site_id`` or ``edge_id``, the ``zone`` it is in, the ``tz_group`` of a physical one; with what
    was drawn on the way under the domain key ``domain``."""

    domain: str
    zone: str
    site_id: int | None = None
    edge_id: int | None = None
    tz_group: str | None = None
    draws: dict[str, Draw] = field(default_factory=dict)
    picks: dict[str, Pick] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


class Router:
    """Follows arrivals of one merchant to their sites and edges. Tables are built once."""

    def __init__(self, scene: Scene, merchant: MerchantFacts) -> None:
        self._scene, self._merchant, self._read = scene, merchant, scene.readings
        self._hybrid = merchant.mode == "HYBRID"
        self._sites: dict[str, tuple[Sequence[Site], Table]] = {}
        self._groups: dict[int, Table] = {}
        self._plain = [each for each in merchant.edges if each.tzid not in scene.busy and each.weight > 0.0]
        tempered = scene.readings.temper_p > 0.0 and bool(self._plain)
        self._plain_table = vose([each.weight for each in self._plain]) if tempered else []

    def route(self, row: CountRow, bucket: int, index: int, before: int | None = None) -> Routed:
        """Follow draw ``index`` of a bucket row. ``before``: how many arrivals of lower index in the row are virtual, None to
        count them here.

        Raises `RunError` ``5B.EXPLAIN.NOT_FOUND`` when the inputs have nothing to route it by.
        """
        scene, merchant = self._scene, self._merchant
        found = Routed(scene.bucket_key(merchant.merchant_id, row.zone, row.channel, bucket), row.zone)
        virtual = merchant.mode == "VIRTUAL_ONLY"
        coins: Stream | None = None
        if not virtual:
            coins = self._scene.origin.stream(SITE_FAMILY, found.domain)
            found.draws["site"] = coins.draw(index)
        if self._hybrid:
            below, hour = self._coin(row, bucket, found.domain, index)
            virtual = found.draws["site"].u0 < below
            at_hour = {} if hour is None else {"local_hour": hour}
            found.notes["hybrid_coin"] = {"u": found.draws["site"].u0, "virtual_below": below, **at_hour}
        if virtual:
            if before is None:
                before = index if coins is None else self._virtual_before(coins, row, bucket, found.domain, index)
            self._pick_edge(found, before)
        else:
            self._pick_site(found, (scene.start_us + bucket * scene.bucket_us) // _DAY_US)
        return found

    def values(self, routed: Routed, row: CountRow, ts_us: int) -> dict[str, Any]:
        """Route and clocks under their published names."""
        virtual = routed.edge_id is not None
        settlement = (self._merchant.settlement if virtual else None) or routed.zone
        primary = settlement if virtual and self._read.primary_clock == "settlement" else routed.zone
        found: dict[str, Any] = {"is_virtual": virtual, "site_id": routed.site_id, "edge_id": routed.edge_id}
        for name, tzid in (("primary", primary), ("operational", routed.zone), ("settlement", settlement)):
            minutes = self._scene.offset_minutes(tzid, ts_us)
            found[f"tzid_{name}"] = tzid
            found[f"utc_offset_min_{name}"] = minutes
            found[f"local_us_{name}"] = ts_us + minutes * 60_000_000
        return found

    def _coin(self, row: CountRow, bucket: int, domain: str, index: int) -> tuple[float, int | None]:
        """Below what draw ``index`` of a row is virtual, and the local hour of its instant where that depends on it."""
        scene = self._scene
        if not self._read.coin_has_hours(row.channel):
            return self._read.p_virtual(row.channel, 0), None
        offset_us = offset_of(scene, scene.origin.stream(JITTER_FAMILY, domain), row, index)
        hour = scene.local_hour(row.zone, scene.bucket_start_us(bucket) + offset_us)
        return self._read.p_virtual(row.channel, hour), hour

    def _virtual_before(self, coins: Stream, row: CountRow, bucket: int, domain: str, index: int) -> int:
        return sum(coins.draw(each).u0 < self._coin(row, bucket, domain, each)[0] for each in range(index))

    def _pick_edge(self, found: Routed, before: int) -> None:
        """The k-th virtual arrival of a row takes block k of the edge stream."""
        edges, origin = self._merchant.edges, self._scene.origin
        self._need(bool(edges) and len(edges) == len(self._merchant.edge_table), "no edge table that fits its edges")
        found.draws["edge"] = origin.stream(EDGE_FAMILY, found.domain).draw(before)
        found.picks["edge"] = pick(self._merchant.edge_table, found.draws["edge"].u0)
        edge: Edge = edges[found.picks["edge"].entry]
        if self._plain_table and edge.tzid in self._scene.busy:
            found.draws["temper"] = origin.stream(TEMPER_FAMILY, found.domain).draw(before)
            if found.draws["temper"].u0 < self._read.temper_p:
                found.picks["edge_again"] = pick(self._plain_table, found.draws["temper"].u1)
                edge = self._plain[found.picks["edge_again"].entry]
        found.notes |= {"virtual_before_in_row": before, "edge": asdict(edge)}
        found.edge_id, found.zone = int(edge.edge_id, 16), edge.tzid

    def _pick_site(self, found: Routed, day: int) -> None:
        draw, group = found.draws["site"], found.zone
        if self._read.tz_group_law != "zone_pinned_v1":
            group = self._pick_group(found, draw.u0, day)
        sites, table = self._sites_of(group)
        found.picks["site"] = pick(table, draw.u1)
        site = sites[found.picks["site"].entry]
        found.notes |= {"tz_group": group, "site": asdict(site)}
        found.site_id, found.zone, found.tz_group = site.site_id(self._merchant.merchant_id), site.tzid, group

    def _pick_group(self, found: Routed, u: float, day: int) -> str:
        if self._hybrid:
            p = found.notes["hybrid_coin"]["virtual_below"]
            u = (u - p) / (1.0 - p)
        groups = self._merchant.groups.get(day, ())
        if not groups and self._read.tz_group_law == "group_weights_or_zone_v1":
            return found.zone
        self._need(bool(groups), f"no group weights on epoch day {day}")
        if day not in self._groups:
            self._groups[day] = vose([weight for _, weight in groups])
        found.picks["tz_group"] = pick(self._groups[day], u)
        return groups[found.picks["tz_group"].entry][0]

    def _sites_of(self, tzid: str) -> tuple[Sequence[Site], Table]:
        if tzid not in self._sites:
            own = [site for site in self._merchant.sites if site.tzid == tzid]
            if not own and self._read.on_missing_site_table != "abort":
                own = list(self._merchant.sites)
            self._need(bool(own), f"no site in {tzid}")
            self._sites[tzid] = own, vose([site.weight for site in own])
        return self._sites[tzid]

    def _need(self, there: bool, what: str) -> None:
        if not there:
            raise RunError(
                MISSING,
                f"merchant {self._merchant.merchant_id} has {what}",
                where="s3_bucket_counts_5B",
                remedy="counts and sealed inputs do not belong together; run `seg5b s5`",
            )
