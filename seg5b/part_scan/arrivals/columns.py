"""The columns of an arrival file as the walk sees them: names, kinds, and the bit that says that a value is null."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seg5b.tables.reading import Kind

CONSTANTS = (
    "manifest_fingerprint",
    "parameter_hash",
    "seed",
    "scenario_id",
    "routing_universe_hash",
    "s4_spec_version",
)
"""Columns that say whose rows these are: their distinct combinations are kept, not looked at row by row."""

KINDS = {
    "manifest_fingerprint": Kind.TEXT,
    "parameter_hash": Kind.TEXT,
    "seed": Kind.ID,
    "scenario_id": Kind.TEXT,
    "merchant_id": Kind.ID,
    "zone_representation": Kind.TEXT,
    "channel_group": Kind.TEXT,
    "bucket_index": Kind.INTEGER,
    "arrival_seq": Kind.INTEGER,
    "ts_utc": Kind.MOMENT,
    "tzid_primary": Kind.TEXT,
    "ts_local_primary": Kind.MOMENT,
    "utc_offset_min_primary": Kind.INTEGER,
    "tzid_settlement": Kind.TEXT,
    "ts_local_settlement": Kind.MOMENT,
    "utc_offset_min_settlement": Kind.INTEGER,
    "tzid_operational": Kind.TEXT,
    "ts_local_operational": Kind.MOMENT,
    "utc_offset_min_operational": Kind.INTEGER,
    "routing_universe_hash": Kind.TEXT,
    "is_virtual": Kind.FLAG,
    "s4_spec_version": Kind.TEXT,
    "site_id": Kind.ID,
    "edge_id": Kind.ID,
    "lambda_realised": Kind.NUMBER,
    "tz_group_id": Kind.TEXT,
}
OPTIONAL = ("lambda_realised", "tz_group_id")
"""Columns that a file may lack: then every value counts as null."""
NULLABLE = ("site_id", "edge_id", *OPTIONAL)

BIT = {name: 1 << place for place, name in enumerate(KINDS)}
REQUIRED = sum(BIT[name] for name in KINDS if name not in NULLABLE)
MERCHANT, BUCKET, SEQUENCE = BIT["merchant_id"], BIT["bucket_index"], BIT["arrival_seq"]
UTC, VIRTUAL, SITE, EDGE = BIT["ts_utc"], BIT["is_virtual"], BIT["site_id"], BIT["edge_id"]
LAMBDA, GROUP = BIT["lambda_realised"], BIT["tz_group_id"]
P_ZONE, O_ZONE, S_ZONE = (BIT[f"tzid_{clock}"] for clock in ("primary", "operational", "settlement"))
P_LOCAL, O_LOCAL, S_LOCAL = (BIT[f"ts_local_{clock}"] for clock in ("primary", "operational", "settlement"))
P_OFFSET, O_OFFSET, S_OFFSET = (BIT[f"utc_offset_min_{clock}"] for clock in ("primary", "operational", "settlement"))


class Rows(NamedTuple):
    """A stretch of n rows of a file. Numbers are int64 [n] (ids by their bits), instants microseconds since 1970, texts
    codes int32 [n] of the whole file (-1 for null); ``nulls`` uint32 [n] has a column's bit where it is null (its number
    is then 0); ``constants`` int32 [n] numbers the combination of the constant columns."""

    nulls: np.ndarray
    constants: np.ndarray
    merchant: np.ndarray
    zone: np.ndarray
    channel: np.ndarray
    bucket: np.ndarray
    sequence: np.ndarray
    utc: np.ndarray
    virtual: np.ndarray
    site: np.ndarray
    edge: np.ndarray
    intensity: np.ndarray
    primary_zone: np.ndarray
    operational_zone: np.ndarray
    settlement_zone: np.ndarray
    primary_local: np.ndarray
    operational_local: np.ndarray
    settlement_local: np.ndarray
    primary_offset: np.ndarray
    operational_offset: np.ndarray
    settlement_offset: np.ndarray
