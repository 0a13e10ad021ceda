"""Counts in output order, one merchant block at a time.

Output order is merchant, then bucket, then time within the bucket. Merchants are independent of each other, so a block
of them is read, arranged and realised alone; ranges of arrivals can be made by any thread or process, in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.segments import Arranged, ArrangeInputs, GatherInputs, Merchants, Rows, WindowInputs, Windows

from seg5b.axes import SeriesAxis
from seg5b.backends.base import Array, Backend
from seg5b.expansion.totals import ArrivalTotals

# Bucket rows of a block, where its merchants are small enough: 56 bytes each while it is in use.
BLOCK_ROWS = 1 << 21

Range = tuple[int, int]
"""Positions [first, stop) of arrivals in the scenario."""

Load = Callable[[int, int], tuple[Array, Array | None]]
"""Counts int64 [S * H] of series [first, stop), in series order, and their realised intensity float64 [S * H], if arrivals
follow it within their bucket or are to carry it; both on the backend."""


@dataclass(frozen=True, slots=True)
class Window:
    """Whole segments: ``slots`` arrivals in ``size`` bucket rows ``rows`` (on the backend); ``position``: of the
    first arrival in the scenario."""

    rows: Rows
    size: int
    slots: int
    position: int


@dataclass(frozen=True, slots=True)
class MerchantBlock:
    """Series [first_series, first_series + S) over all H buckets, whole merchants.

    Its arrivals have positions [position, stop) in the scenario. ``arrivals_before`` int64 [S * H + 1] and
    ``rows_before`` int32 [S * H + 1], in output order, and ``merchants`` lie on the backend, and so does ``intensity`` float64
    [S * H], in series order, or None. ``located``: the whole segments of ranges that were expected, as `Windows` has them.
    """

    first_series: int
    position: int
    stop: int
    arrivals_before: Array
    rows_before: Array
    merchants: Merchants
    intensity: Array | None
    located: dict[Range, tuple[int, ...]]

    def window(self, backend: Backend, first: int, stop: int) -> Window:
        """The segments that hold the arrivals at positions [first, stop) of the scenario, all within the block. Waits for the
        device only where the range was not expected."""
        if (first, stop) not in self.located:
            self.locate(backend, [(first, stop)])
        head, end, low, high, first_row, stop_row = self.located[first, stop]
        size = stop_row - first_row
        rows = Rows(*(backend.empty(size + (name == "start"), np.int32) for name in Rows._fields))
        inputs = GatherInputs(self.arrivals_before, self.rows_before, self.merchants, head, self.first_series)
        backend.launch(registry.GATHER_ROW, end - head, inputs, rows)
        return Window(rows, size, high - low, self.position + low)

    def locate(self, backend: Backend, ranges: Iterable[Range]) -> None:
        """Find the segments of some ranges within the block, all at once."""
        asked = np.array(list(ranges), np.int64).reshape(-1, 2)
        bounds = (backend.upload(np.ascontiguousarray(column)) for column in (asked - self.position).T)
        inputs = WindowInputs(self.arrivals_before, self.rows_before, self.merchants, *bounds)
        windows = Windows(*(backend.empty(len(asked), np.int64) for _ in Windows._fields))
        backend.launch(registry.LOCATE_WINDOW, len(asked), inputs, windows)
        places = np.stack(backend.downloads(windows), axis=1)
        self.located.update(
            ((first, stop), tuple(found)) for (first, stop), found in zip(asked.tolist(), places.tolist(), strict=True)
        )


class MerchantBlocks:
    """The blocks of a scenario, arranged when first needed; the last ``keep`` of them stay.

    ``load`` reads counts. A block ends where a merchant ends, once it has `BLOCK_ROWS` bucket rows. Several threads may
    ask at once: a block is arranged by the first that needs it, the others wait for it.
    """

    def __init__(
        self, backend: Backend, axis: SeriesAxis, bucket_count: int, totals: ArrivalTotals, load: Load, *, keep: int = 1
    ) -> None:
        self.totals = totals
        self._backend, self._buckets, self._load, self._keep = backend, bucket_count, load, keep
        self._series = np.append(axis.merchant_starts(), len(axis))
        self._cuts = self._cut()
        self._starts = totals.merchant_start[self._cuts]
        self._expected: list[Range] = []
        self._held: dict[int, Future[MerchantBlock]] = {}
        self._lock = Lock()

    def __iter__(self) -> Iterator[MerchantBlock]:
        """All blocks with arrivals, in output order."""
        yield from (self.at(int(first)) for first, stop in pairwise(self._starts) if stop > first)

    def passes(self, first: int, stop: int, step: int) -> Iterator[Range]:
        """The arrivals [first, stop) in ranges of at most ``step``, each within one block."""
        while first < stop:
            end = int(self._starts[self._number(first) + 1])
            yield first, min(first + step, stop, end)
            first = min(first + step, stop, end)

    def expect(self, ranges: Iterable[Range]) -> None:
        """Name the ranges, each within one block, whose windows will be asked for: a block that is arranged from now on finds
        them all at once."""
        self._expected = list(ranges)

    def at(self, position: int) -> MerchantBlock:
        """The block that holds the arrival at ``position``."""
        number = self._number(position)
        with self._lock:
            held = self._held.pop(number, None)
            block: Future[MerchantBlock] = Future() if held is None else held
            self._held[number] = block
            while len(self._held) > self._keep:
                del self._held[next(iter(self._held))]
        if held is None:
            try:
                block.set_result(self._arranged(number))
            except BaseException as failure:
                with self._lock:
                    self._held.pop(number, None)
                block.set_exception(failure)
        try:
            return block.result()
        finally:
            del (
                block,
                held,
            )  # or what failed keeps this frame, which keeps it, and all memory that was found for the block

    def release(self) -> None:
        """Give back the memory of all blocks."""
        with self._lock:
            self._held.clear()

    def _number(self, position: int) -> int:
        return int(np.searchsorted(self._starts, position, side="right")) - 1

    def _cut(self) -> np.ndarray:
        """Merchants at which blocks begin, and the number of merchants, int64."""
        cuts = [0]
        for merchant in range(1, self._series.size):
            if (self._series[merchant] - self._series[cuts[-1]]) * self._buckets >= BLOCK_ROWS:
                cuts.append(merchant)
        if cuts[-1] != self._series.size - 1:
            cuts.append(self._series.size - 1)
        return np.array(cuts, np.int64)

    def _arranged(self, number: int) -> MerchantBlock:
        backend = self._backend
        low, high = int(self._cuts[number]), int(self._cuts[number + 1])
        bounds = self._series[low : high + 1] - self._series[low]
        first_series = int(self._series[low])
        count, intensity = self._load(first_series, int(self._series[high]))
        first_of = np.repeat(bounds[:-1], np.diff(bounds)).astype(np.int32)
        size_of = np.repeat(np.diff(bounds), np.diff(bounds)).astype(np.int32)
        merchants = backend.table(Merchants(first_of, size_of, self._buckets))
        rows = int(bounds[-1]) * self._buckets
        arranged = Arranged(backend.empty(rows, np.int32), backend.empty(rows, np.int32))
        backend.launch(registry.ARRANGE_COUNT, rows, ArrangeInputs(count, merchants), arranged)
        block = MerchantBlock(
            first_series,
            int(self._starts[number]),
            int(self._starts[number + 1]),
            backend.exclusive_sum(arranged.count, backend.empty(rows + 1, np.int64)),
            backend.exclusive_sum(arranged.used, backend.empty(rows + 1, np.int32)),
            merchants,
            intensity,
            {},
        )
        block.locate(backend, [each for each in self._expected if block.position <= each[0] < block.stop])
        return block
