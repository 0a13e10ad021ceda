"""Small intermediate tables: any column may be null, texts are dictionary-coded, flags are 0 or 1."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from seg5b.tables.columns import STRING
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


def small_format(kinds: Mapping[str, Kind]) -> TableFormat:
    """The form on disk of a table with columns of these kinds."""
    fields = [pa.field(name, _TYPES[kind]) for name, kind in kinds.items()]
    return TableFormat(pa.schema(fields), compressed=tuple(kinds))
