"""Reading S2's and S3's own outputs: one row per series and bucket, in canonical order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg5b.axes import SeriesAxis
from seg5b.errors import DomainError
from seg5b.tables.reading import Columns, Kind, iterate_columns, numbers, row_count, text


@dataclass(frozen=True, slots=True)
class PointBlock:
    """Rows ``first`` .. ``first + n - 1`` of a dataset on the axes: row r is series r // H, bucket r % H.

    ``series`` int64 [n], ``bucket`` int64 [n]; ``columns``: the values asked for.
    """

    first: int
    series: np.ndarray
    bucket: np.ndarray
    columns: Columns


def iterate_points(
    file: Path, axis: SeriesAxis, bucket_count: int, values: dict[str, Kind], *, code: str
) -> Iterator[PointBlock]:
    """Blocks of a dataset that must hold every (series, bucket) exactly once, in canonical order.

    Raises `InputError` ``code`` when unreadable, `DomainError` ``code`` when a key is missing, repeated or out of
    order.
    """
    expected = len(axis) * bucket_count
    found = row_count([file], code=code)
    if found != expected:
        what = f"{found} rows, {len(axis)} series x {bucket_count} buckets are {expected}"
        raise DomainError(code, what, where=str(file), remedy="run the state that writes it again")
    keys = {
        "merchant_id": Kind.ID,
        "bucket_index": Kind.INTEGER,
        "zone_representation": Kind.TEXT,
        "channel_group": Kind.TEXT,
    }
    zone_code = {zone: code for code, zone in enumerate(axis.zones)}
    channel_code = {channel: code for code, channel in enumerate(axis.channels)}
    first = 0
    for columns in iterate_columns([file], {**keys, **values}, code=code):
        rows = numbers(columns, "merchant_id").size
        series, bucket = np.divmod(np.arange(first, first + rows), bucket_count)
        wrong = numbers(columns, "merchant_id") != axis.merchant_id[series]
        wrong |= numbers(columns, "bucket_index") != bucket
        for name, known, codes in (
            ("zone_representation", zone_code, axis.zone),
            ("channel_group", channel_code, axis.channel),
        ):
            column = text(columns, name)
            mapping = np.array([known.get(value, -1) for value in column.values], np.int32)
            wrong |= mapping[column.codes] != codes[series]
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            what = f"row {first + at} is not series {axis.key(int(series[at]))}, bucket {int(bucket[at])}"
            raise DomainError(code, what, where=str(file), remedy="run the state that writes it again")
        yield PointBlock(first, series, bucket, {name: columns[name] for name in values})
        first += rows
