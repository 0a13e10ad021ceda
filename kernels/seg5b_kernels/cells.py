"""Rows of datasets on the axes: row r of such a file is series r // H, bucket r % H. Laws L3, L5-L7.

What is read back is checked before it is used; a check writes nothing but the smallest row that is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.targets import cpu_loop, fetch_min, scalar


class AxisKeys(NamedTuple):
    """Keys of the n series: ``merchant_id`` uint64, ``zone`` int32, ``channel`` int32."""

    merchant_id: Any
    zone: Any
    channel: Any


class CellKeys(NamedTuple):
    """Key columns of rows ``first_row`` .. as they were read.

    ``merchant_id`` uint64, ``zone`` and ``channel`` int32 codes, ``bucket`` int64 [rows]; ``zone_of``, ``channel_of``
    int32: what a code is on the axis, -1 for a name that no series has; ``bucket_count``: H.
    """

    merchant_id: Any
    zone: Any
    channel: Any
    bucket: Any
    zone_of: Any
    channel_of: Any
    axis: AxisKeys
    first_row: int
    bucket_count: int


class FirstFault(NamedTuple):
    """``row`` int64 [1]: the smallest row in which something is wrong; rows or more where nothing is."""

    row: Any


@scalar
def check_cell(i, inputs, fault):
    """Element: row ``i`` holds the key that its place in the file demands. No draws."""
    row = inputs.first_row + i
    series = row // inputs.bucket_count
    bucket = row - series * inputs.bucket_count
    right = inputs.merchant_id[i] == inputs.axis.merchant_id[series] and inputs.bucket[i] == bucket
    right = right and inputs.zone_of[inputs.zone[i]] == inputs.axis.zone[series]
    if not (right and inputs.channel_of[inputs.channel[i]] == inputs.axis.channel[series]):
        fetch_min(fault.row, np.int64(0), np.int64(i))


@cpu_loop
def check_cells_cpu(start, stop, inputs, fault):
    """CPU loop of `check_cell`."""
    for i in range(start, stop):
        check_cell(i, inputs, fault)
