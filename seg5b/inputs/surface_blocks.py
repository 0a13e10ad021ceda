"""The 5A surface in blocks of whole merchants, its values left on the backend.

Upstream promises neither order nor completeness, so both are established here. A surface that is sorted by merchant and
holds each component in one piece is streamed; the rows of any other are put in place first
(`seg5b.inputs.surface_placing`), and sorted only where they have faults that are to be named. Rows of a sound piece are
looked at by a kernel, and only keys of component heads (each H-th row) come to the host. Where something is wrong the
rows follow them, and numpy finds out what.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.cells import FirstFault
from seg5b_kernels.surface import SurfaceRows

from seg5b.axes.vocabulary import Vocabulary
from seg5b.backends.base import Array, Backend
from seg5b.backends.faults import first_fault, no_fault
from seg5b.frames import FrameColumns, Frames, TextColumn
from seg5b.frames.base import array, cut, text
from seg5b.frames.span import ALL_ROWS, Rows, iterate_rows
from seg5b.inputs.surface import CELL, CHANNEL, KEY, Components
from seg5b.inputs.surface_faults import Diagnosis, HostRows, UnsortedSurfaceError, rows_on_host
from seg5b.inputs.surface_keys import NAMES
from seg5b.query import sort_parquet
from seg5b.tables.reading import Kind, column_names

__all__ = ["SurfaceBlock", "UnsortedSurfaceError", "iterate_blocks", "sorted_copy"]

_Key = tuple[int, str, str, str]  # merchant, tzid, channel, country


@dataclass(frozen=True, slots=True)
class SurfaceBlock:
    """Whole merchants of a surface.

    ``surface`` float64 [C, H], on the backend: expected arrivals per bucket, non-negative and finite, every bucket
    exactly once; rows as they lie in the file. ``components`` [C] in series order; component k is row ``row[k]`` of the
    surface, int32 [C].
    """

    components: Components
    surface: Array
    row: np.ndarray


def sorted_copy(files: Sequence[Path], scratch: Path, *, code: str) -> list[Path]:
    """A copy of a surface, sorted by component and bucket, below ``scratch``; memory stays bounded."""
    target = scratch / "surface_sorted.parquet"
    channel = tuple(name for name in CHANNEL if name in column_names(files[0], code=code))
    sort_parquet(files, target, (*KEY, *channel, "local_horizon_bucket_index"))
    return [target]


def iterate_blocks(
    frames: Frames,
    backend: Backend,
    files: Sequence[Path],
    bucket_count: int,
    *,
    state: str,
    rows: Rows = ALL_ROWS,
) -> Iterator[SurfaceBlock]:
    """The surface as blocks of whole merchants, merchants ascending, as large as the reader's pieces.

    ``bucket_count``: H; ``rows``: those that are read, of all files taken together. Raises `UnsortedSurfaceError` when
    merchants do not ascend or a component's rows do not follow each other in bucket order. Raises with ``5B.<state>.``:
    `InputError` ``LAMBDA_SOURCE_MISSING`` (unreadable, nulls), `DomainError` ``BUCKET_SET_INCONSISTENT`` (index outside
    the horizon), ``REALISED_DOMAIN_INCOMPLETE`` (a gap), ``DOMAIN_ALIGN_FAILED`` (a duplicate), `NumericError`
    ``REALISED_NUMERIC_INVALID`` (negative or not finite).
    """
    code = f"5B.{state}.LAMBDA_SOURCE_MISSING"
    channel: dict[str, Kind] = CHANNEL if "channel_group" in column_names(files[0], code=code) else {}
    pieces = iterate_rows(frames, files, {**KEY, **channel, **CELL}, rows, code=code)
    return _BlockReader(backend, bucket_count, state).blocks(pieces)


class _BlockReader:
    """Cuts pieces of any size into blocks; a merchant is handed out once its last row was seen."""

    def __init__(self, backend: Backend, bucket_count: int, state: str) -> None:
        self._backend = backend
        self._buckets = bucket_count
        self._diagnosis = Diagnosis(bucket_count, state)
        self._open: list[FrameColumns] = []  # rows of the merchant whose last row was not seen yet
        self._open_rows = 0
        self._open_merchant = -1
        self._last_merchant = -1  # the last one handed out

    def blocks(self, pieces: Iterator[FrameColumns]) -> Iterator[SurfaceBlock]:
        """Blocks in merchant order."""
        for columns in pieces:
            doubtful = yield from self._views(columns)
            if doubtful:
                yield from self._by_numpy(chain(doubtful, pieces))
                return
        if self._open:
            block = self._sound(self._joined(self._open))
            yield from self._by_numpy(self._open) if block is None else (block,)

    def _views(self, columns: FrameColumns) -> Generator[SurfaceBlock, None, list[FrameColumns]]:
        """Blocks of a piece that holds the last rows of the open merchant, any number of whole ones, and first rows of
        another: views of it, but for the open merchant. Returns the rows that cannot be handed out: all is well if
        there are none, else something is wrong with them."""
        rows = _rows(columns)
        heads = np.arange(-self._open_rows % self._buckets, rows, self._buckets)
        merchant = self._at(array(columns, "merchant_id"), heads)
        first = 0
        if self._open:
            others = heads[merchant != self._open_merchant]
            first = int(others[0]) if others.size else rows
            self._open += [cut(columns, 0, first)] if first else []
            self._open_rows += first
            if first == rows:
                return []
            block = self._sound(self._joined(self._open))
            if block is None:
                return [*self._open, cut(columns, first, rows)]
            yield block
        others = heads[merchant != merchant[-1]]
        end = max(int(others[-1]) + self._buckets if others.size else 0, first)
        if end > first:
            block = self._sound(cut(columns, first, end))
            if block is None:
                return [cut(columns, first, rows)]
            yield block
        self._open, self._open_rows, self._open_merchant = [cut(columns, end, rows)], rows - end, int(merchant[-1])
        return []

    def _sound(self, columns: FrameColumns) -> SurfaceBlock | None:
        """The block that these rows are; None if anything is wrong with them."""
        rows = _rows(columns)
        if rows % self._buckets or not self._aligned(columns, rows):
            return None
        heads = np.arange(0, rows, self._buckets)
        merchant = self._at(array(columns, "merchant_id"), heads)
        if not self._ascending(merchant):
            return None
        country, tzid, channel = (self._strings(columns, name, heads) for name in NAMES)
        keys = list(zip(merchant.tolist(), tzid, channel, country, strict=True))
        if len(set(keys)) < len(keys):
            return None
        self._last_merchant = int(merchant[-1])
        return _block(keys, array(columns, "lambda_local_scenario").reshape(heads.size, self._buckets))

    def _aligned(self, columns: FrameColumns, rows: int) -> bool:
        country, tzid = text(columns, "legal_country_iso").codes, text(columns, "tzid").codes
        inputs = SurfaceRows(
            array(columns, "merchant_id"),
            country,
            tzid,
            text(columns, "channel_group").codes if "channel_group" in columns else country,
            array(columns, "local_horizon_bucket_index"),
            array(columns, "lambda_local_scenario"),
            self._buckets,
        )
        fault = no_fault(self._backend, rows)
        self._backend.launch(registry.CHECK_SURFACE, rows, inputs, FirstFault(fault))
        return first_fault(self._backend, fault, rows) is None

    def _ascending(self, merchant: np.ndarray) -> bool:
        return int(merchant[0]) > self._last_merchant and bool((merchant[1:] >= merchant[:-1]).all())

    def _at(self, column: Array, rows: np.ndarray) -> np.ndarray:
        return self._backend.download(self._backend.take(column, self._backend.upload(rows)))

    def _strings(self, columns: FrameColumns, name: str, rows: np.ndarray) -> list[str]:
        if name not in columns:
            return [""] * rows.size
        column = text(columns, name)
        return [column.values[code] for code in self._at(column.codes, rows).tolist()]

    def _joined(self, pieces: list[FrameColumns]) -> FrameColumns:
        """Pieces of one merchant as one, by way of the host; a single piece as it is."""
        if len(pieces) == 1:
            return pieces[0]
        names = [Vocabulary() for _ in NAMES]
        rows = HostRows.joined([rows_on_host(self._backend, piece, names) for piece in pieces])
        for column in rows:
            column.setflags(write=False)  # like columns from a file, so that loops over them are compiled once
        merchant, *codes, bucket, expected = map(self._backend.upload, rows)
        texts = {
            name: TextColumn(code, vocabulary.values)
            for name, code, vocabulary in zip(NAMES, codes, names, strict=True)
            if name in pieces[0]
        }
        numbers = {"local_horizon_bucket_index": bucket, "lambda_local_scenario": expected}
        return {"merchant_id": merchant, **texts, **numbers}

    def _by_numpy(self, pieces: Iterable[FrameColumns]) -> Iterator[SurfaceBlock]:
        """Blocks of rows with which something seems to be wrong; raises if so."""
        names = [Vocabulary() for _ in NAMES]
        held: list[HostRows] = []
        for columns in pieces:
            rows = HostRows.joined([*held, rows_on_host(self._backend, columns, names)])
            if not self._ascending(rows.merchant):
                raise UnsortedSurfaceError
            end = int(np.searchsorted(rows.merchant, rows.merchant[-1]))
            if end:
                yield self._diagnosed(rows.cut(0, end), names)
            held = [rows.cut(end, rows.merchant.size)]
        yield self._diagnosed(held[0], names)

    def _diagnosed(self, rows: HostRows, names: list[Vocabulary]) -> SurfaceBlock:
        self._last_merchant = int(rows.merchant[-1])
        components = self._diagnosis.components(rows, names)
        country, tzid, channel = (vocabulary.values or ("",) for vocabulary in names)
        keys = [(merchant, tzid[z], channel[h], country[c]) for merchant, c, z, h in components]
        return _block(keys, self._backend.upload(rows.expected.reshape(len(keys), self._buckets)))


def _block(keys: list[_Key], surface: Array) -> SurfaceBlock:
    order = sorted(range(len(keys)), key=lambda k: (keys[k][0], *(name.encode() for name in keys[k][1:])))
    merchant, tzid, channel, country = zip(*(keys[k] for k in order), strict=True)
    components = Components(np.array(merchant, np.uint64), country, tzid, channel)
    return SurfaceBlock(components, surface, np.array(order, np.int32))


def _rows(columns: FrameColumns) -> int:
    return int(array(columns, "merchant_id").size)
