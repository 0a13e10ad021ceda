"""Rows of published datasets that are read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from seg5b.errors import RunError, shown
from seg5b.query import lazy_relation, literal, typed_query
from seg5b.tables.whole import ArrowTable, stored_names, to_pandas

Moment = str | date | datetime
_SHOWN = 10


class Rows:
    """A selection of rows of a dataset: nothing is read before it is asked for.

    ``relation`` is DuckDB's, to filter, join and aggregate; ``to_arrow``, ``to_pandas``, ``to_polars`` and ``to_cudf`` read it
    all. Made by `Run.rows` and `Run.arrivals`. Whatever reads raises `InputError` ``5B.QUERY.FAILED`` for a damaged file, and
    `SystemRefusal` where the system refuses memory and the like; what is done with ``relation`` raises DuckDB's own errors.
    """

    def __init__(self, files: Sequence[Path], columns: Sequence[str] = (), condition: str = "") -> None:
        _check_columns(columns, files)
        self._connection, self._relation = lazy_relation(files, columns, condition)

    @property
    def relation(self) -> Any:
        """The ``duckdb.DuckDBPyRelation``. It lives as long as this object."""
        return self._relation

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._relation.columns)

    def __len__(self) -> int:
        with typed_query("count the rows"):
            ((rows,),) = self._relation.aggregate("count(*)").fetchall()
        return int(rows)

    def to_arrow(self) -> ArrowTable:
        """All rows as an Arrow table; ids are uint64, instants microseconds in UTC."""
        with typed_query("read the rows"):
            return self._relation.to_arrow_table()

    def to_pandas(self) -> Any:
        """All rows as a pandas DataFrame, ids whole (``UInt64``, with missing values). Raises `ImportError` without
        pandas."""
        return to_pandas(self.to_arrow())

    def to_polars(self) -> Any:
        """All rows as a polars DataFrame. Raises `ImportError` without polars."""
        import polars

        return polars.from_arrow(self.to_arrow())

    def to_cudf(self) -> Any:
        """All rows as a cudf DataFrame, on the device. Raises `ImportError` without cudf."""
        from seg5b.frames.cudf import dataframe_maker

        return dataframe_maker()(self.to_arrow())

    def __repr__(self) -> str:
        return f"Rows({len(self):,} rows, columns {', '.join(self.columns)})"

    def _repr_html_(self) -> str:
        """The first rows as a table, for notebooks."""
        from html import escape

        with typed_query("read the first rows"):
            rows = self._relation.limit(_SHOWN).fetchall()
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in row)}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{len(self):,} rows</p>"


def condition_of(merchants: int | Iterable[int] | None, start: Moment | None, end: Moment | None) -> str:
    """SQL that holds for arrivals of ``merchants`` (None: all) at [``start``, ``end``) (None: no bound). Raises `RunError`
    ``5B.RUN.SELECTION_INVALID``."""
    parts = []
    if merchants is not None:
        several = merchants if isinstance(merchants, Iterable) else [merchants]
        chosen = [each.item() if hasattr(each, "item") else each for each in several]  # numpy's numbers as Python's
        if not chosen or not all(isinstance(each, int) and 0 <= each < 2**64 for each in chosen):
            raise _invalid("merchant", merchants, "is no merchant id, nor several", "use unsigned 64-bit numbers")
        parts.append(f"merchant_id IN ({', '.join(map(str, chosen))})")
    for bound, sign in ((start, ">="), (end, "<")):
        if bound is not None:
            parts.append(f"ts_utc {sign} {literal(_instant(bound))}")
    return " AND ".join(parts)


def _instant(bound: Moment) -> datetime:
    try:
        if isinstance(bound, str):
            bound = datetime.fromisoformat(bound)
        elif not isinstance(bound, datetime):
            bound = datetime.combine(bound, time())
    except (TypeError, ValueError) as cause:
        raise _invalid("start or end", bound, "is no moment", "write 2026-11-27T05:00:00Z, or a day") from cause
    return bound if bound.tzinfo else bound.replace(tzinfo=UTC)


def _invalid(name: str, value: object, what: str, remedy: str) -> RunError:
    return RunError("5B.RUN.SELECTION_INVALID", f"{name}: {shown(value)} {what}", where=name, remedy=remedy)


def _check_columns(columns: Sequence[str], files: Sequence[Path]) -> None:
    known = stored_names(files[0])
    unknown = next((name for name in columns if name not in known), None)
    if unknown is not None:
        what, remedy = f"no column {shown(unknown)}", f"choose among {', '.join(known)}"
        raise RunError("5B.RUN.COLUMN_UNKNOWN", what, where=str(files[0].parent), remedy=remedy)
