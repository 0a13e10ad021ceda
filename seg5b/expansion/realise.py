"""Realise any range of a scenario's arrivals: derive streams, draw, order, route. Law L7."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.arrivals import BinInputs, DrawInputs, Draws, Ordered, PlaceInputs
from seg5b_kernels.derivation import Streams
from seg5b_kernels.routing import Arrivals, Chunk, Clocks, Edges, Groups, RouteInputs, RoutePolicy, Rows, Series, Sites

from seg5b.axes import TimeGrid
from seg5b.backends.base import Array, Backend
from seg5b.expansion.plan import ExpansionPlan, Window
from seg5b.policy.rng import EDGE_PICK, EDGE_TEMPER, SITE_PICK, TIME_JITTER
from seg5b.rng.device import StreamSource

ARRIVAL_DTYPES: Mapping[str, type[np.generic]] = {
    "row": np.int32,
    "merchant_id": np.uint64,
    "zone": np.int16,
    "channel": np.int8,
    "bucket": np.int64,
    "arrival_seq": np.int64,
    "ts_utc": np.int64,
    "zone_primary": np.int16,
    "zone_settlement": np.int16,
    "zone_operational": np.int16,
    "offset_min_primary": np.int32,
    "offset_min_settlement": np.int32,
    "offset_min_operational": np.int32,
    "local_primary": np.int64,
    "local_settlement": np.int64,
    "local_operational": np.int64,
    "is_virtual": np.uint8,
    "site_id": np.uint64,
    "edge_id": np.uint64,
    "group_zone": np.int16,
    "tempered": np.uint8,
}


def arrival_buffers(backend: Backend, rows: int) -> Arrivals:
    """Output columns for ``rows`` arrivals where kernels run."""
    return Arrivals(**{name: backend.empty(rows, dtype) for name, dtype in ARRIVAL_DTYPES.items()})


@dataclass(frozen=True, slots=True)
class RouteTables:
    """The world as routing sees it, on the backend; ``mode`` uint8 [n] and ``slot`` int32 [n] per series stay on the
    host: virtual mode, and position among the series that have templates. ``group_table`` int32 [merchants x days] or
    None under the pinned zone law, indexed by ``merchant_row`` int32 [n] and the epoch day less ``first_day``."""

    series: Series
    sites: Sites
    edges: Edges
    groups: Groups
    clocks: Clocks
    policy: RoutePolicy
    mode: np.ndarray
    slot: np.ndarray
    group_table: np.ndarray | None
    merchant_row: np.ndarray
    first_day: int


@dataclass(frozen=True, slots=True)
class Realised:
    """What a range of arrivals came to, besides its rows: ``window`` and the streams of its rows (host), and how many
    virtual arrivals each row of the window has, int64."""

    window: Window
    streams: Mapping[str, Streams]
    virtual: np.ndarray


_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Realiser:
    """Makes rows of one scenario on one backend. ``sources`` by family id."""

    backend: Backend
    grid: TimeGrid
    plan: ExpansionPlan
    tables: RouteTables
    sources: Mapping[str, StreamSource]

    def realise(self, first: int, stop: int, out: Arrivals) -> Realised:
        """Write arrivals [first, stop) of the scenario to ``out`` (``stop - first`` rows).

        The result depends on the positions alone. Consumes what `seg5b_kernels.arrivals` and ``routing`` state.
        """
        window = self.plan.window(first, stop)
        rows, streams = self._rows(window)
        chunk = self._order(window, rows, streams, first)
        inputs = RouteInputs(
            chunk,
            rows,
            self.tables.series,
            streams[SITE_PICK],
            streams[EDGE_PICK],
            streams.get(EDGE_TEMPER, streams[EDGE_PICK]),
            self.tables.sites,
            self.tables.edges,
            self.tables.groups,
            self.tables.clocks,
            self.tables.policy,
        )
        self.backend.launch(registry.ROUTE_ARRIVAL, stop - first, inputs, out)
        before = self.backend.download(chunk.virtual_before)[self._row_start(window)]
        return Realised(window, streams, np.diff(before).astype(np.int64))

    def _row_start(self, window: Window) -> np.ndarray:
        return (self.plan.start[window.first_row : window.stop_row + 1] - window.position).astype(np.int32)

    def _rows(self, window: Window) -> tuple[Rows, dict[str, Streams]]:
        """The window's bucket rows and their streams."""
        span = slice(window.first_row, window.stop_row)
        series, bucket = self.plan.series[span], self.plan.bucket[span]
        start_us = self.grid.start_us + bucket.astype(np.int64) * self.grid.bucket_us
        upload = self.backend.upload
        slot, buckets = upload(self.tables.slot[series]), upload(bucket)
        streams = {family_id: source.streams(slot, buckets) for family_id, source in self.sources.items()}
        rows = Rows(
            upload(series),
            upload(bucket.astype(np.int64)),
            upload(start_us),
            upload(self.tables.mode[series]),
            upload(self._group_table(series, start_us)),
        )
        return rows, streams

    def _group_table(self, series: np.ndarray, start_us: np.ndarray) -> np.ndarray:
        if self.tables.group_table is None:
            return np.full(series.size, -1, np.int32)
        day = start_us // _DAY_US - self.tables.first_day
        chosen: np.ndarray = self.tables.group_table[self.tables.merchant_row[series], day]
        return chosen

    def _order(self, window: Window, rows: Rows, streams: Mapping[str, Streams], first: int) -> Chunk:
        """Draw the window's arrivals and bring them into time order."""
        backend, plan = self.backend, self.plan
        row_start_host = self._row_start(window)
        n = int(row_start_host[-1])
        segment = plan.row_segment[window.first_row : window.stop_row]
        head = plan.start[plan.segment_row]
        segment_start = backend.upload((head[segment] - window.position).astype(np.int32))
        segment_size = backend.upload((head[segment + 1] - head[segment]).astype(np.int32))
        row_start, slot_row = backend.upload(row_start_host), backend.spread(row_start_host)
        draws = Draws(
            backend.empty(n, np.uint32),
            backend.empty(n, np.int32),
            backend.zeros(n, np.int32),
            backend.empty(n, np.int32),
        )
        inputs = DrawInputs(
            slot_row,
            row_start,
            segment_start,
            segment_size,
            rows.mode,
            streams[TIME_JITTER],
            streams[SITE_PICK],
            self.grid.bucket_us,
            self.tables.policy.p_virtual,
        )
        backend.launch(registry.DRAW_ARRIVAL, n, inputs, draws)
        ordered = self._place(n, slot_row, segment_start, segment_size, draws)
        virtual_before = backend.exclusive_sum(draws.is_virtual, backend.empty(n + 1, np.int32))
        return Chunk(
            ordered.packed,
            slot_row,
            row_start,
            draws.is_virtual,
            virtual_before,
            first - window.position,
            window.position,
        )

    def _place(self, n: int, slot_row: Array, segment_start: Array, segment_size: Array, draws: Draws) -> Ordered:
        backend = self.backend
        bin_start = backend.exclusive_sum(draws.bin_count, backend.empty(n + 1, np.int32))
        ordered = Ordered(backend.empty(n, np.uint64))
        inputs = PlaceInputs(slot_row, segment_start, segment_size, draws.offset_us, draws.bin_rank, bin_start)
        backend.launch(registry.PLACE_ARRIVAL, n, inputs, ordered)
        backend.launch(registry.ORDER_BIN, n, BinInputs(bin_start), ordered)
        return ordered
