"""String columns as codes that stay the same from file to file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seg5b.tables.reading import Text


class Vocabulary:
    """Gives each distinct string a code, in order of first appearance."""

    def __init__(self, values: Sequence[str] = ()) -> None:
        self._codes: dict[str, int] = {}
        for value in values:
            self.code(value)

    def code(self, value: str) -> int:
        """Code of a string; a new one if it was not seen before."""
        return self._codes.setdefault(value, len(self._codes))

    def encode(self, column: Text) -> np.ndarray:
        """Codes int32 [n] of a text column."""
        mapping = np.array([self.code(value) for value in column.values], np.int32)
        return mapping[column.codes] if column.values else column.codes

    @property
    def values(self) -> tuple[str, ...]:
        """The strings by code."""
        return tuple(self._codes)

    def rank(self) -> np.ndarray:
        """Position of each code among the strings in UTF-8 byte order, int64 [codes]."""
        order = sorted(range(len(self._codes)), key=lambda code: self.values[code].encode())
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order))
        return ranks


def run_starts(*columns: np.ndarray) -> np.ndarray:
    """Positions at which any of the equally long columns differs from the row before, int64; 0 first."""
    size = columns[0].size
    if size == 0:
        return np.zeros(0, np.int64)
    changed = np.zeros(size, bool)
    changed[0] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)
