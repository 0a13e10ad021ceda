"""S1 time grid: contiguous half-open buckets that cover the scenario's horizon (docs/laws#grid)."""

from __future__ import annotations

from seg5b.validation.records import Check, Query, RowCondition

_CODE = "5B.S5.S1_S3_GRID_DOMAIN_MISMATCH"
_BLOCK = "structural_checks.grid_contiguous"
_FIELD = "schema_partition_pk_ok"

CHECKS = (
    Check(
        "s1.grid_contiguous",
        _CODE,
        _FIELD,
        _BLOCK,
        "bucket b is [start + b D, start + (b + 1) D), buckets are numbered from 0 in file order",
        RowCondition(
            "grid",
            """bucket_index <> position OR bucket_duration_seconds * 1000000 <> $bucket_us
               OR epoch_us(bucket_start_utc) <> $start_us + position * $bucket_us
               OR epoch_us(bucket_end_utc) <> $start_us + (position + 1) * $bucket_us""",
            "bucket_index, position",
        ),
        needs=("grid",),
    ),
    Check(
        "s1.grid_covers_horizon",
        _CODE,
        _FIELD,
        _BLOCK,
        "the grid has exactly the buckets of the horizon that the scenario manifest states",
        Query("SELECT count(*) AS buckets, $buckets AS expected FROM grid HAVING count(*) <> $buckets", "grid"),
        needs=("grid",),
    ),
    Check(
        "s1.grid_band",
        _CODE,
        _FIELD,
        _BLOCK,
        "every bucket carries the baseline and stress flags of its scenario",
        RowCondition(
            "grid",
            "scenario_is_baseline <> $is_baseline OR scenario_is_stress <> $is_stress",
            "bucket_index, scenario_is_baseline, scenario_is_stress",
        ),
        needs=("grid",),
    ),
)
