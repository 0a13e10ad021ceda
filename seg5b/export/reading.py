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
from seg5b.export.windows import Window, time_windows
from seg5b.query import Database, expression, identifier, literal, parquet
from seg5b.tables.outgoing import Kind, Outgoing, required_columns

VARYING: Final = "varying"
"""In a list of columns: all but those that only say which run it is."""
_OF_THE_RUN: Final = ("manifest_fingerprint", "parameter_hash", "seed", "scenario_id", "routing_universe_hash")
_MOST_VALUES: Final = 1 << 16
"""A text column with more values than this is read as text, not as codes."""
_FEW_ROWS: Final = 1 << 20
_WIDEST_KEY: Final = ("merchant_id", "zone_representation", "channel_group", "group_id", "bucket_index", "anomaly_id")
_PERIODS: Final = {"day": "%Y-%m-%d", "month": "%Y-%m"}
_KINDS: Final = {
    "UBIGINT": Kind.ID,
    "VARCHAR": Kind.TEXT,
    "BOOLEAN": Kind.FLAG,
    "TIMESTAMP WITH TIME ZONE": Kind.MOMENT,
    "TIMESTAMP": Kind.CLOCK,
    "DOUBLE": Kind.NUMBER,
    **dict.fromkeys(("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT"), Kind.INTEGER),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """``queries``, one after another, give the rows: first the texts of the ``keys`` by which they are shared out among
    folders, then the ``columns`` that are not constant. ``rows``: how many, without the first ``surplus`` that come, for
    which nobody asked."""

    queries: tuple[str, ...]
    keys: tuple[str, ...]
    columns: tuple[Outgoing, ...]
    rows: int
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
    stored = {name: kind for name, kind, *_ in database.rows("DESCRIBE dataset")}
    selected = _conditions(database, stored, request)
    asked = _condition(database, stored, request.where)
    keys = _keys(stored, request.partition_by)
    columns = _columns(stored, files, request, shape, keys)
    if shape.format is Format.ARROW or request.limit is None or request.limit > _FEW_ROWS:
        columns = _survey(database, columns, stored, _seen(selected, request))
    sql = _Query(columns, keys, stored, request, shape, tuple(beside))
    conditions = [*selected, *asked]
    with of_condition(request, list(stored)):
        if sql.foldered or request.order != "time":
            rows = _counted(database, _where(conditions), request)
            return Reading((sql.of(conditions, request.limit),), tuple(keys), columns, rows)
        windows = time_windows(database, _time_key(stored), conditions, window_rows)
    return _in_windows(sql, conditions, windows, request.limit, skip)


def _in_windows(
    sql: _Query, conditions: Sequence[str], windows: Sequence[Window], limit: int | None, skip: int
) -> Reading:
    """Only windows that hold rows which are asked for."""
    everything = max(0, sum(window.rows for window in windows) - skip)
    wanted = everything if limit is None else min(limit, everything)
    queries: list[str] = []
    before = surplus = 0
    for window in windows:
        left = skip + wanted - before
        if left > 0 and before + window.rows > skip:
            surplus = surplus if queries else skip - before
            condition = [*conditions, window.condition] if window.condition else conditions
            queries.append(sql.of(condition, left if left < window.rows else None))
        before += window.rows
    return Reading(
        tuple(queries) or (sql.of([*conditions, "false"], None),), tuple(sql.keys), sql.columns, wanted, surplus
    )


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
        column = _moment(stored, "--from and --to")
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


def _moment(stored: Mapping[str, str], option: str) -> str:
    """The column that says when a row happens."""
    for name in ("ts_utc", "bucket_start_utc"):
        if stored.get(name) == "TIMESTAMP WITH TIME ZONE":
            return name
    what = f"the dataset has no instants, which {option} go by"
    raise InputError("5B.EXPORT.COLUMN_UNKNOWN", what, remedy=f"its columns are {', '.join(stored)}; see --where")


def _keys(stored: Mapping[str, str], asked: Sequence[str]) -> dict[str, str]:
    """SQL for the text of each key of the folders, by its name."""
    possible = [name for name, kind in stored.items() if kind in ("VARCHAR", "BOOLEAN")]
    refuse_unknown("key of folders", asked, [*_PERIODS, *possible], "5B.EXPORT.PARTITION_UNKNOWN")
    found = {}
    for name in asked:
        if name in _PERIODS and name not in possible:
            found[name] = f"strftime({identifier(_moment(stored, '--partition-by day and month'))}, '{_PERIODS[name]}')"
        else:
            found[name] = f"CAST({identifier(name)} AS VARCHAR)"
    return found


def _columns(
    stored: Mapping[str, str], files: Sequence[Path], request: ExportRequest, shape: Shape, keys: Mapping[str, str]
) -> tuple[Outgoing, ...]:
    varying = [name for name in stored if not _of_the_run(name, several=_several(request))]
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


def _several(request: ExportRequest) -> bool:
    return len(request.scenarios) > 1 or "all" in request.scenarios


def _of_the_run(name: str, *, several: bool) -> bool:
    return (name in _OF_THE_RUN and not (several and name == "scenario_id")) or name.endswith("_spec_version")


def _kind(stored: str, shape: Shape) -> Kind:
    kind = _KINDS.get(stored, Kind.OTHER)
    if shape.format not in TEXTS or kind not in (Kind.NUMBER, Kind.OTHER):
        return kind
    return Kind.RAW if kind is Kind.NUMBER or shape.format is Format.JSONL else Kind.TEXT


def _seen(selected: Sequence[str], request: ExportRequest) -> str:
    """Rows among which all those are that leave. A condition in the user's SQL is left out: it only makes them fewer."""
    first = request.limit is not None and request.order == "merchant" and request.where is None
    return f"(SELECT * FROM dataset {_where(selected)}{f' LIMIT {request.limit}' if first else ''})"


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
            database.run(f"CREATE TYPE {_code(column.name)} AS ENUM ({values})")
            column = replace(column, coded=True)
        found.append(column)
    if all(column.constant for column in found):  # a query has a column at least
        found[0] = replace(found[0], constant=False)
    return tuple(found)


def _code(name: str) -> str:
    return identifier(f"code of {name}")


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _counted(database: Database, where: str, request: ExportRequest) -> int:
    (rows,) = database.row(f"SELECT count(*) FROM dataset {where}")
    return int(rows) if request.limit is None else min(int(rows), request.limit)


@dataclass(frozen=True, slots=True)
class _Query:
    """The query, for the rows for which a condition holds."""

    columns: tuple[Outgoing, ...]
    keys: Mapping[str, str]
    stored: Mapping[str, str]
    request: ExportRequest
    shape: Shape
    beside: tuple[str, ...]

    @property
    def foldered(self) -> bool:
        """Whether rows of one folder are to lie together."""
        return bool(self.keys) and self.shape.format not in LAKES

    def of(self, conditions: Sequence[str], limit: int | None) -> str:
        """SQL for at most ``limit`` rows (None: all) for which the conditions hold."""
        inner = f"SELECT *{self._coded()} FROM dataset {_where(conditions)}"
        aliases = [f"key {place}" for place in range(len(self.keys))]
        by_row = [] if self.request.order != "time" else [identifier(_time_key(self.stored)), *self._row_keys()]
        cut = "" if limit is None else f" LIMIT {limit}"
        if self.foldered:
            inner = f"{inner}{_ordered(by_row)}{cut}" if cut else inner  # the first rows, not those of the first folder
            by_row, cut = [*map(identifier, aliases), *(by_row or self._row_keys())], ""
        return f"SELECT {', '.join(self._listed(aliases))} FROM ({inner}) AS rows{_ordered(by_row)}{cut}"

    def _coded(self) -> str:
        coded = [
            f"CAST({identifier(each.name)} AS {_code(each.name)}) AS {identifier(each.name)}"
            for each in self.columns
            if each.coded
        ]
        return f" REPLACE ({', '.join(coded)})" if coded else ""

    def _listed(self, aliases: Sequence[str]) -> list[str]:
        listed = [f"rows.{identifier(name)} AS {identifier(f'beside {name}')}" for name in self.beside]
        if self.foldered:
            pairs = zip(aliases, self.keys.values(), strict=True)
            listed += [f"{sql} AS {identifier(alias)}" for alias, sql in pairs]
        for each in self.columns:
            if not each.constant:
                stored = self.stored.get(each.name)
                sql = self.keys[each.name] if stored is None else _value(each, stored, self.shape)
                listed.append(f"{sql} AS {identifier(each.name)}")
        return listed

    def _row_keys(self) -> list[str]:
        """Columns that tell rows of one moment apart, so that their order is always the same."""
        names = ["merchant_id", "arrival_seq"] if "arrival_seq" in self.stored else [*_WIDEST_KEY]
        scenario = ["scenario_id"] if _several(self.request) else []
        return [identifier(name) for name in [*names, *scenario] if name in self.stored]


def _ordered(keys: Sequence[str]) -> str:
    return f" ORDER BY {', '.join(f'{name} NULLS FIRST' for name in keys)}" if keys else ""


def _value(column: Outgoing, stored: str, shape: Shape) -> str:
    name = f"rows.{identifier(column.name)}"
    kind = _KINDS.get(stored, Kind.OTHER)
    if shape.format not in TEXTS or kind not in (Kind.NUMBER, Kind.OTHER):
        return name
    if kind is Kind.OTHER:
        return f"CAST(to_json({name}) AS VARCHAR)"
    text = f"CAST({name} AS VARCHAR)"
    return f"CASE WHEN isfinite({name}) THEN {text} END" if shape.format is Format.JSONL else text


def _time_key(stored: Mapping[str, str]) -> str:
    return "bucket_index" if "ts_utc" not in stored and "bucket_index" in stored else _moment(stored, "--order time")
