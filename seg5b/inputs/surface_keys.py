"""Which component each row of a surface belongs to, whatever the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from seg5b.axes.vocabulary import Vocabulary
from seg5b.tables.reading import Columns, text

NAMES: Final = ("legal_country_iso", "tzid", "channel_group")
"""What a surface's columns of names are called, in the order in which they are packed."""
_BITS: Final = 21
MOST_NAMES: Final = 1 << _BITS
"""Different names of each kind that there is room for."""
_MIX: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_FREE: Final = -1


def packed_names(batch: Columns, names: Sequence[Vocabulary]) -> np.ndarray:
    """The names of each row as one int64 [n]: codes of `NAMES`, each below `MOST_NAMES`; that of a column which is not there
    is 0. ``names``: a vocabulary for each, which learns new ones."""
    columns = [text(batch, name) if name in batch else None for name in NAMES]
    packed = np.zeros(next(column.codes.size for column in columns if column is not None), np.int64)
    for place, (column, vocabulary) in enumerate(zip(columns, names, strict=True)):
        if column is not None and column.values:
            codes = np.array([vocabulary.code(value) for value in column.values], np.int64)
            packed += (codes << _BITS * (2 - place))[column.codes]
    return packed


def unpacked(keys: np.ndarray) -> list[np.ndarray]:
    """Codes of `NAMES`, int64 [n] each, that `packed_names` put together."""
    return [keys >> _BITS * (2 - place) & MOST_NAMES - 1 for place in range(len(NAMES))]


class KeyTable:
    """Numbers distinct pairs (uint64, int64) from 0, in no order that means anything: a hash table of arrays, asked for many
    pairs at once. Linear in what is asked; at most an eighth of its places is taken."""

    def __init__(self) -> None:
        self._high, self._low = np.empty(0, np.uint64), np.empty(0, np.int64)  # the pair of each number
        self._lay_out(1 << 15)

    def __len__(self) -> int:
        return self._high.size

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """The pairs by their numbers, uint64 and int64 [len]."""
        return self._high, self._low

    def numbers(self, high: np.ndarray, low: np.ndarray) -> np.ndarray:
        """Number of each pair, int64 [n]; pairs that were not seen before get the next ones."""
        place = self._first_place(high, low)
        found: np.ndarray = self._number[place]
        left = np.flatnonzero(~self._holds(found, high, low))
        if left.size:
            found[left] = self._walked(high[left], low[left], place[left])
        return found

    def _walked(self, high: np.ndarray, low: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Number of each pair, found or put where its walk from ``place`` ends."""
        found, asked = np.empty(high.size, np.int64), np.arange(high.size)
        while asked.size:
            number = self._number[place]
            free = number == _FREE
            if free.any():
                taken, first = np.unique(place[free], return_index=True)
                new = asked[free][first]
                self._number[taken] = len(self) + np.arange(new.size)
                self._high, self._low = np.append(self._high, high[new]), np.append(self._low, low[new])
                if 8 * len(self) > self._number.size:
                    self._lay_out(8 * self._number.size)
                    place = self._first_place(high[asked], low[asked])
                number = self._number[place]
            right = self._holds(number, high[asked], low[asked])
            found[asked[right]] = number[right]
            step = (number != _FREE)[~right]  # a place may be free only because the table has just been laid out anew
            asked, place = asked[~right], (place[~right] + step) & (self._number.size - 1)
        return found

    def _holds(self, number: np.ndarray, high: np.ndarray, low: np.ndarray) -> np.ndarray:
        """Whether each number is there, and that of its pair."""
        if not len(self):
            return np.zeros(number.size, bool)
        held: np.ndarray = (self._high[number] == high) & (self._low[number] == low) & (number != _FREE)
        return held

    def _first_place(self, high: np.ndarray, low: np.ndarray) -> np.ndarray:
        mixed: np.ndarray = (high ^ (low.view(np.uint64) * _MIX[1])) * _MIX[0]
        mixed >>= np.uint64(64 - (self._number.size.bit_length() - 1))
        return mixed.view(np.int64)

    def _lay_out(self, places: int) -> None:
        """Lay the table out anew with so many places, a power of two."""
        self._number = np.full(places, _FREE, np.int64)
        left, place = np.arange(len(self)), self._first_place(self._high, self._low)
        while left.size:
            free = self._number[place] == _FREE
            self._number[place[free]] = left[free]  # of several that want a place one gets it
            put = self._number[place] == left
            left, place = left[~put], (place[~put] + 1) & (places - 1)
