"""The columns of intensity and count files as the walk sees them: names, kinds, and the bit that says that a value is null."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seg5b.tables.reading import Kind

_IDENTITY = {
    "manifest_fingerprint": Kind.TEXT,
    "parameter_hash": Kind.TEXT,
    "seed": Kind.ID,
    "scenario_id": Kind.TEXT,
}
_SERIES = {"merchant_id": Kind.ID, "zone_representation": Kind.TEXT, "channel_group": Kind.TEXT}
_CELL = {**_SERIES, "bucket_index": Kind.INTEGER}
INTENSITY = {
    **_IDENTITY,
    **_CELL,
    "lambda_baseline": Kind.NUMBER,
    "lambda_random_component": Kind.NUMBER,
    "lambda_realised": Kind.NUMBER,
    "s2_spec_version": Kind.TEXT,
}
COUNTS = {
    **_IDENTITY,
    **_CELL,
    "lambda_realised": Kind.NUMBER,
    "mu": Kind.NUMBER,
    "kappa": Kind.NUMBER,
    "count_N": Kind.INTEGER,
    "count_capped": Kind.FLAG,
    "bucket_duration_seconds": Kind.INTEGER,
    "count_law_id": Kind.TEXT,
    "s3_spec_version": Kind.TEXT,
}
INTENSITY_CONSTANTS = (*_IDENTITY, "s2_spec_version")
COUNT_CONSTANTS = (*_IDENTITY, "s3_spec_version")
"""Columns that say whose rows these are: their distinct combinations are kept, not looked at row by row."""

INTENSITY_NUMBERS = ("bucket_index", "lambda_baseline", "lambda_random_component", "lambda_realised")
COUNT_NUMBERS = ("bucket_index", "lambda_realised", "mu", "kappa", "count_N", "bucket_duration_seconds")
"""Columns whose least number the contracts may state."""
INTENSITY_WALKED = (*_SERIES, *INTENSITY_NUMBERS)
COUNTS_WALKED = (
    *_SERIES,
    *("bucket_index", "lambda_realised", "mu", "kappa"),
    *("count_N", "count_capped", "bucket_duration_seconds", "count_law_id"),
)
"""Columns in the order of `IntensityRows` and `CountRows`."""

BIT = {name: 1 << place for place, name in enumerate({**INTENSITY, **COUNTS})}
MERCHANT, BUCKET = BIT["merchant_id"], BIT["bucket_index"]
BASELINE, FACTOR, REALISED = BIT["lambda_baseline"], BIT["lambda_random_component"], BIT["lambda_realised"]
MU, KAPPA, COUNT, CAPPED = BIT["mu"], BIT["kappa"], BIT["count_N"], BIT["count_capped"]
SECONDS, LAW = BIT["bucket_duration_seconds"], BIT["count_law_id"]
INTENSITY_REQUIRED = sum(BIT[name] for name in INTENSITY)
COUNTS_REQUIRED = sum(BIT[name] for name in COUNTS if name != "kappa")


class IntensityRows(NamedTuple):
    """A stretch of n rows of intensities. Numbers are int64 or float64 [n] (ids by their bits), texts codes int32 [n]
    (-1 for null); ``nulls`` uint32 [n] has a column's bit where it is null (its number is then 0); ``constants`` int32 [n]
    numbers the combination of the constant columns."""

    nulls: np.ndarray
    constants: np.ndarray
    merchant: np.ndarray
    zone: np.ndarray
    channel: np.ndarray
    bucket: np.ndarray
    baseline: np.ndarray
    factor: np.ndarray
    realised: np.ndarray


class CountRows(NamedTuple):
    """A stretch of n rows of counts, as `IntensityRows`; ``capped`` uint8 [n], ``law`` int32 [n]."""

    nulls: np.ndarray
    constants: np.ndarray
    merchant: np.ndarray
    zone: np.ndarray
    channel: np.ndarray
    bucket: np.ndarray
    realised: np.ndarray
    mu: np.ndarray
    kappa: np.ndarray
    number: np.ndarray
    capped: np.ndarray
    seconds: np.ndarray
    law: np.ndarray
