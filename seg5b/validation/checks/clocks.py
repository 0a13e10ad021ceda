"""S4: local clocks are UTC plus the sealed cache's offset at that instant, on all three clocks (law L7).

Arrivals are judged in cells. A cell whose earliest and latest instant lie in one interval of the cache with the cell's
offset is right as a whole; only arrivals of other cells are looked at one by one.
"""

from __future__ import annotations

from seg5b.validation.checks.routing import _no_physical, _no_virtual
from seg5b.validation.records import Check, Query, Rows

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
        Rows(
            "arrivals",
            f"epoch_us(ts_local_{clock}) <> epoch_us(ts_utc) + utc_offset_min_{clock}::BIGINT * 60000000",
            f"{_KEYS}, epoch_us(ts_utc) AS at_us, epoch_us(ts_local_{clock}) AS local_us, utc_offset_min_{clock}",
        ),
        needs=("arrivals",),
    )


def _in_interval(zone: str, offset: str, first: str, last: str) -> str:
    """Join condition: one interval of the cache holds both instants and has the offset."""
    return f"z.tzid = {zone} AND z.offset_min = {offset} AND {first} >= z.from_us AND {last} < z.to_us"


def _virtual(clock: str) -> str:
    """Virtual arrivals whose offset on a clock is not the cache's."""
    zone, offset = f"tzid_{clock}", f"utc_offset_min_{clock}"
    cell = _in_interval(f"c.{zone}", f"c.{clock}_min", "c.first_us", "c.last_us")
    row = _in_interval(f"a.{zone}", f"a.{offset}", "epoch_us(a.ts_utc)", "epoch_us(a.ts_utc)")
    return f"""
        SELECT a.merchant_id, a.arrival_seq, '{clock}' AS clock, a.{zone} AS tzid, a.{offset} AS offset_min,
               epoch_us(a.ts_utc) AS at_us
        FROM arrivals a
        SEMI JOIN (FROM virtual_clocks c ANTI JOIN cache_steps z ON {cell}) d
             ON a.is_virtual AND d.{zone} = a.{zone} AND d.{clock}_min = a.{offset} AND d.bucket_index = a.bucket_index
        ANTI JOIN cache_steps z ON {row}"""


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
        Query(
            f"""SELECT a.merchant_id, a.arrival_seq, a.tzid_primary AS tzid, a.utc_offset_min_primary AS offset_min,
                       epoch_us(a.ts_utc) AS at_us
                FROM arrivals a
                SEMI JOIN (FROM cells c ANTI JOIN cache_steps z
                           ON {_in_interval("c.tzid_primary", "c.shift_us / 60000000", "c.first_us", "c.last_us")}) d
                     ON d.merchant_id = a.merchant_id AND d.tzid_primary = a.tzid_primary
                        AND d.bucket_index = a.bucket_index
                ANTI JOIN cache_steps z
                     ON {
                _in_interval("a.tzid_primary", "a.utc_offset_min_primary", "epoch_us(a.ts_utc)", "epoch_us(a.ts_utc)")
            }""",
            "(SELECT unnest(range(arrivals)) FROM (SELECT sum(arrivals)::BIGINT AS arrivals FROM cells))",
        ),
        needs=("arrivals", "cells", "cache_steps"),
    ),
    Check(
        "clock.physical_offsets",
        _CODE,
        _FIELD,
        _BLOCK,
        "a physical arrival's operational and settlement offsets are its primary offset",
        Rows(
            "arrivals",
            """NOT is_virtual AND (utc_offset_min_operational <> utc_offset_min_primary
                                   OR utc_offset_min_settlement <> utc_offset_min_primary)""",
            f"{_KEYS}, utc_offset_min_primary, utc_offset_min_operational, utc_offset_min_settlement",
        ),
        needs=("arrivals", "routes"),
        applies=_no_physical,
    ),
    Check(
        "clock.virtual_offsets",
        _CODE,
        _FIELD,
        _BLOCK,
        "a virtual arrival's operational and settlement offsets are the sealed cache's for their zones",
        Query(f"{_virtual('operational')} UNION ALL {_virtual('settlement')}", "virtual_clocks"),
        needs=("arrivals", "virtual_clocks", "cache_steps", "routes"),
        applies=_no_virtual,
    ),
)
