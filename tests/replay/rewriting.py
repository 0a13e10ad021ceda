"""Published files rewritten as one would who wants nobody to see it: form, layout, bounds and metadata stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seg5b.tables.writer import BOUNDED

Change = Callable[[pa.Table], pa.Table]


def rewrite(path: Path, change: Change, **options: Any) -> None:
    """Change a file's rows. ``options`` replace those that the file is written with."""
    file = pq.ParquetFile(path)
    cuts = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
    table = change(file.read())
    bounded = [name for name in table.column_names if name in BOUNDED]
    with pq.ParquetWriter(path, table.schema, **{"write_statistics": bounded, **options}) as writer:
        start = 0
        for rows in cuts:
            writer.write_table(table.slice(start, rows), row_group_size=max(rows, 1))
            start += rows
        if start < table.num_rows:
            writer.write_table(table.slice(start))


def with_value(column: str, row: int, value: Any) -> Change:
    """One value of a column, in one row."""

    def change(table: pa.Table) -> pa.Table:
        place, kind = table.column_names.index(column), table.field(column)
        plain = kind.type.value_type if pa.types.is_dictionary(kind.type) else kind.type
        values = table.column(column).cast(plain).to_pylist()
        values[row] = value(values[row]) if callable(value) else value
        array = pa.array(values, plain)
        return table.set_column(
            place, kind, pa.chunked_array([array.dictionary_encode() if plain != kind.type else array], kind.type)
        )

    return change


def without_row(row: int) -> Change:
    """All rows but one."""
    return lambda table: pa.concat_tables([table.slice(0, row), table.slice(row + 1)])


def with_metadata(key: str, value: str) -> Change:
    """Other key-value metadata."""

    def change(table: pa.Table) -> pa.Table:
        metadata: Mapping[bytes, bytes] = table.schema.metadata
        return table.replace_schema_metadata({**metadata, key.encode(): value.encode()})

    return change


def by_another_release(path: Path) -> None:
    """The same rows in other bytes, by an encoder that names itself otherwise."""
    rewrite(path, lambda table: table, compression="GZIP")
    release = pq.ParquetFile(path).metadata.created_by.encode()
    content = path.read_bytes()
    assert content.count(release) == 1
    path.write_bytes(content.replace(release, release[:-3] + b"0.0"))
