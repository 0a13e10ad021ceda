"""Where an arrival lands and what the clocks say: one output row per ordered key. Laws L7.routing and L7.clocks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.alias import alias_pick
from seg5b_kernels.arrivals import HYBRID
from seg5b_kernels.clocks import MICROSECONDS, offset_minutes
from seg5b_kernels.coins import p_virtual
from seg5b_kernels.derivation import draw_words
from seg5b_kernels.targets import cpu_loop, scalar
from seg5b_kernels.uniform import unit_open

NO_TABLE = -1
DAY_US = 86_400 * MICROSECONDS


class Chunk(NamedTuple):
    """An ordered chunk of n slots, as `seg5b_kernels.arrivals` leaves it.

    ``packed`` uint64 [n]; ``slot_row`` int32 [n]; ``is_virtual`` int32 [n]; ``virtual_before`` int32 [n + 1]:
    exclusive prefix sum of it. ``first_position``: position in the chunk of the first row to write.
    ``scenario_position``: position in the scenario of the chunk's first arrival.
    """

    packed: Any
    slot_row: Any
    is_virtual: Any
    virtual_before: Any
    first_position: int
    scenario_position: int


class Horizon(NamedTuple):
    """``start_us``: start of bucket 0, UTC epoch microseconds; ``bucket_us``: length of a bucket; ``first_day``: epoch
    day of the start."""

    start_us: int
    bucket_us: int
    first_day: int


class Series(NamedTuple):
    """Series [S]: ``merchant_id`` uint64; ``mode`` uint8; ``zone`` int16 tz index; ``channel`` int8; ``site_table``,
    ``edge_table`` int32 or `NO_TABLE`; ``plain_edge_table`` int32: the merchant's edges outside the busiest zones, or
    `NO_TABLE`; ``group_row`` int32: the merchant's row of `Groups.by_day`, or `NO_TABLE` where a series' own zone is the
    group; ``settlement_zone`` int16 tz index, -1 if unknown; ``first_arrival`` int64: position in the scenario of the
    merchant's first arrival."""

    merchant_id: Any
    mode: Any
    zone: Any
    channel: Any
    site_table: Any
    edge_table: Any
    plain_edge_table: Any
    group_row: Any
    settlement_zone: Any
    first_arrival: Any


class Sites(NamedTuple):
    """Alias tables of sites: ``start`` int64 [T + 1]; per entry ``probability`` float64, ``alias`` int32, ``id``
    uint64, ``zone`` int16 tz index."""

    start: Any
    probability: Any
    alias: Any
    id: Any
    zone: Any


class Edges(NamedTuple):
    """Alias tables of virtual edges: as `Sites`, and ``is_busy`` uint8: the edge lies in one of the busiest zones
    that the tempering policy names."""

    start: Any
    probability: Any
    alias: Any
    id: Any
    zone: Any
    is_busy: Any


class Groups(NamedTuple):
    """Alias tables of tz groups: as `Sites`, with ``site_table`` int32 and ``zone`` int16 tz index per entry;
    ``by_day`` int32 [merchants, days]: table of a merchant on a UTC day of the horizon."""

    by_day: Any
    start: Any
    probability: Any
    alias: Any
    site_table: Any
    zone: Any


class RoutePolicy(NamedTuple):
    """``redirect_p``: tempering probability, 0 for none; ``settlement_is_primary`` 0 or 1."""

    redirect_p: float
    settlement_is_primary: int


class RouteInputs(NamedTuple):
    """All that routing reads: ``rows`` are `seg5b_kernels.segments.Rows`, the three streams
    `seg5b_kernels.derivation.Streams` over them; ``clocks``: `seg5b_kernels.clocks.Clocks`; ``coins``: the
    `seg5b_kernels.coins.Coins` that the chunk was drawn with."""

    chunk: Any
    rows: Any
    horizon: Horizon
    series: Any
    site_stream: Any
    edge_stream: Any
    temper_stream: Any
    sites: Any
    edges: Any
    groups: Any
    clocks: Any
    policy: Any
    coins: Any


class Arrivals(NamedTuple):
    """Output rows [m].

    ``row`` int32: bucket row of the chunk; ``merchant_id`` uint64; ``zone`` int16; ``channel`` int8; ``bucket`` int32;
    ``arrival_seq`` int64 from 1; ``ts_utc`` int64 microseconds; ``zone_primary``, ``zone_settlement``,
    ``zone_operational`` int16 tz indices; ``offset_min_*`` int16 minutes (wall clocks are UTC plus these);
    ``is_virtual`` uint8; ``site_id`` uint64 (0 when virtual); ``edge_id`` uint64 (0 when physical);
    ``group_zone`` int16: tz index of the group that routed a physical arrival, -1 when virtual;
    ``tempered`` uint8: 1 where the temper stream was drawn from.
    """

    row: Any
    merchant_id: Any
    zone: Any
    channel: Any
    bucket: Any
    arrival_seq: Any
    ts_utc: Any
    zone_primary: Any
    zone_settlement: Any
    zone_operational: Any
    offset_min_primary: Any
    offset_min_settlement: Any
    offset_min_operational: Any
    is_virtual: Any
    site_id: Any
    edge_id: Any
    group_zone: Any
    tempered: Any


@scalar
def pick_entry(tables, table, u):
    """Index of the entry that ``u`` picks from alias table number ``table``."""
    start = np.int64(tables.start[np.uint64(table)])
    size = np.int64(tables.start[np.uint64(table + 1)]) - start
    return np.uint64(start + alias_pick(u, start, size, tables.probability, tables.alias))


@scalar
def group_table(inputs, series, bucket_start_us):
    """Tz-group table of a series on the UTC day of a bucket, `NO_TABLE` where the series' own zone is the group."""
    row = inputs.series.group_row[series]
    table = np.int32(NO_TABLE)
    if row != NO_TABLE:
        day = bucket_start_us // DAY_US - inputs.horizon.first_day
        table = inputs.groups.by_day[np.uint64(row), np.uint64(day)]
    return table


@scalar
def pick_site(inputs, row, j, bucket_start_us, ts_us):
    """Site entry of draw ``j`` of a row, a physical arrival at ``ts_us``. Consumes block j of the site stream: word 0 picks
    the tz group where the row has a group table (after the hybrid coin, its rescaled remainder), word 1 the site.

    Returns (site entry, tz index of the group that led there).
    """
    series = np.uint64(inputs.rows.series[row])
    table = inputs.series.site_table[series]
    zone = inputs.series.zone[series]
    word0, word1 = draw_words(inputs.site_stream, row, j)
    group = group_table(inputs, series, bucket_start_us)
    if group != NO_TABLE:
        u = unit_open(word0)
        if inputs.series.mode[series] == HYBRID:
            channel = inputs.series.channel[series]
            p = p_virtual(inputs.coins, inputs.clocks, channel, inputs.series.zone[series], ts_us)
            u = (u - p) / (1.0 - p)
        picked = pick_entry(inputs.groups, group, u)
        table = inputs.groups.site_table[picked]
        zone = inputs.groups.zone[picked]
    return pick_entry(inputs.sites, table, unit_open(word1)), zone


@scalar
def pick_edge(inputs, row, k):
    """Edge entry of the row's ``k``-th virtual arrival. Consumes block k of the edge stream (word 0) and, where an
    edge in a busy zone may be tempered, block k of the temper stream: word 0 is the coin, word 1 the new pick.

    Returns (edge entry, whether the temper stream was drawn from).
    """
    series = np.uint64(inputs.rows.series[row])
    word, _ = draw_words(inputs.edge_stream, row, k)
    entry = pick_entry(inputs.edges, inputs.series.edge_table[series], unit_open(word))
    plain = inputs.series.plain_edge_table[series]
    tempered = inputs.policy.redirect_p > 0.0 and plain != NO_TABLE and inputs.edges.is_busy[entry] != 0
    if tempered:
        coin, again = draw_words(inputs.temper_stream, row, k)
        if unit_open(coin) < inputs.policy.redirect_p:
            entry = pick_entry(inputs.edges, plain, unit_open(again))
    return entry, tempered


@scalar
def write_clocks(i, inputs, out, ts_us, primary, settlement, operational):
    """Zones and offsets of row ``i``; a zone that repeats is looked up once."""
    minutes = offset_minutes(inputs.clocks, operational, ts_us)
    out.zone_operational[np.uint64(i)] = operational
    out.offset_min_operational[np.uint64(i)] = np.int16(minutes)
    if settlement != operational:
        minutes = offset_minutes(inputs.clocks, settlement, ts_us)
    out.zone_settlement[np.uint64(i)] = settlement
    out.offset_min_settlement[np.uint64(i)] = np.int16(minutes)
    if primary != settlement:
        minutes = offset_minutes(inputs.clocks, primary, ts_us)
    out.zone_primary[np.uint64(i)] = primary
    out.offset_min_primary[np.uint64(i)] = np.int16(minutes)


@scalar
def route_arrival(i, inputs, out):
    """Element: output row ``i``, the arrival at position ``first_position + i`` of the chunk."""
    position = inputs.chunk.first_position + i
    packed = inputs.chunk.packed[np.uint64(position)]
    q = packed & np.uint64(0xFFFFFFFF)
    row = np.uint64(inputs.chunk.slot_row[q])
    first_slot = np.uint64(inputs.rows.start[row])
    series = np.uint64(inputs.rows.series[row])
    bucket = np.int64(inputs.rows.bucket[row])
    bucket_start_us = inputs.horizon.start_us + bucket * inputs.horizon.bucket_us
    ts_us = bucket_start_us + np.int64(packed >> np.uint64(32))
    virtual = inputs.chunk.is_virtual[q] != 0
    if virtual:
        k = np.uint64(inputs.chunk.virtual_before[q] - inputs.chunk.virtual_before[first_slot])
        entry, tempered = pick_edge(inputs, row, k)
        operational = inputs.edges.zone[entry]
        settlement = inputs.series.settlement_zone[series]
        if settlement < 0:
            settlement = operational
        primary = settlement if inputs.policy.settlement_is_primary != 0 else operational
        write_clocks(i, inputs, out, ts_us, primary, settlement, operational)
        out.edge_id[np.uint64(i)] = inputs.edges.id[entry]
        out.site_id[np.uint64(i)] = np.uint64(0)
        out.group_zone[np.uint64(i)] = np.int16(NO_TABLE)
        out.tempered[np.uint64(i)] = np.uint8(tempered)
    else:
        entry, group_zone = pick_site(inputs, row, q - first_slot, bucket_start_us, ts_us)
        zone = inputs.sites.zone[entry]
        write_clocks(i, inputs, out, ts_us, zone, zone, zone)
        out.site_id[np.uint64(i)] = inputs.sites.id[entry]
        out.edge_id[np.uint64(i)] = np.uint64(0)
        out.group_zone[np.uint64(i)] = group_zone
        out.tempered[np.uint64(i)] = np.uint8(0)
    out.is_virtual[np.uint64(i)] = np.uint8(virtual)
    out.merchant_id[np.uint64(i)] = inputs.series.merchant_id[series]
    out.row[np.uint64(i)] = np.int32(row)
    out.zone[np.uint64(i)] = inputs.series.zone[series]
    out.channel[np.uint64(i)] = inputs.series.channel[series]
    out.bucket[np.uint64(i)] = np.int32(bucket)
    out.arrival_seq[np.uint64(i)] = inputs.chunk.scenario_position + position - inputs.series.first_arrival[series] + 1
    out.ts_utc[np.uint64(i)] = ts_us


@cpu_loop
def route_arrivals_cpu(start, stop, inputs, out):
    """CPU loop of `route_arrival`."""
    for i in range(start, stop):
        route_arrival(i, inputs, out)
