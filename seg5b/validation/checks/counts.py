"""S3: the number of arrivals of every series and bucket (law L6)."""

from __future__ import annotations

from seg5b.run_tables.cell_kappa import cell_kappa
from seg5b.run_tables.subject import Subject
from seg5b.validation.checks.intensity import canonical, row_count
from seg5b.validation.records import CellCondition, Check

_CODE = "5B.S5.S3_COUNTS_INVALID"
_DOMAIN = "5B.S5.S1_S3_GRID_DOMAIN_MISMATCH"
_BLOCK = "structural_checks.s3_bucket_counts.max_count_per_bucket"
_FIELD = "schema_partition_pk_ok"
_KEYS = "merchant_id, zone_representation, channel_group, bucket_index"


def _same_file_length(subject: Subject) -> str:
    """Rows can only be compared by position when both datasets have as many, part by part."""
    ((intensities, counts),) = subject.rows("SELECT (SELECT count(*) FROM intensity), (SELECT count(*) FROM counts)")
    if intensities != counts:
        return f"S2 has {intensities} rows, S3 {counts}"
    paired = subject.shared.get("cells", {}).get((subject.scenario_id, "paired"), True)
    return "" if paired else "parts of S2 and S3 were not read side by side"


CHECKS = (
    Check(
        "s3.rows",
        _DOMAIN,
        _FIELD,
        "structural_checks.counts_match_arrivals",
        "one count row per series and bucket",
        row_count("counts"),
        needs=("counts", "series"),
    ),
    Check(
        "s3.canonical",
        _DOMAIN,
        _FIELD,
        "structural_checks.sorted_output",
        "row p is series p div H and bucket p mod H",
        canonical("counts"),
        needs=("counts", "series", "count_faults"),
    ),
    Check(
        "s3.mean_is_intensity",
        _CODE,
        _FIELD,
        "structural_checks.counts_match_arrivals",
        "row by row, S3 has the keys of S2, and mu is S2's realised intensity",
        CellCondition(
            "counts",
            "unlike_intensity",
            """i.merchant_id, i.zone_representation, i.channel_group, i.bucket_index, i.lambda_realised AS intensity,
               counts.lambda_realised, mu""",
            "counts JOIN intensity i ON i.position = counts.position",
        ),
        needs=("intensity", "counts", "count_faults"),
        applies=_same_file_length,
    ),
    Check(
        "s3.count_bounds",
        _CODE,
        _FIELD,
        _BLOCK,
        "counts are not negative and within both policies' largest; a capped count is the largest",
        CellCondition("counts", "wrong_count", f"{_KEYS}, mu, count_N, count_capped"),
        needs=("counts", "count_faults"),
        switches=(
            "structural_checks.s3_bucket_counts.require_integer_counts",
            "structural_checks.s3_bucket_counts.require_counts_nonnegative",
        ),
    ),
    Check(
        "s3.zero_rule",
        _CODE,
        _FIELD,
        _BLOCK,
        "no arrivals where mu is at most lambda_zero_eps",
        CellCondition("counts", "counted_without_mean", f"{_KEYS}, mu, count_N"),
        needs=("counts", "count_faults"),
        switches=("structural_checks.s2_realised_intensity.require_lambda_zero_implies_count_zero",),
    ),
    Check(
        "s3.law",
        _CODE,
        _FIELD,
        _BLOCK,
        "every row names the count law of the policy and the bucket length of the grid",
        CellCondition("counts", "foreign_law", f"{_KEYS}, count_law_id, bucket_duration_seconds"),
        needs=("counts", "count_faults"),
    ),
    Check(
        "s3.kappa",
        _CODE,
        _FIELD,
        _BLOCK,
        "dispersion is that of the series' class at the row's mean under nb2, and absent under poisson",
        CellCondition(
            "counts",
            "wrong_kappa",
            f"""counts.merchant_id, counts.zone_representation, counts.channel_group, bucket_index, counts.kappa,
                {cell_kappa("series.kappa", "counts.mu")} AS expected""",
            "counts JOIN series ON k = counts.position // $buckets",
        ),
        needs=("counts", "series", "count_faults"),
    ),
)
