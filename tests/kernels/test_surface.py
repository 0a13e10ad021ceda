"""The check of a surface's rows: every rule on its own, at every place that matters, and the smallest row wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from seg5b_kernels import registry
from seg5b_kernels.cells import FirstFault
from seg5b_kernels.surface import SurfaceRows

from seg5b.backends.cpu import CpuBackend

BUCKETS, COMPONENTS = 7, 30
ROWS = BUCKETS * COMPONENTS


def rows() -> SurfaceRows:
    """Components that differ from their neighbours in one key column each."""
    component = np.arange(COMPONENTS)
    columns = [(component + shift) // 4 for shift in range(4)]
    merchant, *codes = (np.repeat(column, BUCKETS) for column in columns)
    bucket = np.tile(np.arange(BUCKETS), COMPONENTS)
    expected = np.random.default_rng(1).exponential(1.0, ROWS)
    expected[:2] = 0.0, np.finfo(float).max
    country, tzid, channel = (code.astype(np.int32) for code in codes)
    return SurfaceRows(merchant.astype(np.uint64), country, tzid, channel, bucket, expected, BUCKETS)


def first_wrong(backend: CpuBackend, checked: SurfaceRows) -> int:
    fault = FirstFault(np.array([ROWS]))
    backend.launch(registry.CHECK_SURFACE, ROWS, checked, fault)
    return int(fault.row[0])


def test_sound_rows_pass(cpu: CpuBackend) -> None:
    assert first_wrong(cpu, rows()) == ROWS


WRONG: dict[str, Callable[[Any], Any]] = {
    "merchant_id": lambda value: value + np.uint64(1),
    "country": lambda value: value + 1,
    "tzid": lambda value: value - 1,
    "channel": lambda value: value + 1,
    "bucket": lambda value: value + 1,
    "expected": lambda value: -1e-300,
}


@pytest.mark.parametrize("column", WRONG)
@pytest.mark.parametrize("row", [1, BUCKETS - 1, BUCKETS + 1, ROWS // 2 + 2, ROWS - 1])
def test_one_wrong_value_is_found_in_its_row(cpu: CpuBackend, column: str, row: int) -> None:
    damaged = rows()
    values = getattr(damaged, column)
    values[row] = WRONG[column](values[row])
    assert first_wrong(cpu, damaged) == row


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0])
def test_only_finite_numbers_from_zero_up_pass(cpu: CpuBackend, bad: float) -> None:
    damaged = rows()
    damaged.expected[40] = bad
    assert first_wrong(cpu, damaged) == 40


def test_a_wrong_head_shows_in_the_row_behind_it(cpu: CpuBackend) -> None:
    damaged = rows()
    damaged.tzid[3 * BUCKETS] += 100
    assert first_wrong(cpu, damaged) == 3 * BUCKETS + 1


def test_the_smallest_of_many_wrong_rows_remains(cpu: CpuBackend) -> None:
    damaged = rows()
    for row in (200, 77, 151, 78):
        damaged.bucket[row] = -1
    assert first_wrong(cpu, damaged) == 77


@pytest.mark.parametrize("shift", [1, BUCKETS - 1])
def test_rows_that_lie_between_components_are_wrong(cpu: CpuBackend, shift: int) -> None:
    """A gap before them: every later row is off."""
    sound = rows()
    moved: list[Any] = [np.roll(column, -shift) for column in sound[:-1]]
    assert first_wrong(cpu, sound._replace(**dict(zip(sound._fields[:-1], moved, strict=True)))) == 0
