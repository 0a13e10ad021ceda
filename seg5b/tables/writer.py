"""Writing Parquet with equal bytes for equal rows (law L8).

Row groups are cut at fixed row counts whatever the size of the pieces handed in; Arrow encodes on the host. Keys and
strings are dictionary-encoded, integers and times delta-packed, floats plain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from seg5b._version import __version__
from seg5b.parallel import Pool
from seg5b.runs.identity import RunIdentity
from seg5b.tables.columns import Coded, Column, Constant, Cycled, Masked, Moments, Repeated, arrow_array
from seg5b.tables.pandas_note import pandas_note
from seg5b.timers import Timers

# Columns whose bounds per row group let readers skip; of all columns they would cost a quarter of the encoding.
BOUNDED = ("merchant_id", "bucket_index", "arrival_seq", "ts_utc", "bucket_start_utc", "group_id")
_BATCH_ROWS = 1 << 16  # rows the encoder takes at a time: measured faster than its default of 1,024

RNG_LAW = "philox2x64-10/5B.rng.v1"


@dataclass(frozen=True, slots=True)
class TableFormat:
    """How one dataset lies on disk.

    ``schema``: Arrow types in column order. ``dictionary``: numeric columns with few distinct values per row group
    (ids); strings always are. ``compressed``: columns worth zstd (level 1). ``rows_per_group``: where row groups are
    cut.
    """

    schema: pa.Schema
    dictionary: tuple[str, ...] = ()
    compressed: tuple[str, ...] = ()
    rows_per_group: int = 1 << 20

    def without(self, *names: str) -> TableFormat:
        """The format less some optional columns."""
        kept = pa.schema([field for field in self.schema if field.name not in names])
        return replace(self, schema=kept)


POLICIES_DIGEST = "policies_digest"
"""Key of `file_metadata` for the digest of the sealed policies that a file follows from (`seg5b.gate.Gate.policies_digest`): it
tells draws of one identity apart that a changed policy made different. Files of release 0.1.0 have none."""


def file_metadata(identity: RunIdentity, **facts: str) -> dict[str, str]:
    """Key-value metadata of a data file: what data depends on, never ``run_id`` (it must not change bytes)."""
    return {
        "seg5b.code_version": __version__,
        "seg5b.seed": str(identity.seed),
        "seg5b.parameter_hash": identity.parameter_hash,
        "seg5b.manifest_fingerprint": identity.manifest_fingerprint,
        "seg5b.rng_law": RNG_LAW,
        **{f"seg5b.{name}": value for name, value in facts.items()},
    }


def _encodings(form: TableFormat) -> tuple[list[str], dict[str, str]]:
    dictionary, delta = [], {}
    for field in form.schema:
        if pa.types.is_dictionary(field.type) or field.name in form.dictionary:
            dictionary.append(field.name)
        elif pa.types.is_integer(field.type) or pa.types.is_timestamp(field.type):
            delta[field.name] = "DELTA_BINARY_PACKED"
    return dictionary, delta


class ByteSink(Protocol):
    """Takes the bytes of a file, in order, in place of a path."""

    closed: bool

    def write(self, piece: Any) -> int:
        """Take the next bytes; returns how many."""

    def flush(self) -> None:
        """Let nothing wait."""

    def close(self) -> None:
        """There is no more to come."""


class RowGroupWriter:
    """Writes one file, row group by row group, to a path or a sink of bytes.

    `append` takes pieces of any size and cuts them at ``rows_per_group``; `write_group` writes one row group as it
    is. Use as a context manager; `close` flushes what is left.
    """

    def __init__(self, path: Path | ByteSink, form: TableFormat, metadata: Mapping[str, str]) -> None:
        dictionary, delta = _encodings(form)
        self.rows = 0
        self._form = form
        self._pending: dict[str, list[Column]] = {}
        self._pending_rows = 0
        self._writer = pq.ParquetWriter(
            path,
            form.schema.with_metadata({**metadata, **pandas_note(form.schema)}),
            use_dictionary=dictionary or False,
            column_encoding=delta or None,
            compression={field.name: "ZSTD" if field.name in form.compressed else "NONE" for field in form.schema},
            compression_level=dict.fromkeys(form.compressed, 1) or None,
            write_statistics=[field.name for field in form.schema if field.name in BOUNDED],
            write_batch_size=_BATCH_ROWS,
            write_page_checksum=True,
            data_page_version="1.0",
        )

    def __enter__(self) -> RowGroupWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        with suppress(pa.ArrowException, OSError):  # the first failure is the one to report
            self._writer.close()

    def write_group(self, columns: Mapping[str, Column], rows: int) -> None:
        """Encode one row group of ``rows`` rows."""
        arrays = [arrow_array(columns[field.name], field.type, rows) for field in self._form.schema]
        table = pa.Table.from_arrays(arrays, schema=self._form.schema)
        self._writer.write_table(table, row_group_size=max(rows, 1))
        self.rows += rows

    def append(self, columns: Mapping[str, Column], rows: int) -> None:
        """Add ``rows`` rows; whole row groups are written, the rest is kept."""
        start = 0
        limit = self._form.rows_per_group
        while self._pending_rows + rows - start >= limit:
            stop = start + limit - self._pending_rows
            self._keep(columns, start, stop)
            self._flush()
            start = stop
        if start < rows:
            self._keep(columns, start, rows)

    def cut(self) -> None:
        """End the row group here: what is appended from now on may have other constants and codes."""
        if self._pending_rows:
            self._flush()

    def close(self) -> None:
        """Write what is pending and the footer."""
        if self._pending_rows or not self.rows:
            self._flush()
        self._writer.close()

    def _keep(self, columns: Mapping[str, Column], start: int, stop: int) -> None:
        for field in self._form.schema:
            self._pending.setdefault(field.name, []).append(_cut(columns[field.name], start, stop))
        self._pending_rows += stop - start

    def _flush(self) -> None:
        if not self._pending:
            self._writer.write_table(self._form.schema.empty_table())
            return
        pending, rows = self._pending, self._pending_rows
        self._pending, self._pending_rows = {}, 0
        self.write_group({name: _joined(pieces) for name, pieces in pending.items()}, rows)


class BackgroundWriter:
    """A `RowGroupWriter` that encodes in a thread of its own, so that the next rows are read and computed meanwhile.

    Rows are encoded in the order in which they were appended, so the file is the same. ``waiting`` pieces may wait;
    `append` blocks while more would. Arrays handed in are shared, not copied: they must not change any more. What goes
    wrong in the thread is raised, as it was, by the next `append` or at the end. Use as a context manager; leaving it
    by an exception gives up what waits. Encoding is timed in the lane ``encode`` of ``timers``.
    """

    def __init__(
        self,
        path: Path | ByteSink,
        form: TableFormat,
        metadata: Mapping[str, str],
        waiting: int = 1,
        *,
        timers: Timers | None = None,
    ) -> None:
        self._writer = RowGroupWriter(path, form, metadata)
        self._timers = timers or Timers()
        self._limit = waiting + 1  # one is being encoded
        self._thread = Pool(1, "seg5b-encode")
        self._asked: deque[Future[None]] = deque()
        self._failed = False

    def __enter__(self) -> BackgroundWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while self._asked and kind is None:
                self._thread.result(self._asked.popleft())
        except BaseException as failure:
            self._thread.shutdown(cancel_futures=True)
            self._writer.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._thread.shutdown(cancel_futures=True)
        with self._timers.lane("encode"):
            self._writer.__exit__(kind, error, trace)

    def append(self, columns: Mapping[str, Column], rows: int) -> None:
        """Have ``rows`` rows encoded, see `RowGroupWriter.append`."""
        while len(self._asked) >= self._limit or (self._asked and self._asked[0].done()):
            self._thread.result(self._asked.popleft())
        self._asked.append(self._thread.submit(self._encode, columns, rows))

    def _encode(self, columns: Mapping[str, Column], rows: int) -> None:
        if self._failed:  # what waits behind a failure is not written
            return
        self._failed = True
        with self._timers.lane("encode"):
            self._writer.append(columns, rows)
        self._failed = False


def _cut(column: Column, start: int, stop: int) -> Column:
    if isinstance(column, Constant):
        return column
    if isinstance(column, Repeated | Cycled):
        return column.rows(start, stop)
    if isinstance(column, Coded):
        codes = column.codes
        return Coded(codes.rows(start, stop) if isinstance(codes, Repeated) else codes[start:stop], column.values)
    if isinstance(column, Masked):
        return Masked(column.numbers[start:stop], column.valid[start:stop])
    if isinstance(column, Moments):
        return Moments(column.micros[start:stop])
    return column[start:stop]


def _joined(pieces: list[Column]) -> Column:
    """One column of consecutive pieces, all cut from columns of one kind."""
    first = pieces[0]
    if len(pieces) == 1 or isinstance(first, Constant):
        return first
    if isinstance(first, Coded):
        return Coded(_end_to_end(pieces, "codes"), first.values)
    if isinstance(first, Masked):
        return Masked(_end_to_end(pieces, "numbers"), _end_to_end(pieces, "valid"))
    if isinstance(first, Moments):
        return Moments(_end_to_end(pieces, "micros"))
    return np.concatenate([np.asarray(piece) for piece in pieces])


def _end_to_end(pieces: list[Column], part: str) -> np.ndarray:
    return np.concatenate([getattr(piece, part) for piece in pieces])


def write_table(
    path: Path, form: TableFormat, columns: Mapping[str, Column], rows: int, metadata: Mapping[str, str]
) -> None:
    """Write a whole table that fits in memory."""
    with RowGroupWriter(path, form, metadata) as writer:
        writer.append(columns, rows)
