"""The texts of a scan as numbers, in the order in which they are met."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seg5b.part_scan.loops import translate
from seg5b.part_scan.tables import PartTable, column_of
from seg5b.tables.columns import Column
from seg5b.tables.reading import Kind, Text
from seg5b.tables.stretches import Stretch


class Texts:
    """Every text that was met, numbered; several columns and files share the numbers."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._numbers: dict[str, int] = {}
        self._translations: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}

    def number(self, value: str) -> int:
        """Number of a text."""
        if value not in self._numbers:
            self._numbers[value] = len(self.values)
            self.values.append(value)
        return self._numbers[value]

    def codes(self, stretch: Stretch, name: str) -> np.ndarray:
        """Numbers int32 [n] of a column's texts, -1 for null."""
        column = stretch.columns[name]
        assert isinstance(column, Text)
        known = self._translations.get(name)
        if known is None or known[0] is not column.values:
            known = column.values, np.array([*map(self.number, column.values), -1], np.int32)
            self._translations[name] = known
        numbers = np.empty(stretch.rows, np.int32)
        translate(read_only(column.codes), known[1], numbers)
        return numbers


class Combinations:
    """The distinct combinations of columns that say whose rows these are, numbered: they are kept, not looked at row by
    row. ``names``: the columns, texts but for ``seed``."""

    def __init__(self, texts: Texts, names: Sequence[str]) -> None:
        self._texts, self._names = texts, names
        self._known: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        return len(self._known)

    def numbers(self, stretch: Stretch) -> np.ndarray:
        """Number int32 [n] of each row's combination."""
        parts = [part for name in self._names for part in self._column(stretch, name)]
        if all(part.size == 1 for part in parts):
            head = tuple(int(part[0]) for part in parts)
            return np.full(stretch.rows, self._known.setdefault(head, len(self._known)), np.int32)
        spelled = [np.broadcast_to(part, stretch.rows) if part.size == 1 else part for part in parts]
        distinct, inverse = np.unique(np.stack(spelled, axis=1), axis=0, return_inverse=True)
        known = [self._known.setdefault(tuple(map(int, row)), len(self._known)) for row in distinct]
        return np.array(known, np.int32)[inverse.reshape(-1)]

    def table(self, rows: np.ndarray) -> PartTable:
        """The combinations that ``rows`` int64 [combinations] counts, and how often."""
        met = np.flatnonzero(rows)
        found = np.array(list(self._known), np.int64).reshape(-1, len(self._names) + 1)[met]
        seed = self._names.index("seed")
        kinds = {name: Kind.ID if name == "seed" else Kind.TEXT for name in self._names}
        columns: dict[str, Column] = {"rows": rows[met]}
        for place, name in enumerate(self._names):  # the number behind the seed's says that it is null
            absent = found[:, seed + 1] != 0 if place == seed else None
            columns[name] = column_of(kinds[name], found[:, place + (place > seed)], absent, self._texts.values)
        return PartTable({**kinds, "rows": Kind.INTEGER}, columns, len(met))

    def _column(self, stretch: Stretch, name: str) -> tuple[np.ndarray, ...]:
        """Numbers int64 of a column, [n], or [1] where all are one; of the seed also whether they are null."""
        column, missing = stretch.columns[name], stretch.nulls.get(name)
        if isinstance(column, Text):
            if len(column.values) == 1 and missing is None:
                return (np.array([self._texts.number(column.values[0])], np.int64),)
            return (self._texts.codes(stretch, name).astype(np.int64),)
        numbers = column.view(np.int64)
        same = stretch.rows > 0 and numbers.min() == numbers.max()
        nulls = np.zeros(1, np.int64) if missing is None else missing.astype(np.int64)
        return (numbers[:1] if same else numbers, nulls)


def read_only(array: np.ndarray) -> np.ndarray:
    """The same numbers as an array of one type whoever made it: compiled code exists once."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
