"""A user's own table of merchants: CSV or Parquet, its columns checked and named where they are wrong."""

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
from seg5b.world.plan import OwnMerchants
from seg5b.world.spec.refusal import refusal
from seg5b.world.vocabulary import CLASSES, MODES

KEY: Final = "merchants.file"
_COLUMNS: Final = ("merchant_id", "weekly_volume", "demand_class", "country", "virtual_mode")
_MOST_ROWS: Final = 1_000_000


def own_merchants(merchants: Mapping[str, Any], countries: Sequence[str]) -> tuple[OwnMerchants, str] | None:
    """The table that ``merchants.file`` names and its SHA-256 (64 hex digits), or None.

    Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` for a file that cannot be read, a column that is missing, unknown or
    holds what it may not, an id twice, another digest than ``file_sha256``, another number of rows than ``count``.
    """
    if "file" not in merchants:
        return None
    path = Path(merchants["file"])
    columns = _read(path)
    _check_columns(columns)
    digest = sha256_file(path)
    if merchants.get("file_sha256", digest) != digest:
        raise refusal(
            "merchants.file_sha256", merchants["file_sha256"], f"is not that of {path.name}", "name that table"
        )
    rows = len(columns["merchant_id"])
    if merchants.get("count", rows) != rows or not 0 < rows <= _MOST_ROWS:
        what = f"does not agree with the {rows:,} rows of {path.name}"
        raise refusal(
            "merchants.count", merchants.get("count", rows), what, f"leave count out; 1 to {_MOST_ROWS:,} rows"
        )
    return _sorted(columns, countries), digest


def _read(path: Path) -> dict[str, list[Any]]:
    """Columns as Python values: texts of a CSV, typed values of a Parquet file."""
    try:
        if path.suffix.lower() == ".csv":
            with path.open("rb") as file:
                header = file.readline().decode("utf-8-sig").strip().split(",")
            types = pa_csv.ConvertOptions(column_types={name.strip('"'): pa.string() for name in header})
            table = pa_csv.read_csv(path, convert_options=types)
        elif path.suffix.lower() == ".parquet":
            table = pq.read_table(path, partitioning=None)
        else:
            raise refusal(KEY, path.name, "is neither .csv nor .parquet", "name a CSV or Parquet file")
        return {name: table[name].to_pylist() for name in table.column_names}
    except (OSError, ValueError, KeyError, pa.ArrowException) as cause:
        what = f"cannot be read: {brief(' '.join(str(cause).split()), 160)}"
        raise refusal(KEY, path.name, what, "one line of column names, then one line for each merchant") from cause


def _check_columns(columns: Mapping[str, Any]) -> None:
    for name in columns:
        if name not in _COLUMNS:
            near = difflib.get_close_matches(name, _COLUMNS, 1)
            remedy = f"did you mean {near[0]}?" if near else f"use {', '.join(_COLUMNS)}"
            raise refusal(f"{KEY}.{name}", name, "is an unknown column", remedy)
    if "merchant_id" not in columns:
        raise refusal(f"{KEY}.merchant_id", list(columns), "has no such column", "add it: an unsigned 64-bit number")


def _sorted(columns: Mapping[str, list[Any]], countries: Sequence[str]) -> OwnMerchants:
    ids = _parsed(columns, "merchant_id", _id)
    twice = next((each for place, each in enumerate(sorted(ids)[1:]) if each == sorted(ids)[place]), None)
    if twice is not None:
        raise refusal(f"{KEY}.merchant_id", twice, "is there twice", "one line for each merchant")
    order = sorted(range(len(ids)), key=ids.__getitem__)
    known: dict[str, Callable[[Any], Any]] = {
        "weekly_volume": _volume,
        "demand_class": lambda value: _one_of(value, CLASSES),
        "country": lambda value: _one_of(value, countries),
        "virtual_mode": lambda value: _one_of(value, MODES),
    }
    others = {name: _parsed(columns, name, parse) if name in columns else [] for name, parse in known.items()}
    taken = [tuple(values[place] for place in order) if values else () for values in (ids, *others.values())]
    return OwnMerchants(*taken)


def _parsed(columns: Mapping[str, list[Any]], name: str, parse: Callable[[Any], Any]) -> list[Any]:
    found = []
    for row, value in enumerate(columns[name]):
        try:
            found.append(parse(value))
        except (TypeError, ValueError) as cause:
            key = f"{KEY}.{name}"
            raise refusal(key, value, f"in row {row + 1} {cause}", "correct the table") from cause
    return found


def _id(value: Any) -> int:
    if value is None or isinstance(value, (bool, float)) or not str(value).strip().isdecimal():
        raise ValueError("is no whole number")
    number = int(value)
    if not 0 < number < 2**64:
        raise ValueError("is not within 1 .. 2^64 - 1")
    return number


def _volume(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as cause:
        raise ValueError("is no number") from cause
    if not (math.isfinite(number) and number > 0):
        raise ValueError("is not above 0")
    return number


def _one_of(value: Any, names: Sequence[str]) -> str:
    if value not in names:
        raise ValueError(f"is none of {', '.join(names[:12])}")
    return str(value)
