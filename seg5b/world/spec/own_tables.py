"""Tables that a user brings: CSV or Parquet, columns checked and named where they are wrong."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from seg5b.errors import brief
from seg5b.hashing import sha256_file
from seg5b.world.spec.refusal import refusal

Columns = dict[str, list[Any]]
_LARGEST: Final = 1e15


def read_table(path: Path, key: str, needed: Sequence[str], optional: Sequence[str]) -> Columns:
    """Columns of a table as Python values: texts of a CSV, typed values of a Parquet file.

    Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` at ``key`` for a file that cannot be read, at ``key.<column>`` for one
    that is missing or unknown.
    """
    table = arrow_table(path, key)
    check_columns(table.column_names, key, needed, optional)
    return {name: table[name].to_pylist() for name in table.column_names}


def check_columns(names: Sequence[str], key: str, needed: Sequence[str], optional: Sequence[str]) -> None:
    """Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` at ``key.<column>`` for one that is missing, unknown or there twice."""
    for place, name in enumerate(names):
        if name in names[:place]:
            raise refusal(f"{key}.{name}", list(names), "has this column twice", "leave one out")
        if name not in (*needed, *optional):
            near = difflib.get_close_matches(name, (*needed, *optional), 1)
            remedy = f"did you mean {near[0]}?" if near else f"use {', '.join((*needed, *optional))}"
            raise refusal(f"{key}.{name}", name, "is an unknown column", remedy)
    for name in needed:
        if name not in names:
            raise refusal(f"{key}.{name}", list(names), "has no such column", f"add {name}")


def table_digest(path: Path, stated: str | None, key: str) -> str:
    """SHA-256 of a table, 64 hex digits. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` at ``key`` where another is
    ``stated``."""
    digest = sha256_file(path)
    if stated not in (None, digest):
        raise refusal(key, stated, f"is not that of {path.name}", "name the table that has it")
    return digest


def parsed(columns: Mapping[str, list[Any]], key: str, name: str, parse: Callable[[Any], Any]) -> list[Any]:
    """Values of a column. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` at ``key.name`` with the row that ``parse`` raises
    ValueError for."""
    found = []
    for row, value in enumerate(columns[name]):
        try:
            found.append(parse(value))
        except (TypeError, ValueError) as cause:
            raise refusal(f"{key}.{name}", value, f"in row {row + 1} {cause}", "correct the table") from cause
    return found


def id_of(value: Any) -> int:
    """An unsigned 64-bit number above 0. Raises `ValueError`."""
    if value is None or isinstance(value, (bool, float)) or not str(value).strip().isdecimal():
        raise ValueError("is no whole number")
    number = int(value)
    if not 0 < number < 2**64:
        raise ValueError("is not within 1 .. 2^64 - 1")
    return number


def number_within(low: float, high: float) -> Callable[[Any], float]:
    """What reads a number of [``low``, ``high``]. That raises `ValueError`."""

    def read(value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError) as cause:
            raise ValueError("is no number") from cause
        if not math.isfinite(number):
            raise ValueError("is no finite number")
        if not low <= number <= high:
            raise ValueError(f"is not within {low:g} .. {high:g}")
        return number

    return read


def above_zero(value: Any) -> float:
    """A number above 0, up to 1e15. Raises `ValueError`."""
    number = number_within(-_LARGEST, _LARGEST)(value)
    if not number > 0:
        raise ValueError("is not above 0")
    return number


def one_of(names: Sequence[str]) -> Callable[[Any], str]:
    """What reads one of some names. That raises `ValueError`."""
    known = frozenset(names)

    def read(value: Any) -> str:
        if value not in known:
            raise ValueError(f"is none of {', '.join(names[:12])}")
        return str(value)

    return read


def arrow_table(path: Path, key: str) -> pa.Table:
    """A CSV file, every value a text, or a Parquet file. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` at ``key``."""
    try:
        if path.is_dir():
            raise IsADirectoryError(str(path))
        if path.suffix.lower() == ".csv":
            with path.open("rb") as file:
                header = file.readline().decode("utf-8-sig").strip().split(",")
            types = pa_csv.ConvertOptions(column_types={name.strip('"'): pa.string() for name in header})
            table = pa_csv.read_csv(path, convert_options=types)
        elif path.suffix.lower() == ".parquet":
            table = pq.read_table(path, partitioning=None)
        else:
            raise refusal(key, path.name, "is neither .csv nor .parquet", "name a CSV or Parquet file")
        return table
    except (FileNotFoundError, IsADirectoryError) as cause:
        raise refusal(key, str(path), "is no file", "a path is meant from the folder of the specification") from cause
    except (OSError, ValueError, KeyError, pa.ArrowException) as cause:
        what = f"cannot be read: {brief(' '.join(str(cause).split()), 160)}"
        raise refusal(key, path.name, what, "one line of column names, then one line for each row") from cause
