"""Rows of a table as records: JSON lines whose keys are the columns, or the table itself in Parquet (docs/laws#rng-events).

A record is its row less what is null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from seg5b.errors import Seg5bError
from seg5b.foreign_json import parse_json
from seg5b.tables.columns import Column, Constant, arrow_array
from seg5b.tables.text import Lines, TextColumn, TextForm, constant_text
from seg5b.tables.writer import RowGroupWriter, TableFormat

LINES, PARQUET = "jsonl", "parquet"
"""Forms of records, and what their files are called."""


class RecordSink(Protocol):
    """Takes the rows of one file."""

    def append(self, columns: Mapping[str, Column], rows: int) -> None:
        """Take ``rows`` rows."""

    def cut(self) -> None:
        """Constants and codes of the rows to come may be others than before."""


class LineSink:
    """Writes rows as JSON lines to a stream of bytes: keys in the order of the columns, nothing between them, none for a
    column without values. What is the same in every row is spelled once."""

    def __init__(self, stream: Any, form: TableFormat) -> None:
        self._stream, self._form = stream, form
        self._lines: Lines | None = None

    def append(self, columns: Mapping[str, Column], rows: int) -> None:
        """Take ``rows`` rows, whose constants are those of the rows before, back to `cut`."""
        varying = [field for field in self._form.schema if not isinstance(columns[field.name], Constant)]
        lines = self._lines = self._lines or Lines(TextForm.JSONL, self._text_columns(columns))
        arrays = [arrow_array(columns[field.name], field.type, rows) for field in varying]
        for piece in lines.of(pa.RecordBatch.from_arrays(arrays, schema=pa.schema(varying))):
            self._stream.write(piece)

    def cut(self) -> None:
        """Constants and codes of the rows to come may be others than before."""
        self._lines = None

    def _text_columns(self, columns: Mapping[str, Column]) -> list[TextColumn]:
        found = []
        for name in self._form.schema.names:
            column = columns[name]
            if not isinstance(column, Constant):
                found.append(TextColumn(name))
            elif column.value is not None:
                found.append(TextColumn(name, constant=constant_text(TextForm.JSONL, column.value)))
        return found


@contextmanager
def record_sink(stream: Any, kind: str, form: TableFormat, metadata: Mapping[str, str]) -> Iterator[RecordSink]:
    """What writes records of ``form`` to a stream of bytes, as `LINES` or as `PARQUET`, whose footer states ``metadata``.
    The same rows, cut alike, give the same bytes whatever the size of the pieces. The stream stays open."""
    if kind == LINES:
        yield LineSink(stream, form)
        return
    with RowGroupWriter(_Kept(stream), form, metadata) as writer:
        yield writer


class _Kept:
    """A stream whose closing is left to its owner."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.closed = False

    def write(self, piece: Any) -> int:
        return int(self._stream.write(piece))

    def tell(self) -> int:
        return int(self._stream.tell())

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


def read_records(file: Path, *, code: str, error: type[Seg5bError], first: int, step: int) -> Iterator[tuple[int, Any]]:
    """(row, record) of the first rows of a file, and of every ``step``-th behind them. ``file`` is of the form that its name
    ends in. Raises ``error`` ``code`` for a file that cannot be read, or a line that is no JSON."""
    reading = _parquet_records if file.suffix == f".{PARQUET}" else _line_records
    try:
        yield from reading(file, first, step)
    except (OSError, ValueError, pa.ArrowException) as cause:
        raise error(code, f"cannot be read: {cause}", where=file.name, remedy="restore it, or make it again") from cause


def _wanted(row: int, first: int, step: int) -> bool:
    return row < first or not (row - first) % step


def _line_records(file: Path, first: int, step: int) -> Iterator[tuple[int, Any]]:
    with file.open("rb") as lines:
        for row, line in enumerate(lines):
            if _wanted(row, first, step):
                yield row, parse_json(line)


def _parquet_records(file: Path, first: int, step: int) -> Iterator[tuple[int, Any]]:
    row = 0
    with pq.ParquetFile(file) as source:
        for batch in source.iter_batches():
            chosen = [place for place in range(batch.num_rows) if _wanted(row + place, first, step)]
            for place, record in zip(chosen, batch.take(pa.array(chosen, pa.int64())).to_pylist(), strict=True):
                yield row + place, {name: value for name, value in record.items() if value is not None}
            row += batch.num_rows
