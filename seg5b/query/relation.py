"""Queries that a user goes on with: relations of a database of their own, nothing read before it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from seg5b.query.text import identifier, parquet


def lazy_relation(files: Sequence[Path], columns: Sequence[str], condition: str) -> tuple[Any, Any]:
    """A connection and a DuckDB relation on it: rows of Parquet files of one schema, in their order, with ``columns`` (none:
    all) and where ``condition`` holds (empty: all). Instants are in UTC; nothing is fetched from the network."""
    offline = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(":memory:", config=offline)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    selected = ", ".join(map(identifier, columns)) or "*"
    where = f" WHERE {condition}" if condition else ""
    return connection, connection.sql(f"SELECT {selected} FROM {parquet(files)}{where}")
