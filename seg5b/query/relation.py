"""Queries that a user goes on with: relations of a database of their own, nothing read before it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seg5b.query.database import connect, typed_query
from seg5b.query.text import identifier, parquet


def lazy_relation(files: Sequence[Path], columns: Sequence[str], condition: str) -> tuple[Any, Any]:
    """A connection and a DuckDB relation on it: rows of Parquet files of one schema, in their order, with ``columns`` (none:
    all) and where ``condition`` holds (empty: all). Raises as `seg5b.query.Database.run`."""
    connection = connect({})
    selected = ", ".join(map(identifier, columns)) or "*"
    where = f" WHERE {condition}" if condition else ""
    sql = f"SELECT {selected} FROM {parquet(files)}{where}"
    with typed_query(sql):
        return connection, connection.sql(sql)
