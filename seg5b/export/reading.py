"""The query behind an export: which rows, in which order, and how each column comes out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from seg5b.errors import InputError
from seg5b.export.choosing import refuse_unknown
from seg5b.export.formats import LAKES, TEXTS, Format, Shape
from seg5b.export.request import ExportRequest, instant
from seg5b.export.sql import KINDS, Query, code_of, moment_column, several_scenarios, time_key, where_of
from seg5b.export.windows import Window, time_windows
from seg5b.query import Database, expression, identifier, literal, parquet
from seg5b.tables.outgoing import Kind, Outgoing, required_columns

VARYING: Final = "varying"
"""In a list of columns: all but those that only say which run it is."""
_OF_THE_RUN: Final = ("manifest_fingerprint", "parameter_hash", "seed", "scenario_id", "routing_universe_hash")
_MOST_VALUES: Final = 1 << 16
"""A text column with more values than this is read as text, not as codes."""
_FEW_ROWS: Final = 1 << 20
_PERIODS: Final = {"day": "%Y-%m-%d", "month": "%Y-%m"}


@dataclass(frozen=True, slots=True)
class Reading:
    """``queries``, one after another, give the rows: first the texts of the ``keys`` by which they are shared out among
    folders, then the ``columns`` that are not constant. ``rows``: how many, without the first ``surplus`` that come, for
    which nobody asked. ``selected``: how many there are without a limit, and with those that were skipped."""

    queries: tuple[str, ...]
    keys: tuple[str, ...]
    columns: tuple[Outgoing, ...]
    rows: int
    selected: int
    surplus: int = 0


def plan(
    database: Database,
    files: Sequence[Path],
    request: ExportRequest,
    shape: Shape,
    *,
    window_rows: int,
    beside: Sequence[str] = (),
    skip: int = 0,
) -> Reading:
    """Prepare the queries; the database reads nothing but ``files`` from then on.

    In order of time each gives a window of at most ``window_rows`` rows. ``beside``: columns that each row begins with, as they
    are on disk, for the caller's own use. ``skip``: leave out so many rows of the order of time.

    Raises `InputError` ``5B.EXPORT.COLUMN_UNKNOWN``, ``5B.EXPORT.MERCHANT_UNKNOWN``, ``5B.EXPORT.MOMENT_UNCLEAR``,
    ``5B.EXPORT.WHERE_WRONG``, ``5B.EXPORT.PARTITION_UNKNOWN``, and as `Database.run`.
    """
    database.run(f"CREATE VIEW dataset AS SELECT * FROM {parquet(files)}")
    database.confine(files)
    stored = _stored(database)
    selected = _conditions(database, stored, request)
    asked = _condition(database, stored, request.where)
    keys = _keys(stored, request.partition_by)
    columns = _columns(stored, files, request, shape, keys)
    if shape.format is Format.ARROW or request.limit is None or request.limit > _FEW_ROWS:
        columns = _survey(database, columns, stored, _seen(selected, request))
    sql = Query(columns, keys, stored, request, shape, tuple(beside))
    conditions = [*selected, *asked]
    with of_condition(request, list(stored)):
        if sql.foldered or request.order != "time":
            found = _counted(database, where_of(conditions))
            rows = found if request.limit is None else min(found, request.limit)
            return Reading((sql.of(conditions, request.limit),), tuple(keys), columns, rows, found)
        windows = time_windows(database, time_key(stored), conditions, window_rows)
    return _in_windows(sql, conditions, windows, request.limit, skip)


def _in_windows(
    sql: Query, conditions: Sequence[str], windows: Sequence[Window], limit: int | None, skip: int
) -> Reading:
    """Only windows that hold rows which are asked for."""
    selected = sum(window.rows for window in windows)
    left_over = max(0, selected - skip)
    wanted = left_over if limit is None else min(limit, left_over)
    queries: list[str] = []
    before = surplus = 0
    for window in windows:
        left = skip + wanted - before
        if left > 0 and before + window.rows > skip:
            surplus = surplus if queries else skip - before
            condition = [*conditions, window.condition] if window.condition else conditions
            queries.append(sql.of(condition, left if left < window.rows else None))
        before += window.rows
    found = tuple(queries) or (sql.of([*conditions, "false"], None),)
    return Reading(found, tuple(sql.keys), sql.columns, wanted, selected, surplus)


def rows_before(database: Database, request: ExportRequest, moment: str) -> int:
    """How many of the rows that the request selects, of a dataset that is planned, happen before a moment. Raises as
    `plan`."""
    stored, request = _stored(database), replace(request, since=None, until=moment)
    conditions = [*_conditions(database, stored, request), *_condition(database, stored, request.where)]
    with of_condition(request, list(stored)):
        return _counted(database, where_of(conditions))


def _stored(database: Database) -> dict[str, str]:
    """SQL types of the columns on disk."""
    return {name: kind for name, kind, *_ in database.rows("DESCRIBE dataset")}


@contextmanager
def of_condition(request: ExportRequest, columns: Sequence[str]) -> Iterator[None]:
    """Whatever a query fails of that holds a user's condition is put down to the condition. Raises `InputError`
    ``5B.EXPORT.WHERE_WRONG``."""
    try:
        yield
    except InputError as cause:
        if request.where is None or cause.code != "5B.QUERY.FAILED":
            raise
        raise _wrong(cause.what, request.where, columns) from cause


def _wrong(what: str, where: str, columns: Sequence[str]) -> InputError:
    remedy = f"write a condition in SQL over {', '.join(columns)}"
    return InputError("5B.EXPORT.WHERE_WRONG", f"--where: {what}", where=where, remedy=remedy)


def _condition(database: Database, stored: Mapping[str, str], where: str | None) -> list[str]:
    if where is None:
        return []
    try:
        condition = expression(where)
    except ValueError as cause:
        raise _wrong(str(cause), where, list(stored)) from cause
    with of_condition(ExportRequest("", where=where), list(stored)):
        database.rows(f"DESCRIBE SELECT * FROM dataset WHERE {condition}")
    return [condition]


def _conditions(database: Database, stored: Mapping[str, str], request: ExportRequest) -> list[str]:
    found = []
    if request.merchants:
        _need("merchant_id", stored, "--merchant")
        found.append(f"merchant_id IN ({', '.join(map(str, request.merchants))})")
        _check_merchants(database, found[0], request.merchants)
    bounds = [(">=", request.since), ("<", request.until)]
    if any(text is not None for _, text in bounds):
        column = moment_column(stored, "--from and --to")
        moments = [(sign, instant(text)) for sign, text in bounds if text is not None]
        if len(moments) == 2 and moments[0][1] >= moments[1][1]:
            what = f"nothing lies between {request.since} and {request.until}"
            raise InputError("5B.EXPORT.MOMENT_UNCLEAR", what, remedy="give --from before --to")
        found += [f"{identifier(column)} {sign} {literal(moment)}" for sign, moment in moments]
    return found


def _check_merchants(database: Database, condition: str, asked: Sequence[int]) -> None:
    known = {row[0] for row in database.rows(f"SELECT DISTINCT merchant_id FROM dataset WHERE {condition}")}
    unknown = [merchant for merchant in asked if merchant not in known]
    if unknown:
        (many, some) = database.row(
            "SELECT count(*), list(m)[:8] FROM (SELECT DISTINCT merchant_id AS m FROM dataset ORDER BY 1)"
        )
        what = f"there is no merchant {', '.join(map(str, unknown))}"
        remedy = f"choose among {many} merchants: {', '.join(map(str, some or []))}{' ...' if many > 8 else ''}"
        raise InputError("5B.EXPORT.MERCHANT_UNKNOWN", what, remedy=remedy)


def _need(column: str, stored: Mapping[str, str], option: str) -> None:
    if column not in stored:
        what = f"the dataset has no column {column}, which {option} goes by"
        raise InputError("5B.EXPORT.COLUMN_UNKNOWN", what, remedy=f"its columns are {', '.join(stored)}")


def _keys(stored: Mapping[str, str], asked: Sequence[str]) -> dict[str, str]:
    """SQL for the text of each key of the folders, by its name."""
    possible = [name for name, kind in stored.items() if kind in ("VARCHAR", "BOOLEAN")]
    refuse_unknown("key of folders", asked, [*_PERIODS, *possible], "5B.EXPORT.PARTITION_UNKNOWN")
    found = {}
    for name in asked:
        if name in _PERIODS and name not in possible:
            found[name] = (
                f"strftime({identifier(moment_column(stored, '--partition-by day and month'))}, '{_PERIODS[name]}')"
            )
        else:
            found[name] = f"CAST({identifier(name)} AS VARCHAR)"
    return found


def _columns(
    stored: Mapping[str, str], files: Sequence[Path], request: ExportRequest, shape: Shape, keys: Mapping[str, str]
) -> tuple[Outgoing, ...]:
    varying = [name for name in stored if not _of_the_run(name, several=several_scenarios(request))]
    names = [each for name in request.columns or stored for each in (varying if name == VARYING else [name])]
    refuse_unknown("column", names, stored, "5B.EXPORT.COLUMN_UNKNOWN")
    lake = shape.format in LAKES
    names = [name for name in dict.fromkeys(names) if lake or name not in keys]
    if not names:
        raise InputError(
            "5B.EXPORT.COLUMN_UNKNOWN", "no column is left beside the keys", remedy="choose more --columns"
        )
    required = required_columns(files[0])
    found = [Outgoing(name, _kind(stored[name], shape), name in required) for name in names]
    found += [Outgoing(name, Kind.TEXT) for name in keys if lake and name not in names]
    return tuple(found)


def _of_the_run(name: str, *, several: bool) -> bool:
    return (name in _OF_THE_RUN and not (several and name == "scenario_id")) or name.endswith("_spec_version")


def _kind(stored: str, shape: Shape) -> Kind:
    kind = KINDS.get(stored, Kind.OTHER)
    if shape.format not in TEXTS or kind not in (Kind.NUMBER, Kind.OTHER):
        return kind
    return Kind.RAW if kind is Kind.NUMBER or shape.format is Format.JSONL else Kind.TEXT


def _seen(selected: Sequence[str], request: ExportRequest) -> str:
    """Rows among which all those are that leave. A condition in the user's SQL is left out: it only makes them fewer."""
    first = request.limit is not None and request.order == "merchant" and request.where is None
    return f"(SELECT * FROM dataset {where_of(selected)}{f' LIMIT {request.limit}' if first else ''})"


def _survey(
    database: Database, columns: Sequence[Outgoing], stored: Mapping[str, str], seen: str
) -> tuple[Outgoing, ...]:
    """What all rows share is taken out of the query; texts of few values become codes there."""
    found = []
    for column in columns:
        known: list[str | int | None] = []
        if stored.get(column.name) == "VARCHAR" or column.name == "seed":
            sql = f"SELECT DISTINCT {identifier(column.name)} FROM {seen} LIMIT {_MOST_VALUES + 1}"
            known = [row[0] for row in database.rows(sql)]
        if len(known) == 1:
            column = replace(column, constant=True, value=known[0])
        elif 1 < len(known) <= _MOST_VALUES and column.kind is Kind.TEXT:
            values = ", ".join(literal(text) for text in sorted(map(str, {*known} - {None}), key=str.encode))
            database.run(f"CREATE TYPE {code_of(column.name)} AS ENUM ({values})")
            column = replace(column, coded=True)
        found.append(column)
    if all(column.constant for column in found):  # a query has a column at least
        found[0] = replace(found[0], constant=False)
    return tuple(found)


def _counted(database: Database, where: str) -> int:
    (rows,) = database.row(f"SELECT count(*) FROM dataset {where}")
    return int(rows)
