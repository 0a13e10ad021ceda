"""Reading S2's and S3's own outputs: one row per series and bucket, in canonical order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.points import AxisKeys, FirstFault, PointKeys

from seg5b.axes import SeriesAxis
from seg5b.backends.base import Array, Backend
from seg5b.errors import DomainError
from seg5b.frames import FrameColumns, Frames
from seg5b.frames.base import array, text
from seg5b.tables.reading import Kind, row_count

_KEYS = {
    "merchant_id": Kind.ID,
    "bucket_index": Kind.INTEGER,
    "zone_representation": Kind.TEXT,
    "channel_group": Kind.TEXT,
}


@dataclass(frozen=True, slots=True)
class PointBlock:
    """Rows ``first`` .. ``first + rows - 1`` of a dataset on the axes: row r is series r // H, bucket r % H.
    ``columns``: the values asked for, where kernels run."""

    first: int
    rows: int
    columns: FrameColumns


def iterate_points(
    frames: Frames,
    backend: Backend,
    file: Path,
    axis: SeriesAxis,
    bucket_count: int,
    values: dict[str, Kind],
    *,
    code: str,
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
    keys = AxisKeys(*(backend.upload(column) for column in (axis.merchant_id, axis.zone, axis.channel)))
    first = 0
    for columns in frames.iterate([file], {**_KEYS, **values}, code=code):
        zones, channels = text(columns, "zone_representation"), text(columns, "channel_group")
        merchants = array(columns, "merchant_id")
        rows = int(merchants.size)
        inputs = PointKeys(
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
        fault = no_fault(backend, rows)
        backend.launch(registry.CHECK_POINT, rows, inputs, FirstFault(fault))
        at = first_fault(backend, fault, rows)
        if at is not None:
            series, bucket = divmod(first + at, bucket_count)
            what = f"row {first + at} is not series {axis.key(series)}, bucket {bucket}"
            raise DomainError(code, what, where=str(file), remedy="run the state that writes it again")
        yield PointBlock(first, rows, {name: columns[name] for name in values})
        first += rows


def no_fault(backend: Backend, rows: int) -> Array:
    """What a kernel's check lowers to the first wrong row: int64 [1] holding ``rows``."""
    return backend.upload(np.array([rows], np.int64))


def first_fault(backend: Backend, fault: Array, rows: int) -> int | None:
    """The first wrong row of ``rows``, None if all are right."""
    at = int(backend.download(fault)[0])
    return at if at < rows else None


def _on_axis(values: tuple[str, ...], known: tuple[str, ...]) -> np.ndarray:
    """Position of each value among those of the axis, int32, -1 for a stranger."""
    position = {value: code for code, value in enumerate(known)}
    return np.array([position.get(value, -1) for value in values], np.int32)
