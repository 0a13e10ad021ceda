"""What an arrival of a merchant is derived from: counts of its series, sites, edges, weights. Nothing here reads anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from seg5b.twin.alias import Table

MISSING = "5B.EXPLAIN.NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Traits:
    """What the laws of a series depend on."""

    group_id: str
    demand_class: str
    channel: str
    virtual_band: str
    band: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a series is: merchant, zone, channel, and the country whose path it shares (empty where none is shared)."""

    merchant_id: int
    zone: str
    channel: str
    country: str


@dataclass(frozen=True, slots=True)
class Site:
    """One site: country, order within it, zone, weight. One that was made up has no country."""

    country: str
    order: int
    tzid: str
    weight: float

    def site_id(self, merchant_id: int) -> int:
        """Published id: last eight bytes of SHA-256 of ``merchant:country:order``, or ``fallback:merchant:zone`` of a made-up
        one, least significant first; never 0. Written apart from `seg5b.inputs.sites`, like all that is derived again."""
        known = f"{merchant_id}:{self.country}:{self.order}" if self.country else f"fallback:{merchant_id}:{self.tzid}"
        digest = hashlib.sha256(known.encode()).digest()
        return int.from_bytes(digest[-8:], "little") or 1


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge: hexadecimal id, operational zone, weight."""

    edge_id: str
    tzid: str
    weight: float


@dataclass(frozen=True, slots=True)
class MerchantFacts:
    """Everything that routes a merchant's arrivals. ``sites`` in canonical order (country bytes, order); ``edges`` in
    order of their id; ``edge_table`` from the blob; ``groups`` by epoch day, in byte order of the zone."""

    merchant_id: int
    mode: str
    sites: tuple[Site, ...] = ()
    edges: tuple[Edge, ...] = ()
    edge_table: Table = field(default_factory=list)
    settlement: str | None = None
    groups: Mapping[int, tuple[tuple[str, float], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Around:
    """Realised intensity of a series in a bucket (``own``), and in the buckets ``before`` and ``after``: its own again where
    the horizon begins or ends."""

    before: float
    own: float
    after: float


@dataclass(frozen=True, slots=True)
class CountRow:
    """Arrivals of one series in one bucket; ``around``: intensities, where the law of placement follows them."""

    zone: str
    channel: str
    count: int
    around: Around | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """All bucket rows of one merchant and bucket, in series order; ``rank`` is an arrival's place among them, from
    1."""

    merchant_id: int
    bucket: int
    rank: int
    rows: tuple[CountRow, ...]
