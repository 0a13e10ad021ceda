"""Reading Parquet columns into numpy, with one typed error for everything that can be wrong with them.

Accepted is any stored type that converts without loss to the kind asked for. Nulls are refused. Files may hold anything
(law L16): what the footer declares is checked before a page is decoded, and texts are at most `MOST_TEXT_BYTES` long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seg5b.contracts import dataset_name
from seg5b.errors import InputError, brief
from seg5b.tables.limits import MOST_ROWS, MOST_TEXT_BYTES, Unreadable, reason, schema_fault, size_fault


class Kind(Enum):
    """What a column must hold: ids are uint64, counts and indices int64, numbers finite-checked float64 by the caller,
    texts dictionary codes, moments int64 microseconds since 1970, stored as timestamps, integers, or RFC 3339 text."""

    ID = "uint64"
    INTEGER = "int64"
    NUMBER = "float64"
    FLAG = "bool"
    TEXT = "text"
    MOMENT = "moment"


_RESTORE = "restore the file that upstream wrote"
_INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$"
_ARROW = {
    Kind.ID: pa.uint64(),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.FLAG: pa.bool_(),
    Kind.MOMENT: pa.int64(),
}


@dataclass(frozen=True, slots=True)
class Text:
    """Strings as ``codes`` int32 [n] into ``values``."""

    codes: np.ndarray
    values: tuple[str, ...]

    def strings(self) -> list[str]:
        """The n strings."""
        return [self.values[code] for code in self.codes]


Columns = dict[str, np.ndarray | Text]


def numbers(columns: Columns, name: str) -> np.ndarray:
    """A column of numbers or flags, by name."""
    column = columns[name]
    assert isinstance(column, np.ndarray)
    return column


def text(columns: Columns, name: str) -> Text:
    """A column of strings, by name."""
    column = columns[name]
    assert isinstance(column, Text)
    return column


def column_names(file: Path, *, code: str) -> tuple[str, ...]:
    """Column names of a Parquet file. Raises `InputError` ``code`` when it is not one."""
    return tuple(_open(file, code).schema_arrow.names)


def zones_of_instants(file: Path, *, code: str) -> dict[str, str | None]:
    """The zone in which readers show each column of instants, by column; None for wall clocks. Raises `InputError` ``code``."""
    kinds = {field.name: field.type for field in _open(file, code).schema_arrow}
    return {name: kind.tz for name, kind in kinds.items() if pa.types.is_timestamp(kind)}


def row_count(files: Sequence[Path], *, code: str) -> int:
    """Rows of several Parquet files, from their footers. Raises `InputError` ``code``."""
    return sum(int(_open(file, code).metadata.num_rows) for file in files)


def read_columns(files: Sequence[Path], kinds: Mapping[str, Kind], *, code: str) -> Columns:
    """Whole columns of one dataset, files in the order given.

    Raises `InputError` ``code``: a file is not Parquet or is truncated, a column is missing, does not convert, or holds
    a null.
    """
    sources = [_open(file, code, kinds) for file in files]
    rows = sum(source.metadata.num_rows for source in sources)
    if rows > MOST_ROWS:
        what = f"{rows} rows are more than the {MOST_ROWS} that are read at once"
        raise InputError(code, what, where=dataset_name(files), remedy=_RESTORE)
    pieces = [_read_all(source, file, kinds, code) for source, file in zip(sources, files, strict=True)]
    table = pa.concat_tables(pieces, promote_options="permissive") if len(pieces) > 1 else pieces[0]
    return {name: _numpy(table.column(name), kind, name, str(files[0]), code) for name, kind in kinds.items()}


def iterate_columns(files: Sequence[Path], kinds: Mapping[str, Kind], *, code: str) -> Iterator[Columns]:
    """The same columns piece by piece, about a row group at a time, in file order. Errors as `read_columns`."""
    for file in files:
        source = _open(file, code, kinds)
        try:
            batches = source.iter_batches(batch_size=1 << 20, columns=list(kinds), use_threads=True)
            for batch in batches:
                yield {name: _numpy(batch.column(name), kind, name, str(file), code) for name, kind in kinds.items()}
        except Unreadable as cause:
            raise _damaged(file, cause, code) from cause


def read_span(files: Sequence[Path], first: int, stop: int, kinds: Mapping[str, Kind], *, code: str) -> Columns:
    """Rows [first, stop) of one dataset, files in the order given; only the row groups that hold them are decoded.

    Raises `InputError` ``code`` as `read_columns`, and where the dataset has fewer rows.
    """
    sources = [_open(file, code, kinds) for file in files]
    rows = [source.metadata.num_rows for source in sources]
    if stop > sum(rows):
        what = f"rows {first}..{stop - 1} were wanted, there are {sum(rows)}"
        raise InputError(code, what, where=dataset_name(files), remedy="run the state that writes it again")
    tables = []
    spans = spans_of_files(rows, first, stop)
    for number, start, end in spans:
        groups, offset = groups_of_span(_group_rows(sources[number].metadata), start, end)
        try:
            table = sources[number].read_row_groups(groups, columns=list(kinds)).slice(offset, end - start)
        except Unreadable as cause:
            raise _damaged(files[number], cause, code) from cause
        for name in kinds:
            _refuse_nulls(table.column(name), name, str(files[number]), code)
        tables.append(table)
    table = pa.concat_tables(tables, promote_options="permissive") if len(tables) > 1 else tables[0]
    where = str(files[spans[0][0]])
    return {name: _numpy(table.column(name), kind, name, where, code) for name, kind in kinds.items()}


def spans_of_files(file_rows: Sequence[int], first: int, stop: int) -> list[tuple[int, int, int]]:
    """(file, first, stop) of each file that holds some of the rows [first, stop) of a dataset, rows counted within the
    file; for no rows at all one empty span. ``file_rows``: rows of each file."""
    starts = [0, *accumulate(file_rows)]
    spans = [
        (number, max(first - start, 0), min(stop, end) - start)
        for number, (start, end) in enumerate(pairwise(starts))
        if max(first, start) < min(stop, end)
    ]
    return spans or [(0, 0, 0)]


@dataclass(frozen=True, slots=True)
class FileLayout:
    """``group_rows``: rows of each row group. ``widens``: every column asked for is stored as its kind, or in a narrower
    type of the same family, so that no value can fail to convert."""

    group_rows: tuple[int, ...]
    widens: bool


def file_layout(file: Path, kinds: Mapping[str, Kind], *, code: str) -> FileLayout:
    """How the columns lie in a file, from its footer. Raises `InputError` ``code`` as `read_columns`, nulls apart."""
    source = _open(file, code, kinds)
    schema = source.schema_arrow
    fields = {name: schema.get_all_field_indices(name) for name in kinds}
    widens = all(len(at) == 1 and _widens(schema.field(at[0]).type, kinds[name]) for name, at in fields.items())
    return FileLayout(_group_rows(source.metadata), widens)


def groups_of_span(group_rows: Sequence[int], first: int, stop: int) -> tuple[list[int], int]:
    """Row groups that hold rows [first, stop), and how many rows of the first of them come before ``first``."""
    starts = np.cumsum([0, *group_rows])
    low, high = int(np.searchsorted(starts, first, side="right")) - 1, int(np.searchsorted(starts, stop, side="left"))
    return list(range(low, high)), first - int(starts[low])


def _group_rows(metadata: pq.FileMetaData) -> tuple[int, ...]:
    return tuple(metadata.row_group(k).num_rows for k in range(metadata.num_row_groups))


def _widens(stored: pa.DataType, kind: Kind) -> bool:
    if kind is Kind.TEXT:
        return _is_text(stored)
    if kind is Kind.MOMENT:
        return bool(pa.types.is_timestamp(stored) and stored.unit == "us")
    if kind is Kind.ID:
        return bool(pa.types.is_unsigned_integer(stored))
    if kind is Kind.INTEGER:
        return bool(pa.types.is_integer(stored) and stored != pa.uint64())
    if kind is Kind.NUMBER:
        return bool(pa.types.is_float32(stored) or pa.types.is_float64(stored))
    return bool(pa.types.is_boolean(stored))


def _open(file: Path, code: str, kinds: Mapping[str, Kind] | None = None) -> pq.ParquetFile:
    return open_parquet(file, kinds or {}, code=code)


def open_parquet(file: Path, wanted: Mapping[str, Kind], *, optional: Sequence[str] = (), code: str) -> pq.ParquetFile:
    """A Parquet file that has the columns ``wanted``, each once and of a plain type, texts read as codes. Raises `InputError`
    ``code``, also for a column of texts whose declared size is beyond `MOST_TEXT_BYTES` for each value."""
    try:
        metadata = pq.read_metadata(file)
        schema = metadata.schema.to_arrow_schema()
        problem = schema_fault(schema, wanted, optional) or size_fault(metadata, _texts(wanted))
        if not problem:
            options = {"page_checksum_verification": True, "pre_buffer": True}
            texts = [name for name in _texts(wanted) if name in schema.names]
            return pq.ParquetFile(file, metadata=metadata, read_dictionary=texts, **options)
    except Unreadable as cause:
        raise _damaged(file, cause, code) from cause
    raise InputError(code, problem, where=str(file), remedy=_RESTORE)


def _texts(kinds: Mapping[str, Kind]) -> list[str]:
    return [name for name, kind in kinds.items() if kind is Kind.TEXT]


def _read_all(source: pq.ParquetFile, file: Path, kinds: Mapping[str, Kind], code: str) -> pa.Table:
    try:
        return source.read(columns=list(kinds))
    except Unreadable as cause:
        raise _damaged(file, cause, code) from cause


def _damaged(file: Path, cause: Exception, code: str) -> InputError:
    return InputError(code, f"not a readable Parquet file: {reason(cause)}", where=str(file), remedy=_RESTORE)


def _refuse_nulls(column: pa.Array | pa.ChunkedArray, name: str, where: str, code: str) -> None:
    if column.null_count:
        raise InputError(
            code, f"column {name} holds {column.null_count} nulls", where=where, remedy="upstream must not write nulls"
        )


def _numpy(column: pa.Array | pa.ChunkedArray, kind: Kind, name: str, where: str, code: str) -> np.ndarray | Text:
    _refuse_nulls(column, name, where, code)
    try:
        return _converted(column, kind)
    except Unreadable as cause:
        raise InputError(
            code,
            f"column {name} of type {brief(str(column.type))} does not convert to {kind.value}: {reason(cause)}",
            where=where,
            remedy="restore the type that the contract declares",
        ) from cause


def _converted(column: pa.Array | pa.ChunkedArray, kind: Kind) -> np.ndarray | Text:
    if isinstance(column, pa.ChunkedArray):
        for chunk in column.chunks:  # joining them follows the codes
            _check_codes(chunk)
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if isinstance(column, pa.ChunkedArray):  # a dictionary column without rows
            column = column.unify_dictionaries().chunk(0) if column.num_chunks else pa.array([], column.type)
    return _text(column) if kind is Kind.TEXT else plain_numbers(column, kind)


def plain_numbers(column: pa.Array, kind: Kind) -> np.ndarray:
    """A column without nulls as numbers of its kind. Raises `ValueError`, `pa.ArrowException`."""
    if kind is Kind.MOMENT:
        column = _instants(column) if _is_text(column.type) else column
        column = column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column
    elif kind is not Kind.FLAG and not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise ValueError("not a number")
    elif kind in (Kind.ID, Kind.INTEGER) and not pa.types.is_integer(column.type):
        raise ValueError("not an integer")
    converted = column if column.type == _ARROW[kind] else column.cast(_ARROW[kind])
    return np.asarray(converted.to_numpy(zero_copy_only=False))


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))


def _instants(column: pa.Array) -> pa.Array:
    """Texts of RFC 3339 in UTC with microseconds, as other engines write instants, as timestamps. Raises `ValueError` for
    another form, and for a date that there is not."""
    texts = text_codes(column)
    known = texts.dictionary.cast(pa.string())
    if not pc.all(pc.match_substring_regex(known, _INSTANT), min_count=0).as_py():
        raise ValueError("not an instant YYYY-MM-DDThh:mm:ss.ffffffZ")
    return known.cast(pa.timestamp("us", tz="UTC")).take(texts.indices)


def _text(column: pa.Array) -> Text:
    column = text_codes(column)
    codes = np.asarray(column.indices.to_numpy(zero_copy_only=False), np.int32)
    return Text(codes, tuple(column.dictionary.to_pylist()))


def text_codes(column: pa.Array) -> pa.DictionaryArray:
    """A column of strings, dictionary-encoded. Raises `ValueError` for another type, for a text longer than
    `MOST_TEXT_BYTES` and for one that is not UTF-8."""
    if not _is_text(column.type):
        raise ValueError("not a text")
    column = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    values = column.dictionary
    if values.null_count:
        raise ValueError("not a text")
    longest = pc.max(pc.binary_length(values)).as_py() or 0
    if longest > MOST_TEXT_BYTES:
        raise ValueError(f"a text of {longest} bytes, more than {MOST_TEXT_BYTES}")
    _check_codes(column)
    return column


def _check_codes(column: pa.Array) -> None:
    """pyarrow hands the codes of a damaged page on as they are. Raises `ValueError`."""
    if pa.types.is_dictionary(column.type):
        codes = pc.min_max(column.indices).as_py()
        if codes["min"] is not None and not 0 <= codes["min"] <= codes["max"] < len(column.dictionary):
            raise ValueError(f"codes {codes['min']}..{codes['max']} of {len(column.dictionary)} texts")


def read_rows(files: Sequence[Path], kinds: Mapping[str, Kind], *, code: str) -> list[tuple[Any, ...]]:
    """Rows of a small table as Python values, nulls as None. Raises `InputError` ``code`` as `read_columns`."""
    rows: list[tuple[Any, ...]] = []
    for file in files:
        table = _read_all(_open(file, code, kinds), file, kinds, code)
        columns = (_values(table.column(name), kind, name, str(file), code) for name, kind in kinds.items())
        rows += zip(*columns, strict=True)
    return rows


def _values(column: pa.ChunkedArray, kind: Kind, name: str, where: str, code: str) -> list[Any]:
    """A column as Python values of its kind, nulls as None."""
    valid = _numpy(column.drop_null(), kind, name, where, code)
    found = iter(valid.strings() if isinstance(valid, Text) else valid.tolist())
    return [next(found) if known else None for known in column.is_valid().to_pylist()]
