"""Law L7 as a walk: every arrival of a merchant, from its counts, one dictionary per arrival."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.alias import pick, vose
from tests.oracle.randomness import World, uniform

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall_clock(ts_us: int, tzid: str) -> tuple[datetime, int]:
    """(local wall clock, offset in minutes) by the time-zone database."""
    moment = (EPOCH + timedelta(microseconds=ts_us)).astimezone(ZoneInfo(tzid))
    offset = moment.utcoffset()
    assert offset is not None
    return moment.replace(tzinfo=None), int(offset.total_seconds() // 60)


def site_number(merchant: int, country: str, order: int) -> int:
    """Published site id."""
    raw = hashlib.sha256(f"{merchant}:{country}:{order}".encode()).digest()
    return int.from_bytes(raw[-8:], "little") or 1


@dataclass
class Merchant:
    """What the walk needs to know of one merchant."""

    merchant_id: int
    mode: str
    sites: dict[str, list[tuple[str, int, float]]]  # tzid -> (country, order, weight), canonical order
    edges: list[tuple[str, str, float]]  # (edge id text, tzid, weight), id order
    edge_table: list[tuple[float, int]]
    settlement: str | None
    groups: dict[int, list[tuple[str, float]]]  # epoch day -> (tzid, weight), tzid order


@dataclass(frozen=True)
class Law:
    """The policy values that steer a walk."""

    p_virtual: float | tuple[float, ...] = 0.35
    p_of_channels: tuple[tuple[str, float | tuple[float, ...]], ...] = ()  # of 24 local hours where there are several
    group_weights: bool = False
    busy: frozenset[str] = frozenset()
    redirect_p: float = 0.0
    settlement_is_primary: bool = False
    channel_in_key: bool = False


Paths = dict[tuple[str, str], list[float]]
"""Realised intensities by (tzid, channel) and bucket."""


def walk(
    world: World,
    merchant: Merchant,
    counts: dict[tuple[str, str, int], int],
    start_us: int,
    bucket_us: int,
    law: Law,
    paths: Paths | None = None,
) -> list[dict[str, Any]]:
    """Arrivals of all (tzid, channel, bucket) counts in order, without ``arrival_seq``. With ``paths`` they follow their
    intensities (``linear_v1``)."""
    by_bucket: dict[int, list[tuple[str, str, int]]] = defaultdict(list)
    for (tzid, channel, bucket), count in counts.items():
        by_bucket[bucket].append((tzid, channel, count))
    arrivals = []
    for bucket in sorted(by_bucket):
        bucket_start = start_us + bucket * bucket_us
        rows = sorted(by_bucket[bucket], key=lambda row: (row[0].encode(), row[1].encode()))
        drawn = []
        for rank, (tzid, channel, count) in enumerate(rows):
            middle = f"|channel={channel}" if law.channel_in_key else ""
            domain = f"merchant_id={merchant.merchant_id}|zone={tzid}{middle}|bucket_index={bucket}"
            path = None if paths is None else paths[tzid, channel]
            own = replace(law, p_virtual=dict(law.p_of_channels).get(channel, law.p_virtual))
            drawn_row = _draw(world, merchant, domain, tzid, bucket_start, count, bucket_us, own, path, bucket)
            for j, arrival in enumerate(drawn_row):
                arrival["zone_representation"], arrival["channel_group"] = tzid, channel
                drawn.append((arrival.pop("offset_us"), rank, j, arrival))
        for offset, _, _, arrival in sorted(drawn, key=lambda item: item[:3]):
            arrival["bucket_index"] = bucket
            arrival["ts_us"] = bucket_start + offset
            arrivals.append(arrival)
    return arrivals


def linear_place(u: float, path: list[float], bucket: int) -> float:
    """Law L17, `linear_v1`: where the density of straight pieces has the share ``u`` of its bucket behind it."""
    own = path[bucket]

    def edge(near: float) -> float:
        return min((1.0 + near / own) / 2.0, 2.0 * min(near / own, 1.0))

    a = edge(path[bucket - 1]) if bucket > 0 else 1.0
    b = edge(path[bucket + 1]) if bucket + 1 < len(path) else 1.0
    m = (4.0 - a - b) / 2.0
    share_of_left = (a + m) / 4.0
    begins, low, high, q = (0.0, a, m, u) if u < share_of_left else (0.5, m, b, u - share_of_left)
    root = low + math.sqrt(max(low * low + 4.0 * (high - low) * q, 0.0))
    return begins + (2.0 * q / root if root > 0.0 else 0.0)


def _draw(
    world: World,
    merchant: Merchant,
    domain: str,
    tzid: str,
    bucket_start: int,
    count: int,
    bucket_us: int,
    law: Law,
    path: list[float] | None,
    bucket: int,
) -> list[dict[str, Any]]:
    virtual_so_far = 0
    drawn = []
    for j in range(count):
        time_word, _ = world.words("S4.arrival_time_jitter.v1", domain, j)
        word0, word1 = world.words("S4.arrival_site_pick.v1", domain, j)
        place = uniform(time_word) if path is None else linear_place(uniform(time_word), path, bucket)
        offset = min(int(place * bucket_us), bucket_us - 1)
        coin, p = uniform(word0), law.p_virtual
        if isinstance(p, tuple):
            p = p[wall_clock(bucket_start + offset, tzid)[0].hour]
        virtual = merchant.mode == "VIRTUAL_ONLY" or (merchant.mode == "HYBRID" and coin < p)
        if virtual:
            edge, zone = _edge(world, merchant, domain, virtual_so_far, law)
            virtual_so_far += 1
            facts = {"site_id": None, "edge_id": edge, "operational": zone, "settlement": merchant.settlement or zone}
            facts["primary"] = facts["settlement"] if law.settlement_is_primary else zone
        else:
            zone = tzid
            if law.group_weights:
                u = (coin - p) / (1.0 - p) if merchant.mode == "HYBRID" else coin
                groups = merchant.groups[bucket_start // 86_400_000_000]
                zone = groups[pick(vose([weight for _, weight in groups]), u)][0]
            sites = merchant.sites[zone]
            country, order, _ = sites[pick(vose([weight for *_, weight in sites]), uniform(word1))]
            number = site_number(merchant.merchant_id, country, order)
            facts = {"site_id": number, "edge_id": None, "operational": zone, "settlement": zone, "primary": zone}
        drawn.append({"offset_us": offset, "is_virtual": virtual, **facts})
    return drawn


def _edge(world: World, merchant: Merchant, domain: str, k: int, law: Law) -> tuple[int, str]:
    word, _ = world.words("S4.arrival_edge_pick.v1", domain, k)
    edge, zone, _ = merchant.edges[pick(merchant.edge_table, uniform(word))]
    plain = [candidate for candidate in merchant.edges if candidate[1] not in law.busy and candidate[2] > 0.0]
    if zone in law.busy and plain:
        coin, again = world.words("S4.arrival_edge_temper.v1", domain, k)
        if uniform(coin) < law.redirect_p:
            edge, zone, _ = plain[pick(vose([weight for *_, weight in plain]), uniform(again))]
    return int(edge, 16), zone
