"""A user's own intensities: expected arrivals by merchant and bucket, from a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seg5b.world.plan import OwnMerchants, OwnSurface
from seg5b.world.spec.own_tables import arrow_table, check_columns, id_of, parsed, table_digest
from seg5b.world.spec.refusal import refusal

KEY: Final = "volume.file"
_NEEDED: Final = ("merchant_id", "bucket_start_utc", "expected_arrivals")
_OPTIONAL: Final = ("zone", "channel")
_MOST_ROWS: Final = 20_000_000
_US: Final = 1_000_000
_LARGEST: Final = 1e15


@dataclass(frozen=True, slots=True)
class Grid:
    """What the rows of a table must fit: the horizon, and the names of zones and channels that the world has."""

    start_utc: datetime
    buckets: int
    bucket_seconds: int
    zones: Sequence[str]
    channels: Sequence[str]


def own_surface(
    volume: Mapping[str, Any], own: OwnMerchants | None, grid: Grid
) -> tuple[OwnSurface, OwnMerchants, str] | None:
    """The table that ``volume.file`` names, the merchants with the volume that it gives them (all of them where
    ``merchants.file`` names none), and its SHA-256; or None.

    Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` for a file that cannot be read, a column that is missing, unknown or holds
    what it may not, a bucket that is not of the horizon or is there twice, and a merchant that expects nothing.
    """
    if "file" not in volume:
        return None
    path = Path(volume["file"])
    table = arrow_table(path, KEY)
    check_columns(table.column_names, KEY, _NEEDED, _OPTIONAL)
    if not 0 < table.num_rows <= _MOST_ROWS:
        raise refusal(KEY, path.name, f"has {table.num_rows:,} rows", f"1 to {_MOST_ROWS:,}, one for each bucket")
    ids = _numbers(table, "merchant_id", pa.uint64(), id_of)
    expected = _numbers(table, "expected_arrivals", pa.float64(), _not_below_zero)
    known = np.array(own.ids, np.uint64) if own else np.unique(ids)
    columns = (
        _merchants(ids, known),
        _names(table, "zone", grid.zones),
        _names(table, "channel", grid.channels),
        _buckets(table, grid),
    )
    surface = _patterns(table, columns, expected, grid)
    weeks = grid.buckets * grid.bucket_seconds / (168 * 3600)
    weekly = np.asarray(np.bincount(surface.merchant, surface.totals(), known.size) / weeks, np.float64)
    merchants = _with_volumes(own or OwnMerchants(tuple(known.tolist())), surface, weekly)
    return surface, merchants, table_digest(path, volume.get("file_sha256"), "volume.file_sha256")


def _with_volumes(own: OwnMerchants, surface: OwnSurface, weekly: NDArray[np.float64]) -> OwnMerchants:
    named = np.bincount(surface.merchant, minlength=len(own.ids)) > 0
    empty = np.flatnonzero(named & ~(weekly > 0))
    if empty.size:
        what, remedy = "has no expected arrivals", "leave the merchant out, or give it some"
        raise refusal(f"{KEY}.merchant_id", own.ids[empty[0]], what, remedy)
    if not named.all() and not own.weekly:
        lacking = own.ids[int(np.flatnonzero(~named)[0])]
        remedy = "add its rows, or a column weekly_volume to merchants.file"
        raise refusal(f"{KEY}.merchant_id", lacking, "is of merchants.file and has no rows", remedy)
    others = np.array(own.weekly) if own.weekly else weekly
    return OwnMerchants(own.ids, tuple(np.where(named, weekly, others).tolist()), own.classes, own.countries, own.modes)


def _numbers(table: pa.Table, name: str, kind: pa.DataType, parse: Callable[[Any], Any]) -> NDArray[Any]:
    """A column of plain numbers; where any is odd, one by one, so that the first that ``parse`` refuses is named."""
    column = table[name]
    if not pa.types.is_floating(column.type) or pa.types.is_floating(kind):
        try:
            values: NDArray[Any] = pc.cast(column, kind).to_numpy()
            if (
                not column.null_count
                and values.min() >= _least(kind)
                and (kind == pa.uint64() or values.max() <= _LARGEST)
            ):
                return values
        except pa.ArrowException:
            pass
    return np.array(parsed({name: column.to_pylist()}, KEY, name, parse), kind.to_pandas_dtype())


def _least(kind: pa.DataType) -> int:
    """Ids begin at 1."""
    return int(kind == pa.uint64())


def _not_below_zero(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as cause:
        raise ValueError("is no number") from cause
    if not 0 <= number <= _LARGEST:
        raise ValueError("is below 0 or not finite")
    return number


def _merchants(ids: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.int64]:
    place = np.searchsorted(known, ids).clip(max=known.size - 1)
    stray = np.flatnonzero(known[place] != ids)
    if stray.size:
        what = f"in row {stray[0] + 1} is no merchant of merchants.file"
        raise refusal(f"{KEY}.merchant_id", int(ids[stray[0]]), what, "add it there, or leave merchants.file out")
    return place.astype(np.int64)


def _names(table: pa.Table, name: str, known: Sequence[str]) -> NDArray[np.int64]:
    """Positions in ``known``; zeros where the table has no such column."""
    if name not in table.column_names:
        return np.zeros(table.num_rows, np.int64)
    texts = pc.cast(table[name], pa.string()).combine_chunks().dictionary_encode()
    place = {each: position for position, each in enumerate(known)}
    codes = np.array([place.get(str(text), -1) for text in texts.dictionary.to_pylist()] + [-1], np.int64)
    found = codes[texts.indices.fill_null(len(codes) - 1).to_numpy(zero_copy_only=False)]
    stray = np.flatnonzero(found < 0)
    if stray.size:
        what = f"in row {stray[0] + 1} is none of {', '.join(known[:12])}"
        raise refusal(
            f"{KEY}.{name}", table[name][int(stray[0])].as_py(), what, "correct the table, or add it to the world"
        )
    return np.asarray(found)


def _buckets(table: pa.Table, grid: Grid) -> NDArray[np.int64]:
    """Bucket of each row. Moments are UTC: as texts, with or without Z, or as timestamps."""
    name, column = "bucket_start_utc", table["bucket_start_utc"]
    try:
        if pa.types.is_string(column.type):
            column = pc.utf8_rtrim(column, "Z")
        moments = pc.cast(
            column, pa.timestamp("us", column.type.tz) if pa.types.is_timestamp(column.type) else pa.timestamp("us")
        )
        if column.null_count:
            raise ValueError(name)
        at_us: NDArray[np.int64] = pc.cast(moments, pa.int64()).to_numpy()
    except (pa.ArrowException, ValueError):
        at_us = np.array(parsed({name: table[name].to_pylist()}, KEY, name, _moment_us), np.int64)
    start_us, length_us = int(grid.start_utc.timestamp()) * _US, grid.bucket_seconds * _US
    bucket, rest = np.divmod(at_us - start_us, length_us)
    outside = (bucket < 0) | (bucket >= grid.buckets)
    wrong = np.flatnonzero(outside | (rest != 0))
    if wrong.size:
        row = int(wrong[0])
        end = datetime.fromtimestamp((start_us + grid.buckets * length_us) / _US, UTC)
        what = f"in row {row + 1} is not within {grid.start_utc:%Y-%m-%dT%H:%MZ} .. {end:%Y-%m-%dT%H:%MZ}"
        if not outside[row]:
            what = f"in row {row + 1} is not the start of a bucket of {grid.bucket_seconds} s"
        raise refusal(f"{KEY}.{name}", str(table[name][row].as_py()), what, "one row for each bucket of the horizon")
    return np.asarray(bucket)


def _moment_us(value: Any) -> int:
    if not isinstance(value, (str, datetime)):
        raise ValueError("is no moment")
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError as cause:
        raise ValueError("is no moment, as 2026-11-01T05:00:00Z") from cause
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * _US)


def _patterns(
    table: pa.Table, columns: tuple[NDArray[np.int64], ...], expected: NDArray[np.float64], grid: Grid
) -> OwnSurface:
    merchant, zone, channel, bucket = columns
    order = np.lexsort((bucket, channel, zone, merchant))
    merchant, zone, channel, bucket = (column[order] for column in columns)
    same = (np.diff(merchant) == 0) & (np.diff(zone) == 0) & (np.diff(channel) == 0)
    twice = np.flatnonzero(same & (np.diff(bucket) == 0))
    if twice.size:
        rows = sorted(order[twice[0] : twice[0] + 2] + 1)
        moment = str(table["bucket_start_utc"][int(rows[1]) - 1].as_py())
        raise refusal(
            f"{KEY}.bucket_start_utc", moment, f"in row {rows[1]} is there already, in row {rows[0]}", "one row each"
        )
    starts = np.append(0, np.flatnonzero(~same) + 1)
    given = [name in table.column_names for name in _OPTIONAL]
    return OwnSurface(
        merchant=merchant[starts],
        zone=tuple(grid.zones[code] for code in zone[starts]) if given[0] else (),
        channel=tuple(grid.channels[code] for code in channel[starts]) if given[1] else (),
        first=np.append(starts, merchant.size),
        bucket=bucket.astype(np.int32),
        expected=expected[order],
    )
