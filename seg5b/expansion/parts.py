"""Parts: files of arrivals, cut by counts and policy alone, each made by one thread from its first draw to its digest.

Threads work on different parts and share nothing that changes but merchant blocks; a part's file has a name of its own.
So any thread of any process may make any part, and which one does cannot show (law L13).
"""

from __future__ import annotations

from dataclasses import dataclass
from queue import Empty, SimpleQueue

import numpy as np
from seg5b_kernels.routing import Arrivals

from seg5b.context import ScenarioWork
from seg5b.errors import BackendError
from seg5b.expansion.accounting import PartEvidence, VirtualOnly
from seg5b.expansion.columns import ArrivalColumns
from seg5b.expansion.hybrid import HybridRows
from seg5b.expansion.realise import Realised, arrival_buffers
from seg5b.expansion.scenario import Expansion
from seg5b.expansion.world import open_world
from seg5b.parts import FinishedPart, part_store
from seg5b.policy import PlacementPolicy
from seg5b.progress import Advance
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
    """Makes parts of one scenario (`seg5b.parts.Maker`); `make` may run in several threads at once."""

    def __init__(self, expansion: Expansion) -> None:
        self._expansion = expansion
        self._spans = cut_parts(expansion.totals.arrivals, expansion.policies.placement)
        self.kept = part_store(expansion.work, expansion.policies.rng, "arrival_events_5B", len(self._spans))
        self.sizes = [span.stop - span.first for span in self._spans]
        self._columns = ArrivalColumns(expansion.work, expansion.world, expansion.policies.routing)
        self._virtual_only = VirtualOnly(expansion.totals, expansion.work.axis, expansion.realiser.tables.mode)
        self._step = expansion.work.state.tuning.chunk_arrivals
        self._buffers: SimpleQueue[Arrivals] = SimpleQueue()  # sets that no part is using

    def make(self, number: int, advance: Advance) -> FinishedPart:
        """Draw, encode and hash one part, and record it as finished. ``advance`` is called with arrivals done."""
        work, rng, span = self._expansion.work, self._expansion.policies.rng, self._spans[number]
        evidence = PartEvidence(work.state, rng, self._expansion.realiser.tables.mode, self._virtual_only)
        hybrid: list[HybridRows] = []
        buffers = self._buffer_set(span)
        with self.kept.writing(number) as written:
            with RowGroupWriter(written, self._columns.form, work.metadata(part=str(span.number))) as writer:
                for first, stop in span.groups():
                    with work.state.timers.lane("realise"):
                        intensity = self._fill(buffers, first, stop, evidence, hybrid)
                    out = Arrivals(*(work.backend.download(column[: stop - first]) for column in buffers))
                    with work.state.timers.lane("encode"):
                        writer.write_group(self._columns.of(out, intensity), stop - first)
                    advance(stop - first)
            self._buffers.put(buffers)
            with work.state.timers.lane("hash"):
                return self.kept.keep(number, written, evidence.rows(number), {}, HybridRows.joined(hybrid).content())

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
            hybrid.append(HybridRows.among(realised.rows, realiser.tables.mode, realiser.grid.bucket_count))
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


def open_parts(work: ScenarioWork) -> PartMaker:
    """A scenario of S4, opened for the making of its parts by any process."""
    policies, world = open_world(work.state)
    return PartMaker(Expansion.open(work, policies, world))
