"""From bucket counts to arrivals in time order: the ragged expansion. Laws L7.time, L7.order and L17 (placement).

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

import math
from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.coins import p_virtual
from seg5b_kernels.derivation import draw_words
from seg5b_kernels.targets import cpu_loop, fetch_add, product, scalar
from seg5b_kernels.uniform import unit_open

PHYSICAL, HYBRID, VIRTUAL = 0, 1, 2
UNIFORM, LINEAR = 0, 1


class Density(NamedTuple):
    """How arrivals are spread over their bucket.

    ``law``: `UNIFORM`, or `LINEAR`, under which ``realised`` float64 [S * H] holds the intensities of the S series from
    number ``first_series`` on, series by series, over H = ``bucket_count`` buckets. Under `UNIFORM` none of the others is
    looked at.
    """

    law: int
    realised: Any
    first_series: int
    bucket_count: int


class DrawInputs(NamedTuple):
    """Slots of a chunk: n slots in R bucket rows.

    ``slot_row`` int32 [n]: row of each slot. ``rows``: `seg5b_kernels.segments.Rows` [R]. By series: ``mode`` uint8,
    `PHYSICAL`, `HYBRID` or `VIRTUAL`; ``channel`` int8; ``zone`` int16 tz index. ``time_stream``, ``site_stream``:
    `seg5b_kernels.derivation.Streams` [R].
    ``start_us``: start of bucket 0, UTC epoch microseconds; ``bucket_us``: bucket length in microseconds, below 2^32.
    ``coins``: `seg5b_kernels.coins.Coins`; ``clocks``: `seg5b_kernels.clocks.Clocks`. ``density``: `Density` of all rows.
    """

    slot_row: Any
    rows: Any
    mode: Any
    channel: Any
    zone: Any
    time_stream: Any
    site_stream: Any
    start_us: int
    bucket_us: int
    coins: Any
    clocks: Any
    density: Density


class Draws(NamedTuple):
    """``offset_us`` uint32 [n]; ``bin_rank`` int32 [n]: order of arrival at the bin, meaningless in itself;
    ``bin_count`` int32 [n], zero before; ``is_virtual`` int32 [n]."""

    offset_us: Any
    bin_rank: Any
    bin_count: Any
    is_virtual: Any


@scalar
def edge_height(near, own):
    """Height of the density at the edge between two buckets, in units of the intensity ``own`` of one of them, ``near``
    being the other's: e / own with e = min((near + own) / 2, 2 min(near, own)); 0 to 2. An intensity that is not above 0
    has no shape: 1."""
    ratio = near / own if own > 0.0 else 1.0
    return min(product(0.5, 1.0 + ratio), product(2.0, min(ratio, 1.0)))


@scalar
def way_into_half(start, end, mass):
    """How far from the beginning of half a bucket the density has ``mass`` behind it, in buckets: 0 to 1/2.

    Heights go straight from ``start`` to ``end`` over the half, so that up to x there lies start x + (end - start) x^2. The
    root that is not negative is 2 mass / (start + sqrt(start^2 + 4 (end - start) mass)), in which nothing cancels.
    """
    square = product(start, start) + product(product(4.0, end - start), mass)
    reach = start + math.sqrt(max(square, 0.0))  # rounding may take the square of an end at height 0 below 0
    return product(2.0, mass) / reach if reach > 0.0 else 0.0


@scalar
def place_in_bucket(u, before, own, after):
    """Where in its bucket the mass ``u`` in (0, 1) is reached, 0 to 1, under the density of straight pieces between the edges
    and the centre of the bucket, whose intensity is ``own`` and its neighbours' ``before`` and ``after``. Law L17.

    In units of ``own``: heights a and b at the edges (`edge_height`), m = (4 - a - b) / 2 at the centre, which lies in 0 to
    2 and makes the mass (a + 2 m + b) / 4 of the bucket 1. The left half has the mass (a + m) / 4.
    """
    first, last = edge_height(before, own), edge_height(after, own)
    middle = product(0.5, (4.0 - first) - last)
    left = product(0.25, first + middle)
    place = way_into_half(first, middle, u) if u < left else 0.5 + way_into_half(middle, last, u - left)
    place = place if place > 0.0 else 0.0  # what is not a number would become any offset
    return place if place < 1.0 else 1.0


@scalar
def linear_place(u, density, series, bucket):
    """`place_in_bucket` of a row: a bucket at either end of the horizon has its own intensity beyond it."""
    at = (np.int64(series) - density.first_series) * density.bucket_count + bucket
    own = density.realised[at]
    before = density.realised[at - 1] if bucket > 0 else own
    after = density.realised[at + 1] if bucket + 1 < density.bucket_count else own
    return place_in_bucket(u, before, own, after)


@scalar
def offset_in_bucket(place, bucket_us):
    """floor(place * bucket_us) of a ``place`` in 0 to 1, clamped below ``bucket_us``; microseconds."""
    offset = np.int64(product(place, np.float64(bucket_us)))
    return min(offset, bucket_us - 1)


@scalar
def bin_of(offset_us, first, size):
    """Bin of an offset in a segment of ``size`` slots that starts at slot ``first``; grows with the offset."""
    return first + np.int64((np.uint64(offset_us) * np.uint64(size)) >> np.uint64(32))


@scalar
def draw_arrival(q, inputs, draws):
    """Element: slot ``q``, draw j of its row. Consumes block j of the row's time stream (word 0) and, for a hybrid
    merchant, reads word 0 of block j of the site stream: virtual iff it is below the `p_virtual` of its series and instant."""
    slot = np.uint64(q)  # unsigned indices spare the test whether one counts from the end
    row = np.uint64(inputs.slot_row[slot])
    series = np.uint64(inputs.rows.series[row])
    mode = inputs.mode[series]
    j = np.uint64(q - inputs.rows.start[row])
    word, _ = draw_words(inputs.time_stream, row, j)
    place = unit_open(word)
    if inputs.density.law == LINEAR:
        place = linear_place(place, inputs.density, inputs.rows.series[row], inputs.rows.bucket[row])
    offset = offset_in_bucket(place, inputs.bucket_us)
    virtual = mode == VIRTUAL
    if mode == HYBRID:
        coin, _ = draw_words(inputs.site_stream, row, j)
        ts_us = inputs.start_us + np.int64(inputs.rows.bucket[row]) * inputs.bucket_us + offset
        below = p_virtual(inputs.coins, inputs.clocks, inputs.channel[series], inputs.zone[series], ts_us)
        virtual = unit_open(coin) < below
    target = bin_of(offset, inputs.rows.segment_start[row], inputs.rows.segment_size[row])
    draws.offset_us[slot] = np.uint32(offset)
    draws.bin_rank[slot] = fetch_add(draws.bin_count, np.uint64(target), 1)
    draws.is_virtual[slot] = np.int32(virtual)


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
    slot = np.uint64(q)
    row = np.uint64(inputs.slot_row[slot])
    offset = inputs.offset_us[slot]
    target = np.uint64(bin_of(offset, inputs.rows.segment_start[row], inputs.rows.segment_size[row]))
    packed = (np.uint64(offset) << np.uint64(32)) | slot
    ordered.packed[np.uint64(inputs.bin_start[target] + inputs.bin_rank[slot])] = packed


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
    one = np.uint64(1)
    start, stop = np.uint64(inputs.bin_start[np.uint64(b)]), np.uint64(inputs.bin_start[np.uint64(b + 1)])
    position = start + one
    while position < stop:
        entry = ordered.packed[position]
        hole = position
        while hole > start and ordered.packed[hole - one] > entry:
            ordered.packed[hole] = ordered.packed[hole - one]
            hole -= one
        ordered.packed[hole] = entry
        position += one


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
