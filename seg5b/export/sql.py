"""The SQL of an export: one query for all rows, or for those of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seg5b.errors import InputError
from seg5b.export.formats import LAKES, TEXTS, Format, Shape
from seg5b.export.request import ExportRequest
from seg5b.query import identifier
from seg5b.tables.outgoing import Kind, Outgoing

_WIDEST_KEY: Final = ("merchant_id", "zone_representation", "channel_group", "group_id", "bucket_index", "anomaly_id")
KINDS: Final = {
    "UBIGINT": Kind.ID,
    "VARCHAR": Kind.TEXT,
    "BOOLEAN": Kind.FLAG,
    "TIMESTAMP WITH TIME ZONE": Kind.MOMENT,
    "TIMESTAMP": Kind.CLOCK,
    "DOUBLE": Kind.NUMBER,
    **dict.fromkeys(("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT"), Kind.INTEGER),
}


@dataclass(frozen=True, slots=True)
class Query:
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
        inner = f"SELECT *{self._coded()} FROM dataset {where_of(conditions)}"
        aliases = [f"key {place}" for place in range(len(self.keys))]
        by_row = [] if self.request.order != "time" else [identifier(time_key(self.stored)), *self._row_keys()]
        cut = "" if limit is None else f" LIMIT {limit}"
        if self.foldered:
            inner = f"{inner}{_ordered(by_row)}{cut}" if cut else inner  # the first rows, not those of the first folder
            by_row, cut = [*map(identifier, aliases), *(by_row or self._row_keys())], ""
        return f"SELECT {', '.join(self._listed(aliases))} FROM ({inner}) AS rows{_ordered(by_row)}{cut}"

    def _coded(self) -> str:
        coded = [
            f"CAST({identifier(each.name)} AS {code_of(each.name)}) AS {identifier(each.name)}"
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
        scenario = ["scenario_id"] if several_scenarios(self.request) else []
        return [identifier(name) for name in [*names, *scenario] if name in self.stored]


def _ordered(keys: Sequence[str]) -> str:
    return f" ORDER BY {', '.join(f'{name} NULLS FIRST' for name in keys)}" if keys else ""


def _value(column: Outgoing, stored: str, shape: Shape) -> str:
    name = f"rows.{identifier(column.name)}"
    kind = KINDS.get(stored, Kind.OTHER)
    if shape.format not in TEXTS or kind not in (Kind.NUMBER, Kind.OTHER):
        return name
    if kind is Kind.OTHER:
        return f"CAST(to_json({name}) AS VARCHAR)"
    text = f"CAST({name} AS VARCHAR)"
    return f"CASE WHEN isfinite({name}) THEN {text} END" if shape.format is Format.JSONL else text


def time_key(stored: Mapping[str, str]) -> str:
    """The column that orders rows by time. Raises as `moment_column`."""
    return (
        "bucket_index" if "ts_utc" not in stored and "bucket_index" in stored else moment_column(stored, "--order time")
    )


def moment_column(stored: Mapping[str, str], option: str) -> str:
    """The column that says when a row happens. Raises `InputError` ``5B.EXPORT.COLUMN_UNKNOWN``."""
    for name in ("ts_utc", "bucket_start_utc"):
        if stored.get(name) == "TIMESTAMP WITH TIME ZONE":
            return name
    what = f"the dataset has no instants, which {option} go by"
    raise InputError("5B.EXPORT.COLUMN_UNKNOWN", what, remedy=f"its columns are {', '.join(stored)}; see --where")


def several_scenarios(request: ExportRequest) -> bool:
    """Whether rows of more than one scenario may be asked for."""
    return len(request.scenarios) > 1 or "all" in request.scenarios


def code_of(name: str) -> str:
    """The SQL type of a column whose texts are codes."""
    return identifier(f"code of {name}")


def where_of(conditions: Sequence[str]) -> str:
    """Conditions as a clause."""
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""
