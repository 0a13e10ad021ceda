"""The small tables of an arrival file: their columns, and how the walk's keys become them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seg5b.part_scan.arrivals import columns as c
from seg5b.part_scan.arrivals.walk import PRIMARY_CLOCK
from seg5b.part_scan.tables import PartTable, column_of
from seg5b.tables.columns import Column
from seg5b.tables.reading import Kind

ID, COUNT, TEXT, FLAG = Kind.ID, Kind.INTEGER, Kind.TEXT, Kind.FLAG


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column made of the keys of `Counts`: which number of the key, of which kind (a text is a code), and the bits
    that make it null."""

    name: str
    kind: Kind
    place: int
    null: int = 0


_MERCHANT = KeyColumn("merchant_id", ID, 0, c.MERCHANT)

KEYED: Mapping[str, tuple[KeyColumn, ...]] = {
    "cells": (
        _MERCHANT,
        KeyColumn("bucket_index", COUNT, 1, c.BUCKET),
        KeyColumn("zone_representation", TEXT, 2),
        KeyColumn("channel_group", TEXT, 3),
        KeyColumn("is_virtual", FLAG, 4, c.VIRTUAL),
        KeyColumn("tzid_primary", TEXT, 5),
        KeyColumn("offset_min", COUNT, 6, c.P_OFFSET),
        KeyColumn("error_us", COUNT, 7, PRIMARY_CLOCK),
    ),
    "quarters": (
        KeyColumn("quarter", COUNT, 1, c.UTC),
        KeyColumn("tzid_primary", TEXT, 2),
        KeyColumn("is_virtual", FLAG, 3, c.VIRTUAL),
        KeyColumn("offset_min", COUNT, 4, c.P_OFFSET),
        KeyColumn("error_us", COUNT, 5, PRIMARY_CLOCK),
        KeyColumn("bucket_index", COUNT, 6, c.BUCKET),
        KeyColumn("local_hour", COUNT, 7, c.P_LOCAL),
    ),
    "hours": (
        _MERCHANT,
        KeyColumn("zone_representation", TEXT, 1),
        KeyColumn("channel_group", TEXT, 2),
        KeyColumn("is_virtual", FLAG, 3),
        KeyColumn("hour", COUNT, 4, c.P_LOCAL | c.O_LOCAL),
    ),
    "site_routes": (
        _MERCHANT,
        KeyColumn("site_id", ID, 1, c.SITE),
        KeyColumn("tzid_primary", TEXT, 2),
    ),
    "edge_routes": (
        _MERCHANT,
        KeyColumn("edge_id", ID, 1, c.EDGE),
        KeyColumn("tzid_primary", TEXT, 2),
        KeyColumn("tzid_operational", TEXT, 3),
        KeyColumn("tzid_settlement", TEXT, 4),
    ),
    "edge_clocks": (
        KeyColumn("tzid_operational", TEXT, 1),
        KeyColumn("operational_min", COUNT, 2, c.O_OFFSET),
        KeyColumn("tzid_settlement", TEXT, 3),
        KeyColumn("settlement_min", COUNT, 4, c.S_OFFSET),
        KeyColumn("bucket_index", COUNT, 5, c.BUCKET),
    ),
}
"""Judged rows by key. The last number of a key is the bits of its nulls."""

BOUNDS = ("least", "greatest")
"""Columns of ``cells`` beside: bounds of its intensities, infinite and crossed where there are none."""
OTHERS: Mapping[str, Mapping[str, Kind]] = {
    "merchant_parts": {
        "merchant_id": ID,
        **dict.fromkeys(
            ("arrivals", "virtual_arrivals", "first_seq", "last_seq", "least_shift", "greatest_shift"), COUNT
        ),
    },
    "picks": {"batch": COUNT, "offset_us": COUNT},
    "offset_bins": {"bin": COUNT, "arrivals": COUNT},
}
"""Columns of the tables that are no plain counts by key."""
TABLES = (*KEYED, *OTHERS, "constants")


def keyed_table(name: str, keys: np.ndarray, arrivals: np.ndarray, texts: Sequence[str]) -> PartTable:
    """A table of `KEYED` from the keys int64 [n, width] and their rows int64 [n]."""
    columns: dict[str, Column] = {}
    missing = np.ascontiguousarray(keys[:, -1])
    for column in KEYED[name]:
        absent = missing & column.null != 0 if column.null and missing.any() else None
        columns[column.name] = column_of(column.kind, keys[:, column.place], absent, texts)
    kinds = {column.name: column.kind for column in KEYED[name]}
    return PartTable({**kinds, "arrivals": COUNT}, {**columns, "arrivals": np.ascontiguousarray(arrivals)}, len(keys))
