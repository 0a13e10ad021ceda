"""Whole Parquet files and datasets at once: small tables as Python values, datasets as Arrow tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from seg5b.errors import InputError
from seg5b.tables.limits import Unreadable, reason

ArrowTable: TypeAlias = pa.Table


MOST_SMALL_ROWS: Final = 1_000_000
MOST_SMALL_BYTES: Final = 1 << 26
"""Of a table that becomes Python values, as its footer declares it."""


class NotParquetError(Exception):
    """A file that cannot be read as Parquet; the text says why."""


def stored_names(file: Path) -> list[str]:
    """Column names of a Parquet file in their order, repeated ones included. Raises `NotParquetError`."""
    try:
        return list(pq.read_schema(file).names)
    except Unreadable as cause:
        raise NotParquetError(reason(cause)) from cause


def stored_rows(file: Path) -> list[dict[str, Any]]:
    """All rows of a small Parquet file as Python values by column name, nulls as None. Raises `NotParquetError`."""
    try:
        with pq.ParquetFile(file) as source:
            _refuse_large(source.metadata)
            rows: list[dict[str, Any]] = source.read().to_pylist()
            return rows
    except Unreadable as cause:
        raise NotParquetError(reason(cause)) from cause


def _refuse_large(metadata: pq.FileMetaData) -> None:
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    size = sum(group.total_byte_size for group in groups)
    if metadata.num_rows > MOST_SMALL_ROWS or size > MOST_SMALL_BYTES:
        raise ValueError(f"{metadata.num_rows} rows of {size} bytes are no small table")


def to_pandas(table: ArrowTable) -> Any:
    """An Arrow table as a pandas DataFrame, ids whole: unsigned columns of 64 bits become ``UInt64``, which knows missing
    values, instead of floating point; texts become categories where they are encoded as such. Raises `ImportError` without
    pandas."""
    import pandas

    return table.to_pandas(types_mapper={pa.uint64(): pandas.UInt64Dtype()}.get)


def read_dataset(files: Sequence[Path], columns: list[str] | None = None) -> ArrowTable:
    """The files of a dataset, in the order given, as one Arrow table; ``columns`` None for all. Raises `InputError`
    ``5B.RUN.DATASET_INCOMPLETE`` for files that cannot be read or do not have the columns."""
    try:
        table: ArrowTable = pq.read_table([str(file) for file in files], columns=columns, partitioning=None)
    except Unreadable as cause:
        what = f"not a readable dataset: {reason(cause)}"
        remedy = "run the state that writes it again, or ask for other columns"
        raise InputError("5B.RUN.DATASET_INCOMPLETE", what, where=str(files[0].parent), remedy=remedy) from cause
    return table
