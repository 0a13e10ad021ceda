"""Rows that leave a run: the types and texts in which each format carries them (docs/laws#export-form)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seg5b.tables.columns import STRING
from seg5b.tables.pandas_note import pandas_note
from seg5b.tables.text import Lines, TextColumn, TextForm, constant_text
from seg5b.tables.writer import BOUNDED

RowBatch: TypeAlias = pa.RecordBatch
_ROWS_PER_GROUP = 1 << 20
_ROWS_PER_BATCH = 1 << 16  # that the encoder takes at a time; with bounds of few columns twice as fast as its defaults
PREFIX = "id_"
"""Stands before the digits of an id where readers guess the types of what they read."""


class IdForm(Enum):
    """How unsigned 64-bit numbers leave: as they are; their bits as a signed number; their decimal digits as text; as text that
    no reader takes for a number, `PREFIX` and the digits."""

    UINT64 = "uint64"
    INT64 = "int64"
    STRING = "string"
    PREFIXED = "prefixed"


class Kind(Enum):
    """What a column holds. ``RAW`` are texts of numbers and lists, made for formats that are text themselves."""

    ID = "id"
    INTEGER = "integer"
    FLAG = "flag"
    MOMENT = "moment"
    CLOCK = "wall clock"
    NUMBER = "number"
    TEXT = "text"
    RAW = "raw"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A column of an export. ``constant``: batches do not hold it, every row has ``value``. ``coded``: batches hold its
    texts as codes. ``required``: it has no nulls."""

    name: str
    kind: Kind
    required: bool = False
    constant: bool = False
    coded: bool = False
    value: str | int | None = None


class Sink(Protocol):
    """Takes the rows of one file."""

    def write(self, batch: RowBatch) -> None:
        """Take the next rows."""

    def close(self) -> None:
        """There are no more rows; the stream stays open."""


_STORED = {Kind.TEXT: STRING, Kind.INTEGER: pa.int64(), Kind.FLAG: pa.bool_(), Kind.NUMBER: pa.float64()}
_IDS = {IdForm.UINT64: pa.uint64(), IdForm.INT64: pa.int64(), IdForm.STRING: pa.string(), IdForm.PREFIXED: pa.string()}


class Typed:
    """Batches as a format with types carries them.

    ``sample``: a batch as it comes, for the types of what is carried as it is. ``plain_text``: text without dictionaries.
    """

    def __init__(
        self,
        columns: Sequence[Outgoing],
        ids: IdForm,
        sample: RowBatch,
        metadata: Mapping[str, str],
        *,
        plain_text: bool = False,
    ) -> None:
        self._columns, self._ids = columns, ids
        self._text = pa.string() if plain_text else STRING
        stored = {field.name: field.type for field in sample.schema}
        fields = [pa.field(each.name, self._type(each, stored), not each.required) for each in columns]
        self.schema = pa.schema(fields, {**metadata, **pandas_note(fields)})
        self.dictionary = [each.name for each in columns if each.kind in (Kind.TEXT, Kind.ID)]

    def of(self, batch: RowBatch) -> RowBatch:
        """The batch with its constant columns, in the types of ``schema``."""
        held = iter(batch.columns)
        arrays = []
        for column, field in zip(self._columns, self.schema, strict=True):
            if column.constant:
                arrays.append(_repeated(self._value(column), field.type, batch.num_rows))
                continue
            array = next(held)
            arrays.append((self._id(array) if column.kind is Kind.ID else array).cast(field.type))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def reader(self, batches: Iterator[RowBatch]) -> Any:
        """All batches as one Arrow stream, for libraries that take one."""
        return pa.RecordBatchReader.from_batches(self.schema, map(self.of, batches))

    def table(self, batches: Sequence[RowBatch]) -> Any:
        """Batches as one Arrow table."""
        return pa.Table.from_batches([self.of(batch) for batch in batches], self.schema)

    def _type(self, column: Outgoing, stored: Mapping[str, pa.DataType]) -> pa.DataType:
        if column.kind is Kind.ID:
            return _IDS[self._ids]
        if column.kind is Kind.TEXT:
            return self._text
        return stored[column.name]

    def _value(self, column: Outgoing) -> str | int | None:
        if column.kind is not Kind.ID or column.value is None:
            return column.value
        return self._id(pa.array([column.value], pa.uint64()))[0].as_py()  # type: ignore[no-any-return]

    def _id(self, array: pa.Array) -> pa.Array:
        if self._ids is IdForm.UINT64:
            return array
        if self._ids is IdForm.INT64:
            return array.cast(pa.uint64()).view(pa.int64())
        digits = array.cast(pa.string())
        if self._ids is IdForm.STRING:
            return digits
        return pc.binary_join_element_wise(PREFIX, digits, "")


def _repeated(value: str | int | None, kind: pa.DataType, rows: int) -> pa.Array:
    if pa.types.is_dictionary(kind) and value is not None:
        codes = pa.array(np.zeros(rows, np.int32))
        return pa.DictionaryArray.from_arrays(codes, pa.array([value], pa.string()))
    return pa.repeat(pa.scalar(value, kind), rows) if not pa.types.is_dictionary(kind) else pa.nulls(rows, kind)


def parquet_sink(stream: Any, typed: Typed, compression: str) -> Sink:
    """Rows as a Parquet file, ids and texts dictionary-encoded, everything else plain: encodings that every reader knows. The
    delta form of instants, a third smaller, is read wrong by fastparquet without a word, and not at all by others."""
    writer = pq.ParquetWriter(
        stream,
        typed.schema,
        compression=compression,
        compression_level=1 if compression == "zstd" else None,
        use_dictionary=typed.dictionary or False,
        write_statistics=[name for name in typed.schema.names if name in BOUNDED],
        write_batch_size=_ROWS_PER_BATCH,
    )
    return _TableSink(typed, lambda batch: writer.write_batch(batch, _ROWS_PER_GROUP), writer.close)


def arrow_sink(stream: Any, typed: Typed, compression: str, *, as_stream: bool) -> Sink:
    """Rows as an Arrow IPC file, also called Feather; ``as_stream``: in the form without a footer, for a pipe."""
    options = pa.ipc.IpcWriteOptions(compression=None if compression == "none" else compression)
    writer = (pa.ipc.new_stream if as_stream else pa.ipc.new_file)(stream, typed.schema, options=options)
    return _TableSink(typed, writer.write_batch, writer.close)


class _TableSink:
    def __init__(self, typed: Typed, write: Any, close: Any) -> None:
        self._typed, self._write, self.close = typed, write, close

    def write(self, batch: RowBatch) -> None:
        self._write(self._typed.of(batch))


class TextSink:
    """Rows as lines of text on ``stream``; ``compression`` ``none``, ``gzip`` or ``zstd``. ``envelope``: columns of JSON lines
    that come first, with the others in an object ``data``."""

    def __init__(
        self,
        stream: Any,
        form: TextForm,
        columns: Sequence[Outgoing],
        ids: IdForm,
        compression: str,
        envelope: Sequence[TextColumn] = (),
    ) -> None:
        listed = [_text_column(form, each, ids) for each in columns]
        inner = [replace(each, within="data") for each in listed] if envelope else listed
        self._lines = Lines(form, [*envelope, *inner])
        self._signed = ids is IdForm.INT64
        self._compressed = (
            None if compression == "none" else pa.CompressedOutputStream(_arrow_stream(stream), compression)
        )
        self._stream = self._compressed or stream
        if header := self._lines.header():
            self._stream.write(header)

    def write(self, batch: RowBatch) -> None:
        """Take the next rows."""
        for piece in self._lines.of(_signed(batch) if self._signed else batch):
            self._stream.write(piece)

    def close(self) -> None:
        """Write what the compressor holds back."""
        if self._compressed is not None:
            self._compressed.close()


def _arrow_stream(stream: Any) -> Any:
    return stream if isinstance(stream, pa.NativeFile) else pa.PythonFile(stream, "w")


def _signed(batch: RowBatch) -> RowBatch:
    arrays = [each.view(pa.int64()) if each.type == pa.uint64() else each for each in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _text_column(form: TextForm, column: Outgoing, ids: IdForm) -> TextColumn:
    prefix = PREFIX if column.kind is Kind.ID and ids is IdForm.PREFIXED else ""
    quoted = column.kind in (Kind.MOMENT, Kind.CLOCK)
    if column.kind is Kind.ID:
        quoted = ids in (IdForm.STRING, IdForm.PREFIXED)
    if not column.constant:
        suffix = "Z" if column.kind is Kind.MOMENT else ""
        return TextColumn(column.name, quoted, prefix, suffix, raw=column.kind is Kind.RAW)
    value = column.value
    if column.kind is Kind.ID and isinstance(value, int):
        value = value - (1 << 64) if ids is IdForm.INT64 and value >= 1 << 63 else value
        value = f"{prefix}{value}" if quoted else value
    return TextColumn(column.name, constant=constant_text(form, value))


def split(batch: RowBatch, keys: int) -> Iterator[tuple[tuple[str | None, ...], RowBatch]]:
    """A batch cut where one of its first ``keys`` columns changes: their values as texts, and the rows without them."""
    names = batch.schema.names[keys:]
    rest = pa.RecordBatch.from_arrays(batch.columns[keys:], names=names)
    coded = [each.cast(pa.string()).dictionary_encode("encode") for each in batch.columns[:keys]]
    changes = [np.flatnonzero(np.diff(each.indices.to_numpy())) + 1 for each in coded]
    cuts = np.unique(np.concatenate([[0], *changes, [batch.num_rows]])).astype(int).tolist()
    for start, stop in pairwise(cuts):
        yield tuple(each[start].as_py() for each in coded), rest.slice(start, stop - start)


def no_rows(schema: Any) -> RowBatch:
    """A batch of a schema without rows: files without rows have a header and types too."""
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def even(batches: Iterator[RowBatch], rows: int) -> Iterator[RowBatch]:
    """The same rows in batches of ``rows``, the last one maybe shorter, so that no file shows how they were read."""
    held: list[RowBatch] = []
    count, any_yet = 0, False
    for batch in batches:
        if not batch.num_rows and not any_yet:
            held.append(batch)  # for its types, should there be no rows at all
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, rows - count)
            held.append(piece)
            start, count, any_yet = start + piece.num_rows, count + piece.num_rows, True
            if count == rows:
                yield pa.concat_batches(held)
                held, count = [], 0
    if held:
        yield pa.concat_batches(held)


def instants(array: Any) -> np.ndarray:
    """A column of instants, microseconds since 1970, as int64 [n]."""
    return np.asarray(array.cast(pa.int64()).to_numpy())


def required_columns(file: Any) -> set[str]:
    """Names of the columns of a Parquet file that are declared to have no nulls."""
    return {field.name for field in pq.read_schema(file) if not field.nullable}
