"""From numpy to Arrow columns without copying row by row.

A column of a table is handed over as a numpy array, or as one of the small records here where an array alone does not
say what it means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

STRING = pa.dictionary(pa.int32(), pa.string())
UTC_MICROS = pa.timestamp("us", tz="UTC")
LOCAL_MICROS = pa.timestamp("us")


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value in every row; null if ``value`` is None."""

    value: Any


@dataclass(frozen=True, slots=True)
class Coded:
    """Strings as codes: row r holds ``values[codes[r]]``, null where the code is negative; ``codes`` int [n]."""

    codes: np.ndarray | Repeated
    values: pa.Array


@dataclass(frozen=True, slots=True)
class Masked:
    """Numbers with nulls: row r is null where ``valid[r]`` is 0; ``valid`` uint8 or bool [n]."""

    numbers: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True, slots=True)
class Moments:
    """Instants or wall clocks: ``micros`` int64 [n], microseconds since 1970."""

    micros: np.ndarray


@dataclass(frozen=True, slots=True)
class Repeated:
    """Numbers in runs: row r holds ``values[(first + r) // each]``. Spelled out piece by piece, where it is encoded."""

    values: np.ndarray
    each: int
    first: int = 0

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop)."""
        start, stop = start + self.first, stop + self.first
        low = start // self.each
        runs = np.repeat(self.values[low : -(-stop // self.each)], self.each)
        return runs[start - low * self.each : stop - low * self.each]


@dataclass(frozen=True, slots=True)
class Cycled:
    """0 .. length - 1 over and over: row r holds (first + r) % length, int64. Spelled out like `Repeated`."""

    length: int
    first: int = 0

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop)."""
        shift = (self.first + start) % self.length
        turns = -(-(shift + stop - start) // self.length)
        return np.tile(np.arange(self.length, dtype=np.int64), turns)[shift : shift + stop - start]


Column = np.ndarray | Constant | Coded | Masked | Moments | Repeated | Cycled


def arrow_array(column: Column, kind: pa.DataType, rows: int) -> pa.Array:
    """The column as an Arrow array of type ``kind`` with ``rows`` rows. Numpy buffers are shared where types allow."""
    if isinstance(column, Constant):
        return _constant(column.value, kind, rows)
    if isinstance(column, Repeated | Cycled):
        column = column.rows(0, rows)
    if isinstance(column, Coded):
        codes = np.asarray(column.codes.rows(0, rows) if isinstance(column.codes, Repeated) else column.codes, np.int32)
        codes = pa.array(codes, mask=codes < 0 if (codes < 0).any() else None)
        return pa.DictionaryArray.from_arrays(codes, column.values)
    if isinstance(column, Masked):
        bits = pa.py_buffer(np.packbits(np.asarray(column.valid, bool), bitorder="little"))
        return pa.Array.from_buffers(kind, rows, [bits, pa.py_buffer(np.ascontiguousarray(column.numbers))])
    if isinstance(column, Moments):
        micros = np.ascontiguousarray(column.micros, np.int64)
        return pa.Array.from_buffers(kind, rows, [None, pa.py_buffer(micros)])
    if pa.types.is_boolean(kind):
        bits = pa.py_buffer(np.packbits(np.asarray(column, bool), bitorder="little"))
        return pa.Array.from_buffers(kind, rows, [None, bits])
    return pa.array(column, kind)


def _constant(value: Any, kind: pa.DataType, rows: int) -> pa.Array:
    if value is None:
        return pa.nulls(rows, kind)
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value], pa.string()))
    return pa.repeat(pa.scalar(value, kind), rows)


def text_values(values: Sequence[str]) -> pa.Array:
    """Strings as the ``values`` of a `Coded` column."""
    return pa.array(list(values), pa.string())
