"""Two Parquet files of one dataset whose bytes differ, beside each other: the first rows and columns that differ.

Files are compared for what they say: the columns and their types, the key-value metadata, every value (floats by their
bits, a NaN being itself), and what a reader skips rows by, which are the sizes and bounds of row groups. Another release
of the encoder may write the same in other bytes, the same release may not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seg5b.errors import brief
from seg5b.tables.limits import Unreadable, reason, size_fault
from seg5b.tables.stretches import side_by_side
from seg5b.tables.writer import POLICIES_DIGEST

_ROWS = 1 << 17
_LATER = f"seg5b.{POLICIES_DIGEST}".encode()
"""What files of an earlier release of this engine do not state: they say the same without it."""
_KEYS = (
    "merchant_id",
    "zone_representation",
    "channel_group",
    "group_id",
    "bucket_index",
    "arrival_seq",
    "anomaly_id",
)
"""Columns that tell a reader which row is meant, where a dataset has them."""


@dataclass(frozen=True, slots=True)
class TableDifference:
    """How a file differs from the one that it should be. ``form``: what differs besides values, in words. ``rows``: how many
    rows differ, the first of them ``row`` (None if none does), in ``columns``; ``key``, ``found`` and ``wanted`` are values of
    that row: those that identify it, and those that differ in either file."""

    form: tuple[str, ...] = ()
    rows: int = 0
    row: int | None = None
    columns: tuple[str, ...] = ()
    key: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)
    wanted: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.form or self.rows)

    def sentence(self) -> str:
        """The difference in words."""
        told = list(self.form)
        if self.row is not None:
            key = ", ".join(f"{name} {value}" for name, value in self.key.items())
            values = ", ".join(f"{name} is {self.found[name]}, made again {self.wanted[name]}" for name in self.found)
            told.append(f"row {self.row}{f' ({key})' if key else ''}: {values}")
            told.append(f"{self.rows} rows differ, in {', '.join(self.columns)}")
        return brief("; ".join(told))


def table_difference(found: Any, wanted: Any) -> TableDifference:
    """Compare a file with the one that it should be; either is a path or an open file. Empty where both say the same, by
    different releases of the encoder.

    ``found`` may hold anything. Memory: two stretches of 131,072 rows.
    """
    other = pq.ParquetFile(wanted)
    try:
        one = pq.ParquetFile(found)
        fault = size_fault(one.metadata, other.schema_arrow.names)
        return TableDifference((fault,)) if fault else _difference(one, other)
    except Unreadable as cause:
        return TableDifference((f"cannot be read: {reason(cause)}",))


def says_the_same(found: Path, wanted: Path) -> bool:
    """Whether two files are Parquet and say the same, by different releases of the encoder."""
    return found.suffix == wanted.suffix == ".parquet" and not table_difference(found, wanted)


def _difference(one: pq.ParquetFile, other: pq.ParquetFile) -> TableDifference:
    form = [*_schema(one, other), *_metadata(one, other), *_layout(one.metadata, other.metadata)]
    names = [name for name in other.schema_arrow.names if one.schema_arrow.names.count(name) == 1]
    names = [name for name in names if _plain(one, name) == _plain(other, name)]
    values = _Values()
    for first, second in side_by_side(_batches(one, names), _batches(other, names)):
        values.compare(first, second)
    difference = values.difference(tuple(form))
    earlier = _LATER not in (one.schema_arrow.metadata or {}) and _LATER in (other.schema_arrow.metadata or {})
    if not difference and one.metadata.created_by == other.metadata.created_by and not earlier:
        return TableDifference(("says the same in other bytes, though by the same release of the encoder",))
    return difference


@dataclass(slots=True)
class _Values:
    """What was compared so far."""

    seen: int = 0
    rows: int = 0
    first: TableDifference | None = None
    columns: dict[str, None] = field(default_factory=dict)

    def compare(self, found: pa.RecordBatch, wanted: pa.RecordBatch) -> None:
        """Add the next rows of both files."""
        differing = {
            name: where
            for name in found.schema.names
            if (where := _differing(found.column(name), wanted.column(name))) is not None
        }
        if differing:
            self.columns |= dict.fromkeys(differing)
            anywhere = np.logical_or.reduce(list(differing.values()))
            if self.first is None:
                self.first = self._at(int(anywhere.argmax()), found, wanted, differing)
            self.rows += int(anywhere.sum())
        self.seen += found.num_rows

    def _at(
        self, row: int, found: pa.RecordBatch, wanted: pa.RecordBatch, differing: Mapping[str, np.ndarray]
    ) -> TableDifference:
        there = [name for name, where in differing.items() if where[row]]

        def values(batch: pa.RecordBatch, names: list[str]) -> dict[str, Any]:
            return {name: batch.column(name)[row].as_py() for name in names}

        key = [name for name in _KEYS if name in found.schema.names]
        return TableDifference(
            row=self.seen + row, key=values(found, key), found=values(found, there), wanted=values(wanted, there)
        )

    def difference(self, form: tuple[str, ...]) -> TableDifference:
        """Everything that differs."""
        if self.first is None:
            return TableDifference(form)
        at = self.first
        return TableDifference(form, self.rows, at.row, tuple(self.columns), at.key, at.found, at.wanted)


def _differing(found: pa.Array, wanted: pa.Array) -> np.ndarray | None:
    """Where two columns of one type differ, bool [n]; None if nowhere."""
    found, wanted = _comparable(found), _comparable(wanted)
    if found.equals(wanted):
        return None
    same = pc.fill_null(pc.equal(found, wanted), False)
    same = pc.or_(same, pc.and_(pc.is_null(found), pc.is_null(wanted)))
    where = ~np.asarray(same.to_numpy(zero_copy_only=False), bool)
    return where if where.any() else None


def _comparable(column: pa.Array) -> pa.Array:
    """Texts spelled out, floats as their bits, lists as they are shown."""
    if pa.types.is_nested(column.type):
        return pa.array([str(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    if pa.types.is_float64(column.type):
        return column.view(pa.int64())
    return column


def _plain(file: pq.ParquetFile, name: str) -> pa.DataType:
    kind = file.schema_arrow.field(name).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _batches(file: pq.ParquetFile, names: list[str]) -> Iterator[pa.RecordBatch]:
    # without columns a batch has no rows either
    yield from file.iter_batches(_ROWS, columns=names, use_threads=False) if names else ()


def _schema(one: pq.ParquetFile, other: pq.ParquetFile) -> Iterator[str]:
    found, wanted = one.schema_arrow, other.schema_arrow
    if found.names != wanted.names:
        odd = [name for name in found.names if name not in wanted.names]
        absent = [name for name in wanted.names if name not in found.names]
        told = [f"has a column {name}" for name in odd] + [f"has no column {name}" for name in absent]
        yield ", ".join(told) or "has its columns in another order"
    for field_ in wanted:
        if found.names.count(field_.name) == 1 and found.field(field_.name) != field_:
            kind = found.field(field_.name)
            yield f"column {field_.name} is {_words(kind)}, made again {_words(field_)}"


def _words(kind: pa.Field) -> str:
    return f"{kind.type}{'' if kind.nullable else ' not null'}"


def _metadata(one: pq.ParquetFile, other: pq.ParquetFile) -> Iterator[str]:
    found, wanted = one.schema_arrow.metadata or {}, other.schema_arrow.metadata or {}
    for key in sorted((found.keys() | wanted.keys()) - ({_LATER} - found.keys())):
        if found.get(key) != wanted.get(key):
            yield f"metadata {_text(key)} is {_text(found.get(key))}, made again {_text(wanted.get(key))}"


def _text(value: bytes | None) -> str:
    return "absent" if value is None else repr(value.decode("utf-8", "replace"))


def _layout(found: pq.FileMetaData, wanted: pq.FileMetaData) -> Iterator[str]:
    """Rows in all, rows of each row group, and the bounds that readers skip row groups by."""
    if found.num_rows != wanted.num_rows:
        yield f"holds {found.num_rows} rows, made again {wanted.num_rows}"
    sizes, others = _sizes(found), _sizes(wanted)
    if sizes != others:
        yield "is cut into other row groups"
        return
    for group in range(wanted.num_row_groups):
        bounds, own = _bounds(found, group), _bounds(wanted, group)
        for name in own:
            if name in bounds and bounds[name] != own[name]:
                yield f"states for {name} of row group {group} {bounds[name]}, made again {own[name]}"
                return


def _sizes(metadata: pq.FileMetaData) -> list[int]:
    return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


def _bounds(metadata: pq.FileMetaData, group: int) -> dict[str, str]:
    """Smallest and largest value and nulls, as stated for each column of a row group."""
    row_group = metadata.row_group(group)
    columns = [row_group.column(number) for number in range(row_group.num_columns)]
    return {column.path_in_schema: _stated(column.statistics) for column in columns}


def _stated(bounds: Any) -> str:
    if bounds is None:
        return "nothing"
    low, high = (bounds.min, bounds.max) if bounds.has_min_max else (None, None)
    return f"{low} to {high}, {bounds.null_count if bounds.has_null_count else 'no'} nulls"
