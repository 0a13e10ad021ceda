"""Reading a Parquet file stretch by stretch as numpy arrays, nulls apart: for judging files that may hold anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seg5b.errors import InputError
from seg5b.tables.limits import Unreadable, reason
from seg5b.tables.reading import Kind, Text, open_parquet, plain_numbers, text_codes

_ROWS = 1 << 17


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive rows: ``columns`` as `read_columns` gives them, a null being 0, false or code -1; ``nulls`` says where
    they are, bool [n], of each column that has any. A text column whose values are those of the stretch before has the
    very same tuple of them."""

    rows: int
    columns: Mapping[str, np.ndarray | Text]
    nulls: Mapping[str, np.ndarray]

    @property
    def num_rows(self) -> int:
        """``rows``, by the name that Arrow has for it."""
        return self.rows

    def slice(self, offset: int, length: int) -> Stretch:
        """``length`` rows from ``offset`` on."""
        if (offset, length) == (0, self.rows):
            return self
        here = slice(offset, offset + length)
        columns = {
            name: Text(column.codes[here], column.values) if isinstance(column, Text) else column[here]
            for name, column in self.columns.items()
        }
        return Stretch(length, columns, {name: nulls[here] for name, nulls in self.nulls.items()})


def iterate_stretches(
    file: Path,
    kinds: Mapping[str, Kind],
    *,
    optional: Sequence[str] = (),
    groups: Sequence[int] | None = None,
    code: str,
) -> Iterator[Stretch]:
    """Columns of a file in stretches of up to 131,072 rows, in file order, decoded by the calling thread alone.

    ``optional`` columns that the file lacks are left out; ``groups``: only these row groups, None for all. Raises
    `InputError` ``code``: the file is not Parquet or is truncated, a column is missing or does not convert to its kind.
    """
    source = open_parquet(file, kinds, optional=optional, code=code)
    names = [name for name in kinds if name in source.schema_arrow.names]
    known: dict[str, tuple[pa.Array, tuple[str, ...]]] = {}
    try:
        for batch in source.iter_batches(_ROWS, groups, names, use_threads=False):
            yield _stretch(batch, names, kinds, known)
    except Unreadable as cause:
        what, remedy = f"its rows cannot be read: {reason(cause)}", "run the state that writes it again"
        raise InputError(code, what, where=str(file), remedy=remedy) from cause


class Piece(Protocol):
    """Consecutive rows that can be cut: a `Stretch`, or a record batch of Arrow."""

    @property
    def num_rows(self) -> int:
        """How many."""

    def slice(self, offset: int, length: int, /) -> Self:
        """``length`` rows from ``offset`` on."""


AnyPiece = TypeVar("AnyPiece", bound=Piece)


def side_by_side(one: Iterator[AnyPiece], other: Iterator[AnyPiece]) -> Iterator[tuple[AnyPiece, AnyPiece]]:
    """The same rows of two files, which may be laid out in different row groups; ends with the shorter one."""
    first, second = next(one, None), next(other, None)
    while first is not None and second is not None:
        rows = min(first.num_rows, second.num_rows)
        yield first.slice(0, rows), second.slice(0, rows)
        first = first.slice(rows, first.num_rows - rows) if first.num_rows > rows else next(one, None)
        second = second.slice(rows, second.num_rows - rows) if second.num_rows > rows else next(other, None)


def _stretch(
    batch: pa.RecordBatch,
    names: Sequence[str],
    kinds: Mapping[str, Kind],
    known: dict[str, tuple[pa.Array, tuple[str, ...]]],
) -> Stretch:
    columns: dict[str, np.ndarray | Text] = {}
    nulls: dict[str, np.ndarray] = {}
    for name in names:
        column, kind = batch.column(name), kinds[name]
        if column.null_count:
            nulls[name] = np.asarray(pc.is_null(column).to_numpy(zero_copy_only=False))
        columns[name] = _text(column, name, known) if kind is Kind.TEXT else _numbers(column, kind, name)
    return Stretch(batch.num_rows, columns, nulls)


def _numbers(column: pa.Array, kind: Kind, name: str) -> np.ndarray:
    if pa.types.is_null(column.type):
        raise ValueError(f"column {name} holds nothing but nulls")
    try:
        if not column.null_count:
            return plain_numbers(column, kind)
        moment = pa.types.is_timestamp(column.type)
        column = column.cast(pa.timestamp("us")).cast(pa.int64()) if moment else column
        return plain_numbers(column.fill_null(False if pa.types.is_boolean(column.type) else 0), kind)
    except (pa.ArrowException, ValueError) as cause:
        raise ValueError(f"column {name} of type {column.type} does not convert to {kind.value}: {cause}") from cause


def _text(column: pa.Array, name: str, known: dict[str, tuple[pa.Array, tuple[str, ...]]]) -> Text:
    try:
        encoded = text_codes(column)
    except (pa.ArrowException, ValueError) as cause:
        raise ValueError(f"column {name} of type {column.type} does not convert to text: {cause}") from cause
    values = encoded.dictionary
    if name not in known or not values.equals(known[name][0]):
        known[name] = values, tuple(values.to_pylist())
    indices = encoded.indices.fill_null(-1) if encoded.null_count else encoded.indices
    return Text(np.asarray(indices.to_numpy(zero_copy_only=False), np.int32), known[name][1])
