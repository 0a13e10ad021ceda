"""What a reader of frames offers: whole columns of Parquet files, as arrays that kernels can take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from seg5b.backends.base import Array
from seg5b.tables.reading import Kind


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Strings as ``codes`` int32 [n], on the backend, into ``values`` on the host. Codes mean something within one
    frame only: the next piece of the same column may number its strings otherwise."""

    codes: Array
    values: tuple[str, ...]


FrameColumns = Mapping[str, Array | TextColumn]


class Frames(Protocol):
    """Reads Parquet into arrays of one backend: uint64, int64, float64, bool, or `TextColumn`, as `Kind` says.

    Errors are those of `seg5b.tables.reading`: `InputError` ``code`` for a file that is not Parquet, a column that is
    missing, does not convert without loss, or holds a null. The same file gives the same values and the same error with every
    reader.
    """

    name: str
    reason: str

    def iterate(self, files: Sequence[Path], kinds: Mapping[str, Kind], *, code: str) -> Iterator[FrameColumns]:
        """Columns piece by piece, in file order; a piece may have any number of rows but none."""

    def rows(
        self, files: Sequence[Path], first: int, stop: int, kinds: Mapping[str, Kind], *, code: str
    ) -> FrameColumns:
        """Rows [first, stop) of one dataset, files in the order given; only the row groups that hold them are read."""


def array(columns: FrameColumns, name: str) -> Array:
    """A column of numbers or flags, by name."""
    column = columns[name]
    assert not isinstance(column, TextColumn)
    return column


def text(columns: FrameColumns, name: str) -> TextColumn:
    """A column of strings, by name."""
    column = columns[name]
    assert isinstance(column, TextColumn)
    return column


def cut(columns: FrameColumns, start: int, stop: int) -> FrameColumns:
    """Rows [start, stop) of all columns, without a copy."""
    return {
        name: TextColumn(column.codes[start:stop], column.values)
        if isinstance(column, TextColumn)
        else column[start:stop]
        for name, column in columns.items()
    }
