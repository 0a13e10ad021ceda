"""Whole Parquet files and datasets at once: small tables as Python values, datasets as Arrow tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

ArrowTable: TypeAlias = pa.Table


class NotParquetError(Exception):
    """A file that cannot be read as Parquet; the text says why."""


def stored_names(file: Path) -> list[str]:
    """Column names of a Parquet file in their order, repeated ones included. Raises `NotParquetError`."""
    try:
        return list(pq.read_schema(file).names)
    except (pa.ArrowException, OSError, ValueError) as cause:
        raise NotParquetError(str(cause)) from cause


def stored_rows(file: Path) -> list[dict[str, Any]]:
    """All rows of a small Parquet file as Python values by column name, nulls as None. Raises `NotParquetError`."""
    try:
        with pq.ParquetFile(file) as source:
            rows: list[dict[str, Any]] = source.read().to_pylist()
            return rows
    except (pa.ArrowException, OSError, ValueError) as cause:
        raise NotParquetError(str(cause)) from cause


def read_dataset(files: Sequence[Path], columns: list[str] | None = None) -> ArrowTable:
    """The files of a dataset, in the order given, as one Arrow table; ``columns`` None for all."""
    table: ArrowTable = pq.read_table([str(file) for file in files], columns=columns, partitioning=None)
    return table
