"""Parts of a dataset with one row per series and bucket, as S2 and S3 write them: whole merchants (law L13)."""

from __future__ import annotations

import numpy as np

from seg5b.axes import SeriesAxis
from seg5b.context import ScenarioWork

CELLS_PER_PART = 1 << 26
"""Rows of a part, but for its last merchant's: 1.6 GB of intensities. A law: it decides where files are cut."""


def cut_series(axis: SeriesAxis, bucket_count: int) -> list[slice]:
    """The series of each part: a part takes whole merchants until it has `CELLS_PER_PART` cells or more."""
    begins = np.flatnonzero(np.append(True, axis.merchant_id[1:] != axis.merchant_id[:-1]))
    ends = np.append(begins[1:], len(axis))
    parts, first = [], 0
    while first < len(axis):
        wanted = first + -(-CELLS_PER_PART // bucket_count)
        stop = int(ends[min(int(np.searchsorted(ends, wanted)), ends.size - 1)])
        parts.append(slice(first, stop))
        first = stop
    return parts


def part_metadata(work: ScenarioWork, number: int, parts: int) -> dict[str, str]:
    """Key-value metadata of a part's file; that of a dataset in one file names no part."""
    return work.metadata(part=str(number)) if parts > 1 else work.metadata()


def threads_within(work: ScenarioWork, parts: int) -> int:
    """Threads for the blocks of one part: one, unless there are fewer parts than threads."""
    return max(work.state.tuning.threads // parts, 1)
