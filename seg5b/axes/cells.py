"""Datasets with one row per cell (a series in a bucket), as S2 and S3 write them, in canonical order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.cells import AxisKeys, CellKeys, FirstFault

from seg5b.axes.series import SeriesAxis
from seg5b.backends.base import Backend
from seg5b.backends.faults import first_fault, no_fault
from seg5b.contracts import dataset_name
from seg5b.errors import DomainError
from seg5b.frames import FrameColumns, Frames
from seg5b.frames.base import array, text
from seg5b.frames.span import ALL_ROWS, Rows, iterate_rows
from seg5b.tables.reading import Kind, row_count

_KEYS = {
    "merchant_id": Kind.ID,
    "bucket_index": Kind.INTEGER,
    "zone_representation": Kind.TEXT,
    "channel_group": Kind.TEXT,
}


@dataclass(frozen=True, slots=True)
class CellBlock:
    """Rows ``first`` .. ``first + rows - 1`` of a dataset on the axes: row r is series r // H, bucket r % H.
    ``columns``: the values asked for, on the backend."""

    first: int
    rows: int
    columns: FrameColumns


def iterate_cells(
    frames: Frames,
    backend: Backend,
    files: Sequence[Path],
    axis: SeriesAxis,
    bucket_count: int,
    values: dict[str, Kind],
    *,
    code: str,
    rows: Rows = ALL_ROWS,
) -> Iterator[CellBlock]:
    """Blocks of a dataset that must hold every (series, bucket) exactly once, in canonical order over its ``files``; of
    ``rows`` only, if they are given.

    Raises `InputError` ``code`` when unreadable, `DomainError` ``code`` when a key is missing, repeated or out of
    order.
    """
    expected = len(axis) * bucket_count
    found = row_count(files, code=code)
    if found != expected:
        what = f"{found} rows, {len(axis)} series x {bucket_count} buckets are {expected}"
        raise DomainError(code, what, where=dataset_name(files), remedy="run the state that writes it again")
    keys = AxisKeys(*(backend.upload(column) for column in (axis.merchant_id, axis.zone, axis.channel)))
    first, _ = rows
    for columns in iterate_rows(frames, files, {**_KEYS, **values}, rows, code=code):
        zones, channels = text(columns, "zone_representation"), text(columns, "channel_group")
        merchants = array(columns, "merchant_id")
        size = int(merchants.size)
        inputs = CellKeys(
            merchants,
            zones.codes,
            channels.codes,
            array(columns, "bucket_index"),
            backend.upload(_on_axis(zones.values, axis.zones)),
            backend.upload(_on_axis(channels.values, axis.channels)),
            keys,
            first,
            bucket_count,
        )
        fault = no_fault(backend, size)
        backend.launch(registry.CHECK_CELL, size, inputs, FirstFault(fault))
        at = first_fault(backend, fault, size)
        if at is not None:
            series, bucket = divmod(first + at, bucket_count)
            what = f"row {first + at} is not series {axis.key(series)}, bucket {bucket}"
            raise DomainError(code, what, where=dataset_name(files), remedy="run the state that writes it again")
        yield CellBlock(first, size, {name: columns[name] for name in values})
        first += size


def _on_axis(values: tuple[str, ...], known: tuple[str, ...]) -> np.ndarray:
    """Position of each value among those of the axis, int32, -1 for a name that no series has."""
    position = {value: code for code, value in enumerate(known)}
    return np.array([position.get(value, -1) for value in values], np.int32)
