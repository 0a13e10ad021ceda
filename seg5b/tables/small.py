"""Small intermediate tables: any column may be null, texts are dictionary-coded, flags are 0 or 1."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from seg5b.tables.columns import STRING, Column, arrow_array
from seg5b.tables.reading import Kind
from seg5b.tables.writer import TableFormat

_TYPES = {
    Kind.ID: pa.uint64(),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.FLAG: pa.uint8(),
    Kind.TEXT: STRING,
    Kind.MOMENT: pa.int64(),
}


def small_table(kinds: Mapping[str, Kind], columns: Mapping[str, Column], rows: int) -> pa.Table:
    """The table in memory."""
    schema = small_format(kinds).schema
    return pa.table([arrow_array(columns[field.name], field.type, rows) for field in schema], schema=schema)


def small_format(kinds: Mapping[str, Kind]) -> TableFormat:
    """The form on disk of a table with columns of these kinds."""
    fields = [pa.field(name, _TYPES[kind]) for name, kind in kinds.items()]
    return TableFormat(pa.schema(fields), compressed=tuple(kinds))
