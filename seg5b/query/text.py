"""Quoting for SQL text. Values that do not come from the code pass through here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

Value = str | int | float | bool | None
_CONSTANT = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([a-z_]+)""")
"""Quoted text, which stays as it is (a path may hold a dollar sign), or a named constant."""


def literal(value: Value | datetime) -> str:
    """A value as SQL: texts quoted, numbers in full precision, instants (with an offset) as such, None as NULL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.isoformat(' ')}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"CAST('{value!r}' AS DOUBLE)" if isinstance(value, float) else str(value)


def with_constants(sql: str, constants: Mapping[str, Value]) -> str:
    """SQL with each ``$name`` outside of quotes replaced by its constant. Raises `KeyError` for a name without a value."""
    return _CONSTANT.sub(lambda match: literal(constants[match[1]]) if match[1] else match[0], sql)


def identifier(name: str) -> str:
    """A column or table name, quoted."""
    return '"' + name.replace('"', '""') + '"'


def parquet(files: Sequence[Path]) -> str:
    """Table function over Parquet files, in the order given. Every file must have the same columns."""
    listed = ", ".join(literal(str(file)) for file in files)
    return f"read_parquet([{listed}], union_by_name = false, hive_partitioning = false)"


def row_value(name: str, kind: str) -> str:
    """SQL for a column in its JSON row form: RFC 3339 micros with ``Z`` for instants, without suffix for wall clocks.

    ``kind``: the column's SQL type. The one mapping between native and text form (law L8).
    """
    column = identifier(name)
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind == "TIMESTAMP":
        return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%f')"
    return column
