"""Small arrival files that hold anything: sound, unsorted, with repeated keys, wild numbers and nulls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from seg5b.part_scan import ScanFacts
from seg5b.tables.formats import ARRIVAL_EVENTS

START_US = 1_772_409_600_000_000
HOUR_US = 3_600_000_000
BUCKETS = 24
FACTS = ScanFacts(START_US, HOUR_US, BUCKETS, None, 3, 5, ("Asia/Kolkata",))
ZONES = np.array(["Europe/London", "Asia/Kolkata", "America/Lima", "Nowhere/Land"], object)
MERCHANTS = np.array([7, 2**63 + 5, 11, 2**64 - 1], np.uint64)
OFFSETS = np.array([0, 60, 330, -300], np.int64)


def random_table(rng: np.random.Generator, rows: int, *, wild: bool, nulls: bool) -> pa.Table:
    """Rows of `ARRIVAL_EVENTS`; ``wild``: in no order, with numbers that break every condition here and there."""
    merchant = np.sort(rng.integers(0, len(MERCHANTS), rows))
    sequence = np.arange(1, rows + 1, dtype=np.int64)
    utc = np.sort(START_US + rng.integers(0, BUCKETS * HOUR_US, rows))
    bucket = (utc - START_US) // HOUR_US
    virtual = rng.random(rows) < 0.3
    zone = {clock: rng.integers(0, len(ZONES), rows) for clock in ("primary", "operational", "settlement")}
    if not wild:
        for clock in zone:
            zone[clock] = np.where(virtual, zone[clock], zone["primary"])
    offset = {clock: OFFSETS[zone[clock]] for clock in zone}
    local = {clock: utc + offset[clock] * 60_000_000 for clock in zone}
    site, edge = rng.integers(1, 5, rows).astype(np.uint64), rng.integers(1, 5, rows).astype(np.uint64)
    no_site, no_edge = virtual.copy(), ~virtual
    if wild:
        mixed = rng.permutation(rows)
        utc, bucket, merchant = utc[mixed], bucket[mixed], np.where(rng.random(rows) < 0.5, merchant, merchant[mixed])
        bucket = np.where(rng.random(rows) < 0.1, rng.integers(-2, BUCKETS + 3, rows), bucket)
        for clock in local:
            local[clock] = np.where(rng.random(rows) < 0.1, local[clock] + rng.integers(-3, 3, rows), local[clock])
        no_site ^= rng.random(rows) < 0.1
        no_edge ^= rng.random(rows) < 0.1
    constants = {name: np.where(rng.random(rows) < 0.02 * wild, "b", "a") for name in _CONSTANT_TEXTS}
    columns: dict[str, tuple[np.ndarray, np.ndarray | None]] = {
        **{name: (values.astype(object), None) for name, values in constants.items()},
        "seed": (np.full(rows, 42, np.uint64), None),
        "merchant_id": (MERCHANTS[merchant], None),
        "zone_representation": (ZONES[rng.integers(0, 2, rows)], None),
        "channel_group": (np.array(["card", "online"], object)[rng.integers(0, 2, rows)], None),
        "bucket_index": (bucket, None),
        "arrival_seq": (sequence, None),
        "ts_utc": (utc, None),
        **{f"tzid_{clock}": (ZONES[zone[clock]], None) for clock in zone},
        **{f"ts_local_{clock}": (local[clock], None) for clock in zone},
        **{f"utc_offset_min_{clock}": (offset[clock], None) for clock in zone},
        "is_virtual": (virtual, None),
        "site_id": (site, no_site),
        "edge_id": (edge, no_edge),
        "lambda_realised": (rng.integers(0, 3, rows).astype(float), None),
        "tz_group_id": (ZONES[zone["primary"]], virtual ^ (rng.random(rows) < 0.1 * wild)),
    }
    arrays = []
    for field in ARRIVAL_EVENTS.schema:
        values, missing = columns[field.name]
        if nulls:
            extra = rng.random(rows) < 0.05
            missing = extra if missing is None else missing | extra
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        whole = pa.array(values, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)
        if missing is not None:
            whole = pa.array([None if gone else value for value, gone in zip(whole, missing, strict=True)], kind)
        arrays.append(whole)
    return pa.table(arrays, names=ARRIVAL_EVENTS.schema.names)


_CONSTANT_TEXTS = ("manifest_fingerprint", "parameter_hash", "scenario_id", "routing_universe_hash", "s4_spec_version")


def write(table: pa.Table, path: Path) -> Path:
    """The table as a file of several row groups."""
    pq.write_table(table, path, row_group_size=max(1, table.num_rows // 3))
    return path
