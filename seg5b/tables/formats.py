"""The Arrow form of every dataset that 5B writes. Their row form is in the contract's schema pack 5B.

Column order is the order on disk. Source: law L8, docs/laws#columns.
"""

from __future__ import annotations

import pyarrow as pa

from seg5b.tables.columns import LOCAL_MICROS, STRING, UTC_MICROS
from seg5b.tables.writer import TableFormat

_WORLD = [("manifest_fingerprint", STRING), ("parameter_hash", STRING)]
_SEED = [("seed", pa.uint64())]
_SCENARIO = [("scenario_id", STRING)]
_SERIES = [("merchant_id", pa.uint64()), ("zone_representation", STRING), ("channel_group", STRING)]
_BUCKET = [("bucket_index", pa.int64())]


def _schema(*columns: tuple[str, pa.DataType], nullable: tuple[str, ...] = ()) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=name in nullable) for name, kind in columns])


TIME_GRID = TableFormat(
    _schema(
        *_WORLD,
        *_SCENARIO,
        *_BUCKET,
        ("bucket_start_utc", UTC_MICROS),
        ("bucket_end_utc", UTC_MICROS),
        ("bucket_duration_seconds", pa.int64()),
        ("s1_spec_version", STRING),
        ("scenario_is_baseline", pa.bool_()),
        ("scenario_is_stress", pa.bool_()),
        ("scenario_labels", pa.list_(pa.string())),
        ("local_day_of_week", pa.int64()),
        ("local_minutes_since_midnight", pa.int64()),
        ("is_weekend", pa.bool_()),
    )
)

GROUPING = TableFormat(
    _schema(
        *_WORLD,
        *_SCENARIO,
        *_SERIES,
        ("group_id", STRING),
        ("scenario_band", STRING),
        ("demand_class", STRING),
        ("virtual_band", STRING),
        ("zone_group_id", STRING),
        ("component_count", pa.int64()),
        ("s1_spec_version", STRING),
    ),
    dictionary=("merchant_id",),
)

REALISED_INTENSITY = TableFormat(
    _schema(
        *_WORLD,
        *_SEED,
        *_SCENARIO,
        *_SERIES,
        *_BUCKET,
        ("lambda_baseline", pa.float64()),
        ("lambda_random_component", pa.float64()),
        ("lambda_realised", pa.float64()),
        ("s2_spec_version", STRING),
    ),
    dictionary=("seed", "merchant_id"),
    compressed=("lambda_baseline", "lambda_realised"),
)

LATENT_FIELD = TableFormat(
    _schema(
        *_WORLD,
        *_SEED,
        *_SCENARIO,
        ("group_id", STRING),
        *_BUCKET,
        ("latent_value", pa.float64()),
        ("latent_mean", pa.float64()),
        ("latent_std", pa.float64()),
        ("s2_spec_version", STRING),
    ),
    dictionary=("seed", "latent_mean", "latent_std"),
)

BUCKET_COUNTS = TableFormat(
    _schema(
        *_WORLD,
        *_SEED,
        *_SCENARIO,
        *_SERIES,
        *_BUCKET,
        ("lambda_realised", pa.float64()),
        ("mu", pa.float64()),
        ("kappa", pa.float64()),
        ("count_N", pa.int64()),
        ("count_capped", pa.bool_()),
        ("bucket_duration_seconds", pa.int64()),
        ("count_law_id", STRING),
        ("s3_spec_version", STRING),
        nullable=("kappa",),
    ),
    dictionary=("seed", "merchant_id", "kappa"),
    compressed=("lambda_realised", "mu"),
)

ARRIVAL_EVENTS = TableFormat(
    _schema(
        *_WORLD,
        *_SEED,
        *_SCENARIO,
        *_SERIES,
        *_BUCKET,
        ("arrival_seq", pa.int64()),
        ("ts_utc", UTC_MICROS),
        ("tzid_primary", STRING),
        ("ts_local_primary", LOCAL_MICROS),
        ("utc_offset_min_primary", pa.int32()),
        ("tzid_settlement", STRING),
        ("ts_local_settlement", LOCAL_MICROS),
        ("utc_offset_min_settlement", pa.int32()),
        ("tzid_operational", STRING),
        ("ts_local_operational", LOCAL_MICROS),
        ("utc_offset_min_operational", pa.int32()),
        ("routing_universe_hash", STRING),
        ("is_virtual", pa.bool_()),
        ("s4_spec_version", STRING),
        ("site_id", pa.uint64()),
        ("edge_id", pa.uint64()),
        ("lambda_realised", pa.float64()),
        ("tz_group_id", STRING),
        nullable=("site_id", "edge_id", "tz_group_id"),
    ),
    dictionary=("seed", "merchant_id", "site_id", "edge_id", "lambda_realised"),
)

ARRIVAL_SUMMARY = TableFormat(
    _schema(
        *_WORLD,
        *_SEED,
        *_SCENARIO,
        *_SERIES,
        *_BUCKET,
        ("count_N", pa.int64()),
        ("count_physical", pa.int64()),
        ("count_virtual", pa.int64()),
        ("s4_spec_version", STRING),
    ),
    dictionary=("seed", "merchant_id"),
)

ARRIVAL_ANOMALIES = TableFormat(
    _schema(
        *_WORLD,
        *_SEED,
        *_SCENARIO,
        ("anomaly_id", STRING),
        ("anomaly_code", STRING),
        ("severity", STRING),
        ("context", STRING),
        ("message", STRING),
        ("s4_spec_version", STRING),
    ),
    dictionary=("seed",),
)

ISSUE_TABLE = TableFormat(
    _schema(
        *_WORLD,
        *_SEED,
        *_SCENARIO,
        ("issue_code", STRING),
        ("severity", STRING),
        ("context", STRING),
        ("message", STRING),
        nullable=("seed", "scenario_id", "context"),
    ),
    dictionary=("seed",),
)

RNG_EVENTS = TableFormat(
    pa.schema(
        [
            pa.field("arrival_index", pa.int64()),
            pa.field("blocks", pa.int64(), nullable=False),
            pa.field("bucket_index", pa.int64()),
            pa.field("channel_group", STRING),
            pa.field("draws", STRING, nullable=False),
            pa.field("group_id", STRING),
            pa.field("latent_domain", STRING),
            pa.field("manifest_fingerprint", STRING, nullable=False),
            pa.field("merchant_id", pa.uint64()),
            pa.field("module", STRING, nullable=False),
            pa.field("parameter_hash", STRING, nullable=False),
            pa.field("rng_counter_after_hi", pa.uint64(), nullable=False),
            pa.field("rng_counter_after_lo", pa.uint64(), nullable=False),
            pa.field("rng_counter_before_hi", pa.uint64(), nullable=False),
            pa.field("rng_counter_before_lo", pa.uint64(), nullable=False),
            pa.field("run_id", STRING, nullable=False),
            pa.field("scenario_id", STRING, nullable=False),
            pa.field("seed", pa.uint64(), nullable=False),
            pa.field("substream_label", STRING, nullable=False),
            pa.field("ts_utc", STRING, nullable=False),
            pa.field("zone_representation", STRING),
        ]
    ),
    dictionary=("seed", "merchant_id"),
    compressed=tuple(f"rng_counter_{which}_{half}" for which in ("before", "after") for half in ("hi", "lo")),
)
"""Event logs of every family, in the order of a record's keys: a record is its row less what is null."""


def encoder_version() -> str:
    """Release of the library that encodes files: it signs them, so their bytes depend on it."""
    return str(pa.__version__)
