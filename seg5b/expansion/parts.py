"""Parts: files of arrivals, cut by counts and policy alone, each made by one thread from its first draw to its digest.

Threads work on different parts and share nothing that changes but merchant blocks; a part's file has a name of its own.
So any thread may make any part, and which one does cannot show (law L13).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np
from seg5b_kernels.routing import Arrivals

from seg5b.errors import BackendError
from seg5b.evidence import TraceRow
from seg5b.expansion.accounting import PartEvidence, VirtualOnly
from seg5b.expansion.checkpoints import FinishedPart, KeptPart, PartCheckpoints
from seg5b.expansion.columns import ArrivalColumns
from seg5b.expansion.hybrid import HybridRows, VirtualCounts
from seg5b.expansion.realise import Realised, arrival_buffers
from seg5b.expansion.scenario import Expansion
from seg5b.policy import PlacementPolicy
from seg5b.tables import RowGroupWriter

LEAST_CHUNK = 1000  # arrivals; a chunk holds whole buckets, so smaller ones save nothing


@dataclass(frozen=True, slots=True)
class PartSpan:
    """Part ``number`` of a scenario holds the arrivals at positions [first, stop), in row groups of ``group_rows``."""

    number: int
    first: int
    stop: int
    group_rows: int

    def groups(self) -> list[tuple[int, int]]:
        """(first, stop) positions of each row group."""
        starts = range(self.first, self.stop, self.group_rows)
        return [(start, min(start + self.group_rows, self.stop)) for start in starts]


def cut_parts(arrivals: int, placement: PlacementPolicy) -> list[PartSpan]:
    """The parts of a scenario (law L8)."""
    group_rows = placement.arrivals_per_row_group
    part_rows = group_rows * placement.row_groups_per_part
    starts = range(0, arrivals, part_rows)
    return [PartSpan(n, first, min(first + part_rows, arrivals), group_rows) for n, first in enumerate(starts)]


class PartMaker:
    """Makes parts of one scenario; `make` may run in several threads at once."""

    def __init__(self, expansion: Expansion, virtual: VirtualCounts, checkpoints: PartCheckpoints) -> None:
        self._expansion, self._virtual, self._checkpoints = expansion, virtual, checkpoints
        self._columns = ArrivalColumns(expansion.work, expansion.world, expansion.policies.routing)
        self._virtual_only = VirtualOnly(expansion.totals, expansion.work.axis, expansion.realiser.tables.mode)
        self._step = expansion.work.state.tuning.chunk_arrivals
        self._buffers: SimpleQueue[Arrivals] = SimpleQueue()  # sets that no part is using

    def make(self, span: PartSpan, advance: Callable[[int], None]) -> KeptPart:
        """Draw, encode and hash one part, and record it as finished. ``advance`` is called with arrivals done."""
        work, rng = self._expansion.work, self._expansion.policies.rng
        evidence = PartEvidence(work.state, rng, self._expansion.realiser.tables.mode, self._virtual_only)
        hybrid: list[HybridRows] = []
        buffers = self._buffer_set(span)
        file = self._checkpoints.file(span.number)
        with RowGroupWriter(file, self._columns.form, work.metadata(part=str(span.number))) as writer:
            for first, stop in span.groups():
                with work.state.timers.lane("realise"):
                    intensity = self._fill(buffers, first, stop, evidence, hybrid)
                out = Arrivals(*(work.backend.download(column[: stop - first]) for column in buffers))
                with work.state.timers.lane("encode"):
                    writer.write_group(self._columns.of(out, intensity), stop - first)
                advance(stop - first)
        self._buffers.put(buffers)
        part = FinishedPart(evidence.rows(span.number), HybridRows.joined(hybrid))
        with work.state.timers.lane("hash"):
            return self._checkpoints.keep(span.number, part)

    def _buffer_set(self, span: PartSpan) -> Arrivals:
        """Columns for one row group of the scenario's largest part, on the backend: a set that no part is using, else a
        new one. It never waits for a set: a part that failed gives none back."""
        try:
            return self._buffers.get_nowait()
        except Empty:
            rows = min(span.group_rows, self._expansion.totals.arrivals)
            return arrival_buffers(self._expansion.work.backend, rows)

    def _fill(
        self, buffers: Arrivals, first: int, stop: int, evidence: PartEvidence, hybrid: list[HybridRows]
    ) -> np.ndarray | None:
        """Realise [first, stop) into ``buffers``, chunk by chunk; returns each arrival's realised intensity, float64, if
        it is to be carried."""
        realiser = self._expansion.realiser
        intensity = np.empty(stop - first) if self._expansion.policies.routing.carry_lambda else None
        chunk_stop = first
        while chunk_stop < stop:
            chunk_first, step = chunk_stop, self._step
            try:
                chunk_stop = min(chunk_first + step, stop, realiser.blocks.at(chunk_first).stop)
                span = slice(chunk_first - first, chunk_stop - first)
                out = Arrivals(*(column[span] for column in buffers))
                realised = realiser.realise(chunk_first, chunk_stop, out)
            except BackendError as failure:
                self._shrink(failure, step)
                chunk_stop = chunk_first
                continue
            hybrid.append(self._virtual.hybrid(realised.rows))
            if intensity is not None:
                intensity[span] = self._intensity(realised, chunk_first, out)
            evidence.add(realised, chunk_first, chunk_stop, out)
        return intensity

    def _intensity(self, realised: Realised, first: int, out: Arrivals) -> np.ndarray:
        """Realised intensity of the bucket that each arrival was counted in."""
        realiser, rows = self._expansion.realiser, realised.rows
        block = realiser.blocks.at(first)
        assert block.intensity is not None
        place = (rows.series.astype(np.int64) - block.first_series) * realiser.grid.bucket_count + rows.bucket
        of_arrival: np.ndarray = block.intensity[place][realiser.backend.download(out.row)]
        return of_arrival

    def _shrink(self, failure: BackendError, step: int) -> None:
        """Halve the chunk after the device ran out of memory; give up where one bucket alone would not fit."""
        if failure.code != "5B.BACKEND.OUT_OF_MEMORY" or step <= LEAST_CHUNK:
            raise failure
        self._step = min(self._step, max(step // 2, LEAST_CHUNK))
        self._expansion.realiser.blocks.release()
        self._expansion.work.state.log.warning(
            "device memory is short; going on with chunks of %d arrivals", self._step
        )


@dataclass(frozen=True, slots=True)
class WrittenParts:
    """``parts`` files; trace rows of all parts, in their order."""

    parts: int
    trace: list[TraceRow]


def write_parts(
    expansion: Expansion, virtual: VirtualCounts, checkpoints: PartCheckpoints, folder: Path
) -> WrittenParts:
    """Write all arrivals of a scenario as ``part-NNNNNN.parquet`` below ``folder``, and enter their hybrid rows in
    ``virtual``. Parts that an earlier process finished are used again."""
    work, total = expansion.work, expansion.totals.arrivals
    spans = cut_parts(total, expansion.policies.placement)
    with work.state.reporter.track(f"arrivals {work.scenario_id}", total, "arrivals") as advance:
        parts = {span.number: checkpoints.find(span.number) for span in spans}
        to_do = [span for span in spans if parts[span.number] is None]
        advance(sum(span.stop - span.first for span in spans) - sum(span.stop - span.first for span in to_do))
        if len(to_do) < len(spans):
            work.state.log.info("%d of %d parts were finished before", len(spans) - len(to_do), len(spans))
        parts |= make_parts(PartMaker(expansion, virtual, checkpoints), to_do, work.state.tuning.threads, advance)
    folder.mkdir()
    trace: list[TraceRow] = []
    for number, part in parts.items():
        assert part is not None
        virtual.keep(part.hybrid)
        trace += part.trace
        work.state.record_digest(checkpoints.move_to(folder, number), part.sha256_hex)
    return WrittenParts(len(spans), trace)


def make_parts(
    maker: PartMaker, spans: list[PartSpan], threads: int, advance: Callable[[int], None]
) -> dict[int, KeptPart]:
    """Make parts in several threads, by number. The first failure, or an interrupt, ends the rest: parts under way are
    finished, others are not begun."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="seg5b-part")
    try:
        futures = {span.number: pool.submit(maker.make, span, advance) for span in spans}
        done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        return {number: future.result() for number, future in futures.items()}
    finally:
        pool.shutdown(cancel_futures=True)
