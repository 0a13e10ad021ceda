"""From bucket counts to arrivals in time order: the ragged expansion. Laws L7.time and L7.order.

A chunk covers whole *segments*: all bucket rows of one merchant and one bucket, in series order. Its arrivals first
sit in *slots*, draw by draw, row by row. Four kernels put them in time order without a global sort and without
regard to skew:

1. `draw_arrival` (per slot) draws the offset into the bucket and counts it into a bin. A segment of m slots has m
   bins of equal width, so a bin holds about one arrival, however many arrivals the bucket has.
2. an exclusive prefix sum of the bin counts (outside) says where each bin starts,
3. `place_arrival` (per slot) puts (offset, slot) packed into one uint64 into its bin,
4. `order_bin` (per bin) sorts the few entries of a bin. Keys are unique, so the result does not depend on the order
   in which threads reached step 1: time, then series order, then draw index.

`seg5b_kernels.routing` turns the ordered keys into rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.derivation import draw_words
from seg5b_kernels.targets import cpu_loop, fetch_add, product, scalar
from seg5b_kernels.uniform import unit_open

PHYSICAL, HYBRID, VIRTUAL = 0, 1, 2
MICROSECONDS = 1_000_000


class DrawInputs(NamedTuple):
    """Slots of a chunk: n slots in R bucket rows.

    ``slot_row`` int32 [n]: row of each slot. ``rows``: `seg5b_kernels.segments.Rows` [R]. ``mode`` uint8, by series:
    `PHYSICAL`, `HYBRID` or `VIRTUAL`. ``time_stream``, ``site_stream``: `seg5b_kernels.derivation.Streams` [R].
    ``bucket_us``: bucket length in microseconds, below 2^32. ``p_virtual``: probability that a hybrid merchant's
    arrival is virtual.
    """

    slot_row: Any
    rows: Any
    mode: Any
    time_stream: Any
    site_stream: Any
    bucket_us: int
    p_virtual: float


class Draws(NamedTuple):
    """``offset_us`` uint32 [n]; ``bin_rank`` int32 [n]: order of arrival at the bin, meaningless in itself;
    ``bin_count`` int32 [n], zero before; ``is_virtual`` int32 [n]."""

    offset_us: Any
    bin_rank: Any
    bin_count: Any
    is_virtual: Any


@scalar
def offset_in_bucket(word, bucket_us):
    """floor(u * bucket_us), clamped below ``bucket_us``; microseconds."""
    offset = np.int64(product(unit_open(word), np.float64(bucket_us)))
    return min(offset, bucket_us - 1)


@scalar
def bin_of(offset_us, first, size):
    """Bin of an offset in a segment of ``size`` slots that starts at slot ``first``; grows with the offset."""
    return first + np.int64((np.uint64(offset_us) * np.uint64(size)) >> np.uint64(32))


@scalar
def draw_arrival(q, inputs, draws):
    """Element: slot ``q``, draw j of its row. Consumes block j of the row's time stream (word 0) and, for a hybrid
    merchant, reads word 0 of block j of the site stream: virtual iff it is below ``p_virtual``."""
    row = inputs.slot_row[q]
    mode = inputs.mode[inputs.rows.series[row]]
    j = np.uint64(q - inputs.rows.start[row])
    word, _ = draw_words(inputs.time_stream, row, j)
    offset = offset_in_bucket(word, inputs.bucket_us)
    virtual = mode == VIRTUAL
    if mode == HYBRID:
        coin, _ = draw_words(inputs.site_stream, row, j)
        virtual = unit_open(coin) < inputs.p_virtual
    target = bin_of(offset, inputs.rows.segment_start[row], inputs.rows.segment_size[row])
    draws.offset_us[q] = np.uint32(offset)
    draws.bin_rank[q] = fetch_add(draws.bin_count, target, 1)
    draws.is_virtual[q] = np.int32(virtual)


@cpu_loop
def draw_arrivals_cpu(start, stop, inputs, draws):
    """CPU loop of `draw_arrival`."""
    for q in range(start, stop):
        draw_arrival(q, inputs, draws)


class PlaceInputs(NamedTuple):
    """``slot_row``, ``rows`` as in `DrawInputs`; ``offset_us``, ``bin_rank`` as drawn; ``bin_start`` int32 [n + 1]:
    exclusive prefix sum of the bin counts."""

    slot_row: Any
    rows: Any
    offset_us: Any
    bin_rank: Any
    bin_start: Any


class Ordered(NamedTuple):
    """``packed`` uint64 [n]: offset_us * 2^32 + slot; in time order within each segment once bins are ordered."""

    packed: Any


@scalar
def place_arrival(q, inputs, ordered):
    """Element: put slot ``q`` into its bin. No draws."""
    row = inputs.slot_row[q]
    offset = inputs.offset_us[q]
    target = bin_of(offset, inputs.rows.segment_start[row], inputs.rows.segment_size[row])
    packed = (np.uint64(offset) << np.uint64(32)) | np.uint64(q)
    ordered.packed[inputs.bin_start[target] + inputs.bin_rank[q]] = packed


@cpu_loop
def place_arrivals_cpu(start, stop, inputs, ordered):
    """CPU loop of `place_arrival`."""
    for q in range(start, stop):
        place_arrival(q, inputs, ordered)


class BinInputs(NamedTuple):
    """``bin_start`` int32 [n + 1] as in `PlaceInputs`."""

    bin_start: Any


@scalar
def order_bin(b, inputs, ordered):
    """Element: sort bin ``b`` by insertion; a bin holds one entry on average."""
    start = inputs.bin_start[b]
    for position in range(start + 1, inputs.bin_start[b + 1]):
        entry = ordered.packed[position]
        hole = position
        while hole > start and ordered.packed[hole - 1] > entry:
            ordered.packed[hole] = ordered.packed[hole - 1]
            hole -= 1
        ordered.packed[hole] = entry


@cpu_loop
def order_bins_cpu(start, stop, inputs, ordered):
    """CPU loop of `order_bin`."""
    for b in range(start, stop):
        order_bin(b, inputs, ordered)


class VirtualInputs(NamedTuple):
    """``start`` int32 [R + 1]: first slot of each row. ``virtual_before`` int32 [n + 1]: exclusive prefix sum of
    `Draws.is_virtual`."""

    start: Any
    virtual_before: Any


class VirtualRows(NamedTuple):
    """``virtual`` int32 [R]: virtual arrivals of each row."""

    virtual: Any


@scalar
def count_virtual(i, inputs, rows):
    """Element: virtual arrivals of row ``i``. No draws."""
    rows.virtual[i] = inputs.virtual_before[inputs.start[i + 1]] - inputs.virtual_before[inputs.start[i]]


@cpu_loop
def count_virtuals_cpu(start, stop, inputs, rows):
    """CPU loop of `count_virtual`."""
    for i in range(start, stop):
        count_virtual(i, inputs, rows)
