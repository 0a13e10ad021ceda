"""S3: the number of arrivals of every series and bucket (law L6)."""

from __future__ import annotations

from seg5b.run_tables.subject import Subject
from seg5b.validation.checks.intensity import canonical, row_count
from seg5b.validation.records import Check, Query, RowCondition

_CODE = "5B.S5.S3_COUNTS_INVALID"
_DOMAIN = "5B.S5.S1_S3_GRID_DOMAIN_MISMATCH"
_BLOCK = "structural_checks.max_count_per_bucket"
_FIELD = "schema_partition_pk_ok"
_KEYS = "merchant_id, zone_representation, channel_group, bucket_index"


def _same_file_length(subject: Subject) -> str:
    """Rows can only be compared by position when both files have as many."""
    ((intensities, counts),) = subject.rows("SELECT (SELECT count(*) FROM intensity), (SELECT count(*) FROM counts)")
    return "" if intensities == counts else f"S2 has {intensities} rows, S3 {counts}"


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
        needs=("counts", "series"),
    ),
    Check(
        "s3.mean_is_intensity",
        _CODE,
        _FIELD,
        "structural_checks.counts_match_arrivals",
        "row by row, S3 has the keys of S2, and mu is S2's realised intensity",
        Query(
            """SELECT i.merchant_id, i.zone_representation, i.channel_group, i.bucket_index,
                      i.lambda_realised AS intensity, c.lambda_realised, c.mu
               FROM intensity i POSITIONAL JOIN counts c
               WHERE i.merchant_id <> c.merchant_id OR i.zone_representation <> c.zone_representation
                  OR i.channel_group <> c.channel_group OR i.bucket_index <> c.bucket_index
                  OR i.lambda_realised <> c.lambda_realised OR c.mu <> c.lambda_realised""",
            "counts",
        ),
        needs=("intensity", "counts"),
        applies=_same_file_length,
    ),
    Check(
        "s3.count_bounds",
        _CODE,
        _FIELD,
        _BLOCK,
        "counts are not negative and within both policies' largest; a capped count is the largest",
        RowCondition(
            "counts",
            """count_N < 0 OR count_N > $most_count OR count_N > $count_cap
               OR (count_capped AND count_N <> $count_cap)""",
            f"{_KEYS}, mu, count_N, count_capped",
        ),
        needs=("counts",),
    ),
    Check(
        "s3.zero_rule",
        _CODE,
        _FIELD,
        _BLOCK,
        "no arrivals where mu is at most lambda_zero_eps",
        RowCondition("counts", "mu <= $zero_eps AND count_N <> 0", f"{_KEYS}, mu, count_N"),
        needs=("counts",),
    ),
    Check(
        "s3.law",
        _CODE,
        _FIELD,
        _BLOCK,
        "every row names the count law of the policy and the bucket length of the grid",
        RowCondition(
            "counts",
            "count_law_id <> $count_law OR bucket_duration_seconds * 1000000 <> $bucket_us",
            f"{_KEYS}, count_law_id, bucket_duration_seconds",
        ),
        needs=("counts",),
    ),
    Check(
        "s3.kappa",
        _CODE,
        _FIELD,
        _BLOCK,
        "dispersion is that of the series' class under nb2, and absent under poisson",
        Query(
            """SELECT c.merchant_id, c.zone_representation, c.channel_group, c.bucket_index, c.kappa,
                      s.kappa AS expected
               FROM counts c JOIN series s ON s.k = c.position // $buckets
               WHERE CASE $count_law WHEN 'poisson' THEN c.kappa IS NOT NULL
                     ELSE (abs(c.kappa - s.kappa) <= 1e-12 * s.kappa) IS NOT TRUE END""",
            "counts",
        ),
        needs=("counts", "series"),
    ),
)
