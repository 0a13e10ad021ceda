"""The order of arrivals, before any is drawn.

Output order is merchant, then bucket, then time within the bucket. All bucket rows of one merchant and one bucket form
a segment; arrivals of a segment mix, so a segment is the smallest piece that can be realised alone. Positions in the
output follow from counts by a prefix sum, so any range of rows can be made by anyone, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg5b.axes import SeriesAxis
from seg5b.inputs.keys import run_starts


@dataclass(frozen=True, slots=True)
class Window:
    """The whole segments behind output positions: rows ``first_row`` .. ``stop_row`` of the plan, whose first arrival
    has position ``position``."""

    first_row: int
    stop_row: int
    position: int


@dataclass(frozen=True, slots=True)
class ExpansionPlan:
    """Bucket rows with arrivals, in output order: merchant, bucket, series.

    ``series`` int32, ``bucket`` int32, ``count`` int32 [R]; ``start`` int64 [R + 1]: position of each row's first slot;
    ``segment_row`` int64 [S + 1]: first row of each segment; ``row_segment`` int32 [R]; ``merchant_first`` int64 [n]:
    per series of the axis, position of its merchant's first arrival.
    """

    series: np.ndarray
    bucket: np.ndarray
    count: np.ndarray
    start: np.ndarray
    segment_row: np.ndarray
    row_segment: np.ndarray
    merchant_first: np.ndarray

    @property
    def arrivals(self) -> int:
        """Arrivals of the scenario."""
        return int(self.start[-1])

    def window(self, first: int, stop: int) -> Window:
        """The segments that output positions [first, stop) need."""
        segment_start = self.start[self.segment_row]
        low = int(np.searchsorted(segment_start, first, side="right")) - 1
        high = int(np.searchsorted(segment_start, stop, side="left"))
        row = int(self.segment_row[low])
        return Window(row, int(self.segment_row[high]), int(self.start[row]))


def plan_expansion(axis: SeriesAxis, series: np.ndarray, bucket: np.ndarray, count: np.ndarray) -> ExpansionPlan:
    """Order bucket rows for output.

    Parameters: ``series``, ``bucket`` integer [R] in canonical (series, bucket) order; ``count`` [R], all positive.
    """
    merchant_starts = axis.merchant_starts()
    merchant_of = np.repeat(np.arange(merchant_starts.size), np.diff(np.append(merchant_starts, len(axis))))
    merchant = merchant_of[series]
    order = np.lexsort((series, bucket, merchant))
    merchant, series, bucket, count = merchant[order], series[order], bucket[order], count[order]
    start = np.concatenate([[0], np.cumsum(count, dtype=np.int64)])
    cuts = run_starts(merchant, bucket)
    segment_row = np.append(cuts, series.size)
    row_segment = np.repeat(np.arange(cuts.size, dtype=np.int32), np.diff(segment_row))
    first_rows = np.searchsorted(merchant, np.arange(merchant_starts.size))
    return ExpansionPlan(
        series.astype(np.int32),
        bucket.astype(np.int32),
        count.astype(np.int32),
        start,
        segment_row,
        row_segment,
        start[first_rows][merchant_of],
    )
