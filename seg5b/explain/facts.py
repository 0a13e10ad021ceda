"""What a derivation reads of a merchant: its counts, sites, edges, weights, read plainly from sealed inputs and S3."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from seg5b.clocks import TzCache
from seg5b.errors import InputError, RunError
from seg5b.query import parquet
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.zones import sealed_cache
from seg5b.twin.alias import Table, blob_slice
from seg5b.twin.merchants import MISSING, Around, CountRow, Edge, MerchantFacts, Segment, Site
from seg5b.twin.randomness import Origin
from seg5b.twin.scene import Scene, country_key, group_key, own_key, zone_key

WITH_COUNTRY = """grouping g LEFT JOIN first_countries f
                  ON f.merchant_id = g.merchant_id AND f.tzid = g.zone_representation"""
"""The grouping with the ``country`` whose latent path each series may share."""
_EPOCH = date(1970, 1, 1).toordinal()


def scene_of(subject: Subject) -> Scene:
    """The subject's scenario as the twin sees it, without clocks and busy zones."""
    identity, horizon, read = subject.root.identity, subject.horizon, subject.policies.readings
    origin = Origin(
        read.domain_sep, identity.manifest_fingerprint, identity.parameter_hash, identity.seed, horizon.scenario_id
    )
    return Scene(origin, read, horizon.start_us, (horizon.end_us - horizon.start_us) // (read.bucket_s * 1_000_000))


def latent_domains(subject: Subject) -> list[str]:
    """Domain keys of all latent paths of a scenario in the order in which S2 records them: groups by their ids, or countries,
    zones, and series in canonical order. Raises `InputError` for a profile that cannot be read."""
    read = subject.policies.readings
    if not read.has_field:
        return []
    if not read.has_levels:
        return [group_key(row[0]) for row in subject.rows("SELECT DISTINCT group_id FROM grouping ORDER BY 1")]
    countries, zones = (
        [row[0] for row in subject.rows(f"SELECT DISTINCT {column} FROM {WITH_COUNTRY} ORDER BY 1")]
        for column in ("country", "zone_representation")
    )
    series = subject.rows(
        """SELECT merchant_id, zone_representation, channel_group FROM grouping
           ORDER BY merchant_id, zone_representation, channel_group"""
    )
    own = (own_key(*row) for row in series)
    return [*map(country_key, countries), *map(zone_key, zones), *own]


def routed_scene(subject: Subject) -> Scene:
    """The same with the clocks of the sealed cache and the zones that tempering avoids, read once.

    Raises `InputError` ``5B.S5.CIVIL_TIME_MAPPING_FAILED`` for a cache that cannot be read.
    """
    key = f"routed scene {subject.scenario_id}"
    if key not in subject.shared:
        zones = _zones(sealed_cache(subject))
        subject.shared[key] = replace(scene_of(subject), zones=zones, busy=busy_zones(subject))
    found: Scene = subject.shared[key]
    return found


def _zones(cache: TzCache) -> dict[str, tuple[list[int], list[int]]]:
    """By zone: the seconds from which its offsets hold, and those in minutes."""
    seconds, minutes, starts = cache.second.tolist(), cache.offset_min.tolist(), cache.start.tolist()
    return {
        tzid: (seconds[first:stop], minutes[first:stop])
        for tzid, first, stop in zip(cache.tzids, starts, starts[1:], strict=False)
    }


def find_segments(subject: Subject, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Segment]:
    """Segment of each (merchant_id, arrival_seq), from S3's counts alone. Keys beyond the last arrival are absent."""
    _wanted_table(subject, wanted)
    rows = subject.rows(
        """WITH own AS (SELECT merchant_id, bucket_index, zone_representation, channel_group, count_N, position FROM counts
                        WHERE count_N > 0 AND merchant_id IN (SELECT merchant_id FROM explain_wanted)),
                segment AS (SELECT merchant_id, bucket_index, sum(count_N) AS n,
                                   sum(sum(count_N)) OVER (PARTITION BY merchant_id ORDER BY bucket_index) AS upto
                            FROM own GROUP BY merchant_id, bucket_index)
           SELECT w.merchant_id, w.seq, s.bucket_index, (w.seq - (s.upto - s.n))::BIGINT AS rank,
                  o.zone_representation, o.channel_group, o.count_N, o.position
           FROM explain_wanted w
           JOIN segment s ON s.merchant_id = w.merchant_id AND w.seq > s.upto - s.n AND w.seq <= s.upto
           JOIN own o ON o.merchant_id = s.merchant_id AND o.bucket_index = s.bucket_index"""
    )
    found: dict[tuple[int, int], tuple[int, int, list[CountRow]]] = {}
    around = _intensities_around(subject, [row[7] for row in rows])
    for merchant, seq, bucket, rank, zone, channel, count, position in rows:
        row = CountRow(zone, channel, count, around.get(position))
        found.setdefault((merchant, seq), (bucket, rank, []))[2].append(row)
    return {
        key: Segment(
            key[0], bucket, rank, tuple(sorted(own, key=lambda row: (row.zone.encode(), row.channel.encode())))
        )
        for key, (bucket, rank, own) in found.items()
    }


def _intensities_around(subject: Subject, positions: Sequence[int]) -> dict[int, Around]:
    """Intensities of some cells and of those beside them, as S3 was given them; none where placement does not look at them."""
    if not subject.policies.readings.follows_intensity or not positions:
        return {}
    buckets = int(subject.constants["buckets"] or 1)
    beside = sorted({position + step for position in positions for step in (-1, 0, 1)})
    subject.database.table("explain_beside", {"position": np.array(beside, np.int64)}, {"position": "BIGINT"})
    rows = subject.rows("SELECT position, lambda_realised FROM counts JOIN explain_beside USING (position)")
    known: dict[int, float] = dict(rows)
    found = {}
    for position in positions:
        own, bucket = known[position], position % buckets
        before = known.get(position - 1, own) if bucket > 0 else own
        found[position] = Around(before, own, known.get(position + 1, own) if bucket < buckets - 1 else own)
    return found


def _wanted_table(subject: Subject, wanted: Sequence[tuple[int, int]]) -> None:
    columns = {
        "merchant_id": np.array([merchant for merchant, _ in wanted], np.uint64),
        "seq": np.array([seq for _, seq in wanted], np.int64),
    }
    subject.database.table("explain_wanted", columns, {"merchant_id": "UBIGINT", "seq": "BIGINT"})


_MOST_LOOKUPS = 256
"""Rows that are looked up one by one; more are found by one scan."""


def published_rows(subject: Subject, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], dict[str, object]]:
    """Published columns of each (merchant_id, arrival_seq), instants in microseconds. Absent keys are left out; a key
    that occurs twice raises `RunError` ``5B.EXPLAIN.NOT_FOUND``."""
    clocks = ", ".join(
        f"tzid_{name}, utc_offset_min_{name}, epoch_us(ts_local_{name}) AS local_us_{name}"
        for name in ("primary", "operational", "settlement")
    )
    columns = f"""a.merchant_id, arrival_seq, bucket_index, zone_representation, channel_group, epoch_us(ts_utc) AS ts_us,
                  is_virtual, site_id, edge_id, {clocks}"""
    if len(wanted) <= _MOST_LOOKUPS:  # bounds of merchant and number let each lookup skip all row groups but its own
        lookups = (
            f"SELECT {columns} FROM arrivals_all a WHERE merchant_id = {m} AND arrival_seq = {n}" for m, n in wanted
        )
        records = subject.records(" UNION ALL ".join(lookups)) if wanted else []
    else:
        _wanted_table(subject, wanted)
        on = "a.merchant_id = w.merchant_id AND a.arrival_seq = w.seq"
        records = subject.records(f"SELECT {columns} FROM arrivals_all a JOIN explain_wanted w ON {on}")
    found: dict[tuple[int, int], dict[str, object]] = {}
    for record in records:
        key = (record.pop("merchant_id"), record.pop("arrival_seq"))
        if key in found:
            what = f"merchant {key[0]} has two arrivals number {key[1]}"
            raise RunError(MISSING, what, where="arrival_events_5B", remedy="run `seg5b s5`; keys must be unique")
        found[key] = record
    return found


def load_merchants(subject: Subject, merchants: Iterable[int]) -> dict[int, MerchantFacts]:
    """Facts of some merchants, in a few queries for all of them. Raises `InputError` for damaged inputs, `RunError`
    ``5B.EXPLAIN.NOT_FOUND`` for a merchant without virtual mode."""
    own = sorted(set(merchants))
    _wanted_table(subject, [(merchant, 0) for merchant in own])
    modes = dict(subject.rows(f"SELECT merchant_id, virtual_mode FROM modes WHERE {_OWN}"))
    absent = [merchant for merchant in own if merchant not in modes]
    if absent:
        what = f"merchant {absent[0]} has no virtual mode"
        raise RunError(MISSING, what, where="virtual_classification_3B", remedy="check the merchant id")
    sites, edges, groups = _sites(subject), _edges(subject), _groups(subject)
    tables = _edge_tables(subject)
    settlement = dict(subject.rows(f"SELECT merchant_id, tzid FROM settlement WHERE {_OWN}"))
    return {
        merchant: MerchantFacts(
            merchant,
            modes[merchant],
            tuple(sites[merchant]),
            tuple(edges[merchant]),
            tables.get(merchant, []),
            settlement.get(merchant),
            {day: tuple(zones) for day, zones in groups[merchant].items()},
        )
        for merchant in own
    }


_OWN = "merchant_id IN (SELECT merchant_id FROM explain_wanted)"


def _sites(subject: Subject) -> dict[int, list[Site]]:
    rows = subject.rows(f"SELECT merchant_id, country, site_order, tzid, weight FROM sites WHERE {_OWN}")
    sites: dict[int, list[Site]] = defaultdict(list)
    for merchant, country, order, tzid, weight in sorted(rows, key=lambda row: (row[0], row[1].encode(), row[2])):
        sites[merchant].append(Site(country, order, tzid, weight))
    return sites


def _edges(subject: Subject) -> dict[int, list[Edge]]:
    rows = subject.rows(f"SELECT merchant_id, edge_text, tzid, weight FROM edges WHERE {_OWN}")
    edges: dict[int, list[Edge]] = defaultdict(list)
    for merchant, edge, tzid, weight in sorted(rows, key=lambda row: (row[0], row[1].encode())):
        edges[merchant].append(Edge(edge, tzid, weight))
    return edges


def _groups(subject: Subject) -> dict[int, dict[int, list[tuple[str, float]]]]:
    groups: dict[int, dict[int, list[tuple[str, float]]]] = defaultdict(lambda: defaultdict(list))
    if subject.policies.readings.tz_group_law == "zone_pinned_v1":
        return groups
    rows = subject.rows(f"SELECT merchant_id, utc_day, tz_group_id, p_group::DOUBLE FROM group_weights WHERE {_OWN}")
    for merchant, day, zone, weight in sorted(rows, key=lambda row: (row[0], row[1], row[2].encode())):
        groups[merchant][_epoch_day(str(day))].append((zone, weight))
    return groups


def _epoch_day(text: str) -> int:
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH
    except ValueError as cause:
        remedy = "restore what segment 2B wrote"
        raise InputError(MISSING, f"a utc_day is no date: {cause}", where="s4_group_weights", remedy=remedy) from cause


def _edge_tables(subject: Subject) -> dict[int, Table]:
    blob = subject.gate.path("edge_alias_blob_3B").read_bytes()
    index = parquet(subject.sealed_files("edge_alias_index_3B"))
    rows = subject.rows(
        f"""SELECT merchant_id::UBIGINT, blob_offset_bytes::BIGINT, blob_length_bytes::BIGINT FROM {index}
            WHERE scope = 'MERCHANT' AND merchant_id::UBIGINT IN (SELECT merchant_id FROM explain_wanted)"""
    )
    order = subject.policies.readings.endianness
    try:
        return {merchant: blob_slice(_bytes(blob, offset, length), order) for merchant, offset, length in rows}
    except ValueError as cause:
        what = f"an alias slice is not usable: {cause}"
        raise InputError(MISSING, what, where="edge_alias_index_3B", remedy="restore what segment 3B wrote") from cause


def _bytes(blob: bytes, offset: int | None, length: int | None) -> bytes:
    return b"" if None in (offset, length) or (offset or 0) < 0 else blob[offset : (offset or 0) + (length or 0)]


def busy_zones(subject: Subject) -> frozenset[str]:
    """Zones that tempering avoids; empty when it is off. Weights are added merchant by merchant in order of edge id."""
    read = subject.policies.readings
    if not read.temper:
        return frozenset()
    key = "busy zones"
    if key not in subject.shared:
        total: dict[str, float] = defaultdict(float)
        rows = subject.rows("SELECT merchant_id, edge_text, tzid, weight FROM edges")
        for _, _, tzid, weight in sorted(rows, key=lambda row: (row[0], row[1].encode())):
            total[tzid] += weight
        ranked = sorted(total, key=lambda tzid: (-total[tzid], tzid.encode()))
        subject.shared[key] = frozenset(ranked[: read.temper_zones])
    found: frozenset[str] = subject.shared[key]
    return found
