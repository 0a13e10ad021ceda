"""Counts by series and day against plain numpy and integers."""

from __future__ import annotations

import numpy as np
import pytest
from seg5b_kernels import registry
from seg5b_kernels.segments import DaySumInputs, DaySums

from seg5b.backends.cpu import CpuBackend

BUCKETS = 7


@pytest.mark.parametrize("first_row", [0, 5, 3 * BUCKETS])
def test_sums_add_counts_by_series_and_day(cpu: CpuBackend, first_row: int) -> None:
    rng = np.random.default_rng(4)
    count, day_of = rng.integers(0, 9, 40), np.array([0, 0, 1, 1, 1, 2, 2], np.int32)
    arrivals, fault = np.full(3 * 12, 100), np.array([40])
    inputs = DaySumInputs(count, day_of, 3, first_row, BUCKETS, 8)
    cpu.launch(registry.SUM_BY_DAY, 40, inputs, DaySums(arrivals, fault))
    expected = np.full((12, 3), 100)
    for row, each in enumerate(count.tolist(), first_row):
        expected[row // BUCKETS, day_of[row % BUCKETS]] += each
    assert (arrivals.reshape(12, 3) == expected).all() and fault[0] == 40


@pytest.mark.parametrize("wrong", [-1, 9, 2**62])
def test_sums_name_the_first_count_out_of_bounds(cpu: CpuBackend, wrong: int) -> None:
    count = np.full(5000, 8)
    count[[4711, 1234, 3000]] = wrong
    fault = np.array([5000])
    inputs = DaySumInputs(count, np.zeros(BUCKETS, np.int32), 1, 0, BUCKETS, 8)
    cpu.launch(registry.SUM_BY_DAY, 5000, inputs, DaySums(np.zeros(800, np.int64), fault))
    assert fault[0] == 1234
