"""One arrival file from bytes to small tables: decoded once, walked once.

Equal bytes and equal facts give equal tables, whoever calls: a thread, or another process.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from seg5b.foreign_json import COUNT, INTEGER, Form, OrNull
from seg5b.hashing import sha256_hex
from seg5b.part_scan.arrivals import walk as w
from seg5b.part_scan.arrivals.columns import BIT, CONSTANTS, KINDS, MERCHANT, OPTIONAL, UTC, Rows
from seg5b.part_scan.arrivals.conditions import NAMES, Limits
from seg5b.part_scan.arrivals.habits import empty_habits, longer_habits
from seg5b.part_scan.arrivals.tables import BOUNDS, KEYED, OTHERS, TABLES, habit_tables, keyed_table, with_sums
from seg5b.part_scan.counting import empty_counts, listed, longer, with_room
from seg5b.part_scan.loops import NAMED
from seg5b.part_scan.tables import PartTable, PartTables, column_of, fault_facts, faults_form, tuple_of
from seg5b.part_scan.texts import Combinations, Texts, read_only
from seg5b.tables.columns import Column
from seg5b.tables.reading import Kind
from seg5b.tables.stretches import Stretch, iterate_stretches

_ROW = tuple_of(INTEGER, INTEGER, INTEGER, INTEGER)


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """What the tables of a part depend on besides its bytes.

    ``start_us``, ``bucket_us``, ``buckets``: the grid of the scenario (UTC microseconds). ``threshold``: of sampled mode
    (`seg5b.run_tables.sampling`), None where every row is judged. ``stride`` and ``batches``: which rows give their
    exact place in their bucket. ``fine_zones``: zones whose local hours a whole bucket does not tell.
    """

    start_us: int
    bucket_us: int
    buckets: int
    threshold: int | None
    stride: int
    batches: int
    fine_zones: tuple[str, ...]

    def key(self) -> str:
        """64 hex digits that differ wherever a fact differs."""
        return sha256_hex(json.dumps(asdict(self), sort_keys=True).encode())

    def limits(self) -> Limits:
        """The constants of the walk."""
        threshold = -1 if self.threshold is None else self.threshold
        hourly = w.HOUR_US % self.bucket_us == 0 and self.start_us % self.bucket_us == 0
        return Limits(self.start_us, self.bucket_us, self.buckets, hourly, threshold, self.stride, self.batches)


@dataclass(frozen=True, slots=True)
class ArrivalScan:
    """What is to be scanned: an arrival ``file``, with which ``facts``, and the ``folder`` where results are kept.

    The facts of its tables: ``rows``, ``judged`` rows, ``latest_us`` (None without rows), ``faults`` by condition (``rows``
    that violate, ``places`` of the first ten), ``disordered`` rows with the first of them in ``disorder``, and ``first`` and
    ``last`` row as (merchant, sequence, instant, nulls), None without rows.
    """

    names: ClassVar[tuple[str, ...]] = TABLES
    form: ClassVar[Form] = {
        **dict.fromkeys(("rows", "judged", "disordered"), COUNT),
        "latest_us": OrNull(INTEGER),
        "faults": faults_form(NAMES),
        "disorder": [_ROW],
        **dict.fromkeys(("first", "last"), OrNull(_ROW)),
    }
    file: Path
    facts: ScanFacts
    folder: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return (self.file,)

    def key(self) -> str:
        """64 hex digits that differ wherever a fact differs."""
        return self.facts.key()

    def tables(self) -> PartTables:
        """Decode the file and walk it. Raises `InputError` ``5B.S5.IO_READ_FAILED``."""
        return scan_part(self.file, self.facts)


def scan_part(file: Path, facts: ScanFacts) -> PartTables:
    """The tables of an arrival file. Raises `InputError` ``5B.S5.IO_READ_FAILED``."""
    texts = _ArrivalTexts(facts.fine_zones)
    constants = Combinations(texts, CONSTANTS)
    limits, walk = facts.limits(), _empty_walk()
    for stretch in iterate_stretches(file, KINDS, optional=OPTIONAL, code="5B.S5.IO_READ_FAILED"):
        rows = _rows(stretch, texts, constants)
        walk = _with_room(walk, stretch.rows, len(constants))
        w.walk_rows(rows, limits, texts.fine(), walk)
    return PartTables({**_tables(walk, texts), "constants": constants.table(walk.constants)}, _facts(walk))


class _ArrivalTexts(Texts):
    """The texts of a file, and which of them name a zone whose hours a bucket does not tell."""

    def __init__(self, fine_zones: tuple[str, ...]) -> None:
        super().__init__()
        self._fine_zones = frozenset(fine_zones)
        self._fine = np.zeros(0, np.uint8)

    def fine(self) -> np.ndarray:
        """uint8 by number of a text."""
        if len(self._fine) != len(self.values):
            self._fine = np.array([value in self._fine_zones for value in self.values], np.uint8)
        return self._fine


def _rows(stretch: Stretch, texts: Texts, constants: Combinations) -> Rows:
    """A stretch as the walk sees it."""

    def numbers(name: str) -> np.ndarray:
        column = stretch.columns[name]
        assert isinstance(column, np.ndarray)
        return column.view(np.uint8 if column.dtype == bool else np.int64)

    intensity = stretch.columns.get("lambda_realised", np.zeros(stretch.rows))
    clocks = ("primary", "operational", "settlement")
    arrays = (
        _null_bits(stretch),
        constants.numbers(stretch),
        numbers("merchant_id"),
        texts.codes(stretch, "zone_representation"),
        texts.codes(stretch, "channel_group"),
        *(numbers(name) for name in ("bucket_index", "arrival_seq", "ts_utc", "is_virtual", "site_id", "edge_id")),
        intensity,
        *(texts.codes(stretch, f"tzid_{clock}") for clock in clocks),
        *(numbers(f"ts_local_{clock}") for clock in clocks),
        *(numbers(f"utc_offset_min_{clock}") for clock in clocks),
    )
    return Rows(*(read_only(np.asarray(array)) for array in arrays))


def _null_bits(stretch: Stretch) -> np.ndarray:
    absent = sum(BIT[name] for name in OPTIONAL if name not in stretch.columns)
    bits = np.full(stretch.rows, absent, np.uint32)
    for name, where in stretch.nulls.items():
        bits |= where.astype(np.uint32) * np.uint32(BIT[name])
    return bits


def _empty_walk() -> w.Walk:
    conditions = len(NAMES)
    state = np.zeros(9, np.int64)
    state[w.LATEST] = np.iinfo(np.int64).min
    widths = {name: 2 + max(column.place for column in KEYED[name]) for name in KEYED}
    return w.Walk(
        state=state,
        fault_rows=np.zeros(conditions, np.int64),
        fault_places=np.zeros((conditions, NAMED), np.int64),
        disorder=np.zeros((NAMED, 4), np.int64),
        ends=np.zeros((2, 4), np.int64),
        stretches=np.empty((0, 8), np.int64),
        picks=np.empty((0, 2), np.int64),
        bins=np.zeros(w.BINS, np.int64),
        least=np.empty(0),
        greatest=np.empty(0),
        constants=np.zeros(0, np.int64),
        habits=empty_habits(),
        **{name: empty_counts(width) for name, width in widths.items()},
    )


def _with_room(walk: w.Walk, rows: int, combinations: int) -> w.Walk:
    """The walk with room for whatever ``rows`` more rows of so many ``combinations`` of constants may bring."""
    counted: dict[str, Any] = {name: with_room(getattr(walk, name), rows) for name in KEYED}
    capacity = len(counted["cells"].rows)
    return walk._replace(
        stretches=longer(walk.stretches, int(walk.state[w.STRETCHES]), rows),
        picks=longer(walk.picks, int(walk.state[w.PICKED]), rows),
        least=longer(walk.least, len(walk.least), capacity - len(walk.least)),
        greatest=longer(walk.greatest, len(walk.greatest), capacity - len(walk.greatest)),
        constants=np.pad(walk.constants, (0, combinations - len(walk.constants))),
        habits=longer_habits(
            walk.habits,
            int(walk.state[w.STRETCHES]),
            rows,
            len(counted["site_routes"].rows),
            len(counted["edge_routes"].rows),
        ),
        **counted,
    )


def _tables(walk: w.Walk, texts: Texts) -> dict[str, PartTable]:
    tables = {name: keyed_table(name, *listed(getattr(walk, name)), texts.values) for name in KEYED}
    cells = tables["cells"]
    bounds = {name: getattr(walk, name)[: cells.rows] for name in BOUNDS}
    kinds = {**cells.kinds, **dict.fromkeys(BOUNDS, Kind.NUMBER)}
    tables["cells"] = PartTable(kinds, {**cells.columns, **bounds}, cells.rows)
    for name, found in (("site_routes", walk.habits.sites), ("edge_routes", walk.habits.edges)):
        tables[name] = with_sums(tables[name], found.sums)
    used = np.flatnonzero(walk.bins)
    picks = walk.picks[: walk.state[w.PICKED]]
    tables["merchant_parts"] = _stretches(walk)
    tables |= habit_tables(walk)
    tables["picks"] = _plain("picks", (picks[:, 0], picks[:, 1]), len(picks))
    tables["offset_bins"] = _plain("offset_bins", (used, walk.bins[used]), len(used))
    return tables


def _plain(name: str, columns: Sequence[np.ndarray], rows: int) -> PartTable:
    """A table of numbers without nulls."""
    kinds = OTHERS[name]
    given = zip(kinds.items(), columns, strict=True)
    return PartTable(kinds, {key: column_of(kind, np.asarray(column, np.int64)) for (key, kind), column in given}, rows)


def _stretches(walk: w.Walk) -> PartTable:
    """Stretches of merchants; those without any sequence number have no bounds of it."""
    found = walk.stretches[: walk.state[w.STRETCHES]]
    kinds = OTHERS["merchant_parts"]
    columns: dict[str, Column] = {}
    for place, (name, kind) in zip((0, *range(2, 8)), kinds.items(), strict=True):
        absent = (
            found[:, 1] & MERCHANT != 0 if name == "merchant_id" else found[:, 4] > found[:, 5] if place >= 4 else None
        )
        columns[name] = column_of(kind, found[:, place], absent)
    return PartTable(kinds, columns, len(found))


def _facts(walk: w.Walk) -> dict[str, Any]:
    state = walk.state
    disordered = int(state[w.DISORDERED])
    ends = [_unsigned(row) for row in walk.ends[:2]] if state[w.ROWS] else [None, None]
    return {
        "rows": int(state[w.ROWS]),
        "judged": int(state[w.JUDGED]),
        "latest_us": int(state[w.LATEST]) if state[w.LATEST] > np.iinfo(np.int64).min else None,
        "faults": fault_facts(NAMES, walk.fault_rows, walk.fault_places),
        "disordered": disordered,
        "disorder": [_unsigned(row) for row in walk.disorder[: min(disordered, NAMED)]],
        "first": ends[0],
        "last": ends[1],
    }


def _unsigned(row: np.ndarray) -> list[int]:
    """Merchant (an unsigned id) and three more numbers."""
    return [int(row[0]) & (1 << 64) - 1, *map(int, row[1:])]


def disordered(row: Sequence[int], last: Sequence[int]) -> bool:
    """Whether the first row of a part lies before the last row of the part before it, both as in the facts of `ArrivalScan`."""
    nulls = row[3] | last[3]
    if nulls & MERCHANT:
        return False
    return row[0] < last[0] or (row[0] == last[0] and not nulls & UTC and row[2] < last[2])
