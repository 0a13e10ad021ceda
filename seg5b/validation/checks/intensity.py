"""S2: the realised intensities and their latent factors (law L5)."""

from __future__ import annotations

from seg5b.run_tables.subject import Subject
from seg5b.validation.records import CellCondition, Check, Query

_CODE = "5B.S5.S2_INTENSITY_INVALID"
_DOMAIN = "5B.S5.S1_S3_GRID_DOMAIN_MISMATCH"
_BLOCK = "structural_checks.intensity_complete"
_FIELD = "schema_partition_pk_ok"
_KEYS = "merchant_id, zone_representation, channel_group, bucket_index"


def canonical(table: str) -> CellCondition:
    """Row p of ``table`` must be series p div H, bucket p mod H: complete, unique and in order."""
    return CellCondition(table, "misplaced", f"position, {_KEYS}")


def row_count(table: str) -> Query:
    """``table`` must have one row per series and bucket."""
    return Query(
        f"""SELECT count(*) AS rows, (SELECT count(*) FROM series) * $buckets AS expected FROM {table}
            HAVING count(*) <> (SELECT count(*) FROM series) * $buckets""",
        table,
    )


def _is_shared(subject: Subject) -> str:
    read = subject.policies.readings
    own = "each series has a path of its own" if read.has_levels else ""
    return own if read.has_field else "the latent model is none"


CHECKS = (
    Check(
        "s2.rows",
        _DOMAIN,
        _FIELD,
        _BLOCK,
        "one intensity row per series and bucket",
        row_count("intensity"),
        needs=("intensity", "series"),
    ),
    Check(
        "s2.canonical",
        _DOMAIN,
        _FIELD,
        "structural_checks.sorted_output",
        "row p is series p div H and bucket p mod H",
        canonical("intensity"),
        needs=("intensity", "series", "intensity_faults"),
    ),
    Check(
        "s2.numbers",
        _CODE,
        _FIELD,
        "structural_checks.s2_realised_intensity.max_lambda_realised",
        "intensities are finite, not negative, and within the policy's largest",
        CellCondition("intensity", "wrong_intensity", f"{_KEYS}, lambda_baseline, lambda_realised"),
        needs=("intensity", "intensity_faults"),
        switches=(
            "structural_checks.s2_realised_intensity.require_nonnegative_lambda",
            "structural_checks.s2_realised_intensity.require_finite_lambda",
        ),
    ),
    Check(
        "s2.factor_clip",
        _CODE,
        _FIELD,
        _BLOCK,
        "latent factors are finite and within the clip bounds of the field policy (1 without a field)",
        CellCondition("intensity", "wrong_factor", f"{_KEYS}, lambda_random_component"),
        needs=("intensity", "intensity_faults"),
    ),
    Check(
        "s2.product",
        _CODE,
        _FIELD,
        _BLOCK,
        "realised intensity is baseline times factor, capped at lambda_max",
        CellCondition(
            "intensity", "not_product", f"{_KEYS}, lambda_baseline, lambda_random_component, lambda_realised"
        ),
        needs=("intensity", "intensity_faults"),
    ),
    Check(
        "s2.shared_factor",
        _CODE,
        _FIELD,
        _BLOCK,
        "series of one group have the same factor in every bucket",
        Query(
            """WITH paths AS (SELECT k, bit_xor(path) AS path FROM intensity_series GROUP BY ALL)
               SELECT group_id, count(DISTINCT path) AS paths, count(*) AS series
               FROM paths JOIN series USING (k) GROUP BY group_id HAVING count(DISTINCT path) > 1""",
            "intensity",
        ),
        needs=("intensity", "series", "intensity_series"),
        applies=_is_shared,
    ),
    Check(
        "s2.baseline_is_surface",
        _CODE,
        _FIELD,
        _BLOCK,
        "baseline intensities of a series add up to its sealed surface, over the horizon and weighted by bucket",
        Query(
            """WITH target AS (
                   SELECT merchant_id, tzid AS zone_representation, channel_group, sum(volume) AS volume,
                          sum(moment) AS moment FROM components GROUP BY ALL),
               made AS (
                   SELECT merchant_id, zone_representation, channel_group, sum(volume) AS made_volume,
                          sum(moment) AS made_moment FROM intensity_series GROUP BY ALL)
               SELECT * FROM target FULL JOIN made USING (merchant_id, zone_representation, channel_group)
               WHERE (abs(volume - made_volume) <= 1e-11 * volume AND abs(moment - made_moment) <= 1e-11 * moment)
                     IS NOT TRUE""",
            "intensity",
        ),
        needs=("intensity", "components", "intensity_series"),
    ),
)
