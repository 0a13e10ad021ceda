"""What a reader must make of the arrivals, as plain Python values, and how its own values are compared with that.

Standard library only: readers run in environments of their own, which hold them and nothing of the product.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

CLOCKS: Final = ("primary", "settlement", "operational")
KEY: Final = ("scenario_id", "merchant_id", "arrival_seq")
IDS: Final = ("seed", "merchant_id", "site_id", "edge_id")
LOCAL: Final = tuple(f"ts_local_{clock}" for clock in CLOCKS)
OFFSETS: Final = tuple(f"utc_offset_min_{clock}" for clock in CLOCKS)
FIELDS: Final = ("scenario_id", "merchant_id", "arrival_seq", "seed", "site_id", "edge_id", "ts_utc", *LOCAL, *OFFSETS)
_MISSING: Final = ("nan", "<NA>")  # how pandas spells it
_EPOCH: Final = datetime(1970, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a reader, and where the rows lie.

    ``root``: the dataset's folder in a run. ``folder``: an export of it, a folder for each scenario and day. ``lake``: a Delta
    table. ``warehouse``: an Iceberg catalog and its tables. ``scenario``; ``merchant``, an id above 2^63; ``start``, ``end``: a
    stretch between two arrivals, the first of them in it; ``dusk``, ``dawn``: a night in which clocks are set back.
    """

    root: str
    folder: str
    lake: str
    warehouse: str
    scenario: str
    merchant: int
    start: datetime
    end: datetime
    dusk: datetime
    dawn: datetime
    rows: tuple[Row, ...]

    def write(self, file: Path) -> None:
        """Keep it as JSON."""
        kept = {name: getattr(self, name) for name in self.__slots__}
        file.write_text(json.dumps(kept, default=lambda moment: moment.isoformat()), "utf-8")

    @classmethod
    def read(cls, file: Path) -> Asked:
        """What `write` kept."""
        kept = json.loads(file.read_text("utf-8"))
        moments = {name: datetime.fromisoformat(kept[name]) for name in ("start", "end", "dusk", "dawn")}
        return cls(**{**kept, **moments, "rows": tuple(map(tuple, kept["rows"]))})

    def expected(self, question: str) -> list[Row]:
        """The rows that answer a question."""
        chosen = {
            "scenario": lambda row: row[0] == self.scenario,
            "merchant": lambda row: row[1] == self.merchant,
            "period": lambda row: micros(self.start) <= row[_AT] < micros(self.end),
            "night": lambda row: micros(self.dusk) <= row[_AT] < micros(self.dawn),
        }
        return [row for row in self.rows if question not in chosen or chosen[question](row)]


_AT: Final = FIELDS.index("ts_utc")


def plain(row: Mapping[str, Any]) -> Row:
    """A row as a reader has it, as plain values in the order of `FIELDS`: numbers, and microseconds since 1970."""
    numbers = {name: number(row[name]) for name in FIELDS if name not in ("scenario_id", "ts_utc", *LOCAL)}
    clocks = {name: micros(row[name], wall_clock=True) for name in LOCAL}
    found = {"scenario_id": str(row["scenario_id"]), **numbers, **clocks, "ts_utc": micros(row["ts_utc"])}
    return tuple(found[name] for name in FIELDS)


def number(value: Any) -> int | None:
    """A number of any kind, or its digits; None where there is none."""
    return None if value is None or str(value) in _MISSING else int(value)


def micros(value: Any, *, wall_clock: bool = False) -> int:
    """Microseconds since 1970 of a datetime, which has a zone, or as a wall clock none; integers are such already. Raises
    `ValueError` for one with a zone too many or too few."""
    if isinstance(value, int):
        return value
    if (value.tzinfo is None) is not wall_clock:
        raise ValueError(f"{value!r} is {'no wall clock' if wall_clock else 'no instant'}")
    naive = value if wall_clock else value.astimezone(UTC).replace(tzinfo=None)
    return int((naive - _EPOCH) // _MICROSECOND)


def difference(found: Iterable[Row], expected: Iterable[Row], names: Iterable[str] = FIELDS) -> str:
    """What is wrong with rows in any order: empty if nothing is."""
    places = [FIELDS.index(name) for name in dict.fromkeys([*KEY, *names])]
    was, is_ = (sorted(repr([row[place] for place in places]) for row in rows) for rows in (expected, found))
    if len(is_) != len(was):
        return f"{len(is_)} rows of {len(was)}"
    wrong = len(set(was) - set(is_))
    return f"{wrong} of {len(was)} rows differ" if wrong else ""
