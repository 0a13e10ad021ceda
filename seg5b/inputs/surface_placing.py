"""A surface in any order, put in place without being sorted: one pass lays its rows on shelves, each of some whole merchants,
and a shelf is scattered into its cells when it is asked for. Law L5.

What is on disk meanwhile is 16 bytes a row; memory holds a piece of rows and the cells of a shelf.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from seg5b.axes.vocabulary import Vocabulary, run_starts
from seg5b.backends.base import Backend
from seg5b.canonical_json import canonical_json
from seg5b.foreign_json import read_json
from seg5b.inputs.surface import CELL, CHANNEL, KEY, Components
from seg5b.inputs.surface_blocks import SurfaceBlock
from seg5b.inputs.surface_faults import UnsortedSurfaceError
from seg5b.inputs.surface_keys import NAMES, KeyTable, packed_names, unpacked
from seg5b.parallel import ahead
from seg5b.tables.reading import column_names, iterate_columns, numbers

CELLS_PER_SHELF: Final = 1 << 21
_CELLS_PER_BLOCK: Final = 1 << 19
_ROWS_AT_ONCE: Final = 1 << 19
_LOOKED_AT: Final = 1 << 14  # rows by which is judged whether those of a component follow each other
_ROW: Final = np.dtype([("cell", "<i8"), ("expected", "<f8")])
_NAMES, _KEYS = "names.json", "components.npy"


def lay_on_shelves(files: Sequence[Path], folder: Path, first: np.ndarray, bucket_count: int, *, code: str) -> None:
    """Write each row of a surface to the shelf of its merchant, below ``folder``, as the cell that it belongs in.

    ``first``: the first merchant of each shelf, uint64 ascending; ``bucket_count``: H. Raises `InputError` ``code`` as
    `iterate_columns`; `UnsortedSurfaceError` for a row without a place, its bucket being outside the horizon.
    """
    channel = CHANNEL if "channel_group" in column_names(files[0], code=code) else {}
    names, places = [Vocabulary() for _ in NAMES], _Places(first, bucket_count)
    for batch in ahead(iterate_columns(files, {**KEY, **channel, **CELL}, code=code), 2):
        bucket = numbers(batch, "local_horizon_bucket_index")
        if bucket.size and not 0 <= bucket.min() <= bucket.max() < bucket_count:
            raise UnsortedSurfaceError
        shelf, begin = places.of(numbers(batch, "merchant_id"), packed_names(batch, names))
        rows = np.empty(bucket.size, _ROW)
        rows["cell"], rows["expected"] = begin + bucket, numbers(batch, "lambda_local_scenario")
        order = np.argsort(shelf, kind="stable")  # linear for integers of 16 bits
        sorted_rows, stops = rows[order], np.cumsum(np.bincount(shelf, minlength=first.size))
        for number, (start, stop) in enumerate(pairwise([0, *stops.tolist()])):
            if start < stop:
                with _shelf(folder, number).open("ab") as file:
                    file.write(sorted_rows[start:stop].data)
    (folder / _NAMES).write_bytes(canonical_json([list(vocabulary.values) for vocabulary in names]))
    np.save(folder / _KEYS, places.components())


class _Places:
    """Where components lie: their shelf, and the first of their cells there, components in order of appearance."""

    def __init__(self, first: np.ndarray, bucket_count: int) -> None:
        self._first, self._buckets, self._keys = first, bucket_count, KeyTable()
        self._filled = np.zeros(first.size, np.int64)
        self._shelf, self._begin = np.empty(0, np.uint16), np.empty(0, np.int64)

    def of(self, merchant: np.ndarray, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shelf uint16 and first cell int64 of the component of each row."""
        component = self._components(merchant, names)
        new = self._keys.pairs[0][self._shelf.size :]
        shelf = np.maximum(np.searchsorted(self._first, new, side="right") - 1, 0)
        order = np.argsort(shelf, kind="stable")
        counts = np.bincount(shelf, minlength=self._first.size)
        slot = np.empty(new.size, np.int64)
        slot[order] = np.arange(new.size) + np.repeat(self._filled - np.cumsum(counts) + counts, counts)
        self._filled += counts
        self._shelf = np.append(self._shelf, shelf.astype(np.uint16))
        self._begin = np.append(self._begin, slot * self._buckets)
        return self._shelf[component], self._begin[component]

    def _components(self, merchant: np.ndarray, names: np.ndarray) -> np.ndarray:
        """Number of the component of each row; where rows of one follow each other, it is looked up once for all of them."""
        if run_starts(merchant[:_LOOKED_AT], names[:_LOOKED_AT]).size * 4 > merchant[:_LOOKED_AT].size:
            return self._keys.numbers(merchant, names)
        starts = run_starts(merchant, names)
        return np.repeat(self._keys.numbers(merchant[starts], names[starts]), np.diff(np.append(starts, merchant.size)))

    def components(self) -> np.ndarray:
        """Merchant, packed names, shelf and first cell of each, uint64 [4, C]."""
        merchant, names = self._keys.pairs
        return np.stack([merchant, *(column.astype(np.uint64) for column in (names, self._shelf, self._begin))])


def placed_blocks(backend: Backend, folder: Path, shelves: Sequence[int], bucket_count: int) -> Iterator[SurfaceBlock]:
    """The surface of some shelves that `lay_on_shelves` wrote, as blocks of whole merchants, merchants ascending.

    Raises `UnsortedSurfaceError` where a shelf does not hold every bucket of each of its components exactly once, with a finite
    number that is not negative; what is wrong with it, whoever looks at its rows in order finds out.
    """
    names = [tuple(values) or ("",) for values in read_json(folder / _NAMES)]
    components = np.load(folder / _KEYS)
    for number in shelves:
        merchant, codes, _, begin = components[:, components[2] == number]
        if begin.size:
            cells = _scattered(_shelf(folder, number), begin.size * bucket_count).reshape(begin.size, bucket_count)
            slot = begin // np.uint64(bucket_count)
            for known, at in _blocks(merchant, codes.astype(np.int64), names, max(_CELLS_PER_BLOCK // bucket_count, 1)):
                surface = backend.upload(cells[slot[at].astype(np.int64)])
                yield SurfaceBlock(known, surface, np.arange(at.size, dtype=np.int32))


def _shelf(folder: Path, number: int) -> Path:
    return folder / f"shelf-{number:06d}"


def _scattered(shelf: Path, size: int) -> np.ndarray:
    """The cells of a shelf."""
    cells = np.full(size, np.nan)
    with shelf.open("rb") as file:
        for _ in range(0, size, _ROWS_AT_ONCE):
            rows = np.fromfile(file, _ROW, _ROWS_AT_ONCE)
            cells[rows["cell"]] = rows["expected"]
    # as many rows as cells, and no cell without a number: each was written once
    if shelf.stat().st_size != size * _ROW.itemsize or not (cells.min() >= 0.0 and cells.max() < np.inf):
        raise UnsortedSurfaceError
    return cells


def _blocks(
    merchant: np.ndarray, codes: np.ndarray, names: Sequence[Sequence[str]], most: int
) -> Iterator[tuple[Components, np.ndarray]]:
    """Components in series order, about ``most`` at a time, those of whole merchants, and where each stands in the input."""
    country, tzid, channel = (
        [of[code] for code in column.tolist()] for of, column in zip(names, unpacked(codes), strict=True)
    )
    order = np.lexsort((_rank(country), _rank(channel), _rank(tzid), merchant))
    begins = run_starts(merchant[order])
    cuts = np.unique(begins[np.searchsorted(begins, np.arange(0, order.size, most), side="right") - 1])
    for start, stop in zip(cuts, np.append(cuts[1:], order.size), strict=True):
        at = order[start:stop]
        yield Components(merchant[at], *(tuple(column[k] for k in at) for column in (country, tzid, channel))), at


def _rank(names: Sequence[str]) -> np.ndarray:
    """Position of each name among all of them, by bytes."""
    position = {name: rank for rank, name in enumerate(sorted(set(names), key=str.encode))}
    return np.array([position[name] for name in names], np.int64)
