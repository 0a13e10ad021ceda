"""What must not hold for any row of arrivals: one predicate each, the only place that states it.

A predicate sees row ``i`` of `Rows` and the `Limits`, and is true where the row violates. As in SQL, a comparison with a
null is never true: nulls are a violation of their own. A check names its predicate
(`seg5b.validation.records.ArrivalCondition`).
"""

from __future__ import annotations

from typing import NamedTuple

from seg5b.part_scan._compiled import inlined
from seg5b.part_scan.arrivals import columns as c

MINUTE_US = 60_000_000


class Limits(NamedTuple):
    """Constants of the scenario in the walk: the grid (UTC microseconds; number of buckets; whether a bucket lies in one
    hour of every zone whose offset is a number of hours), the threshold of sampled
    mode (negative: every row is judged), and which rows give their place in the bucket: those with (sequence + bucket)
    divisible by ``stride``, in ``batches`` batches."""

    start_us: int
    bucket_us: int
    buckets: int
    hourly: bool
    threshold: int
    stride: int
    batches: int


@inlined
def null_value(rows, i, limits):
    """A null in a column that the contract requires."""
    return rows.nulls[i] & c.REQUIRED != 0


@inlined
def outside_bucket(rows, i, limits):
    """The instant does not lie in [start, end) of its bucket, or the grid has no such bucket."""
    nulls, bucket = rows.nulls[i], rows.bucket[i]
    if not nulls & c.BUCKET and (bucket < 0 or bucket >= limits.buckets):
        return True
    if nulls & c.UTC:
        return False
    since = rows.utc[i] - limits.start_us
    if since < 0:
        return True
    return not nulls & c.BUCKET and not 0 <= since - bucket * limits.bucket_us < limits.bucket_us


@inlined
def wrong_route(rows, i, limits):
    """A physical arrival without a site or with an edge, a virtual one without an edge or with a site."""
    nulls = rows.nulls[i]
    if nulls & c.VIRTUAL:
        return False
    no_site, no_edge = nulls & c.SITE != 0, nulls & c.EDGE != 0
    return (not no_site or no_edge) if rows.virtual[i] else (no_site or not no_edge)


@inlined
def routeless(rows, i, limits):
    """The same, a row without a flag being physical."""
    nulls = rows.nulls[i]
    if not nulls & c.VIRTUAL:
        return wrong_route(rows, i, limits)
    return nulls & c.SITE != 0 or not nulls & c.EDGE


@inlined
def group_misplaced(rows, i, limits):
    """A physical arrival without a zone group, or a virtual one with one."""
    nulls = rows.nulls[i]
    return not nulls & c.VIRTUAL and (nulls & c.GROUP != 0) != (rows.virtual[i] != 0)


@inlined
def foreign_zones(rows, i, limits):
    """A physical arrival whose operational or settlement zone is not its primary zone."""
    nulls, primary = rows.nulls[i], rows.primary_zone[i]
    if nulls & (c.VIRTUAL | c.P_ZONE) or rows.virtual[i]:
        return False
    operational, settlement = rows.operational_zone[i], rows.settlement_zone[i]
    return (operational >= 0 and operational != primary) or (settlement >= 0 and settlement != primary)


@inlined
def foreign_offsets(rows, i, limits):
    """A physical arrival whose operational or settlement offset is not its primary offset."""
    nulls, primary = rows.nulls[i], rows.primary_offset[i]
    if nulls & (c.VIRTUAL | c.P_OFFSET) or rows.virtual[i]:
        return False
    return (not nulls & c.O_OFFSET and rows.operational_offset[i] != primary) or (
        not nulls & c.S_OFFSET and rows.settlement_offset[i] != primary
    )


@inlined
def primary_wall(rows, i, limits):
    """The primary wall clock is not UTC plus the primary offset."""
    return (
        not rows.nulls[i] & (c.UTC | c.P_LOCAL | c.P_OFFSET)
        and rows.primary_local[i] - rows.utc[i] != rows.primary_offset[i] * MINUTE_US
    )


@inlined
def operational_wall(rows, i, limits):
    """The operational wall clock is not UTC plus the operational offset."""
    return (
        not rows.nulls[i] & (c.UTC | c.O_LOCAL | c.O_OFFSET)
        and rows.operational_local[i] - rows.utc[i] != rows.operational_offset[i] * MINUTE_US
    )


@inlined
def settlement_wall(rows, i, limits):
    """The settlement wall clock is not UTC plus the settlement offset."""
    return (
        not rows.nulls[i] & (c.UTC | c.S_LOCAL | c.S_OFFSET)
        and rows.settlement_local[i] - rows.utc[i] != rows.settlement_offset[i] * MINUTE_US
    )


CONDITIONS = (
    null_value,
    outside_bucket,
    wrong_route,
    routeless,
    group_misplaced,
    foreign_zones,
    foreign_offsets,
    primary_wall,
    operational_wall,
    settlement_wall,
)
NAMES = tuple(condition.__name__ for condition in CONDITIONS)


@inlined
def violated(rows, i, limits):
    """Bits of the conditions that row ``i`` violates, in the order of `CONDITIONS`."""
    return (
        null_value(rows, i, limits) * 1
        | outside_bucket(rows, i, limits) * 2
        | wrong_route(rows, i, limits) * 4
        | routeless(rows, i, limits) * 8
        | group_misplaced(rows, i, limits) * 16
        | foreign_zones(rows, i, limits) * 32
        | foreign_offsets(rows, i, limits) * 64
        | primary_wall(rows, i, limits) * 128
        | operational_wall(rows, i, limits) * 256
        | settlement_wall(rows, i, limits) * 512
    )
