"""The 5A surface in streaming order: whole components, buckets ascending. Law L5.

What is read is checked before it is used; a check writes nothing but the smallest row that is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.targets import cpu_loop, fetch_min, scalar


class SurfaceRows(NamedTuple):
    """Rows of a surface from the first row of a component on, as they were read.

    ``merchant_id`` uint64, ``country``, ``tzid`` and ``channel`` int32 codes, ``bucket`` int64, ``expected`` float64
    [rows]: expected arrivals; ``bucket_count``: H. A surface without channels brings another code column in its place.
    """

    merchant_id: Any
    country: Any
    tzid: Any
    channel: Any
    bucket: Any
    expected: Any
    bucket_count: int


@scalar
def check_surface(i, rows, fault):
    """Element: row ``i`` is bucket i % H of the component whose first row is H * (i // H), and its expected arrivals
    are finite and not negative. ``fault``: `seg5b_kernels.cells.FirstFault`. No draws."""
    bucket = i % rows.bucket_count
    head = i - bucket
    right = rows.bucket[i] == bucket and rows.merchant_id[i] == rows.merchant_id[head]
    right = right and rows.country[i] == rows.country[head] and rows.tzid[i] == rows.tzid[head]
    expected = rows.expected[i]
    if not (right and rows.channel[i] == rows.channel[head] and expected >= 0.0 and expected < np.inf):
        fetch_min(fault.row, np.int64(0), np.int64(i))


@cpu_loop
def check_surfaces_cpu(start, stop, rows, fault):
    """CPU loop of `check_surface`."""
    for i in range(start, stop):
        check_surface(i, rows, fault)
