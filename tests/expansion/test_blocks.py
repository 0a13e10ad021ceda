"""From counts to bucket rows in output order: the transposition, windows, and blocks, against plain numpy."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg5b.axes import SeriesAxis
from seg5b.backends.cpu import CpuBackend
from seg5b.errors import BackendError
from seg5b.expansion import ArrivalTotals, MerchantBlocks
from seg5b.expansion.accounting import VirtualOnly

BUCKETS = 7


def axis_of(sizes: list[int]) -> SeriesAxis:
    """Merchants of some series each; the rest of the axis does not matter here."""
    merchant = np.repeat(np.arange(1, len(sizes) + 1, dtype=np.uint64), sizes)
    zeros = np.zeros(merchant.size, np.int32)
    return SeriesAxis(merchant, zeros, zeros, zeros, zeros.astype(np.int64), ("z",), ("c",), ())


def blocks_of(backend: CpuBackend, sizes: list[int], counts: np.ndarray, keep: int = 1) -> MerchantBlocks:
    axis = axis_of(sizes)
    totals = ArrivalTotals.of(counts.sum(axis=1, keepdims=True), axis)
    return MerchantBlocks(
        backend, axis, BUCKETS, totals, lambda first, stop: (counts[first:stop].ravel(), None), keep=keep
    )


def in_output_order(sizes: list[int], counts: np.ndarray) -> list[tuple[int, int, int, int]]:
    """(merchant, bucket, series, count) of every row with arrivals, sorted."""
    merchant = np.repeat(np.arange(len(sizes)), sizes)
    series, bucket = np.nonzero(counts)
    rows = zip(
        merchant[series].tolist(), bucket.tolist(), series.tolist(), counts[series, bucket].tolist(), strict=True
    )
    return sorted(rows)


worlds = st.lists(st.integers(1, 4), min_size=1, max_size=6).flatmap(
    lambda sizes: st.tuples(
        st.just(sizes),
        st.lists(
            st.lists(st.sampled_from([0, 0, 0, 1, 2, 30]), min_size=BUCKETS, max_size=BUCKETS),
            min_size=sum(sizes),
            max_size=sum(sizes),
        ),
    )
)


@settings(deadline=None)
@given(world=worlds, block_rows=st.sampled_from([1, 20, 1000]), data=st.data())
def test_a_window_holds_the_whole_segments_behind_a_range(
    cpu: CpuBackend, world: tuple[list[int], list[list[int]]], block_rows: int, data: st.DataObject
) -> None:
    sizes, counts = world[0], np.array(world[1], np.int64)
    if not counts.any():
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seg5b.expansion.blocks.BLOCK_ROWS", block_rows)
        blocks = blocks_of(cpu, sizes, counts)
    expected = in_output_order(sizes, counts)
    start = np.append(0, np.cumsum([count for *_, count in expected]))
    first = data.draw(st.integers(0, int(start[-1]) - 1))
    block = blocks.at(first)
    stop = data.draw(st.integers(first + 1, block.stop))
    wanted = [
        row
        for row, low, high in zip(expected, start[:-1], start[1:], strict=True)
        if any(
            row[:2] == other[:2]
            for other, a, b in zip(expected, start[:-1], start[1:], strict=True)
            if a < stop and b > first
        )
    ]
    window = block.window(cpu, first, stop)
    rows = window.rows
    assert list(zip(rows.bucket.tolist(), rows.series.tolist(), np.diff(rows.start).tolist(), strict=True)) == [
        row[1:] for row in wanted
    ]
    segments = [[count for *_, count in group] for group in grouped(wanted)]
    heads = np.append(0, np.cumsum([sum(segment) for segment in segments]))
    of_row = np.repeat(np.arange(len(segments)), [len(segment) for segment in segments])
    assert rows.segment_start.tolist() == heads[of_row].tolist()
    assert rows.segment_size.tolist() == np.diff(heads)[of_row].tolist()
    assert (window.size, window.slots) == (len(wanted), rows.start[-1])
    assert window.position == start[expected.index(wanted[0])]


def grouped(rows: list[tuple[int, int, int, int]]) -> Iterator[list[tuple[int, int, int, int]]]:
    for key in sorted({row[:2] for row in rows}):
        yield [row for row in rows if row[:2] == key]


@pytest.mark.parametrize("block_rows", [1, 15, 10_000])
def test_blocks_cover_the_scenario_in_order(cpu: CpuBackend, monkeypatch: pytest.MonkeyPatch, block_rows: int) -> None:
    monkeypatch.setattr("seg5b.expansion.blocks.BLOCK_ROWS", block_rows)
    rng = np.random.default_rng(3)
    sizes = [1, 3, 2, 1, 4]
    counts = rng.integers(0, 3, (11, BUCKETS))
    counts[4:6] = 0  # a merchant without arrivals
    blocks = blocks_of(cpu, sizes, counts)
    positions = [(block.position, block.stop) for block in blocks]
    assert positions[0][0] == 0 and positions[-1][1] == counts.sum()
    assert all(before[1] == after[0] for before, after in pairwise(positions))
    rows = [row for block in blocks for row in block.window(cpu, block.position, block.stop).rows.series.tolist()]
    assert rows == [series for _, _, series, _ in in_output_order(sizes, counts)]


def test_only_the_last_blocks_are_kept(cpu: CpuBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg5b.expansion.blocks.BLOCK_ROWS", 1)
    read: list[int] = []
    counts, axis = np.ones((4, BUCKETS), np.int64), axis_of([1] * 4)

    def load(first: int, stop: int) -> tuple[np.ndarray, None]:
        read.append(first)
        return counts[first:stop].ravel(), None

    totals = ArrivalTotals.of(counts.sum(axis=1, keepdims=True), axis)
    blocks = MerchantBlocks(cpu, axis, BUCKETS, totals, load, keep=2)
    for position in (0, BUCKETS, 1, 2 * BUCKETS, 3, BUCKETS):
        assert blocks.at(position).position == position // BUCKETS * BUCKETS
    assert read == [0, 1, 2, 1]  # the second was the one used longest ago when the third came
    blocks.release()
    blocks.at(0)
    assert read == [0, 1, 2, 1, 0]


@settings(deadline=None)
@given(bounds=st.tuples(st.integers(0, 600), st.integers(0, 600)))
def test_arrivals_of_virtual_only_merchants_are_counted_by_position(bounds: tuple[int, int]) -> None:
    """Every second merchant is virtual only, some have no arrivals, and some series no mode."""
    sizes = [1, 2, 1, 3, 2, 2]
    axis = axis_of(sizes)
    per_series = np.array([10, 0, 40, 0, 0, 9, 30, 100, 50, 300, 61])
    totals = ArrivalTotals.of(per_series[:, np.newaxis], axis)
    only = np.repeat([False, True, False, True, False, True], sizes)
    mode = np.where(only & (per_series > 0), 2, 0).astype(np.uint8)
    first, stop = sorted(bounds)
    every = np.repeat(only, per_series)
    assert VirtualOnly(totals, axis, mode).within(first, stop) == every[first:stop].sum()


def test_a_block_that_fails_for_memory_holds_none_afterwards(cpu: CpuBackend) -> None:
    """Not even until Python looks for cycles: whoever tries again needs that memory."""
    held: list[weakref.ref[np.ndarray]] = []

    def load(first: int, stop: int) -> tuple[np.ndarray, None]:
        found = np.ones(stop - first)
        held.append(weakref.ref(found))
        raise BackendError("5B.BACKEND.OUT_OF_MEMORY", "no device memory")

    axis = axis_of([2, 3])
    blocks = MerchantBlocks(cpu, axis, BUCKETS, ArrivalTotals.of(np.ones((5, 1), np.int64), axis), load)
    gc.disable()
    try:
        with suppress(BackendError):
            blocks.at(0)
        assert [each() for each in held] == [None]
    finally:
        gc.enable()
