"""Realise any range of a scenario's arrivals: derive streams, draw, order, route. Law L7."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.arrivals import (
    LINEAR,
    UNIFORM,
    BinInputs,
    Density,
    DrawInputs,
    Draws,
    Ordered,
    PlaceInputs,
    VirtualInputs,
    VirtualRows,
)
from seg5b_kernels.clocks import Clocks
from seg5b_kernels.coins import Coins
from seg5b_kernels.derivation import Streams
from seg5b_kernels.routing import (
    Arrivals,
    Chunk,
    Edges,
    Groups,
    Horizon,
    RouteInputs,
    RoutePolicy,
    Series,
    Sites,
)
from seg5b_kernels.segments import SlotRows

from seg5b.axes import TimeGrid
from seg5b.backends.base import Array, Backend
from seg5b.expansion.blocks import MerchantBlock, MerchantBlocks, Window
from seg5b.policy.rng import EDGE_PICK, EDGE_TEMPER, SITE_PICK, TIME_JITTER
from seg5b.rng.device import StreamSource

ARRIVAL_DTYPES: Mapping[str, type[np.generic]] = {
    "row": np.int32,
    "merchant_id": np.uint64,
    "zone": np.int16,
    "channel": np.int8,
    "bucket": np.int32,
    "arrival_seq": np.int64,
    "ts_utc": np.int64,
    "zone_primary": np.int16,
    "zone_settlement": np.int16,
    "zone_operational": np.int16,
    "offset_min_primary": np.int16,
    "offset_min_settlement": np.int16,
    "offset_min_operational": np.int16,
    "is_virtual": np.uint8,
    "site_id": np.uint64,
    "edge_id": np.uint64,
    "group_zone": np.int16,
    "tempered": np.uint8,
}


def arrival_buffers(backend: Backend, rows: int) -> Arrivals:
    """Output columns for ``rows`` arrivals on the backend."""
    return Arrivals(**{name: backend.empty(rows, dtype) for name, dtype in ARRIVAL_DTYPES.items()})


@dataclass(frozen=True, slots=True)
class RouteTables:
    """The world as routing sees it, on the backend; ``mode`` uint8 [n]: virtual mode of each series, on the host."""

    series: Series
    sites: Sites
    edges: Edges
    groups: Groups
    clocks: Clocks
    policy: RoutePolicy
    coins: Coins
    mode: np.ndarray


@dataclass(frozen=True, slots=True)
class Family:
    """A family's streams: ``source`` derives them, ``slot`` int32 [n], on the backend: each series' place among the
    source's templates, negative where its arrivals never draw from this family."""

    source: StreamSource
    slot: Array


@dataclass(frozen=True, slots=True)
class RowCounts:
    """The bucket rows behind a range of arrivals, on the host, in output order: ``series`` int32, ``bucket`` int32,
    ``count`` int32 arrivals, of which ``virtual`` int32 [R] each."""

    series: np.ndarray
    bucket: np.ndarray
    count: np.ndarray
    virtual: np.ndarray


class RowArrays(NamedTuple):
    """The bucket rows behind a range of arrivals, on the backend, in output order: ``series`` and ``bucket`` int32 [R],
    ``start`` int32 [R + 1]: first slot of each, ``virtual`` int32 [R] arrivals."""

    series: Array
    bucket: Array
    start: Array
    virtual: Array

    def counts(self) -> RowCounts:
        """The rows, where these arrays are on the host."""
        return RowCounts(self.series, self.bucket, np.diff(self.start), self.virtual)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A range of arrivals in time order, not yet routed: its window, the window's streams by family, and its slots."""

    window: Window
    streams: Mapping[str, Streams]
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Realised:
    """What a range of arrivals came to, besides its rows: its window, the window's streams by family, and its bucket
    rows."""

    window: Window
    streams: Mapping[str, Streams]
    rows: RowArrays


@dataclass(frozen=True, slots=True)
class Realiser:
    """Makes rows of one scenario on one backend. ``families`` by family id; ``placement``: `UNIFORM` or `LINEAR`, for which
    the blocks hold intensities."""

    backend: Backend
    grid: TimeGrid
    blocks: MerchantBlocks
    tables: RouteTables
    families: Mapping[str, Family]
    placement: int = UNIFORM

    def realise(self, first: int, stop: int, out: Arrivals) -> Realised:
        """Write arrivals [first, stop) of the scenario, which lie in one block, to ``out`` (``stop - first`` rows).

        The result depends on the positions alone. Consumes what `seg5b_kernels.arrivals` and ``routing`` state.
        """
        return self.route(self.draw(first, stop), stop - first, out)

    def draw(self, first: int, stop: int) -> Drawn:
        """Place the arrivals [first, stop) in time. Consumes what `seg5b_kernels.arrivals` states."""
        block = self.blocks.at(first)
        window = block.window(self.backend, first, stop)
        streams = self.streams(window)
        return Drawn(window, streams, self._order(window, self._density(block), streams, first))

    def route(self, drawn: Drawn, arrivals: int, out: Arrivals) -> Realised:
        """Write so many arrivals of the range to ``out``. Consumes what `seg5b_kernels.routing` states."""
        window, streams, chunk = drawn.window, drawn.streams, drawn.chunk
        inputs = RouteInputs(
            chunk,
            window.rows,
            Horizon(self.grid.start_us, self.grid.bucket_us, self.grid.first_day),
            self.tables.series,
            streams[SITE_PICK],
            streams[EDGE_PICK],
            streams.get(EDGE_TEMPER, streams[EDGE_PICK]),
            self.tables.sites,
            self.tables.edges,
            self.tables.groups,
            self.tables.clocks,
            self.tables.policy,
            self.tables.coins,
        )
        self.backend.launch(registry.ROUTE_ARRIVAL, arrivals, inputs, out)
        virtual = VirtualRows(self.backend.empty(window.size, np.int32))
        counted = VirtualInputs(window.rows.start, chunk.virtual_before)
        self.backend.launch(registry.COUNT_VIRTUAL, window.size, counted, virtual)
        rows = window.rows
        return Realised(window, streams, RowArrays(rows.series, rows.bucket, rows.start, virtual.virtual))

    def streams(self, window: Window) -> dict[str, Streams]:
        """The streams of a window's rows by family, on the backend."""
        rows = window.rows
        return {
            family_id: family.source.streams(family.slot, rows.series, rows.bucket)
            for family_id, family in self.families.items()
        }

    def _density(self, block: MerchantBlock) -> Density:
        """How the block's arrivals are spread over their buckets."""
        if self.placement != LINEAR:
            return Density(UNIFORM, self.backend.empty(1, np.float64), 0, 0)
        return Density(LINEAR, block.intensity, block.first_series, self.grid.bucket_count)

    def _order(self, window: Window, density: Density, streams: Mapping[str, Streams], first: int) -> Chunk:
        """Draw the window's arrivals and bring them into time order."""
        backend, n = self.backend, window.slots
        slot_row = backend.empty(n, np.int32)
        backend.launch(registry.SPREAD_ROW, window.size, window.rows, SlotRows(slot_row))
        draws = Draws(
            backend.empty(n, np.uint32),
            backend.empty(n, np.int32),
            backend.zeros(n, np.int32),
            backend.empty(n, np.int32),
        )
        inputs = DrawInputs(
            slot_row,
            window.rows,
            self.tables.series.mode,
            self.tables.series.channel,
            self.tables.series.zone,
            streams[TIME_JITTER],
            streams[SITE_PICK],
            self.grid.start_us,
            self.grid.bucket_us,
            self.tables.coins,
            self.tables.clocks,
            density,
        )
        backend.launch(registry.DRAW_ARRIVAL, n, inputs, draws)
        ordered = self._place(n, slot_row, window, draws)
        virtual_before = backend.exclusive_sum(draws.is_virtual, backend.empty(n + 1, np.int32))
        return Chunk(
            ordered.packed,
            slot_row,
            draws.is_virtual,
            virtual_before,
            first - window.position,
            window.position,
        )

    def _place(self, n: int, slot_row: Array, window: Window, draws: Draws) -> Ordered:
        backend = self.backend
        bin_start = backend.exclusive_sum(draws.bin_count, backend.empty(n + 1, np.int32))
        ordered = Ordered(backend.empty(n, np.uint64))
        inputs = PlaceInputs(slot_row, window.rows, draws.offset_us, draws.bin_rank, bin_start)
        backend.launch(registry.PLACE_ARRIVAL, n, inputs, ordered)
        backend.launch(registry.ORDER_BIN, n, BinInputs(bin_start), ordered)
        return ordered
