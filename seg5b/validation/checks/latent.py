"""S2's optional diagnostic: the latent paths behind the factors."""

from __future__ import annotations

from seg5b.run_tables.subject import Subject
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Query

_CODE = "5B.S5.S2_INTENSITY_INVALID"
_BLOCK = "structural_checks.intensity_complete"
_FIELD = "schema_partition_pk_ok"


def _is_emitted(subject: Subject) -> str:
    if not subject.policies.lgcp.emit_latent_field:
        return "the field policy does not ask for s2_latent_field_5B"
    return ""


_UNLIKE_FACTOR = """
    WITH first_series AS (SELECT group_id, min(k) AS k, coalesce(max(sigma), 0) AS sigma FROM series GROUP BY ALL),
    wanted AS (
        SELECT group_id, k, l.bucket_index, l.latent_value,
               least(greatest(exp(l.latent_value - sigma * sigma / 2), $least_factor), $most_factor) AS expected
        FROM latent l JOIN first_series USING (group_id))
    SELECT group_id, w.bucket_index, latent_value, lambda_random_component AS factor, expected
    FROM wanted w JOIN intensity i ON i.position = w.k * $buckets + w.bucket_index
    WHERE (abs(lambda_random_component - expected) <= 1e-9 * expected) IS NOT TRUE"""


def _is_factor(subject: Subject) -> Finding:
    """The factor of each group's first series, made again from the path; other series have the same (``s2.shared_factor``)."""
    (rows,) = subject.row("SELECT count(*) FROM latent")
    (wrong,) = subject.row(f"SELECT count(*) FROM ({_UNLIKE_FACTOR})")
    keys = subject.records(f"FROM ({_UNLIKE_FACTOR}) ORDER BY ALL LIMIT {MOST_KEYS}") if wrong else []
    return Finding(wrong, tuple(keys), rows)


CHECKS = (
    Check(
        "s2.latent_present",
        _CODE,
        _FIELD,
        _BLOCK,
        "the latent field has one row per group and bucket, in order of group id and bucket",
        Query(
            """WITH g AS (SELECT group_id, row_number() OVER (ORDER BY group_id) - 1 AS place
                          FROM (SELECT DISTINCT group_id FROM grouping))
               SELECT l.position, coalesce(l.group_id, g.group_id) AS group_id, l.bucket_index
               FROM latent l FULL JOIN (SELECT place, group_id, unnest(range($buckets)) AS bucket FROM g) g
                    ON l.position = g.place * $buckets + g.bucket
               WHERE l.group_id IS DISTINCT FROM g.group_id OR l.bucket_index IS DISTINCT FROM g.bucket""",
            "latent",
        ),
        needs=("latent", "grouping"),
        applies=_is_emitted,
    ),
    Check(
        "s2.latent_moments",
        _CODE,
        _FIELD,
        _BLOCK,
        "mean and standard deviation beside a latent path are those of the path",
        Query(
            """SELECT group_id, avg(latent_value) AS mean, min(latent_mean) AS stated_mean,
                      stddev_pop(latent_value) AS deviation, min(latent_std) AS stated_deviation
               FROM latent GROUP BY group_id
               HAVING (abs(mean - stated_mean) <= 1e-9 AND abs(deviation - stated_deviation) <= 1e-9
                       AND max(latent_mean) = stated_mean AND max(latent_std) = stated_deviation) IS NOT TRUE""",
            "latent",
        ),
        needs=("latent",),
        applies=_is_emitted,
    ),
    Check(
        "s2.latent_is_factor",
        _CODE,
        _FIELD,
        _BLOCK,
        "the factor is exp(Z - sigma^2 / 2) of the latent path, clipped",
        Compute(_is_factor),
        needs=("latent", "grouping", "series", "intensity"),
        applies=_is_emitted,
    ),
)
