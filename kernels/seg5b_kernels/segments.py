"""From counts in series order to bucket rows in output order. Law L7.order.

Counts come series by series; arrivals leave merchant by merchant, bucket by bucket. All series of one merchant and one
bucket form a *segment*: its arrivals mix, so it is the smallest piece that can be realised alone. Within the k series of
a merchant the new order is a transposition, so nothing is sorted:

1. `arrange_count` (per place in output order) fetches the count that belongs there,
2. exclusive prefix sums (outside) of counts and of non-empty places say where each row's arrivals and the row itself
   come to lie,
3. `locate_window` (per range of arrivals) finds the whole segments that hold a range,
4. `gather_row` (per place) writes the non-empty rows of a window close together,
5. `spread_row` (per row) tells each of its arrivals which row it is in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.targets import cpu_loop, fetch_add, fetch_min, scalar


class DaySumInputs(NamedTuple):
    """Rows ``first_row`` .. of the counts, on the axes: ``count`` int64 [rows]. ``day_of`` int32 [H]: UTC day of each
    bucket, from 0; ``days``: how many. ``bucket_count``: H. ``most``: largest count that is allowed."""

    count: Any
    day_of: Any
    days: int
    first_row: int
    bucket_count: int
    most: int


class DaySums(NamedTuple):
    """``arrivals`` int64 [n * days]: of each series on each UTC day, added to what is there. ``fault`` int64 [1]: the
    smallest row whose count is outside 0..most."""

    arrivals: Any
    fault: Any


@scalar
def sum_by_day(i, inputs, sums):
    """Element: add row ``i`` to its series and day. No draws."""
    count = inputs.count[i]
    if count < 0 or count > inputs.most:
        fetch_min(sums.fault, np.int64(0), np.int64(i))
    elif count > 0:
        row = inputs.first_row + i
        series = row // inputs.bucket_count
        day = inputs.day_of[row - series * inputs.bucket_count]
        fetch_add(sums.arrivals, series * inputs.days + day, count)


@cpu_loop
def sum_by_day_cpu(start, stop, inputs, sums):
    """CPU loop of `sum_by_day`."""
    for i in range(start, stop):
        sum_by_day(i, inputs, sums)


class Merchants(NamedTuple):
    """Whose series lie side by side. For each of the S series of a block: ``first`` int32 [S], number of its merchant's
    first series, and ``size`` int32 [S], how many series the merchant has; ``bucket_count``: H."""

    first: Any
    size: Any
    bucket_count: int


@scalar
def series_at(merchants, place):
    """(series, bucket) of a place in output order. The merchants' stretches are equally long in both orders, so the
    series at the same place in series order has the same merchant."""
    near = place // merchants.bucket_count
    first = merchants.first[near]
    size = merchants.size[near]
    inside = place - first * merchants.bucket_count
    bucket = inside // size
    return first + inside - bucket * size, bucket


class ArrangeInputs(NamedTuple):
    """``count`` int64 [S * H] in series order."""

    count: Any
    merchants: Merchants


class Arranged(NamedTuple):
    """In output order: ``count`` int32 [S * H]; ``used`` int32 [S * H], 1 where the count is not 0."""

    count: Any
    used: Any


@scalar
def arrange_count(t, inputs, arranged):
    """Element: the count at place ``t`` of the output order. No draws."""
    series, bucket = series_at(inputs.merchants, t)
    count = inputs.count[series * inputs.merchants.bucket_count + bucket]
    arranged.count[t] = np.int32(count)
    arranged.used[t] = np.int32(count > 0)


@cpu_loop
def arrange_counts_cpu(start, stop, inputs, arranged):
    """CPU loop of `arrange_count`."""
    for t in range(start, stop):
        arrange_count(t, inputs, arranged)


class WindowInputs(NamedTuple):
    """Ranges [``first``, ``stop``) of the block's arrivals, int64 [w] each, none empty. ``arrivals_before`` int64 [S * H + 1],
    ``rows_before`` int32 [S * H + 1]: exclusive prefix sums of `Arranged`."""

    arrivals_before: Any
    rows_before: Any
    merchants: Merchants
    first: Any
    stop: Any


class Windows(NamedTuple):
    """The whole segments that hold each range, int64 [w] each: places [``first_place``, ``stop_place``), arrivals
    [``first_arrival``, ``stop_arrival``) and non-empty rows [``first_row``, ``stop_row``) of the block."""

    first_place: Any
    stop_place: Any
    first_arrival: Any
    stop_arrival: Any
    first_row: Any
    stop_row: Any


@scalar
def segment_at(inputs, arrival):
    """First place of the segment that holds an arrival of the block, and of the next segment, by bisection."""
    low, high = np.int64(0), np.int64(inputs.arrivals_before.size - 1)
    while high - low > 1:
        middle = (low + high) // 2
        if inputs.arrivals_before[middle] <= arrival:
            low = middle
        else:
            high = middle
    near = low // inputs.merchants.bucket_count
    start = np.int64(inputs.merchants.first[near]) * inputs.merchants.bucket_count
    size = np.int64(inputs.merchants.size[near])
    head = start + (low - start) // size * size
    return head, head + size


@scalar
def locate_window(i, inputs, windows):
    """Element: the segments of range ``i``. No draws."""
    head, _ = segment_at(inputs, inputs.first[i])
    _, end = segment_at(inputs, inputs.stop[i] - 1)
    windows.first_place[i] = head
    windows.stop_place[i] = end
    windows.first_arrival[i] = inputs.arrivals_before[head]
    windows.stop_arrival[i] = inputs.arrivals_before[end]
    windows.first_row[i] = inputs.rows_before[head]
    windows.stop_row[i] = inputs.rows_before[end]


@cpu_loop
def locate_windows_cpu(start, stop, inputs, windows):
    """CPU loop of `locate_window`."""
    for i in range(start, stop):
        locate_window(i, inputs, windows)


class GatherInputs(NamedTuple):
    """A window of whole segments, from place ``first_place``. ``arrivals_before`` int64 [S * H + 1], ``rows_before``
    int32 [S * H + 1]: exclusive prefix sums of `Arranged`; ``first_series``: number of the block's first series on the
    axis."""

    arrivals_before: Any
    rows_before: Any
    merchants: Merchants
    first_place: int
    first_series: int


class Rows(NamedTuple):
    """Bucket rows [R] with arrivals, in output order.

    ``series`` int32 on the axis; ``bucket`` int32; ``start`` int32 [R + 1]: first slot of each row, from 0 in the
    window; ``segment_start``, ``segment_size`` int32: first slot and slot count of the row's segment.
    """

    series: Any
    bucket: Any
    start: Any
    segment_start: Any
    segment_size: Any


@scalar
def gather_row(i, inputs, rows):
    """Element: place ``i`` of the window becomes a row if it has arrivals. No draws."""
    place = inputs.first_place + i
    before = inputs.arrivals_before
    if before[place + 1] != before[place]:
        series, bucket = series_at(inputs.merchants, place)
        head = place - (series - inputs.merchants.first[series])
        first_slot = before[inputs.first_place]
        row = inputs.rows_before[place] - inputs.rows_before[inputs.first_place]
        rows.series[row] = inputs.first_series + series
        rows.bucket[row] = bucket
        if row == 0:
            rows.start[row] = 0
        rows.start[row + 1] = before[place + 1] - first_slot
        rows.segment_start[row] = before[head] - first_slot
        rows.segment_size[row] = before[head + inputs.merchants.size[series]] - before[head]


@cpu_loop
def gather_rows_cpu(start, stop, inputs, rows):
    """CPU loop of `gather_row`."""
    for i in range(start, stop):
        gather_row(i, inputs, rows)


class SlotRows(NamedTuple):
    """``row`` int32 [n]: the row of each arrival of a window."""

    row: Any


@scalar
def spread_row(i, rows, slots):
    """Element: row ``i`` of `Rows` marks its arrivals. No draws."""
    for slot in range(rows.start[i], rows.start[i + 1]):
        slots.row[slot] = i


@cpu_loop
def spread_rows_cpu(start, stop, rows, slots):
    """CPU loop of `spread_row`."""
    for i in range(start, stop):
        spread_row(i, rows, slots)
