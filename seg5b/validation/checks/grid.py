"""S1 time grid: contiguous half-open buckets that cover the scenario's horizon (docs/laws#grid)."""

from __future__ import annotations

from seg5b.query import literal
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import Check, Query, RowCondition

_CODE = "5B.S5.S1_S3_GRID_DOMAIN_MISMATCH"
_BLOCK = "structural_checks.grid_contiguous"
_FIELD = "schema_partition_pk_ok"

_START = "make_timestamp(epoch_us(bucket_start_utc))"
"""The start of a bucket as a wall clock in UTC: the machine's zone has no part in it."""


def _wrong_annotation(subject: Subject) -> str:
    """SQL that is true for a bucket with a label or local annotation that is not its own; of the columns that there are."""
    grid, scenario = subject.policies.time_grid, subject.horizon
    labels = ", ".join(map(literal, scenario.labels))
    weekend = f"isodow({_START}) IN ({', '.join(map(str, grid.weekend_days))})" if grid.weekend_days else "FALSE"
    expected = {
        "scenario_labels": f"[{labels}]::VARCHAR[]",
        "local_day_of_week": f"isodow({_START})",
        "local_minutes_since_midnight": f"hour({_START}) * 60 + minute({_START})",
        "is_weekend": weekend,
    }
    present = {row[0] for row in subject.rows("DESCRIBE grid")}
    wrong = [f"{name} IS DISTINCT FROM {value}" for name, value in expected.items() if name in present]
    return " OR ".join(wrong) or "FALSE"


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
        switches=(
            "structural_checks.s1_time_grid.require_bucket_index_contiguous",
            "structural_checks.s1_time_grid.require_half_open_intervals",
            "structural_checks.s1_time_grid.require_duration_seconds_matches_policy",
        ),
    ),
    Check(
        "s1.grid_covers_horizon",
        _CODE,
        _FIELD,
        _BLOCK,
        "the grid has exactly the buckets of the horizon that the scenario manifest states, and no more than the policy admits",
        Query(
            """SELECT count(*) AS buckets, $buckets AS expected, $most_buckets AS most FROM grid
               HAVING count(*) <> $buckets OR count(*) > $most_buckets""",
            "grid",
        ),
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
    Check(
        "s1.grid_annotations",
        _CODE,
        _FIELD,
        _BLOCK,
        "labels are the scenario's; weekday, minute of the day and weekend flag are those of the bucket's start in UTC",
        RowCondition("grid", _wrong_annotation, "bucket_index, epoch_us(bucket_start_utc) AS start_us"),
        needs=("grid",),
    ),
)
