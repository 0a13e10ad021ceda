"""The one loop over the rows of an arrival file.

Nothing here assumes that rows are sorted: a badly ordered file gives longer lists, with keys repeated, and the same sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seg5b.part_scan._compiled import compiled, inlined
from seg5b.part_scan.arrivals import columns as c
from seg5b.part_scan.arrivals.conditions import MINUTE_US, violated
from seg5b.part_scan.arrivals.habits import Habits, add_instant, add_kind, begin_stretch
from seg5b.part_scan.counting import Counts, count, forget
from seg5b.part_scan.loops import NAMED, count_faults

HOUR_US = 60 * MINUTE_US
QUARTER_US = 15 * MINUTE_US
BINS = 4096
"""Places within a bucket that offsets are counted at."""
_PRIME = 1_000_003
_LARGEST = np.iinfo(np.int64).max
_SIGN = np.int64(-(2**63))

PRIMARY_CLOCK = c.UTC | c.P_LOCAL | c.P_OFFSET
# Places in `Walk.state`.
ROWS, JUDGED, LATEST, DISORDERED, PICKED, STRETCHES, HAS_LAST, CELL_MERCHANT, CELL_BUCKET = range(9)
_OUTSIDE = np.int64(-1)


class Walk(NamedTuple):
    """What the walk has found so far.

    ``state`` int64 [9], see the places above; ``fault_rows`` int64 [conditions] violating rows, ``fault_places`` int64
    [conditions, 10] the first of them; ``disorder`` int64 [10, 4] merchant, sequence, instant and the instant before of
    the first rows out of order; ``ends`` int64 [2, 4] merchant, sequence, instant and nulls of the first and last row;
    ``stretches`` int64 [room, 8] of consecutive rows of a merchant; ``picks`` int64 [room, 2] batch and microsecond
    within the bucket; ``bins`` int64 [4096] judged rows by place in the bucket; ``least`` and ``greatest`` float64
    [room] intensity of each cell; ``constants`` int64 [room] judged rows by combination of the constant columns; ``habits``
    see there. The others count judged rows by key, see `seg5b.part_scan.arrivals.tables.TABLES`.
    """

    state: np.ndarray
    fault_rows: np.ndarray
    fault_places: np.ndarray
    disorder: np.ndarray
    ends: np.ndarray
    stretches: np.ndarray
    picks: np.ndarray
    bins: np.ndarray
    least: np.ndarray
    greatest: np.ndarray
    constants: np.ndarray
    habits: Habits
    cells: Counts
    quarters: Counts
    hours: Counts
    site_routes: Counts
    edge_routes: Counts
    edge_clocks: Counts


@compiled
def walk_rows(rows, limits, fine, walk):
    """Walk a stretch of rows behind those walked before. ``fine`` uint8 [codes]: zones whose hours a bucket does not
    tell."""
    for i in range(rows.nulls.size):
        _stretch(rows, i, walk)
        _order(rows, i, walk)
        walk.state[ROWS] += 1
        if limits.threshold >= 0 and not _sampled(rows, i, limits):
            continue
        walk.state[JUDGED] += 1
        if not rows.nulls[i] & c.UTC:
            walk.state[LATEST] = max(walk.state[LATEST], rows.utc[i])
        count_faults(violated(rows, i, limits), walk.state[ROWS] - 1, walk.fault_rows, walk.fault_places)
        inside = _place_in_bucket(rows, i, limits, walk)
        if inside != _OUTSIDE:
            add_instant(walk.habits, walk.state[STRETCHES] - 1, rows, i, inside, limits)
        _cell(rows, i, limits, fine, walk)
        _route(rows, i, inside, walk)


@inlined
def _sampled(rows, i, limits):
    """Whether sampled mode looks at a row (`seg5b.run_tables.sampling`); an unknown key is never looked at."""
    if rows.nulls[i] & (c.MERCHANT | c.SEQUENCE | c.BUCKET):
        return False
    merchant = np.int64(np.uint64(rows.merchant[i]) % np.uint64(_PRIME))
    mixed = rows.sequence[i] % _PRIME * 611953 + merchant * 402653 + rows.bucket[i] * 7919
    return mixed % _PRIME < limits.threshold


@inlined
def _stretch(rows, i, walk):
    """The merchant's stretch of the file: `merchant_parts`."""
    merchant, missing = rows.merchant[i], rows.nulls[i] & c.MERCHANT
    at = walk.state[STRETCHES] - 1
    if at < 0 or walk.stretches[at, 0] != merchant or walk.stretches[at, 1] != missing:
        at += 1
        walk.state[STRETCHES] = at + 1
        walk.stretches[at, 0], walk.stretches[at, 1] = merchant, missing
        walk.stretches[at, 2], walk.stretches[at, 3] = 0, 0
        walk.stretches[at, 4], walk.stretches[at, 6] = _LARGEST, _LARGEST
        walk.stretches[at, 5], walk.stretches[at, 7] = _SIGN, _SIGN
        forget(walk.hours)
        forget(walk.site_routes)
        forget(walk.edge_routes)
        begin_stretch(walk.habits, at)
    walk.stretches[at, 2] += 1
    if not rows.nulls[i] & c.VIRTUAL and rows.virtual[i]:
        walk.stretches[at, 3] += 1
    if not rows.nulls[i] & c.SEQUENCE:
        sequence = rows.sequence[i]
        shift = walk.state[ROWS] - sequence
        walk.stretches[at, 4] = min(walk.stretches[at, 4], sequence)
        walk.stretches[at, 5] = max(walk.stretches[at, 5], sequence)
        walk.stretches[at, 6] = min(walk.stretches[at, 6], shift)
        walk.stretches[at, 7] = max(walk.stretches[at, 7], shift)


@inlined
def before(nulls, merchant, instant, last_merchant, last_instant):
    """Whether a merchant and instant lie before the last ones; never where one is null (``nulls`` of both rows)."""
    if nulls & c.MERCHANT:
        return False
    if merchant != last_merchant:
        return merchant ^ _SIGN < last_merchant ^ _SIGN  # ids are unsigned
    return not nulls & c.UTC and instant < last_instant


@inlined
def _order(rows, i, walk):
    """Rows whose merchant or instant lies before that of the row before them."""
    merchant, sequence, instant, nulls = rows.merchant[i], rows.sequence[i], rows.utc[i], np.int64(rows.nulls[i])
    if walk.state[HAS_LAST]:
        last_instant = walk.ends[1, 2]
        if before(nulls | walk.ends[1, 3], merchant, instant, walk.ends[1, 0], last_instant):
            found = walk.state[DISORDERED]
            if found < NAMED:
                walk.disorder[found, 0], walk.disorder[found, 1] = merchant, sequence
                walk.disorder[found, 2], walk.disorder[found, 3] = instant, last_instant
            walk.state[DISORDERED] = found + 1
    else:
        walk.ends[0, 0], walk.ends[0, 1], walk.ends[0, 2], walk.ends[0, 3] = merchant, sequence, instant, nulls
        walk.state[HAS_LAST] = 1
    walk.ends[1, 0], walk.ends[1, 1], walk.ends[1, 2], walk.ends[1, 3] = merchant, sequence, instant, nulls


@inlined
def _place_in_bucket(rows, i, limits, walk):
    """Where in its bucket a row lies: one of 4096 places, and to the microsecond for a few rows. Returns the microseconds
    since the bucket began, -1 for a row that does not lie in its bucket."""
    if rows.nulls[i] & c.UTC:
        return _OUTSIDE
    bucket = rows.bucket[i]
    since = rows.utc[i] - limits.start_us
    inside = since - bucket * limits.bucket_us
    lies = 0 <= inside < limits.bucket_us
    if not lies:
        inside = since % limits.bucket_us
    scaled = inside * BINS
    bin_ = np.int64(np.float64(scaled) / np.float64(limits.bucket_us))
    bin_ -= bin_ * limits.bucket_us > scaled  # the quotient may have been rounded up
    walk.bins[bin_] += 1
    within = inside if lies and not rows.nulls[i] & c.BUCKET else _OUTSIDE
    if rows.nulls[i] & (c.SEQUENCE | c.BUCKET):
        return within
    sequence = rows.sequence[i]
    if (sequence + bucket) % limits.stride == 0:
        at = walk.state[PICKED]
        walk.picks[at, 0] = (sequence // limits.stride + bucket) % limits.batches
        walk.picks[at, 1] = inside
        walk.state[PICKED] = at + 1
    return within


@inlined
def _cell(rows, i, limits, fine, walk):
    """The row's cell; its quarter of an hour where a bucket does not tell the hour of its zone; its local hour of the day
    where the cell does not tell it."""
    nulls = np.int64(rows.nulls[i])
    merchant, bucket, virtual = rows.merchant[i], rows.bucket[i], np.int64(rows.virtual[i])
    zone, offset = np.int64(rows.primary_zone[i]), rows.primary_offset[i]
    error = np.int64(0)
    if not nulls & PRIMARY_CLOCK:
        error = rows.primary_local[i] - rows.utc[i] - offset * MINUTE_US
    if walk.state[CELL_MERCHANT] != merchant or walk.state[CELL_BUCKET] != bucket:
        walk.state[CELL_MERCHANT], walk.state[CELL_BUCKET] = merchant, bucket
        forget(walk.cells)
    series = (np.int64(rows.zone[i]), np.int64(rows.channel[i]))
    missing = nulls & (c.MERCHANT | c.BUCKET | c.VIRTUAL | PRIMARY_CLOCK)
    place, new = count(walk.cells, (merchant, bucket), (*series, virtual, zone, offset, error, missing))
    if new:
        walk.least[place], walk.greatest[place] = np.inf, -np.inf
    if not nulls & c.LAMBDA:
        _widen(walk, place, rows.intensity[i])
    whole = limits.hourly and error == 0 and offset % 60 == 0 and not nulls & PRIMARY_CLOCK
    if not whole or (zone >= 0 and fine[zone]):
        quarter, hour = rows.utc[i] // QUARTER_US, rows.primary_local[i] // HOUR_US
        count(walk.quarters, (np.int64(0),), (quarter, zone, virtual, offset, error, bucket, hour, missing))
    if virtual:
        hour, missing = rows.operational_local[i] // HOUR_US % 24, nulls & (c.MERCHANT | c.O_LOCAL)
        count(walk.hours, (merchant,), (*series, virtual, hour, missing))
    elif not whole:
        hour, missing = rows.primary_local[i] // HOUR_US % 24, nulls & (c.MERCHANT | c.P_LOCAL)
        count(walk.hours, (merchant,), (*series, virtual, hour, missing))
    walk.constants[rows.constants[i]] += 1


@inlined
def _widen(walk, place, intensity):
    """Bounds of a cell's intensities; not a number counts as the greatest, as in SQL."""
    if intensity != intensity or intensity > walk.greatest[place]:
        walk.greatest[place] = intensity
    if intensity < walk.least[place]:
        walk.least[place] = intensity


@inlined
def _route(rows, i, inside, walk):
    """Where the row landed: a site, or an edge with its clocks; neither for a row that says not which. ``inside``: its
    microseconds in the bucket."""
    nulls = np.int64(rows.nulls[i])
    if nulls & c.VIRTUAL:
        return
    merchant, primary = rows.merchant[i], np.int64(rows.primary_zone[i])
    if not rows.virtual[i]:
        place, new = count(walk.site_routes, (merchant,), (rows.site[i], primary, nulls & (c.MERCHANT | c.SITE)))
        add_kind(walk.habits.sites, place, new, primary, max(inside, np.int64(0)))
        return
    operational, settlement = np.int64(rows.operational_zone[i]), np.int64(rows.settlement_zone[i])
    missing = nulls & (c.MERCHANT | c.EDGE)
    place, new = count(walk.edge_routes, (merchant,), (rows.edge[i], primary, operational, settlement, missing))
    add_kind(walk.habits.edges, place, new, _OUTSIDE, max(inside, np.int64(0)))
    offsets = (rows.operational_offset[i], rows.settlement_offset[i])
    missing = nulls & (c.BUCKET | c.O_OFFSET | c.S_OFFSET)
    count(walk.edge_clocks, (np.int64(0),), (operational, offsets[0], settlement, offsets[1], rows.bucket[i], missing))
