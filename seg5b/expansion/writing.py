"""Arrivals on disk: parts and row groups cut by counts and policy alone, encoded while the next chunk is computed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Protocol

import numpy as np
from seg5b_kernels.routing import Arrivals

from seg5b.axes import SeriesAxis
from seg5b.clocks import TzCache
from seg5b.context import Stage
from seg5b.errors import BackendError
from seg5b.evidence import TraceRow
from seg5b.expansion.anomalies import Anomaly
from seg5b.expansion.plan import ExpansionPlan
from seg5b.expansion.realise import Realiser, arrival_buffers
from seg5b.expansion.spending import PartEvidence
from seg5b.policy import PlacementPolicy, RngPolicy, RoutingPolicy
from seg5b.tables import Coded, Constant, Masked, Moments, RowGroupWriter, TableFormat, write_table
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import ARRIVAL_ANOMALIES, ARRIVAL_EVENTS, ARRIVAL_SUMMARY

LEAST_CHUNK = 1000  # arrivals; a chunk holds whole buckets, so smaller ones save nothing


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

    Row groups are computed into a few reused buffer sets while others are encoded, so memory does not grow with the
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
        self._step = stage.tuning.chunk_arrivals
        self._plan = realiser.plan
        self._virtual = np.zeros(self._plan.series.size, np.int64)
        routing = policies.routing
        dropped = [] if routing.carry_lambda else ["lambda_realised"]
        dropped += [] if routing.carry_tz_group else ["tz_group_id"]
        self._format = ARRIVAL_EVENTS.without(*dropped)
        self._zones, self._channels = text_values(cache.tzids), text_values(axis.channels)
        self._constants: dict[str, Column] = {
            **stage.identity_columns(scenario_id),
            "routing_universe_hash": Constant(universe_hash),
        }

    def write(self, folder: Path) -> Written:
        """Write ``part-NNNNNN.parquet`` files below ``folder``.

        As many parts as there are encoders are under way at once, their row groups computed in turn: any range can be
        realised alone, so the order of computing is free and each encoder always has the next group of its own part.
        """
        folder.mkdir()
        placement = self._policies.placement
        total, group_rows = self._plan.arrivals, placement.arrivals_per_row_group
        parts = self._parts(folder, group_rows, placement.row_groups_per_part)
        lanes = min(self._stage.tuning.encoders, len(parts))
        free: Queue[Arrivals] = Queue()
        for _ in range(lanes + 1):
            free.put(arrival_buffers(self._stage.backend, min(group_rows, total)))
        encoders = [ThreadPoolExecutor(1, thread_name_prefix="seg5b-encode") for _ in range(lanes)]
        pending: list[Future[None]] = []
        try:
            with self._stage.reporter.track(f"arrivals {self._scenario_id}", total, "arrivals") as advance:
                for first in range(0, len(parts), lanes):
                    for lane, part, group in _interleaved(parts[first : first + lanes]):
                        pending = _unfinished(pending)
                        buffers = free.get()
                        plan_row = self._fill(buffers, *group, part.evidence)
                        future = encoders[lane].submit(self._encode, part, buffers, plan_row, group, free)
                        pending.append(future)
                        advance(group[1] - group[0])
            for future in pending:
                future.result()
        finally:
            for encoder in encoders:
                encoder.shutdown()
        return Written(len(parts), self._virtual, [row for part in parts for row in part.evidence.rows()])

    def _parts(self, folder: Path, group_rows: int, groups_per_part: int) -> list[_Part]:
        """Cut the scenario's positions into parts and row groups, by counts and policy alone (law L8)."""
        total, part_rows = self._plan.arrivals, group_rows * groups_per_part
        parts = []
        for number, first in enumerate(range(0, total, part_rows)):
            stop = min(first + part_rows, total)
            groups = [(start, min(start + group_rows, stop)) for start in range(first, stop, group_rows)]
            metadata = self._stage.metadata(scenario_id=self._scenario_id, part=str(number))
            evidence = PartEvidence(self._stage, self._policies.rng, number)
            parts.append(_Part(folder / f"part-{number:06d}.parquet", groups, metadata, evidence))
        return parts

    def _fill(self, buffers: Arrivals, first: int, stop: int, evidence: PartEvidence) -> np.ndarray:
        """Realise [first, stop) into ``buffers``, chunk by chunk; returns the plan row of each arrival, int64."""
        plan_row = np.empty(stop - first if self._policies.routing.carry_lambda else 0, np.int64)
        chunk_stop = first
        while chunk_stop < stop:
            chunk_first, chunk_stop = chunk_stop, min(chunk_stop + self._step, stop)
            span = slice(chunk_first - first, chunk_stop - first)
            out = Arrivals(*(column[span] for column in buffers))
            try:
                realised = self._realiser.realise(chunk_first, chunk_stop, out)
            except BackendError as failure:
                self._shrink(failure)
                chunk_stop = chunk_first
                continue
            window = realised.window
            self._virtual[window.first_row : window.stop_row] = realised.virtual
            if plan_row.size:
                plan_row[span] = self._stage.backend.download(out.row) + window.first_row
            evidence.add(self._realiser, realised, chunk_first, chunk_stop, out)
        return plan_row

    def _shrink(self, failure: BackendError) -> None:
        """Halve the chunk after the device ran out of memory; give up where one bucket alone would not fit."""
        if failure.code != "5B.BACKEND.OUT_OF_MEMORY" or self._step <= LEAST_CHUNK:
            raise failure
        self._step = max(self._step // 2, LEAST_CHUNK)
        self._stage.log.warning("device memory is short; going on with chunks of %d arrivals", self._step)

    def _encode(
        self, part: _Part, buffers: Arrivals, plan_row: np.ndarray, group: tuple[int, int], free: Queue[Arrivals]
    ) -> None:
        """Write one row group of a part, then give the buffers back; the part's last group closes its file."""
        try:
            writer = part.open(self._format)
            writer.write_group(self._columns(buffers, plan_row, group[1] - group[0]), group[1] - group[0])
            if group == part.groups[-1]:
                writer.close()
        finally:
            free.put(buffers)

    def _columns(self, buffers: Arrivals, plan_row: np.ndarray, rows: int) -> dict[str, Column]:
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
        return columns


@dataclass(slots=True)
class _Part:
    """One file: its row groups as (first, stop) positions, and what it consumed."""

    path: Path
    groups: list[tuple[int, int]]
    metadata: dict[str, str]
    evidence: PartEvidence
    writer: RowGroupWriter | None = None

    def open(self, form: TableFormat) -> RowGroupWriter:
        """The part's writer, opened with its first row group."""
        if self.writer is None:
            self.writer = RowGroupWriter(self.path, form, self.metadata)
        return self.writer


def _interleaved(parts: list[_Part]) -> Iterator[tuple[int, _Part, tuple[int, int]]]:
    """(lane, part, row group) of parts that are written side by side, first groups first."""
    for rank in range(max(len(part.groups) for part in parts)):
        for lane, part in enumerate(parts):
            if rank < len(part.groups):
                yield lane, part, part.groups[rank]


def _unfinished(pending: list[Future[None]]) -> list[Future[None]]:
    """Futures still running; one that failed raises here."""
    for future in pending:
        if future.done():
            future.result()
    return [future for future in pending if not future.done()]


def write_summary(stage: Stage, scenario_id: str, axis: SeriesAxis, plan: ExpansionPlan, virtual: np.ndarray) -> None:
    """``s4_arrival_summary_5B``: physical and virtual arrivals of every bucket row with arrivals, in series order."""
    order = np.lexsort((plan.bucket, plan.series))
    series, count = plan.series[order], plan.count[order].astype(np.int64)
    columns: dict[str, Column] = {
        **stage.identity_columns(scenario_id),
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
        **stage.identity_columns(scenario_id),
        **{name: Coded(codes, text_values(values)) for name, values in texts.items()},
    }
    target = stage.target("s4_arrival_anomalies_5B", scenario_id)
    write_table(target, ARRIVAL_ANOMALIES, columns, len(ordered), stage.metadata(scenario_id=scenario_id))
