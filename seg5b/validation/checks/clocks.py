"""S4: local clocks are UTC plus the sealed cache's offset at that instant, on all three clocks (law L7.clocks).

A bucket that lies in one interval of the cache with the offset that was written is right as a whole (its arrivals lie
in it: ``s4.time_window``); only arrivals of other buckets are looked at one by one.
"""

from __future__ import annotations

from seg5b.validation.checks.routing import no_physical, no_virtual
from seg5b.validation.records import ArrivalCondition, Check, Query

_CODE = "5B.S5.CIVIL_TIME_MAPPING_FAILED"
_FIELD = "civil_time_ok"
_BLOCK = "civil_time_gates.max_civil_mismatch_rate"
_KEYS = "merchant_id, arrival_seq"


def _arithmetic(clock: str) -> Check:
    return Check(
        f"clock.{clock}_wall",
        _CODE,
        _FIELD,
        _BLOCK,
        f"the {clock} wall clock is UTC plus the {clock} offset",
        ArrivalCondition(
            f"{clock}_wall",
            f"{_KEYS}, epoch_us(ts_utc) AS at_us, epoch_us(ts_local_{clock}) AS local_us, utc_offset_min_{clock}",
        ),
        needs=("arrivals", "row_faults"),
    )


def _wrong(clock: str, buckets: str, offset: str, only: str) -> str:
    """Arrivals whose offset on a clock is not the cache's; ``buckets`` is the table whose rows are judged first."""
    zone, written = f"tzid_{clock}", f"utc_offset_min_{clock}"
    return f"""
        SELECT a.merchant_id, a.arrival_seq, '{clock}' AS clock, a.{zone} AS tzid, a.{written} AS offset_min,
               epoch_us(a.ts_utc) AS at_us
        FROM arrivals a
        SEMI JOIN (FROM {buckets} c ANTI JOIN cache_steps z
                   ON z.tzid = c.{zone} AND z.offset_min = c.{offset}
                      AND $start_us + c.bucket_index * $bucket_us >= z.from_us
                      AND $start_us + (c.bucket_index + 1) * $bucket_us <= z.to_us) d
             ON d.{zone} = a.{zone} AND d.{offset} = a.{written} AND d.bucket_index = a.bucket_index AND {only}
        ANTI JOIN cache_steps z
             ON z.tzid = a.{zone} AND z.offset_min = a.{written} AND epoch_us(a.ts_utc) >= z.from_us
                AND epoch_us(a.ts_utc) < z.to_us"""


CHECKS = (
    _arithmetic("primary"),
    _arithmetic("operational"),
    _arithmetic("settlement"),
    Check(
        "clock.primary_offset",
        _CODE,
        _FIELD,
        _BLOCK,
        "the primary offset is the sealed cache's for the primary zone at that instant",
        Query(_wrong("primary", "clocks", "offset_min", "TRUE"), "clocks"),
        needs=("arrivals", "clocks", "cache_steps"),
    ),
    Check(
        "clock.physical_offsets",
        _CODE,
        _FIELD,
        _BLOCK,
        "a physical arrival's operational and settlement offsets are its primary offset",
        ArrivalCondition(
            "foreign_offsets",
            f"{_KEYS}, utc_offset_min_primary, utc_offset_min_operational, utc_offset_min_settlement",
        ),
        needs=("arrivals", "row_faults", "site_routes"),
        applies=no_physical,
    ),
    Check(
        "clock.virtual_offsets",
        _CODE,
        _FIELD,
        _BLOCK,
        "a virtual arrival's operational and settlement offsets are the sealed cache's for their zones",
        Query(
            _wrong("operational", "edge_clocks", "operational_min", "a.is_virtual")
            + " UNION ALL "
            + _wrong("settlement", "edge_clocks", "settlement_min", "a.is_virtual"),
            "edge_clocks",
        ),
        needs=("arrivals", "edge_routes", "edge_clocks", "cache_steps"),
        applies=no_virtual,
    ),
)
