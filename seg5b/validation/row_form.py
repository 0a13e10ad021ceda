"""Rows of a table as the contract describes them: JSON with RFC 3339 instants and wall clocks without suffix (L8)."""

from __future__ import annotations

from typing import Any

from seg5b.query import identifier
from seg5b.validation.outputs import Output
from seg5b.validation.subject import Subject

_PRIME = 1_000_003
_SQL_TYPES = {
    "string": "VARCHAR",
    "uint64": "UBIGINT",
    "int64": "BIGINT",
    "int32": "INTEGER",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
    "timestamp[us]": "TIMESTAMP",
    "list<item: string>": "VARCHAR[]",
    "list<element: string>": "VARCHAR[]",
}


def sql_type(kind: object) -> str:
    """SQL type of an Arrow type of `seg5b.tables.formats`."""
    name = str(kind)
    return "VARCHAR" if name.startswith("dictionary<values=string") else _SQL_TYPES[name]


def sampled_rows(subject: Subject, output: Output, most: int) -> list[dict[str, Any]]:
    """About ``most`` rows in row form, spread over the file by a hash of their position."""
    described = subject.rows(f"DESCRIBE {output.table}")
    columns = ", ".join(
        f"{_row_value(name, kind)} AS {identifier(name)}"
        for name, kind, *_ in described
        if name not in ("position", "part_file")
    )
    (rows,) = subject.row(f"SELECT count(*) FROM {output.table}")
    threshold = _PRIME if rows <= most else max(1, -(-most * _PRIME // rows))
    spread = f"(CAST(position AS BIGINT) % {_PRIME} * 611953 + 65537) % {_PRIME}"
    return subject.records(f"SELECT {columns} FROM {output.table} WHERE {spread} < {threshold} LIMIT {2 * most}")


def _row_value(name: str, kind: str) -> str:
    column = identifier(name)
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind == "TIMESTAMP":
        return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%f')"
    return column
