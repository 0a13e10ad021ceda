"""Quoting for SQL text. Values that do not come from the code pass through here or through parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def literal(value: str | int | float) -> str:
    """A value as SQL: texts quoted, numbers in full precision."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"CAST({value!r} AS DOUBLE)" if isinstance(value, float) else str(value)


def identifier(name: str) -> str:
    """A column or table name, quoted."""
    return '"' + name.replace('"', '""') + '"'


def parquet(files: Sequence[Path]) -> str:
    """Table function over Parquet files, in the order given. Every file must have the same columns."""
    listed = ", ".join(literal(str(file)) for file in files)
    return f"read_parquet([{listed}], union_by_name = false, hive_partitioning = false)"
