"""Writing the Parquet files of a world: fixed row groups, plain types, the same bytes for the same rows.

The Arrow schema is not stored, so that any reader sees plain strings and integers; dictionary and delta encodings
are only how they lie on disk. Row groups are cut where the writer is told, never by buffer sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

STRING = pa.string()
UINT64, INT64, INT32, INT16 = pa.uint64(), pa.int64(), pa.int32(), pa.int16()
FLOAT64, FLOAT32, BOOL = pa.float64(), pa.float32(), pa.bool_()
STRINGS = pa.list_(pa.string())

Columns = Mapping[str, Any]
Types = Mapping[str, pa.DataType]
_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
ROWS_PER_GROUP = 1 << 20
_BATCH_ROWS = 1 << 14
"""Rows that a column encodes before it looks at the size of its page. It divides the rows of a full page of 8-byte or
4-byte values, so pages are cut where the default of 1,024 would cut them; fewer looks are a quarter of the time less."""


class TableWriter:
    """Writes one Parquet file, one row group per `write`. Use as a context manager.

    ``types`` names the columns in order. A string column takes a sequence of strings, or `repeated` / `coded`; a dictionary
    on disk has the values of the column in order of appearance, but for `coded` all names that it was given.
    """

    def __init__(self, path: Path, types: Types, *, compression: str = "zstd") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._types = types
        self._schema = pa.schema(
            [pa.field(name, _DICTIONARY if kind == STRING else kind) for name, kind in types.items()]
        )
        strings = [name for name, kind in types.items() if kind == STRING]
        integers = [name for name, kind in types.items() if pa.types.is_integer(kind)]
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression=compression,
            compression_level=1 if compression == "zstd" else None,
            use_dictionary=strings,
            column_encoding=dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
            store_schema=False,
            write_statistics=True,
            data_page_version="1.0",
            write_batch_size=_BATCH_ROWS,
        )

    def write(self, columns: Columns) -> None:
        """Append one row group of all the rows given."""
        arrays = [_array(columns[name], kind) for name, kind in self._types.items()]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def write_blocks(writers: Sequence[TableWriter], blocks: Iterable[Columns]) -> None:
    """Append each block to every writer, in order. Encoding runs outside the interpreter lock, a thread for each writer,
    while the next block is made."""
    with ThreadPoolExecutor(len(writers)) as pool:
        pending: list[Future[None]] = []
        for columns in blocks:
            _wait(pending)
            pending = [pool.submit(writer.write, columns) for writer in writers]
        _wait(pending)


def _wait(pending: Iterable[Future[None]]) -> None:
    for each in pending:
        each.result()


def write_table(path: Path, types: Types, columns: Columns, *, rows_per_group: int = ROWS_PER_GROUP) -> None:
    """Write a table that is whole in memory, in row groups of ``rows_per_group``."""
    count = len(next(iter(columns.values())))
    with TableWriter(path, types) as writer:
        for start in range(0, max(1, count), rows_per_group):
            writer.write({name: column[start : start + rows_per_group] for name, column in columns.items()})


def write_nested(path: Path, rows: Sequence[Mapping[str, Any]], types: Types) -> None:
    """Write a few rows that hold structs or lists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([pa.field(name, kind) for name, kind in types.items()])
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    pq.write_table(table, path, compression="none", store_schema=False)


def struct_of(names: Iterable[str], kind: pa.DataType = STRING) -> pa.DataType:
    """Struct type with fields of one kind."""
    return pa.struct([pa.field(name, kind) for name in names])


def coded(codes: np.ndarray[Any, Any], names: Sequence[str]) -> pa.DictionaryArray:
    """String column from integer codes into ``names``."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32, copy=False)), pa.array(names, STRING))


def repeated(text: str, count: int) -> pa.DictionaryArray:
    """String column with one value in every row."""
    return coded(np.zeros(count, np.int32), [text])


def _array(column: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(column, pa.DictionaryArray):
        return column
    if isinstance(column, pa.StringArray):
        return column.dictionary_encode()
    if kind == STRING:
        return pa.array(column, STRING).dictionary_encode()
    return pa.array(column, kind)
