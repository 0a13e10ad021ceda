"""One arrival file from bytes to small tables: decoded once, walked once.

Equal bytes and equal facts give equal tables, whoever calls: a thread, or another process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seg5b.hashing import sha256_hex
from seg5b.part_scan import walk as w
from seg5b.part_scan.columns import BIT, CONSTANTS, KINDS, MERCHANT, OPTIONAL, UTC, Rows
from seg5b.part_scan.conditions import NAMES, Limits
from seg5b.part_scan.counting import empty_counts, listed, with_room
from seg5b.part_scan.tables import BOUNDS, KEYED, OTHERS, PartTable, column_of, keyed_table
from seg5b.tables.columns import Column
from seg5b.tables.reading import Kind, Text
from seg5b.tables.stretches import Stretch, iterate_stretches


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
class PartTables:
    """What is kept of a part: its tables by name, and its facts.

    ``facts``: ``rows``, ``judged`` rows, ``latest_us`` (None without rows), ``faults`` by condition (``rows`` that
    violate, ``places`` of the first ten), ``disordered`` rows with the first of them in ``disorder``, and ``first`` and
    ``last`` row as (merchant, sequence, instant, nulls), None without rows.
    """

    tables: Mapping[str, PartTable]
    facts: Mapping[str, Any]


def scan_part(file: Path, facts: ScanFacts) -> PartTables:
    """The tables of an arrival file. Raises `InputError` ``5B.S5.IO_READ_FAILED``."""
    texts = _Texts(facts.fine_zones)
    limits, walk = facts.limits(), _empty_walk()
    for stretch in iterate_stretches(file, KINDS, optional=OPTIONAL, code="5B.S5.IO_READ_FAILED"):
        rows = texts.rows(stretch)
        walk = _with_room(walk, stretch.rows, len(texts.constants))
        w.walk_rows(rows, limits, texts.fine(), walk)
    return PartTables(_tables(walk, texts), _facts(walk))


class _Texts:
    """The texts of a file, numbered in the order in which they are met."""

    def __init__(self, fine_zones: tuple[str, ...]) -> None:
        self.values: list[str] = []
        self.constants: dict[tuple[int, ...], int] = {}
        self._numbers: dict[str, int] = {}
        self._translations: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
        self._fine_zones = frozenset(fine_zones)
        self._fine = np.zeros(0, np.uint8)

    def number(self, value: str) -> int:
        if value not in self._numbers:
            self._numbers[value] = len(self.values)
            self.values.append(value)
        return self._numbers[value]

    def fine(self) -> np.ndarray:
        """uint8 by number of a text: whether it names a zone whose hours a bucket does not tell."""
        if len(self._fine) != len(self.values):
            self._fine = np.array([value in self._fine_zones for value in self.values], np.uint8)
        return self._fine

    def codes(self, stretch: Stretch, name: str) -> np.ndarray:
        """Numbers int32 [n] of a column's texts, -1 for null."""
        column = stretch.columns[name]
        assert isinstance(column, Text)
        known = self._translations.get(name)
        if known is None or known[0] is not column.values:
            known = column.values, np.array([*map(self.number, column.values), -1], np.int32)
            self._translations[name] = known
        numbers = np.empty(stretch.rows, np.int32)
        w.translate(_read_only(column.codes), known[1], numbers)
        return numbers

    def rows(self, stretch: Stretch) -> Rows:
        """A stretch as the walk sees it."""

        def numbers(name: str) -> np.ndarray:
            column = stretch.columns[name]
            assert isinstance(column, np.ndarray)
            return column.view(np.uint8 if column.dtype == bool else np.int64)

        intensity = stretch.columns.get("lambda_realised", np.zeros(stretch.rows))
        clocks = ("primary", "operational", "settlement")
        arrays = (
            _null_bits(stretch),
            self._combinations(stretch),
            numbers("merchant_id"),
            self.codes(stretch, "zone_representation"),
            self.codes(stretch, "channel_group"),
            *(numbers(name) for name in ("bucket_index", "arrival_seq", "ts_utc", "is_virtual", "site_id", "edge_id")),
            intensity,
            *(self.codes(stretch, f"tzid_{clock}") for clock in clocks),
            *(numbers(f"ts_local_{clock}") for clock in clocks),
            *(numbers(f"utc_offset_min_{clock}") for clock in clocks),
        )
        return Rows(*(_read_only(np.asarray(array)) for array in arrays))

    def _combinations(self, stretch: Stretch) -> np.ndarray:
        """Number int32 [n] of each row's combination of the constant columns."""
        parts = [part for name in CONSTANTS for part in self._constant(stretch, name)]
        if all(part.size == 1 for part in parts):
            head = tuple(int(part[0]) for part in parts)
            return np.full(stretch.rows, self.constants.setdefault(head, len(self.constants)), np.int32)
        spelled = [np.broadcast_to(part, stretch.rows) if part.size == 1 else part for part in parts]
        distinct, inverse = np.unique(np.stack(spelled, axis=1), axis=0, return_inverse=True)
        known = [self.constants.setdefault(tuple(map(int, row)), len(self.constants)) for row in distinct]
        return np.array(known, np.int32)[inverse.reshape(-1)]

    def _constant(self, stretch: Stretch, name: str) -> tuple[np.ndarray, ...]:
        """Numbers int64 of a constant column, [n], or [1] where all are one; of the seed also whether they are null."""
        column, missing = stretch.columns[name], stretch.nulls.get(name)
        if isinstance(column, Text):
            if len(column.values) == 1 and missing is None:
                return (np.array([self.number(column.values[0])], np.int64),)
            return (self.codes(stretch, name).astype(np.int64),)
        numbers = column.view(np.int64)
        same = stretch.rows > 0 and numbers.min() == numbers.max()
        nulls = np.zeros(1, np.int64) if missing is None else missing.astype(np.int64)
        return (numbers[:1] if same else numbers, nulls)


def _read_only(array: np.ndarray) -> np.ndarray:
    """The same numbers as an array of one type whoever made it: compiled code exists once."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


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
        fault_places=np.zeros((conditions, w.NAMED), np.int64),
        disorder=np.zeros((w.NAMED, 4), np.int64),
        ends=np.zeros((2, 4), np.int64),
        stretches=np.empty((0, 8), np.int64),
        picks=np.empty((0, 2), np.int64),
        bins=np.zeros(w.BINS, np.int64),
        least=np.empty(0),
        greatest=np.empty(0),
        constants=np.zeros(0, np.int64),
        **{name: empty_counts(width) for name, width in widths.items()},
    )


def _with_room(walk: w.Walk, rows: int, combinations: int) -> w.Walk:
    """The walk with room for whatever ``rows`` more rows of so many ``combinations`` of constants may bring."""
    counted: dict[str, Any] = {name: with_room(getattr(walk, name), rows) for name in KEYED}
    capacity = len(counted["cells"].rows)
    return walk._replace(
        stretches=_longer(walk.stretches, int(walk.state[w.STRETCHES]), rows),
        picks=_longer(walk.picks, int(walk.state[w.PICKED]), rows),
        least=_longer(walk.least, len(walk.least), capacity - len(walk.least)),
        greatest=_longer(walk.greatest, len(walk.greatest), capacity - len(walk.greatest)),
        constants=np.pad(walk.constants, (0, combinations - len(walk.constants))),
        **counted,
    )


def _longer(array: np.ndarray, used: int, rows: int) -> np.ndarray:
    if used + rows <= len(array):
        return array
    longer = np.empty((max(used + 4 * rows, 2 * used), *array.shape[1:]), array.dtype)
    longer[:used] = array[:used]
    return longer


def _tables(walk: w.Walk, texts: _Texts) -> dict[str, PartTable]:
    tables = {name: keyed_table(name, *listed(getattr(walk, name)), texts.values) for name in KEYED}
    cells = tables["cells"]
    bounds = {name: getattr(walk, name)[: cells.rows] for name in BOUNDS}
    kinds = {**cells.kinds, **dict.fromkeys(BOUNDS, Kind.NUMBER)}
    tables["cells"] = PartTable(kinds, {**cells.columns, **bounds}, cells.rows)
    used = np.flatnonzero(walk.bins)
    picks = walk.picks[: walk.state[w.PICKED]]
    tables["constants"] = _constants(walk, texts)
    tables["merchant_parts"] = _stretches(walk)
    tables["picks"] = _plain("picks", (picks[:, 0], picks[:, 1]), len(picks))
    tables["offset_bins"] = _plain("offset_bins", (used, walk.bins[used]), len(used))
    return tables


def _plain(name: str, columns: Sequence[np.ndarray], rows: int) -> PartTable:
    """A table of numbers without nulls."""
    kinds = OTHERS[name]
    given = zip(kinds.items(), columns, strict=True)
    return PartTable(kinds, {key: column_of(kind, np.asarray(column, np.int64)) for (key, kind), column in given}, rows)


def _constants(walk: w.Walk, texts: _Texts) -> PartTable:
    """Combinations of the constant columns. The number behind the seed's says that it is null."""
    met = np.flatnonzero(walk.constants)
    combinations = np.array(list(texts.constants), np.int64).reshape(-1, len(CONSTANTS) + 1)[met]
    seed = CONSTANTS.index("seed")
    columns: dict[str, Column] = {"arrivals": walk.constants[met]}
    for place, name in enumerate(CONSTANTS):
        absent = combinations[:, seed + 1] != 0 if place == seed else None
        numbers = combinations[:, place + (place > seed)]
        columns[name] = column_of(OTHERS["constants"][name], numbers, absent, texts.values)
    return PartTable(OTHERS["constants"], columns, len(met))


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
    state, named = walk.state, np.minimum(walk.fault_rows, w.NAMED)
    faults = {
        name: {"rows": int(walk.fault_rows[k]), "places": walk.fault_places[k, : named[k]].tolist()}
        for k, name in enumerate(NAMES)
    }
    disordered = int(state[w.DISORDERED])
    ends = [_unsigned(row) for row in walk.ends[:2]] if state[w.ROWS] else [None, None]
    return {
        "rows": int(state[w.ROWS]),
        "judged": int(state[w.JUDGED]),
        "latest_us": int(state[w.LATEST]) if state[w.LATEST] > np.iinfo(np.int64).min else None,
        "faults": faults,
        "disordered": disordered,
        "disorder": [_unsigned(row) for row in walk.disorder[: min(disordered, w.NAMED)]],
        "first": ends[0],
        "last": ends[1],
    }


def _unsigned(row: np.ndarray) -> list[int]:
    """Merchant (an unsigned id) and three more numbers."""
    return [int(row[0]) & (1 << 64) - 1, *map(int, row[1:])]


def disordered(row: Sequence[int], last: Sequence[int]) -> bool:
    """Whether the first row of a part lies before the last row of the part before it, both as in `PartTables`."""
    nulls = row[3] | last[3]
    if nulls & MERCHANT:
        return False
    return row[0] < last[0] or (row[0] == last[0] and not nulls & UTC and row[2] < last[2])
