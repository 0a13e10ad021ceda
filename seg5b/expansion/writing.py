"""Arrivals on disk: parts and row groups cut by counts and policy alone, encoded while the next chunk is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
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
from seg5b.expansion.finished import FinishedPart, FinishedParts, HybridRows
from seg5b.expansion.realise import Realised, Realiser, arrival_buffers
from seg5b.expansion.spending import PartEvidence, VirtualOnly
from seg5b.expansion.summary import VirtualCounts
from seg5b.policy import PlacementPolicy, RngPolicy, RoutingPolicy
from seg5b.tables import Coded, Constant, Masked, Moments, RowGroupWriter
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import ARRIVAL_EVENTS

LEAST_CHUNK = 1000  # arrivals; a chunk holds whole buckets, so smaller ones save nothing


class ArrivalPolicies(Protocol):
    """The policies that writing needs."""

    @property
    def placement(self) -> PlacementPolicy:
        """Where in its bucket an arrival falls, and how its files are cut."""
        ...

    @property
    def routing(self) -> RoutingPolicy:
        """How an arrival finds its site or edge."""
        ...

    @property
    def rng(self) -> RngPolicy:
        """Streams of random numbers."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """``parts`` files; trace rows of all parts."""

    parts: int
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
        virtual: VirtualCounts,
        finished: FinishedParts,
        universe_hash: str,
    ) -> None:
        self._stage, self._scenario_id, self._realiser = stage, scenario_id, realiser
        self._policies, self._virtual, self._finished = policies, virtual, finished
        self._step = stage.tuning.chunk_arrivals
        self._virtual_only = VirtualOnly(realiser.blocks.census, axis, realiser.tables.mode)
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

        Parts that an earlier process finished are used again. Of the others as many as there are encoders are under way
        at once, their row groups computed in turn: any range can be realised alone, so the order of computing is free
        and each encoder always has the next group of its own part.
        """
        total = self._realiser.blocks.census.arrivals
        parts = self._parts()
        with self._stage.reporter.track(f"arrivals {self._scenario_id}", total, "arrivals") as advance:
            to_do = [part for part in parts if not self._found(part, advance)]
            if len(to_do) < len(parts):
                self._stage.log.info("%d of %d parts were finished before", len(parts) - len(to_do), len(parts))
            self._make(to_do, advance)
        folder.mkdir()
        for part in parts:
            self._stage.vouch(self._finished.move_to(folder, part.number), part.sha256_hex)
        return Written(len(parts), [row for part in parts for row in part.trace])

    def _found(self, part: _Part, advance: Callable[[int], None]) -> bool:
        """Whether a part was finished before; if so, take over what it left."""
        found = self._finished.find(part.number)
        if found is None:
            return False
        part.trace, part.sha256_hex = found.trace, found.sha256_hex
        self._virtual.keep(found.hybrid)
        advance(part.groups[-1][1] - part.groups[0][0])
        return True

    def _make(self, parts: list[_Part], advance: Callable[[int], None]) -> None:
        """Realise and encode parts."""
        lanes = min(self._stage.tuning.encoders, len(parts))
        free: Queue[Arrivals] = Queue()
        largest = max((stop - first for part in parts for first, stop in part.groups), default=0)
        for _ in range(lanes + 1):
            free.put(arrival_buffers(self._stage.backend, largest))
        encoders = [ThreadPoolExecutor(1, thread_name_prefix="seg5b-encode") for _ in range(lanes)]
        pending: list[Future[None]] = []
        try:
            for first in range(0, len(parts), lanes or 1):
                for lane, part, group in _interleaved(parts[first : first + lanes]):
                    pending = _unfinished(pending)
                    buffers = free.get()
                    intensity = self._fill(buffers, *group, part)
                    pending.append(encoders[lane].submit(self._encode, part, buffers, intensity, group, free))
                    advance(group[1] - group[0])
            for future in pending:
                future.result()
        finally:
            for encoder in encoders:
                encoder.shutdown()

    def _parts(self) -> list[_Part]:
        """Cut the scenario's positions into parts and row groups, by counts and policy alone (law L8)."""
        placement, total = self._policies.placement, self._realiser.blocks.census.arrivals
        group_rows = placement.arrivals_per_row_group
        part_rows = group_rows * placement.row_groups_per_part
        parts = []
        for number, first in enumerate(range(0, total, part_rows)):
            stop = min(first + part_rows, total)
            groups = [(start, min(start + group_rows, stop)) for start in range(first, stop, group_rows)]
            mode = self._realiser.tables.mode
            evidence = PartEvidence(self._stage, self._policies.rng, number, mode, self._virtual_only)
            parts.append(_Part(number, groups, evidence))
        return parts

    def _fill(self, buffers: Arrivals, first: int, stop: int, part: _Part) -> np.ndarray | None:
        """Realise [first, stop) into ``buffers``, chunk by chunk; returns each arrival's realised intensity, float64, if
        it is to be carried."""
        carry = self._policies.routing.carry_lambda
        intensity = np.empty(stop - first) if carry else None
        chunk_stop = first
        while chunk_stop < stop:
            chunk_first = chunk_stop
            try:
                chunk_stop = min(chunk_first + self._step, stop, self._realiser.blocks.at(chunk_first).stop)
                span = slice(chunk_first - first, chunk_stop - first)
                out = Arrivals(*(column[span] for column in buffers))
                realised = self._realiser.realise(chunk_first, chunk_stop, out)
            except BackendError as failure:
                self._shrink(failure)
                chunk_stop = chunk_first
                continue
            part.hybrid.append(self._virtual.hybrid(realised.rows))
            if intensity is not None:
                intensity[span] = self._intensity(realised, chunk_first, out)
            part.evidence.add(realised, chunk_first, chunk_stop, out)
        return intensity

    def _intensity(self, realised: Realised, first: int, out: Arrivals) -> np.ndarray:
        """Realised intensity of the bucket that each arrival was counted in."""
        block, rows = self._realiser.blocks.at(first), realised.rows
        assert block.intensity is not None
        place = (rows.series.astype(np.int64) - block.first_series) * self._realiser.grid.bucket_count + rows.bucket
        of_arrival: np.ndarray = block.intensity[place][self._stage.backend.download(out.row)]
        return of_arrival

    def _shrink(self, failure: BackendError) -> None:
        """Halve the chunk after the device ran out of memory; give up where one bucket alone would not fit."""
        if failure.code != "5B.BACKEND.OUT_OF_MEMORY" or self._step <= LEAST_CHUNK:
            raise failure
        self._step = max(self._step // 2, LEAST_CHUNK)
        self._realiser.blocks.forget()
        self._stage.log.warning("device memory is short; going on with chunks of %d arrivals", self._step)

    def _encode(
        self,
        part: _Part,
        buffers: Arrivals,
        intensity: np.ndarray | None,
        group: tuple[int, int],
        free: Queue[Arrivals],
    ) -> None:
        """Write one row group of a part, then give the buffers back; the part's last group completes it."""
        try:
            if part.writer is None:
                metadata = self._stage.metadata(scenario_id=self._scenario_id, part=str(part.number))
                part.writer = RowGroupWriter(self._finished.file(part.number), self._format, metadata)
            rows = group[1] - group[0]
            part.writer.write_group(self._columns(buffers, intensity, rows), rows)
            if group == part.groups[-1]:
                part.writer.close()
                part.writer = None  # a closed writer still holds its footer and buffers
                hybrid = HybridRows.joined(part.hybrid)
                part.trace = part.evidence.rows()
                part.sha256_hex = self._finished.keep(part.number, FinishedPart(part.trace, hybrid))
                self._virtual.keep(hybrid)
                part.hybrid.clear()
        finally:
            free.put(buffers)

    def _columns(self, buffers: Arrivals, intensity: np.ndarray | None, rows: int) -> dict[str, Column]:
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
        if intensity is not None:
            columns["lambda_realised"] = intensity
        return columns


@dataclass(slots=True)
class _Part:
    """One file: its row groups as (first, stop) positions, what it consumed, its digest once it is complete, and the
    hybrid rows it saw so far."""

    number: int
    groups: list[tuple[int, int]]
    evidence: PartEvidence
    trace: list[TraceRow] = field(default_factory=list)
    sha256_hex: str = ""
    hybrid: list[HybridRows] = field(default_factory=list)
    writer: RowGroupWriter | None = None


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
