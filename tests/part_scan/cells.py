"""Small files of intensities and counts that hold anything: sound, unsorted, with wild numbers and nulls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from seg5b.part_scan import CellFacts, CellScan
from seg5b.tables.formats import BUCKET_COUNTS, REALISED_INTENSITY

BUCKETS = 24
SERIES = (
    (7, "Asia/Kolkata", "card", 2.0, 0.3, 0.9),
    (7, "Europe/London", "card", 2.5, None, None),
    (11, "Europe/London", "card", None, 0.3, 0.0),
    (11, "Europe/London", "online", 4.0, None, None),
    (2**63 + 5, "America/Lima", "card", 2.0, 1.5, 0.5),
)
LIMITS = {
    "most_lambda": 50.0,
    "least_factor": 0.2,
    "most_factor": 5.0,
    "lambda_cap": 8.0,
    "zero_eps": 1e-9,
    "most_count": 40.0,
    "count_cap": 30.0,
    "reference_mean": 1.0,
    "volume_power": 0.0,
    "least_kappa": 0.0,
    "most_kappa": np.inf,
}
INTENSITY_LEAST = {"bucket_index": 0.0, "lambda_baseline": 0.0, "lambda_random_component": 0.0, "lambda_realised": 0.0}
COUNTS_LEAST = {
    "bucket_index": 0.0,
    "lambda_realised": 0.0,
    "mu": 0.0,
    "kappa": float(np.nextafter(0, 1)),
    "count_N": 0.0,
    "bucket_duration_seconds": 1.0,
}
FACTS = CellFacts(
    buckets=BUCKETS,
    seconds=3600,
    salt=20261128,
    count_law="nb2",
    without_kappa=False,
    threshold=None,
    limits=tuple(LIMITS.items()),
    least=(("intensity", tuple(INTENSITY_LEAST.items())), ("counts", tuple(COUNTS_LEAST.items()))),
    start=0,
    first_series=0,
    series=SERIES,
)
_ODD = np.array([np.nan, np.inf, -np.inf, -1.0, -0.0, 1e30])


def sound() -> tuple[pa.Table, pa.Table]:
    """Rows of `SERIES` by `BUCKETS` that violate nothing but ``wrong_kappa`` for the series without dispersion."""
    rows = len(SERIES) * BUCKETS
    k, rng = np.arange(rows) // BUCKETS, np.random.default_rng(1)
    baseline, factor = rng.integers(0, 4, rows) * 0.75, 0.5 + rng.random(BUCKETS)[np.arange(rows) % BUCKETS]
    realised = np.minimum(baseline * factor, LIMITS["lambda_cap"])
    shared = {
        **dict.fromkeys(
            ("manifest_fingerprint", "parameter_hash", "scenario_id", "s2_spec_version", "s3_spec_version"), "a"
        ),
        "seed": np.full(rows, 42, np.uint64),
        "merchant_id": np.array([SERIES[n][0] for n in k], np.uint64),
        "zone_representation": np.array([SERIES[n][1] for n in k], object),
        "channel_group": np.array([SERIES[n][2] for n in k], object),
        "bucket_index": np.arange(rows) % BUCKETS,
        "lambda_baseline": baseline,
        "lambda_random_component": factor,
        "lambda_realised": realised,
        "mu": realised,
        "kappa": np.array([SERIES[n][3] or 1.0 for n in k]),
        "count_N": np.where(realised > 0, rng.integers(0, 6, rows), 0),
        "count_capped": np.zeros(rows, bool),
        "bucket_duration_seconds": np.full(rows, 3600),
        "count_law_id": "nb2",
    }
    tables = []
    for form in (REALISED_INTENSITY, BUCKET_COUNTS):
        arrays = []
        for field in form.schema:
            kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            value = shared[field.name]
            arrays.append(pa.array([value] * rows if isinstance(value, str) else value, kind))
        tables.append(pa.table(arrays, names=form.schema.names))
    return tables[0], tables[1]


def spoilt(rng: np.random.Generator, table: pa.Table, *, nulls: bool) -> pa.Table:
    """The rows with wild numbers, other names, and some rows exchanged, here and there."""
    order = np.arange(table.num_rows)
    for _ in range(4):
        one, other = rng.integers(0, table.num_rows, 2)
        order[[one, other]] = order[[other, one]]
    table = table.take(order)
    for place, name in enumerate(table.column_names):
        values = table.column(name).to_pylist()
        for row in np.flatnonzero(rng.random(len(values)) < 0.05):
            values[row] = _odd(rng, table.schema.field(name).type, values[row])
        for row in np.flatnonzero(rng.random(len(values)) < 0.05 * nulls):
            values[row] = None
        table = table.set_column(place, name, pa.array(values, table.schema.field(name).type))
    return table


def _odd(rng: np.random.Generator, kind: pa.DataType, value: object) -> object:
    if pa.types.is_floating(kind):
        near = None if value is None else float(str(value)) * (1.0 + 1e-9)
        return (float(rng.choice(_ODD)), 2.0 * rng.random(), near)[int(rng.integers(0, 3))]
    if pa.types.is_string(kind):
        return "b"
    if pa.types.is_boolean(kind):
        return not value
    return int(rng.integers(0, 50)) if pa.types.is_unsigned_integer(kind) else int(rng.integers(-2, 45))


def write(table: pa.Table, path: Path, rows_per_group: int = 37) -> Path:
    """The table as a file of several row groups."""
    pq.write_table(table, path, row_group_size=rows_per_group)
    return path


def scan(folder: Path, intensities: pa.Table | None, counts: pa.Table | None, facts: CellFacts = FACTS) -> CellScan:
    """A scan of tables, written to ``folder`` in row groups of different sizes."""
    first = write(intensities, folder / "intensities.parquet") if intensities is not None else None
    second = write(counts, folder / "counts.parquet", 50) if counts is not None else None
    return CellScan(first, second, None, facts, folder / "kept")
