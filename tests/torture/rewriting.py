"""Changing a Parquet file of a run so that nothing else of it changes: written again without a change, it has the same bytes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Change = Callable[[pa.Table], pa.Table]


def rewrite(file: Path, *changes: Change, metadata: Mapping[str, str] = {}, rows: int = 0, **writer: Any) -> None:
    """Change the table of a Parquet file, which is otherwise written as it was: the same row groups, encodings, statistics
    and metadata. ``metadata``: other values; ``rows`` per row group, if not as before; ``writer``: other options of
    `pyarrow.parquet.ParquetWriter`."""
    source = pq.ParquetFile(file)
    form, groups = source.metadata, [source.read_row_group(number) for number in range(source.num_row_groups)]
    sizes = [group.num_rows for group in groups]
    if changes or rows:
        table = before = pa.concat_tables(groups).unify_dictionaries()
        for change in changes:
            table = change(table)
        table = _coded(table, before)
        sizes = _sizes(table.num_rows, sizes, rows)
        starts = [sum(sizes[:number]) for number in range(len(sizes))]
        groups = [table.slice(start, size) for start, size in zip(starts, sizes, strict=True)]
    stored = _stored(form) or source.schema_arrow
    kept = {key.decode(): value.decode() for key, value in (stored.metadata or {}).items()}
    read = {field.name: field.type for field in source.schema_arrow}
    fields = [stored.field(each.name) if read.get(each.name) == each.type else each for each in groups[0].schema]
    schema = pa.schema(fields, kept | dict(metadata))
    new = file.with_name("~new")
    with pq.ParquetWriter(new, schema, **(_as_it_was(form, groups[0].schema) | writer)) as writing:
        for group in groups:
            writing.write_table(group.cast(schema), row_group_size=max(1, group.num_rows))
    new.replace(file)


def _stored(form: pq.FileMetaData) -> pa.Schema | None:
    """The schema that Arrow keeps in a file, if it does."""
    coded = (form.metadata or {}).get(b"ARROW:schema")
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(coded))) if coded else None


def _sizes(rows: int, groups: list[int], each: int) -> list[int]:
    """Sizes of row groups as they were, the last one taking what is more or less; or ``each`` rows, where that is given."""
    if each:
        groups = [each] * -(-rows // each)
    return [*groups[:-1], rows - sum(groups[:-1])]


def _coded(table: pa.Table, before: pa.Table) -> pa.Table:
    """Columns that were coded by a dictionary are so again, by the same one, with new values behind it."""
    for place, name in enumerate(table.column_names):
        field, column = before.schema.field(name), table.column(place)
        if pa.types.is_dictionary(field.type) and pa.types.is_string(column.type):
            known = before.column(name).chunk(0).dictionary
            new = [value for value in pc.unique(column).to_pylist() if value not in set(known.to_pylist())]
            values = pa.concat_arrays([known, pa.array(new, known.type)])
            codes = pc.index_in(column.combine_chunks(), values).cast(pa.int32())
            column = pa.DictionaryArray.from_arrays(codes, values)
        if column.type == field.type:
            table = table.set_column(place, field, column)
    return table


def _as_it_was(form: pq.FileMetaData, schema: pa.Schema) -> dict[str, Any]:
    """Options that write a file as the one that this is the footer of was written."""
    group = form.row_group(0)
    columns = {
        group.column(number).path_in_schema.split(".")[0]: group.column(number) for number in range(form.num_columns)
    }
    columns = {name: columns[name] for name in schema.names if name in columns}
    delta = {
        name: "DELTA_BINARY_PACKED" for name, column in columns.items() if "DELTA_BINARY_PACKED" in column.encodings
    }
    packed = [name for name, column in columns.items() if column.compression == "ZSTD"]
    return {
        "use_dictionary": [name for name, column in columns.items() if column.has_dictionary_page] or False,
        "column_encoding": delta or None,
        "compression": {name: "ZSTD" if name in packed else "NONE" for name in columns},
        "compression_level": dict.fromkeys(packed, 1) or None,
        "write_statistics": [name for name, column in columns.items() if column.is_stats_set],
        "write_batch_size": 1 << 16,
        "write_page_checksum": True,
        "data_page_version": "1.0",
        "store_schema": _stored(form) is not None,
    }
