"""Law L7 for one arrival: from its number to its instant, site or edge, and clocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seg5b.errors import RunError
from seg5b.explain.alias import Pick, pick, vose
from seg5b.explain.facts import MISSING, CountRow, MerchantFacts, Segment, Site, busy_zones, offset_minutes
from seg5b.explain.randomness import Draw, Origin
from seg5b.run_tables.subject import Subject

_JITTER, _SITE = "S4.arrival_time_jitter.v1", "S4.arrival_site_pick.v1"
_EDGE, _TEMPER = "S4.arrival_edge_pick.v1", "S4.arrival_edge_temper.v1"
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


def origin_of(subject: Subject) -> Origin:
    """What messages of the subject's scenario start from."""
    identity = subject.root.identity
    return Origin(
        subject.policies.rng.domain_sep,
        identity.manifest_fingerprint,
        identity.parameter_hash,
        identity.seed,
        subject.scenario_id,
    )


def bucket_key(subject: Subject, merchant_id: int, row: CountRow, bucket: int) -> str:
    """Domain key of a series' bucket under the policy's law."""
    with_channel = subject.policies.rng.bucket_key_law == "merchant_zone_channel_bucket"
    channel = f"|channel={row.channel}" if with_channel else ""
    return f"merchant_id={merchant_id}|zone={row.zone}{channel}|bucket_index={bucket}"


def derive_arrival(subject: Subject, merchant: MerchantFacts, segment: Segment) -> Derivation:
    """Derive the arrival of a segment's ``rank``: draw and order every offset of the segment, then derive the route and
    clocks of that one.

    Raises `RunError` ``5B.EXPLAIN.NOT_FOUND`` when the inputs have nothing to route it by.
    """
    bucket_us = int(subject.constants["bucket_us"] or 0)
    slots = ordered_slots(subject, segment, bucket_us)
    slot = slots[segment.rank - 1]
    row = segment.rows[slot.row]
    start_us = subject.horizon.start_us + segment.bucket * bucket_us
    route = _Route(subject, merchant, segment, row, slot.index, start_us)
    route.follow()
    jitter = origin_of(subject).stream(_JITTER, route.domain).draw(slot.index)
    values = {
        "bucket_index": segment.bucket,
        "zone_representation": row.zone,
        "channel_group": row.channel,
        "ts_us": start_us + slot.offset_us,
        **route.values(start_us + slot.offset_us),
    }
    notes = {
        "series_in_bucket": [asdict(each) for each in segment.rows],
        "rank_in_bucket": segment.rank,
        "draw_index": slot.index,
        "offset_us": slot.offset_us,
        **route.notes,
    }
    return Derivation(values, {"time": jitter, **route.draws}, route.picks, notes)


def ordered_slots(subject: Subject, segment: Segment, bucket_us: int) -> list[Slot]:
    """Draws of a segment in the order of time, series and draw index."""
    origin = origin_of(subject)
    slots = []
    for number, row in enumerate(segment.rows):
        stream = origin.stream(_JITTER, bucket_key(subject, segment.merchant_id, row, segment.bucket))
        for index in range(row.count):
            offset = min(int(stream.draw(index).u0 * float(bucket_us)), bucket_us - 1)
            slots.append(Slot(offset, number, index))
    return sorted(slots, key=lambda slot: (slot.offset_us, slot.row, slot.index))


class _Route:
    """Follows one arrival to its site or edge, keeping what was drawn on the way."""

    def __init__(
        self, subject: Subject, merchant: MerchantFacts, segment: Segment, row: CountRow, index: int, start_us: int
    ) -> None:
        self.draws: dict[str, Draw] = {}
        self.picks: dict[str, Pick] = {}
        self.notes: dict[str, Any] = {"virtual_mode": merchant.mode}
        self.domain = bucket_key(subject, segment.merchant_id, row, segment.bucket)
        self._subject, self._merchant, self._row, self._index = subject, merchant, row, index
        self._day = start_us // _DAY_US
        self._routing = subject.policies.routing
        self._zone = row.zone
        self._site: int | None = None
        self._edge: int | None = None

    def follow(self) -> None:
        """Decide the route, then pick."""
        if self._is_virtual(self._index):
            self._pick_edge()
        else:
            self._pick_site()

    def values(self, ts_us: int) -> dict[str, Any]:
        """Route and clocks under their published names."""
        virtual = self._edge is not None
        settlement = (self._merchant.settlement if virtual else None) or self._zone
        primary = settlement if virtual and self._routing.primary_clock == "settlement" else self._zone
        found: dict[str, Any] = {"is_virtual": virtual, "site_id": self._site, "edge_id": self._edge}
        for name, tzid in (("primary", primary), ("operational", self._zone), ("settlement", settlement)):
            minutes = offset_minutes(self._subject, tzid, ts_us)
            found[f"tzid_{name}"] = tzid
            found[f"utc_offset_min_{name}"] = minutes
            found[f"local_us_{name}"] = ts_us + minutes * 60_000_000
        return found

    def _draw(self, family_id: str, index: int) -> Draw:
        return origin_of(self._subject).stream(family_id, self.domain).draw(index)

    def _is_virtual(self, index: int) -> bool:
        if self._merchant.mode != "HYBRID":
            return self._merchant.mode == "VIRTUAL_ONLY"
        coin = self._draw(_SITE, index)
        if index == self._index:
            self.draws["site"] = coin
            self.notes["hybrid_coin"] = {"u": coin.u0, "virtual_below": self._routing.p_virtual_hybrid}
        return coin.u0 < self._routing.p_virtual_hybrid

    def _pick_edge(self) -> None:
        """The k-th virtual arrival of a row takes block k of the edge stream."""
        before = sum(self._is_virtual(index) for index in range(self._index))
        edges, busy = self._merchant.edges, busy_zones(self._subject)
        self._need(bool(edges) and len(edges) == len(self._merchant.edge_table), "no edge table that fits its edges")
        self.draws["edge"] = self._draw(_EDGE, before)
        self.picks["edge"] = pick(self._merchant.edge_table, self.draws["edge"].u0)
        edge = edges[self.picks["edge"].entry]
        plain = [each for each in edges if each.tzid not in busy and each.weight > 0.0]
        if self._routing.edge_temper.redirect_p > 0.0 and plain and edge.tzid in busy:
            self.draws["temper"] = self._draw(_TEMPER, before)
            if self.draws["temper"].u0 < self._routing.edge_temper.redirect_p:
                self.picks["edge_again"] = pick(vose([each.weight for each in plain]), self.draws["temper"].u1)
                edge = plain[self.picks["edge_again"].entry]
        self.notes |= {"virtual_before_in_row": before, "edge": asdict(edge)}
        self._edge, self._zone = int(edge.edge_id, 16), edge.tzid

    def _pick_site(self) -> None:
        self.draws["site"] = self._draw(_SITE, self._index)
        group = self._row.zone
        if self._routing.tz_group_law == "group_weights_v1":
            group = self._pick_group(self.draws["site"].u0)
        sites = self._sites_of(group)
        self.picks["site"] = pick(vose([site.weight for site in sites]), self.draws["site"].u1)
        site = sites[self.picks["site"].entry]
        self.notes |= {"tz_group": group, "site": asdict(site)}
        self._site, self._zone = site.site_id(self._merchant.merchant_id), site.tzid

    def _pick_group(self, u: float) -> str:
        if self._merchant.mode == "HYBRID":
            u = (u - self._routing.p_virtual_hybrid) / (1.0 - self._routing.p_virtual_hybrid)
        groups = self._merchant.groups.get(self._day, ())
        self._need(bool(groups), f"no group weights on epoch day {self._day}")
        self.picks["tz_group"] = pick(vose([weight for _, weight in groups]), u)
        return groups[self.picks["tz_group"].entry][0]

    def _sites_of(self, tzid: str) -> Sequence[Site]:
        own = [site for site in self._merchant.sites if site.tzid == tzid]
        if not own and self._routing.on_missing_site_table == "merchant_sites":
            own = list(self._merchant.sites)
        self._need(bool(own), f"no site in {tzid}")
        return own

    def _need(self, there: bool, what: str) -> None:
        if not there:
            raise RunError(
                MISSING,
                f"merchant {self._merchant.merchant_id} has {what}",
                where=f"{self._row.zone}, draw {self._index}",
                remedy="counts and sealed inputs do not belong together; run `seg5b s5`",
            )
