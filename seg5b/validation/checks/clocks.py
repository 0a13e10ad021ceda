"""S4: local clocks are UTC plus the sealed cache's offset at that instant, on all three clocks (law L7.clocks).

A bucket that lies in one interval of the cache with the offset that was written is right as a whole (its arrivals lie
in it: ``s4.time_window``); only arrivals of other buckets are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Mapping

from seg5b.run_tables.subject import Subject
from seg5b.validation.checks.routing import no_physical, no_virtual
from seg5b.validation.records import MOST_KEYS, ArrivalCondition, Check, Compute, Finding

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


def _doubtful(clock: str, buckets: str, offset: str) -> str:
    """Zones, offsets and buckets of the table ``buckets`` that do not lie in one interval of the cache with that offset."""
    return f"""
        FROM {buckets} c ANTI JOIN cache_steps z
             ON z.tzid = c.tzid_{clock} AND z.offset_min = c.{offset}
                AND $start_us + c.bucket_index * $bucket_us >= z.from_us
                AND $start_us + (c.bucket_index + 1) * $bucket_us <= z.to_us"""


def _wrong(clock: str, buckets: str, offset: str, only: str) -> str:
    """Arrivals of doubtful buckets whose offset on a clock is not the cache's."""
    zone, written = f"tzid_{clock}", f"utc_offset_min_{clock}"
    return f"""
        SELECT a.merchant_id, a.arrival_seq, '{clock}' AS clock, a.{zone} AS tzid, a.{written} AS offset_min,
               epoch_us(a.ts_utc) AS at_us
        FROM arrivals a
        SEMI JOIN ({_doubtful(clock, buckets, offset)}) d
             ON d.{zone} = a.{zone} AND d.{offset} = a.{written} AND d.bucket_index = a.bucket_index AND {only}
        ANTI JOIN cache_steps z
             ON z.tzid = a.{zone} AND z.offset_min = a.{written} AND epoch_us(a.ts_utc) >= z.from_us
                AND epoch_us(a.ts_utc) < z.to_us"""


def _offsets(buckets: str, clocks: Mapping[str, str], only: str) -> Compute:
    """Arrivals whose offset is not the cache's, on clocks whose offset is a column of the table ``buckets``; arrivals are
    looked at only where a bucket is doubtful."""

    def find(subject: Subject) -> Finding:
        (rows,) = subject.row(f"SELECT count(*) FROM {buckets}")
        doubtful = [
            clock for clock, offset in clocks.items()
            if subject.row(f"SELECT count(*) FROM ({_doubtful(clock, buckets, offset)})")[0]
        ]  # fmt: skip
        if not doubtful:
            return Finding(0, (), rows)
        wrong = " UNION ALL ".join(_wrong(clock, buckets, clocks[clock], only) for clock in doubtful)
        (number,) = subject.row(f"SELECT count(*) FROM ({wrong})")
        keys = subject.records(f"FROM ({wrong}) ORDER BY ALL LIMIT {MOST_KEYS}") if number else []
        return Finding(number, tuple(keys), rows)

    return Compute(find)


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
        _offsets("clocks", {"primary": "offset_min"}, "TRUE"),
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
        _offsets("edge_clocks", {"operational": "operational_min", "settlement": "settlement_min"}, "a.is_virtual"),
        needs=("arrivals", "edge_routes", "edge_clocks", "cache_steps"),
        applies=no_virtual,
    ),
)
