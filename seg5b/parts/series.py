"""Parts of a dataset with one row per series and bucket, as S2 and S3 write them: whole merchants (law L13)."""

from __future__ import annotations

import numpy as np

from seg5b.axes import SeriesAxis
from seg5b.context import ScenarioWork

CELLS_PER_PART = 1 << 26
"""Rows of a part, but for its last merchant's: 1.6 GB of intensities. A law: it decides where files are cut."""


def cut_series(axis: SeriesAxis, bucket_count: int) -> list[slice]:
    """The series of each part: a part takes whole merchants until it has `CELLS_PER_PART` cells or more."""
    return cut_merchants(axis, slice(0, len(axis)), -(-CELLS_PER_PART // bucket_count))


def cut_merchants(axis: SeriesAxis, within: slice, series: int) -> list[slice]:
    """Some series, which are those of whole merchants, cut in pieces of whole merchants: each takes them until it has
    ``series`` or more."""
    begins = np.flatnonzero(np.append(True, axis.merchant_id[1:] != axis.merchant_id[:-1]))
    ends = np.append(begins[1:], len(axis))
    pieces, first = [], within.start
    while first < within.stop:
        stop = int(ends[min(int(np.searchsorted(ends, first + series)), ends.size - 1)])
        pieces.append(slice(first, min(stop, within.stop)))
        first = stop
    return pieces


def part_metadata(work: ScenarioWork, number: int, parts: int) -> dict[str, str]:
    """Key-value metadata of a part's file; that of a dataset in one file names no part."""
    return work.metadata(part=str(number)) if parts > 1 else work.metadata()


def threads_within(work: ScenarioWork, parts: int) -> int:
    """Threads for the blocks of one part: one, unless there are fewer parts than threads."""
    return max(work.state.tuning.threads // parts, 1)
