"""One DuckDB process database: memory bound, scratch folder, UTC, no network, one typed error."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import numpy as np

from seg5b.errors import InputError
from seg5b.query.text import identifier, literal
from seg5b.refusals import refusal_in_words, typed

Row = tuple[Any, ...]


class Database:
    """A connection. Use as a context manager."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def run(self, sql: str) -> None:
        """Execute a statement. Raises `InputError` ``5B.QUERY.FAILED`` with the engine's first line; `SystemRefusal`
        ``5B.QUERY.OUT_OF_MEMORY``, ``5B.QUERY.DISK_FULL`` and the like where the system refused it something."""
        with typed_query(sql):
            self._connection.execute(sql)

    def rows(self, sql: str) -> list[Row]:
        """All rows of a query. Instants must be selected as integers (``epoch_us``). Raises as `run`."""
        with typed_query(sql):
            return list(self._connection.execute(sql).fetchall())

    def row(self, sql: str) -> Row:
        """The single row of an aggregate query. Raises as `run`."""
        (only,) = self.rows(sql)
        return only

    def records(self, sql: str) -> list[dict[str, Any]]:
        """All rows of a query by column name. Raises as `run`."""
        with typed_query(sql):
            done = self._connection.execute(sql)
            names = [column[0] for column in done.description]
            return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    def arrays(self, sql: str) -> dict[str, np.ndarray]:
        """Columns of a query as numpy arrays. Raises as `run`."""
        with typed_query(sql):
            return dict(self._connection.execute(sql).fetchnumpy())

    def batches(self, sql: str, rows: int, none: Callable[[Any], Any]) -> Iterator[Any]:
        """The rows of a query as Arrow record batches of at most ``rows`` rows, in the order of the query, while it runs. Where
        it has no rows, ``none`` makes the only batch from the schema. Raises as `run`."""
        with typed_query(sql):
            try:
                reader = self._connection.sql(sql).to_arrow_reader(rows)
                empty = True
                for batch in reader:
                    empty = False
                    yield batch
                if empty:
                    yield none(reader.schema)
            except (ValueError, OSError) as cause:  # Arrow's, which passes on what the engine says
                if isinstance(cause, duckdb.Error):
                    raise
                raise duckdb.Error(str(cause)) from cause

    def interrupt(self) -> None:
        """Have the query that another thread is waiting for fail soon."""
        self._connection.interrupt()

    def confine(self, files: Sequence[Path]) -> None:
        """From now on no statement reads another file than these, writes any, or changes a setting; what does not fit in
        memory still spills. For SQL that comes from a user. Raises as `run`."""
        listed = ", ".join(literal(str(file)) for file in files)
        self.run(f"SET allowed_paths = [{listed}]")
        self.run("SET enable_external_access = false")
        self.run("SET lock_configuration = true")

    def table(self, name: str, columns: Mapping[str, np.ndarray | Sequence[Any]], kinds: Mapping[str, str]) -> None:
        """Create a table from columns of equal length; ``kinds`` maps each to its SQL type. Raises as `run`."""
        arrays = {key: np.asarray(columns[key], None if len(columns[key]) else object) for key in kinds}
        selected = ", ".join(f"CAST({identifier(key)} AS {kind}) AS {identifier(key)}" for key, kind in kinds.items())
        declared = ", ".join(f"{identifier(key)} {kind}" for key, kind in kinds.items())
        with typed_query(name):
            if not len(next(iter(arrays.values()))):
                self._connection.execute(f"CREATE OR REPLACE TABLE {identifier(name)} ({declared})")
                return
            self._connection.register("_columns", arrays)
            self._connection.execute(f"CREATE OR REPLACE TABLE {identifier(name)} AS SELECT {selected} FROM _columns")
            self._connection.unregister("_columns")


def open_database(memory_limit_gb: float, threads: int | None, scratch: Path) -> Database:
    """A database in memory that spills to ``scratch`` (made on first use).

    ``memory_limit_gb`` in 10^9 bytes; ``threads`` None for every core this process may use. Nothing is fetched from
    the network, instants are in UTC. Raises as `Database.run`.
    """
    config = {
        "memory_limit": f"{memory_limit_gb * 1000:.0f}MB",
        "threads": str(threads or len(os.sched_getaffinity(0))),
        "temp_directory": str(scratch),
    }
    return Database(connect(config))


def connect(config: Mapping[str, str]) -> duckdb.DuckDBPyConnection:
    """A connection to a database in memory with these settings: nothing is fetched from the network, instants are in UTC.
    Raises as `Database.run`."""
    offline = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    with typed_query("open a database"):
        connection = duckdb.connect(":memory:", config={**config, **offline})
        connection.execute("SET TimeZone = 'UTC'")
        # In a notebook without ipywidgets there is no bar, and to say that there is to be none is an error.
        if connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(True,)]:
            connection.execute("SET enable_progress_bar = false")
    return connection


def expression(text: str) -> str:
    """A condition that a user wrote, in parentheses, when it is one expression of SQL and nothing else. Raises `ValueError`
    with the engine's reason."""
    if not text.strip():
        raise ValueError("there is no condition")
    try:
        duckdb.SQLExpression(text)  # its own parentheses match
        return str(duckdb.SQLExpression(f"(\n{text}\n)"))
    except duckdb.Error as cause:
        raise ValueError((str(cause).splitlines() or [type(cause).__name__])[0]) from cause


@contextmanager
def typed_query(sql: str) -> Iterator[None]:
    """Around a query, which ``sql`` names. Raises as `Database.run` whatever the engine fails of inside."""
    try:
        yield
    except duckdb.Error as cause:
        lines = str(cause).splitlines() or [type(cause).__name__]
        where, refusal = " ".join(sql.split())[:160], _refusal(cause, lines[0])
        if refusal is not None:
            raise typed(refusal, "QUERY", where) from cause
        raise InputError(
            "5B.QUERY.FAILED", lines[0], where=where, remedy="a file may be damaged: restore it"
        ) from cause


def _refusal(cause: duckdb.Error, line: str) -> Exception | None:
    """What the system refused the engine, if that is why it failed."""
    if isinstance(cause, duckdb.OutOfMemoryException):
        return MemoryError(line)
    number = refusal_in_words(line)
    return OSError(number, line) if number else None
