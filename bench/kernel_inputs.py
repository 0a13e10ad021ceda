"""Synthetic inputs for every kernel, of any size: what the benchmark times, and what tests compare across targets.

Everything follows from ``items``, ``seed`` and the mix of arrivals (`arrival_mix`). The shapes are those of a run: ragged
bucket rows that share segments, all three virtual modes, tables from one entry to dozens, a time-zone change inside the
horizon, counters that carry.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from arrival_mix import START_US, AsInRuns, EveryMode, clocks, ragged_rows
from seg5b_kernels import registry
from seg5b_kernels.accounts import (
    FAMILIES,
    NOWHERE,
    AccountInputs,
    CloseInputs,
    Ledger,
    Places,
    TallyInputs,
    stretches,
)
from seg5b_kernels.arrivals import BinInputs, DrawInputs, Draws, Ordered, PlaceInputs, VirtualInputs, VirtualRows
from seg5b_kernels.cells import AxisKeys, CellKeys, FirstFault
from seg5b_kernels.clocks import Clocks
from seg5b_kernels.counts import NB2, CountInputs, CountLaw, Counts
from seg5b_kernels.derivation import DomainTemplates, StreamInputs, Streams
from seg5b_kernels.latent import FieldInputs, Fields, Intensities, IntensityInputs, LevelFactors, LevelInputs
from seg5b_kernels.routing import (
    Arrivals,
    Chunk,
    Horizon,
    RouteInputs,
    Series,
)
from seg5b_kernels.segments import (
    Arranged,
    ArrangeInputs,
    DaySumInputs,
    DaySums,
    GatherInputs,
    Merchants,
    Rows,
    SlotRows,
    WindowInputs,
    Windows,
)
from seg5b_kernels.surface import SurfaceRows

from seg5b.expansion.realise import ARRIVAL_DTYPES

BUCKET_US = 3_600_000_000
EVERY_MODE, AS_IN_RUNS = EveryMode(), AsInRuns()


class Case(NamedTuple):
    """One kernel and what to launch it with: host arrays, ``outputs`` zeroed. ``results``: results made, for rates."""

    kernel: registry.Kernel
    n: int
    inputs: Any
    outputs: Any
    results: int


def kernel_cases(items: int, seed: int = 1, mix: EveryMode = EVERY_MODE) -> tuple[Case, ...]:
    """A case for each kernel of the registry, about ``items`` results each; later ones read what earlier ones left, so
    the CPU loops of the expansion run once here."""
    rng = np.random.default_rng(seed)
    return (
        *_derivation(items, mix, rng),
        *_latent(items, rng),
        _surface(items, rng),
        _cells(items, rng),
        _counts(items, mix, rng),
        *_segments(items, rng),
        *_expansion(items, mix, rng),
    )


def streams(n: int, rng: np.random.Generator) -> Streams:
    """Random keys and counters; the first ones carry into the high word within a few blocks."""
    key, high, low = rng.integers(0, 2**64, (3, n), np.uint64)
    low[: n // 4 + 1] = np.uint64(2**64 - 2)
    return Streams(key, high, low)


def _absorbed(mix: EveryMode, series: int, digits: int) -> DomainTemplates:
    """Templates of the mix's messages, ready for use."""
    messages, digit_at, tail_blocks = mix.messages(series, digits)
    ready = _templates(digit_at, tail_blocks)
    registry.ABSORB_TEMPLATE.cpu(0, digit_at.size, messages, ready)
    return ready


def _templates(digit_at: np.ndarray, tail_blocks: np.ndarray) -> DomainTemplates:
    rows = digit_at.size
    return DomainTemplates(np.zeros((rows, 8), np.uint32), np.zeros((rows, 32), np.uint32), digit_at, tail_blocks)


def _derivation(items: int, mix: EveryMode, rng: np.random.Generator) -> Iterator[Case]:
    series = items // 50 + 1
    messages, *layout = mix.messages(series, mix.digits)
    rows = series * mix.digits
    yield Case(registry.ABSORB_TEMPLATE, rows, messages, _templates(*layout), rows)
    inputs = StreamInputs(_absorbed(mix, series, mix.digits), *mix.slots(items, series, rng), mix.digits)
    yield Case(registry.DERIVE_STREAM, items, inputs, Streams(*np.zeros((3, items), np.uint64)), items)


def _latent(items: int, rng: np.random.Generator) -> Iterator[Case]:
    groups = max(items // 2000, 4)
    buckets = items // groups
    length = rng.choice([0.0, 6.0, 48.0], groups)
    inputs = FieldInputs(streams(groups, rng), rng.uniform(0.1, 0.9, groups), length, 0.2, 3.0)
    grid = (groups, buckets)
    counted = np.zeros((2, groups), np.int64)
    fields = Fields(np.zeros(grid), np.zeros(grid), *counted)
    yield Case(registry.LATENT_FIELD, groups, inputs, fields, groups * buckets)
    yield _levels(groups, buckets, rng.spawn(1)[0])
    sizes = rng.integers(1, 3, groups)
    start = np.append(0, np.cumsum(sizes)).astype(np.int32)
    surface = rng.exponential(4.0, (start[-1], buckets))
    component = rng.permutation(start[-1]).astype(np.int32)
    group = rng.integers(0, groups, groups).astype(np.int32)
    factor = rng.lognormal(0.0, 0.4, grid)
    intensity = IntensityInputs(surface, component, start, group, factor, 40.0)
    outputs = Intensities(*np.zeros((3, groups * buckets)))
    yield Case(registry.REALISED_INTENSITY, groups * buckets, intensity, outputs, groups * buckets)


def _levels(series: int, buckets: int, rng: np.random.Generator) -> Case:
    """Series that share a few paths; numbers of its own, so that other cases keep theirs."""
    sigma, length = rng.uniform(0.05, 0.9, series), rng.choice([2.0, 15.0], series)
    country, zone = rng.integers(0, 5, (2, series)).astype(np.int32)
    shared, weights = rng.standard_normal((5, buckets)), (0.15**0.5, 0.12**0.5, 0.73**0.5)
    inputs = LevelInputs(streams(series, rng), sigma, length, country, zone, shared, *weights)
    factors = LevelFactors(np.zeros((series, buckets)))
    return Case(registry.TWO_LEVEL_FACTOR, series, inputs, factors, series * buckets)


def _cells(items: int, rng: np.random.Generator) -> Case:
    """Rows of a dataset on the axes, one of them with a foreign key."""
    buckets, names = 50, 7
    series = items // buckets + 2
    axis = AxisKeys(rng.integers(0, 2**64, series, np.uint64), *rng.integers(0, names, (2, series)).astype(np.int32))
    first = buckets // 2
    of, bucket = np.divmod(np.arange(first, first + items), buckets)
    zone_of, channel_of = rng.permutation(names).astype(np.int32), rng.permutation(names).astype(np.int32)
    zone, channel = np.argsort(zone_of)[axis.zone[of]], np.argsort(channel_of)[axis.channel[of]]
    bucket[2 * items // 3] += 1
    inputs = CellKeys(
        axis.merchant_id[of], zone.astype(np.int32), channel.astype(np.int32), bucket, zone_of, channel_of, axis,
        first, buckets,
    )  # fmt: skip
    return Case(registry.CHECK_CELL, items, inputs, FirstFault(np.array([items])), items)


def _surface(items: int, rng: np.random.Generator) -> Case:
    """Components of a surface, one row of which belongs to another zone."""
    buckets, names = 50, 7
    component, bucket = np.divmod(np.arange(items), buckets)
    merchant = rng.integers(0, 2**64, component[-1] + 1, np.uint64)
    codes = rng.integers(0, names, (3, component[-1] + 1)).astype(np.int32)
    country, tzid, channel = (code[component] for code in codes)
    tzid[2 * items // 3] += 1
    expected = rng.exponential(4.0, items)
    rows = SurfaceRows(merchant[component], country, tzid, channel, bucket, expected, buckets)
    return Case(registry.CHECK_SURFACE, items, rows, FirstFault(np.array([items])), items)


def _counts(items: int, mix: EveryMode, rng: np.random.Generator) -> Case:
    """Rows from the middle of a series on; one has no mean, and one series draws nothing."""
    buckets, digits, skipped = 50, 2, 3
    series = items // buckets + 2
    ready = _absorbed(mix, series, digits)
    mu = np.exp(rng.uniform(np.log(0.01), np.log(400.0), items))
    mu[items // 2 : items // 2 + buckets] = 0.0
    mu[2 * items // 3] = np.nan
    kappa = rng.uniform(2.0, 80.0, skipped + series)
    first = skipped * buckets + buckets // 2
    law = CountLaw(NB2, 0.0, 50.0, 5000, 300, mix.volume())
    inputs = CountInputs(ready, mu, kappa, law, first, skipped, buckets, digits)
    outputs = Counts(np.zeros(items, np.int64), np.zeros(items, np.uint8), np.zeros(items), *np.full((2, 1), items))
    return Case(registry.BUCKET_COUNT, items, inputs, outputs, items)


def _expansion(items: int, mix: EveryMode, rng: np.random.Generator) -> Iterator[Case]:
    rows = ragged_rows(*mix.row_counts(items, rng))
    size = rows.count.size
    slot_row = np.repeat(np.arange(size, dtype=np.int32), rows.count)
    table, series = mix.on_axes(rows, rng), mix.series(rng)
    yield Case(registry.SPREAD_ROW, size, table, SlotRows(np.zeros(items, np.int32)), items)
    site_stream, time_stream = streams(size, rng), streams(size, rng)
    zones, density = clocks(rng), mix.density(rng)
    inputs = DrawInputs(
        slot_row, table, series.mode, series.channel, series.zone, time_stream, site_stream, START_US, BUCKET_US,
        mix.coins(), zones, density,
    )  # fmt: skip
    yield Case(registry.DRAW_ARRIVAL, items, inputs, _empty_draws(items), items)
    drawn = _empty_draws(items)
    registry.DRAW_ARRIVAL.cpu(0, items, inputs, drawn)
    bin_start = _exclusive(drawn.bin_count)
    place = PlaceInputs(slot_row, table, drawn.offset_us, drawn.bin_rank, bin_start)
    yield Case(registry.PLACE_ARRIVAL, items, place, Ordered(np.zeros(items, np.uint64)), items)
    placed = Ordered(np.zeros(items, np.uint64))
    registry.PLACE_ARRIVAL.cpu(0, items, place, placed)
    yield Case(registry.ORDER_BIN, items, BinInputs(bin_start), Ordered(placed.packed.copy()), items)
    registry.ORDER_BIN.cpu(0, items, BinInputs(bin_start), placed)
    chunk = Chunk(placed.packed, slot_row, drawn.is_virtual, _exclusive(drawn.is_virtual), items // 10, 500)
    yield (routed := _routing(chunk, table, series, site_stream, zones, mix, rng))
    virtual = VirtualRows(np.zeros(size, np.int32))
    yield Case(registry.COUNT_VIRTUAL, size, VirtualInputs(table.start, chunk.virtual_before), virtual, size)
    counted = np.add.reduceat(drawn.is_virtual, table.start[:-1]).astype(np.int32)
    yield from _accounts(routed, table, counted, time_stream)


def _accounts(routed: Case, rows: Rows, virtual: np.ndarray, time_stream: Streams) -> Iterator[Case]:
    """What the rows of `_routing` consumed; the last rows' counters wrap for one substream."""
    arrivals, size = routed.n, virtual.size
    flags = (np.arange(2 * arrivals).reshape(2, arrivals) % 7 < [[2], [1]]).astype(np.uint8)
    yield Case(
        registry.TALLY_ARRIVALS, stretches(arrivals), TallyInputs(flags[0], flags[1], arrivals), _ledger(), arrivals
    )
    temper = routed.inputs.temper_stream
    wrapping = temper._replace(counter_hi=temper.counter_hi.copy(), counter_lo=temper.counter_lo.copy())
    wrapping.counter_hi[size // 2 :] = np.uint64(2**64 - 1)
    wrapping.counter_lo[size // 2 :] = np.uint64(2**64 - 10)
    edge = routed.inputs.edge_stream
    mode = routed.inputs.series.mode
    inputs = AccountInputs(rows, virtual, mode, time_stream, routed.inputs.site_stream, edge, wrapping, FAMILIES, size)
    yield Case(registry.ACCOUNT_ROWS, stretches(size), inputs, _nowhere(), size)
    places = _nowhere()
    registry.ACCOUNT_ROWS.cpu(0, stretches(size), inputs, places)
    yield Case(registry.CLOSE_ACCOUNT, FAMILIES, CloseInputs(inputs, places), _ledger(), FAMILIES)


def _nowhere() -> Places:
    return Places(*np.full((3, FAMILIES), NOWHERE, np.int64))


def _ledger() -> Ledger:
    return Ledger(np.zeros((FAMILIES, 6), np.uint64), np.zeros((FAMILIES, 4), np.int64), np.zeros(2, np.int64))


def _segments(items: int, rng: np.random.Generator) -> Iterator[Case]:
    """Merchants of one to three series over 50 buckets, most buckets empty; the counts of one row are not allowed."""
    buckets = 50
    sizes = rng.integers(1, 4, items // (2 * buckets) + 1)
    series = int(sizes.sum())
    rows = series * buckets
    count = np.where(rng.random(rows) < 0.7, 0, rng.geometric(0.2, rows))
    day_of = (np.arange(buckets) // 24).astype(np.int32)
    odd = count.copy()
    odd[rows // 2] = 90
    inputs = DaySumInputs(odd, day_of, 3, buckets // 3, buckets, 80)
    yield Case(registry.SUM_BY_DAY, rows, inputs, DaySums(np.zeros(3 * series + 3, np.int64), np.array([rows])), rows)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes).astype(np.int32)
    merchants = Merchants(first, np.repeat(sizes, sizes).astype(np.int32), buckets)
    arranged = Arranged(*np.zeros((2, rows), np.int32))
    yield Case(registry.ARRANGE_COUNT, rows, ArrangeInputs(count, merchants), arranged, rows)
    ready = Arranged(*np.zeros((2, rows), np.int32))
    registry.ARRANGE_COUNT.cpu(0, rows, ArrangeInputs(count, merchants), ready)
    ranges = np.sort(rng.integers(0, int(ready.count.sum()), (items // 500 + 1, 2)), axis=1)
    ranges[:, 1] += 1
    first, stop = np.ascontiguousarray(ranges.T)
    window = WindowInputs(
        np.append(0, np.cumsum(ready.count, dtype=np.int64)), _exclusive(ready.used), merchants, first, stop
    )
    yield Case(registry.LOCATE_WINDOW, first.size, window, Windows(*np.zeros((6, first.size), np.int64)), first.size)
    gather = GatherInputs(np.append(0, np.cumsum(ready.count, dtype=np.int64)), _exclusive(ready.used), merchants, 0, 9)
    used = int(ready.used.sum())
    keys, segments = np.zeros((2, 2, used), np.int32)
    gathered = Rows(keys[0], keys[1], np.zeros(used + 1, np.int32), segments[0], segments[1])
    yield Case(registry.GATHER_ROW, rows, gather, gathered, rows)


def _empty_draws(n: int) -> Draws:
    return Draws(np.zeros(n, np.uint32), *np.zeros((3, n), np.int32))


def _exclusive(counts: np.ndarray) -> np.ndarray:
    return np.append(0, np.cumsum(counts)).astype(np.int32)


def _routing(
    chunk: Chunk,
    rows: Rows,
    series: Series,
    site_stream: Streams,
    zones: Clocks,
    mix: EveryMode,
    rng: np.random.Generator,
) -> Case:
    size = rows.series.size
    edge_stream, temper_stream = streams(size, rng), streams(size, rng)
    inputs = RouteInputs(
        chunk, rows, Horizon(START_US, BUCKET_US, START_US // (24 * BUCKET_US)), series,
        site_stream, edge_stream, temper_stream if mix.policy.redirect_p else edge_stream,
        mix.sites(rng), mix.edges(rng), mix.groups(rng), zones, mix.policy, mix.coins(),
    )  # fmt: skip
    n = chunk.packed.size - chunk.first_position
    outputs = Arrivals(**{name: np.zeros(n, dtype) for name, dtype in ARRIVAL_DTYPES.items()})
    return Case(registry.ROUTE_ARRIVAL, n, inputs, outputs, n)
