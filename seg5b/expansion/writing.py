"""Arrivals on disk: parts and row groups cut by counts and policy alone, encoded while the next chunk is computed."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from seg5b_kernels.arrivals import VIRTUAL
from seg5b_kernels.derivation import Streams
from seg5b_kernels.routing import Arrivals

from seg5b.axes import SeriesAxis
from seg5b.clocks import TzCache
from seg5b.context import Stage
from seg5b.evidence import TraceRow, refuse_wrap
from seg5b.evidence.trace import counter128
from seg5b.expansion.anomalies import Anomaly
from seg5b.expansion.plan import ExpansionPlan
from seg5b.expansion.realise import Realised, Realiser, arrival_buffers
from seg5b.policy import PlacementPolicy, RngFamily, RngPolicy, RoutingPolicy
from seg5b.policy.rng import EDGE_PICK, EDGE_TEMPER, SITE_PICK, TIME_JITTER
from seg5b.tables import Coded, Constant, Masked, Moments, RowGroupWriter, write_table
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import ARRIVAL_ANOMALIES, ARRIVAL_EVENTS, ARRIVAL_SUMMARY

DRAWS_PER_EVENT = {TIME_JITTER: 1, SITE_PICK: 2, EDGE_PICK: 1, EDGE_TEMPER: 2}


class ArrivalPolicies(Protocol):
    """The policies that writing needs."""

    @property
    def placement(self) -> PlacementPolicy: ...
    @property
    def routing(self) -> RoutingPolicy: ...
    @property
    def rng(self) -> RngPolicy: ...


@dataclass(frozen=True, slots=True)
class Written:
    """``parts`` files; virtual arrivals per bucket row of the plan, int64 [R]; trace rows of all parts."""

    parts: int
    virtual: np.ndarray
    trace: list[TraceRow]


class ArrivalWriter:
    """Writes one scenario's arrivals.

    A row group is computed into one of two buffer sets while the other is encoded, so memory does not grow with the
    number of arrivals.
    """

    def __init__(
        self,
        stage: Stage,
        scenario_id: str,
        axis: SeriesAxis,
        realiser: Realiser,
        cache: TzCache,
        policies: ArrivalPolicies,
        intensity: np.ndarray,
        universe_hash: str,
    ) -> None:
        self._stage, self._scenario_id, self._axis, self._realiser = stage, scenario_id, axis, realiser
        self._policies, self._intensity = policies, intensity
        self._plan = realiser.plan
        self._virtual = np.zeros(self._plan.series.size, np.int64)
        routing = policies.routing
        dropped = [] if routing.carry_lambda else ["lambda_realised"]
        dropped += [] if routing.carry_tz_group else ["tz_group_id"]
        self._format = ARRIVAL_EVENTS.without(*dropped)
        self._zones, self._channels = text_values(cache.tzids), text_values(axis.channels)
        identity = stage.root.identity
        self._constants: dict[str, Column] = {
            "manifest_fingerprint": Constant(identity.manifest_fingerprint),
            "parameter_hash": Constant(identity.parameter_hash),
            "seed": Constant(identity.seed),
            "scenario_id": Constant(scenario_id),
            "routing_universe_hash": Constant(universe_hash),
            "s4_spec_version": Constant(stage.gate.spec_version),
        }

    def write(self, folder: Path) -> Written:
        """Write ``part-NNNNNN.parquet`` files below ``folder``."""
        folder.mkdir()
        placement = self._policies.placement
        group_rows = placement.arrivals_per_row_group
        part_rows = group_rows * placement.row_groups_per_part
        total = self._plan.arrivals
        trace: list[TraceRow] = []
        backend = self._stage.backend
        free = deque(arrival_buffers(backend, min(group_rows, total)) for _ in range(2))
        with (
            self._stage.reporter.track(f"arrivals {self._scenario_id}", total, "arrivals") as advance,
            ThreadPoolExecutor(1, thread_name_prefix="seg5b-encode") as encoder,
        ):
            for part, first in enumerate(range(0, total, part_rows)):
                stop = min(first + part_rows, total)
                path = folder / f"part-{part:06d}.parquet"
                metadata = self._stage.metadata(scenario_id=self._scenario_id, part=str(part))
                evidence = _PartEvidence(self._stage, self._policies.rng, part)
                with RowGroupWriter(path, self._format, metadata) as writer:
                    pending: deque[tuple[Future[None], Arrivals]] = deque()
                    for group_first in range(first, stop, group_rows):
                        group_stop = min(group_first + group_rows, stop)
                        if not free:
                            future, buffers = pending.popleft()
                            future.result()
                            free.append(buffers)
                        buffers = free.popleft()
                        rows = self._fill(buffers, group_first, group_stop, evidence)
                        future = encoder.submit(self._encode, writer, buffers, rows, group_stop - group_first)
                        pending.append((future, buffers))
                        advance(group_stop - group_first)
                    for future, buffers in pending:
                        future.result()
                        free.append(buffers)
                trace += evidence.rows()
        parts = -(-total // part_rows)
        return Written(parts, self._virtual, trace)

    def _fill(self, buffers: Arrivals, first: int, stop: int, evidence: _PartEvidence) -> np.ndarray:
        """Realise [first, stop) into ``buffers``, chunk by chunk; returns the plan row of each arrival, int64."""
        step = self._stage.tuning.chunk_arrivals
        plan_row = np.empty(stop - first if self._policies.routing.carry_lambda else 0, np.int64)
        for chunk_first in range(first, stop, step):
            chunk_stop = min(chunk_first + step, stop)
            span = slice(chunk_first - first, chunk_stop - first)
            out = Arrivals(*(column[span] for column in buffers))
            realised = self._realiser.realise(chunk_first, chunk_stop, out)
            window = realised.window
            self._virtual[window.first_row : window.stop_row] = realised.virtual
            if plan_row.size:
                plan_row[span] = self._stage.backend.download(out.row) + window.first_row
            evidence.add(self._realiser, realised, chunk_first, chunk_stop, out)
        return plan_row

    def _encode(self, writer: RowGroupWriter, buffers: Arrivals, plan_row: np.ndarray, rows: int) -> None:
        download = self._stage.backend.download
        out = Arrivals(*(download(column[:rows]) for column in buffers))
        physical = out.is_virtual == 0
        columns: dict[str, Column] = {
            **self._constants,
            "merchant_id": out.merchant_id,
            "zone_representation": Coded(out.zone, self._zones),
            "channel_group": Coded(out.channel, self._channels),
            "bucket_index": out.bucket,
            "arrival_seq": out.arrival_seq,
            "ts_utc": Moments(out.ts_utc),
            "is_virtual": out.is_virtual,
            "site_id": Masked(out.site_id, physical),
            "edge_id": Masked(out.edge_id, ~physical),
            "tz_group_id": Coded(out.group_zone, self._zones),
        }
        for clock in ("primary", "settlement", "operational"):
            columns[f"tzid_{clock}"] = Coded(getattr(out, f"zone_{clock}"), self._zones)
            columns[f"ts_local_{clock}"] = Moments(getattr(out, f"local_{clock}"))
            columns[f"utc_offset_min_{clock}"] = getattr(out, f"offset_min_{clock}")
        if plan_row.size:
            columns["lambda_realised"] = self._intensity[plan_row]
        writer.write_group(columns, rows)


class _PartEvidence:
    """Adds up what one part consumed, exactly, from what was produced."""

    def __init__(self, stage: Stage, policy: RngPolicy, part: int) -> None:
        self._stage, self._policy, self._part = stage, policy, part
        self._events: dict[str, int] = {}
        self._span: dict[str, tuple[int, int]] = {}

    def add(self, realiser: Realiser, realised: Realised, first: int, stop: int, out: Arrivals) -> None:
        download = self._stage.backend.download
        virtual = download(out.is_virtual) != 0
        events = {
            TIME_JITTER: stop - first,
            SITE_PICK: stop - first - _arrivals_of_virtual_only(realiser, realised, first, stop),
            EDGE_PICK: int(virtual.sum()),
            EDGE_TEMPER: int(download(out.tempered).sum()),
        }
        count = realiser.plan.count[realised.window.first_row : realised.window.stop_row]
        for family_id, streams in realised.streams.items():
            self._events[family_id] = self._events.get(family_id, 0) + events[family_id]
            self._extend(self._policy.families[family_id], streams, count)

    def _extend(self, family: RngFamily, streams: Streams, count: np.ndarray) -> None:
        """Keep the first and last counters; look for wraps only where one is possible."""
        if bool((streams.counter_hi == np.uint64(2**64 - 1)).any()):
            high, low = (self._stage.backend.download(column) for column in (streams.counter_hi, streams.counter_lo))
            refuse_wrap(self._stage, family, high, low, count)
        first, last = int(streams.counter_hi[0]), int(streams.counter_hi[-1])
        before = self._span.get(family.family_id, (counter128(first, streams.counter_lo[0]), 0))[0]
        self._span[family.family_id] = before, counter128(last, streams.counter_lo[-1]) + int(count[-1])

    def rows(self) -> list[TraceRow]:
        """The part's trace."""
        return [
            TraceRow(
                self._policy.families[family_id],
                self._part,
                *self._span[family_id],
                events,
                events * DRAWS_PER_EVENT[family_id],
                events,
            )
            for family_id, events in self._events.items()
        ]


def _arrivals_of_virtual_only(realiser: Realiser, realised: Realised, first: int, stop: int) -> int:
    """Arrivals in [first, stop) of merchants that are virtual only. A segment has one merchant, so its positions need
    not be told apart."""
    plan, window = realiser.plan, realised.window
    rows = slice(window.first_row, window.stop_row)
    heads = np.unique(plan.row_segment[rows])
    low = np.maximum(plan.start[plan.segment_row[heads]], first)
    high = np.minimum(plan.start[plan.segment_row[heads + 1]], stop)
    mode = realiser.tables.mode[plan.series[plan.segment_row[heads]]]
    return int((high - low)[mode == VIRTUAL].sum())


def write_summary(stage: Stage, scenario_id: str, axis: SeriesAxis, plan: ExpansionPlan, virtual: np.ndarray) -> None:
    """``s4_arrival_summary_5B``: physical and virtual arrivals of every bucket row with arrivals, in series order."""
    order = np.lexsort((plan.bucket, plan.series))
    series, count = plan.series[order], plan.count[order].astype(np.int64)
    columns: dict[str, Column] = {
        **_row_identity(stage, scenario_id),
        "merchant_id": axis.merchant_id[series],
        "zone_representation": Coded(axis.zone[series], text_values(axis.zones)),
        "channel_group": Coded(axis.channel[series], text_values(axis.channels)),
        "bucket_index": plan.bucket[order].astype(np.int64),
        "count_N": count,
        "count_physical": count - virtual[order],
        "count_virtual": virtual[order],
    }
    target = stage.target("s4_arrival_summary_5B", scenario_id)
    write_table(target, ARRIVAL_SUMMARY, columns, order.size, stage.metadata(scenario_id=scenario_id))


def write_anomalies(stage: Stage, scenario_id: str, anomalies: list[Anomaly]) -> None:
    """``s4_arrival_anomalies_5B``, in order of code and context; without rows if nothing was unusual."""
    ordered = sorted(anomalies, key=lambda anomaly: (anomaly.code, anomaly.context_json()))
    texts: dict[str, list[str]] = {
        "anomaly_id": [f"a{number:06d}" for number in range(len(ordered))],
        "anomaly_code": [anomaly.code for anomaly in ordered],
        "severity": [anomaly.severity for anomaly in ordered],
        "context": [anomaly.context_json() for anomaly in ordered],
        "message": [anomaly.message for anomaly in ordered],
    }
    codes = np.arange(len(ordered), dtype=np.int32)
    columns: dict[str, Column] = {
        **_row_identity(stage, scenario_id),
        **{name: Coded(codes, text_values(values)) for name, values in texts.items()},
    }
    target = stage.target("s4_arrival_anomalies_5B", scenario_id)
    write_table(target, ARRIVAL_ANOMALIES, columns, len(ordered), stage.metadata(scenario_id=scenario_id))


def _row_identity(stage: Stage, scenario_id: str) -> dict[str, Column]:
    identity = stage.root.identity
    return {
        "manifest_fingerprint": Constant(identity.manifest_fingerprint),
        "parameter_hash": Constant(identity.parameter_hash),
        "seed": Constant(identity.seed),
        "scenario_id": Constant(scenario_id),
        "s4_spec_version": Constant(stage.gate.spec_version),
    }
