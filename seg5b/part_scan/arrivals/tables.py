"""The small tables of an arrival file: their columns, and how the walk's keys become them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seg5b.part_scan.arrivals import columns as c
from seg5b.part_scan.arrivals.habits import DIGITS, PLACES, SIXTEENTHS, TIES
from seg5b.part_scan.arrivals.walk import PRIMARY_CLOCK, STRETCHES, Walk
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
FLAG_SUMS = ("arrivals", "virtual_arrivals", "rank_sum", "repeats", "inside_us")
"""Columns of ``flags`` beside the merchant: see `seg5b.part_scan.arrivals.habits.Habits`."""
OTHERS: Mapping[str, Mapping[str, Kind]] = {
    "merchant_parts": {
        "merchant_id": ID,
        **dict.fromkeys(
            ("arrivals", "virtual_arrivals", "first_seq", "last_seq", "least_shift", "greatest_shift"), COUNT
        ),
    },
    "picks": {"batch": COUNT, "offset_us": COUNT},
    "offset_bins": {"bin": COUNT, "arrivals": COUNT},
    "merchant_habits": {"merchant_id": ID, "name": TEXT, "place": COUNT, "arrivals": COUNT},
    "flags": {
        "merchant_id": ID,
        **dict.fromkeys(FLAG_SUMS, COUNT),
    },
    "offset_hours": {"hour": COUNT, "bin": COUNT, "arrivals": COUNT},
}
"""Columns of the tables that are no plain counts by key."""
TABLES = (*KEYED, *OTHERS, "constants")


SUMS = ("rank_sum", "repeats", "inside_us")
"""Columns of ``site_routes`` and ``edge_routes`` beside: see `seg5b.part_scan.arrivals.habits.Kinds`."""
_HABITS = (("tie", TIES, 1), *((name, DIGITS + 10 * n, 10) for n, name in enumerate(("s", "ms", "us"))))
_PARTS = (*_HABITS, ("place", PLACES, SIXTEENTHS))
"""Name, first column and columns of each habit of a merchant."""


def with_sums(table: PartTable, sums: np.ndarray) -> PartTable:
    """A table of routes with its sums int64 [n, 3]."""
    more = dict(zip(SUMS, np.ascontiguousarray(sums[: table.rows].T), strict=True))
    return PartTable({**table.kinds, **dict.fromkeys(SUMS, COUNT)}, {**table.columns, **more}, table.rows)


def habit_tables(walk: Walk) -> dict[str, PartTable]:
    """``merchant_habits``: judged instants of each merchant's stretch by ``name`` (``tie``; ``s``, ``ms``, ``us``: last digit;
    ``place``: sixteenth of the bucket) and ``place``; ``flags``; ``offset_hours``: by hour of the day and 64th of a bucket."""
    used = int(walk.state[STRETCHES])
    stretches, found = walk.stretches[:used], walk.habits.merchants[:used]
    rows, columns = np.nonzero(found)
    starts = np.array([first for _, first, _ in _PARTS])
    names = np.searchsorted(starts, columns, side="right") - 1
    missing = stretches[:, 1] & c.MERCHANT != 0
    habits: dict[str, Column] = {
        "merchant_id": column_of(ID, stretches[rows, 0], missing[rows]),
        "name": column_of(TEXT, names, texts=[name for name, _, _ in _PARTS]),
        "place": columns - starts[names],
        "arrivals": found[rows, columns],
    }
    own = walk.habits.flags[:used]
    flags: dict[str, Column] = {
        "merchant_id": column_of(ID, stretches[:, 0], missing),
        **dict(zip(FLAG_SUMS, np.ascontiguousarray(own.T), strict=True)),
    }
    hours, bins = np.nonzero(walk.habits.hours)
    of_day: dict[str, Column] = {"hour": hours, "bin": bins, "arrivals": walk.habits.hours[hours, bins]}
    return {
        "merchant_habits": PartTable(OTHERS["merchant_habits"], habits, len(rows)),
        "flags": PartTable(OTHERS["flags"], flags, used),
        "offset_hours": PartTable(OTHERS["offset_hours"], of_day, len(hours)),
    }


def keyed_table(name: str, keys: np.ndarray, arrivals: np.ndarray, texts: Sequence[str]) -> PartTable:
    """A table of `KEYED` from the keys int64 [n, width] and their rows int64 [n]."""
    columns: dict[str, Column] = {}
    missing = np.ascontiguousarray(keys[:, -1])
    for column in KEYED[name]:
        absent = missing & column.null != 0 if column.null and missing.any() else None
        columns[column.name] = column_of(column.kind, keys[:, column.place], absent, texts)
    kinds = {column.name: column.kind for column in KEYED[name]}
    return PartTable({**kinds, "arrivals": COUNT}, {**columns, "arrivals": np.ascontiguousarray(arrivals)}, len(keys))
