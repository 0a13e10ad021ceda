"""Datasets as text: the row form of the contracts, as CSV or JSON lines (law L8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import dataset_files
from seg5b.errors import RunError
from seg5b.query import identifier, literal, open_database, parquet, row_value

FORMATS = {"csv": "FORMAT csv, HEADER true", "jsonl": "FORMAT json, ARRAY false"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows and columns: ``merchants`` (none: all), ``columns`` (none: all), at most ``limit`` rows (0: all)."""

    merchants: Sequence[int] = ()
    columns: Sequence[str] = ()
    limit: int = 0


def export_text(source: Path, target: Path, form: str, selection: Selection, scratch: Path) -> int:
    """Write a Parquet file or folder as text, rows in dataset order; returns how many.

    Instants become RFC 3339 with microseconds and ``Z``, wall clocks the same without suffix, as the reference engine's
    string columns. The target appears only when it is whole. Raises `RunError` ``5B.EXPORT.DATASET_MISSING``,
    ``5B.EXPORT.COLUMN_UNKNOWN``; `InputError` ``5B.QUERY.FAILED``, and ``5B.EXPORT.DATASET_INCOMPLETE`` as `dataset_files`.
    """
    files = dataset_files(source, code="5B.EXPORT.DATASET_INCOMPLETE")
    if not files or not files[0].exists():
        raise RunError(
            "5B.EXPORT.DATASET_MISSING", "nothing is published there", where=str(source), remedy="run the state first"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    with open_database(2.0, None, scratch) as database:
        kinds = {name: kind for name, kind, *_ in database.rows(f"DESCRIBE SELECT * FROM {parquet(files)}")}
        chosen = list(selection.columns) or list(kinds)
        unknown = [name for name in chosen if name not in kinds]
        if unknown:
            raise RunError(
                "5B.EXPORT.COLUMN_UNKNOWN",
                f"no column {', '.join(unknown)}",
                where=str(source),
                remedy=f"choose among {', '.join(kinds)}",
            )
        listed = ", ".join(f"{row_value(name, kinds[name])} AS {identifier(name)}" for name in chosen)
        where = f" WHERE merchant_id IN ({', '.join(map(str, selection.merchants))})" if selection.merchants else ""
        limit = f" LIMIT {selection.limit}" if selection.limit else ""
        query = f"SELECT {listed} FROM {parquet(files)}{where}{limit}"
        try:
            database.run(f"COPY ({query}) TO {literal(str(partial))} ({FORMATS[form]})")
            (rows,) = database.row(f"SELECT count(*) FROM ({query})")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return int(rows)
