"""From batches of Arrow columns to lines of text: what is looked up once for a column, and the arrays that the loop takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seg5b.errors import InputError
from seg5b.tables.text.loop import LONGEST_NUMBER, MOMENT, SIGNED, TEXT, UNSIGNED, write_moments, write_rows

_FIRST_MICROS = int(np.datetime64("0001-01-01", "us").astype(np.int64))
_END_MICROS = int(np.datetime64("9999-12-31T23:59:59.999999", "us").astype(np.int64))
_BLOCK_BYTES = 1 << 19
_NO_DAY = -(1 << 62)
_BYTES = np.zeros(0, np.uint8)


class TextForm(Enum):
    """How a row is written."""

    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column and how its values stand in a line.

    ``quoted``: between quotation marks. ``prefix`` stands before each value, ``suffix`` behind it. ``raw``: a text that is
    written as it is, a number in words for example. ``constant``: the same text, already in its final form, in every row; then
    batches do not hold the column. In JSON, the last columns may lie ``within`` an object of that name, and one that is
    ``joined`` goes on with the value of the column before it.
    """

    name: str
    quoted: bool = False
    prefix: str = ""
    suffix: str = ""
    raw: bool = False
    constant: str | None = None
    within: str = ""
    joined: bool = False


@dataclass(frozen=True, slots=True)
class _Values:
    """One column of a batch, ready for the loop: ``numbers`` int64 [n], ``valid`` uint8 [n], and for texts ``pool`` uint8 with
    ``ends`` int64 [k + 1]."""

    kind: int
    numbers: np.ndarray
    valid: np.ndarray
    pool: np.ndarray
    ends: np.ndarray

    def longest(self) -> int:
        """At most so many bytes are written for a row."""
        if self.kind != TEXT:
            return LONGEST_NUMBER
        return int(np.diff(self.ends).max(initial=0))


class Lines:
    """Batches of ``columns`` as lines of ``form``. Batches hold the columns that are not constant, in that order."""

    def __init__(self, form: TextForm, columns: Sequence[TextColumn]) -> None:
        self._form = form
        self._columns = columns
        self._varying = [column for column in columns if column.constant is None]
        pieces = [piece.encode() for piece in _pieces(form, columns)]
        self._literals = np.frombuffer(b"".join(pieces), np.uint8)
        self._ends = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
        self._spelled: dict[str, tuple[pa.Array, _Values]] = {}

    def header(self) -> bytes:
        """What stands before the first row."""
        if self._form is TextForm.JSONL:
            return b""
        return (",".join(_csv_text(column.name) for column in self._columns) + "\n").encode()

    def of(self, batch: pa.RecordBatch) -> Iterator[memoryview]:
        """The lines of a batch, in pieces that stay in the processor's cache: each is to be used before the next is asked for.
        Raises `InputError` ``5B.EXPORT.MOMENT_OUT_OF_RANGE`` for a year that has no four digits."""
        rows = batch.num_rows
        found = [self._values(column, array) for column, array in zip(self._varying, batch.columns, strict=True)]
        kinds = np.array([each.kind for each in found], np.int64)
        values = np.array([each.numbers for each in found], np.int64).reshape(len(found), rows)
        valid = np.array([each.valid for each in found], np.uint8).reshape(len(found), rows)
        pool, ends, bases = _one_pool(found)
        longest = int(self._ends[-1]) + sum(each.longest() for each in found)
        days, dates = np.full((len(found), 1), _NO_DAY, np.int64), np.zeros((len(found), 10), np.uint8)
        table = kinds, values, valid, self._literals, self._ends, pool, ends, bases, days, dates
        step = max(1, _BLOCK_BYTES // longest)
        out = np.empty(step * longest, np.uint8)
        for start in range(0, rows, step):
            yield memoryview(out.data)[: write_rows(*table, out, start, min(start + step, rows))]

    def _values(self, column: TextColumn, array: pa.Array) -> _Values:
        kind, none = array.type, np.zeros(1, np.int64)
        valid = _valid(array)
        if pa.types.is_timestamp(kind):
            micros = _numbers(array.cast(pa.timestamp("us", kind.tz)).view(pa.int64()))
            _check_years(column.name, micros[valid != 0])
            return _Values(MOMENT, micros, valid, _BYTES, none)
        if pa.types.is_unsigned_integer(kind):
            return _Values(UNSIGNED, _numbers(array.cast(pa.uint64()).view(pa.int64())), valid, _BYTES, none)
        if pa.types.is_integer(kind):
            return _Values(SIGNED, _numbers(array.cast(pa.int64())), valid, _BYTES, none)
        if pa.types.is_boolean(kind):
            return _texts(_numbers(array.cast(pa.int8())), valid, [b"false", b"true"])
        if column.raw:
            return _raw(array.cast(pa.large_string()), valid)
        coded = array if pa.types.is_dictionary(kind) else array.dictionary_encode()
        return self._coded(column.name, coded, valid)

    def _coded(self, name: str, coded: pa.Array, valid: np.ndarray) -> _Values:
        """Texts by their codes. Batches that follow each other mostly have the same ones, which are spelled once."""
        codes, known = _numbers(coded.indices), self._spelled.get(name)
        if known is None or not known[0].equals(coded.dictionary):
            spell = _csv_text if self._form is TextForm.CSV else _json_text
            spelled = _texts(codes, valid, [spell(text).encode() for text in coded.dictionary.to_pylist()])
            self._spelled[name] = coded.dictionary, spelled
            return spelled
        return replace(known[1], numbers=codes, valid=valid)


def _pieces(form: TextForm, columns: Sequence[TextColumn]) -> list[str]:
    """Four pieces for each column that varies (closing of the one before, name, opening, null), the last closing and the line
    end; what is constant stands in the name of the next column."""
    json_form, pieces, name, closing = form is TextForm.JSONL, [], "", ""
    before: TextColumn | None = None
    for column in columns:
        name += _named(before, column) if json_form else "," if before else ""
        before = column
        if column.constant is not None:
            name += column.constant
            continue
        mark = '"' if column.quoted and json_form else ""
        pieces += [closing, name, f"{mark}{column.prefix}", "null" if json_form else ""]
        name, closing = "", f"{column.suffix}{mark}"
    ends = ("}}" if before and before.within else "}") if json_form else ""
    return [*pieces, closing, f"{name}{ends}\n"]


def _named(before: TextColumn | None, column: TextColumn) -> str:
    """What stands before the value of a column in JSON, and behind that of the one before it."""
    if column.joined:
        return ""
    enters = column.within and not (before and before.within)
    opening = f"{_json_text(column.within)}:{{" if enters else ""
    return f"{',' if before else '{'}{opening}{_json_text(column.name)}:"


def _json_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _csv_text(text: str) -> str:
    if text and not any(mark in text for mark in ',"\n\r'):
        return text
    return '"' + text.replace('"', '""') + '"'


def moment_texts(name: str, array: pa.Array) -> pa.Array:
    """A column of instants (text with ``Z``) or wall clocks (without) as texts of docs/laws#text-form, all of one length.
    Raises `InputError` ``5B.EXPORT.MOMENT_OUT_OF_RANGE`` as `Lines.of`."""
    zoned, valid = array.type.tz is not None, array.is_valid()
    micros = _numbers(array.cast(pa.timestamp("us", array.type.tz)).view(pa.int64()))
    _check_years(name, micros)
    width = LONGEST_NUMBER + zoned
    out = np.empty(len(array) * width, np.uint8)
    write_moments(micros, zoned, np.full(1, _NO_DAY, np.int64), np.zeros(10, np.uint8), out)
    ends = np.arange(0, (len(array) + 1) * width, width, dtype=np.int32)
    texts = pa.Array.from_buffers(pa.string(), len(array), [None, pa.py_buffer(ends), pa.py_buffer(out)])
    return texts if not array.null_count else pc.if_else(valid, texts, None)


def constant_text(form: TextForm, value: str | int | None) -> str:
    """A value that all rows share, in its final form."""
    if value is None:
        return "null" if form is TextForm.JSONL else ""
    if isinstance(value, int):
        return str(value)
    return _json_text(value) if form is TextForm.JSONL else _csv_text(value)


def _valid(array: pa.Array) -> np.ndarray:
    if not array.null_count:
        return np.ones(len(array), np.uint8)
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), np.uint8)


def _numbers(array: pa.Array) -> np.ndarray:
    """An array of integers as int64 [n]; 0 for nulls."""
    filled = array.fill_null(0) if array.null_count else array
    return np.asarray(filled.to_numpy(zero_copy_only=False)).astype(np.int64, copy=False)


def _texts(codes: np.ndarray, valid: np.ndarray, texts: Sequence[bytes]) -> _Values:
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return _Values(TEXT, codes, valid, np.frombuffer(b"".join(texts), np.uint8), ends)


def _raw(array: pa.Array, valid: np.ndarray) -> _Values:
    """Texts as they lie in Arrow's buffers, each row its own."""
    _, offsets, content = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    pool = np.frombuffer(content, np.uint8) if content is not None else _BYTES
    return _Values(TEXT, np.arange(len(array)), valid, pool[ends[0] : ends[-1]], ends - ends[0])


def _check_years(name: str, micros: np.ndarray) -> None:
    if micros.size and (micros.min() < _FIRST_MICROS or micros.max() > _END_MICROS):
        raise InputError(
            "5B.EXPORT.MOMENT_OUT_OF_RANGE",
            f"a value of {name} lies outside the years 1 to 9999",
            remedy="export as Parquet or Arrow, or select other rows",
        )


def _one_pool(found: Sequence[_Values]) -> tuple[np.ndarray, np.ndarray, Any]:
    """The texts of all columns end to end, where each ends, and at which end each column begins."""
    bases, ends, size, places = [], [], 0, 0
    for each in found:
        bases.append(places)
        ends.append(each.ends + size)
        size, places = size + each.pool.size, places + each.ends.size
    pool = np.concatenate([_BYTES, *(each.pool for each in found)])
    return pool, np.concatenate([np.zeros(0, np.int64), *ends]), np.array(bases, np.int64)
