"""Parts: files of arrivals, cut by counts and policy alone, each made by one thread from its first draw to its digest.

Threads work on different parts and share nothing that changes but merchant blocks; a part's file has a name of its own.
So any thread of any process may make any part, and which one does cannot show (law L13).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue

import numpy as np
from seg5b_kernels.arrivals import HYBRID
from seg5b_kernels.routing import Arrivals

from seg5b.backends.base import Array, Mark
from seg5b.context import ScenarioWork
from seg5b.errors import BackendError
from seg5b.expansion.accounting import PartAccount, VirtualOnly
from seg5b.expansion.columns import ArrivalColumns
from seg5b.expansion.hybrid import HybridRows
from seg5b.expansion.realise import Realised, RowArrays, arrival_buffers
from seg5b.expansion.room import Crowded, Room
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

    def batches(self, step: int) -> list[list[tuple[int, int]]]:
        """Row groups in batches that are filled before the first of them is encoded: as many as ``step`` arrivals hold."""
        groups, each = self.groups(), max(step // self.group_rows, 1)
        return [groups[start : start + each] for start in range(0, len(groups), each)]

    def batch_rows(self, step: int) -> int:
        """Rows of the largest batch of any part."""
        return self.group_rows * max(step // self.group_rows, 1)


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
        self._has_hybrids = bool((expansion.realiser.tables.mode == HYBRID).any())
        self._step = expansion.step
        self._buffers: SimpleQueue[Arrivals] = SimpleQueue()  # sets that no part is using
        self._room = Room()
        blocks = expansion.realiser.blocks
        batches = [batch for span in self._spans for batch in span.batches(self._step)]
        blocks.expect(each for batch in batches for each in blocks.passes(batch[0][0], batch[-1][1], self._step))

    def make(self, number: int, advance: Advance) -> FinishedPart:
        """Draw, encode and hash one part, and record it as finished. ``advance`` is called with arrivals done. Where the device
        has no memory for it beside others, it is begun again when one of them has ended."""
        told = 0  # arrivals

        def once(done: int) -> None:
            nonlocal told
            advance(max(done - told, 0))
            told = max(done, told)

        self._room.enter()
        try:
            while True:
                try:
                    return self._made(number, once)
                except Crowded:
                    pass
                except BackendError as failure:
                    if not (_is_out_of_memory(failure) and self._room.shared):
                        raise
                self._release()
                self._expansion.work.state.log.info("part %d waits for device memory", number)
                self._room.step_back()
        finally:
            self._room.leave()

    def _made(self, number: int, done: Advance) -> FinishedPart:
        """As `make`, once; ``done`` is called with all arrivals that are done so far. Raises `Crowded` beside others."""
        expansion, span = self._expansion, self._spans[number]
        work, policy, realiser = expansion.work, expansion.policies.rng, expansion.realiser
        account = PartAccount(work.state, policy, realiser.tables.series, work.axis, self._virtual_only)
        rows: list[RowArrays] = []
        told: list[np.ndarray] = []
        buffers = self._buffer_set()
        step = min(self._step, int(buffers.row.size))
        with self.kept.writing(number) as written:
            with RowGroupWriter(written, self._columns.form, work.metadata(part=str(span.number))) as writer:
                for batch in span.batches(step):
                    first = batch[0][0]
                    with work.state.timers.lane("realise"):
                        intensity = self._fill(buffers, first, batch[-1][1], account, rows)
                        filled = work.backend.mark()
                    for start, stop in batch:
                        here = slice(start - first, stop - first)
                        also = self._pending(account, rows) if stop == span.stop else []
                        with work.state.timers.lane("fetch"):
                            out, told = self._fetched(buffers, here, filled, also)
                        with work.state.timers.lane("encode"):
                            carried = None if intensity is None else intensity[here]
                            writer.write_group(self._columns.of(out, carried), stop - start)
                        done(stop - span.first)
            self._buffers.put(buffers)
            ledger, arrays = told[: len(account.pending)], iter(told[len(account.pending) :])
            trace = account.rows(number, ledger)
            with work.state.timers.lane("hash"):
                return self.kept.keep(number, written, trace, {}, self._hybrids(arrays, len(rows)).content())

    def _pending(self, account: PartAccount, rows: Sequence[RowArrays]) -> list[Array]:
        """What a part came to besides its arrivals, on the backend: the account's ledger, and bucket rows."""
        return [*account.pending, *(array for each in rows for array in each)]

    def _fetched(
        self, buffers: Arrivals, here: slice, filled: Mark, also: Sequence[Array]
    ) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
        """Columns of some rows of the buffers on the host, and other arrays, with one wait."""
        names = self._columns.fetched
        columns = [getattr(buffers, name)[here] for name in names]
        found = self._expansion.work.backend.downloads([*columns, *also], filled)
        return dict(zip(names, found, strict=False)), found[len(names) :]

    def _hybrids(self, arrays: Iterator[np.ndarray], windows: int) -> HybridRows:
        """The bucket rows of hybrid merchants, from the arrays of so many `RowArrays`."""
        realiser = self._expansion.realiser
        mode, buckets = realiser.tables.mode, realiser.grid.bucket_count
        counts = (RowArrays(*islice(arrays, len(RowArrays._fields))).counts() for _ in range(windows))
        return HybridRows.joined(HybridRows.among(each, mode, buckets) for each in counts)

    def _buffer_set(self) -> Arrivals:
        """Columns for one batch of the scenario's largest part, on the backend: a set that no part is using, else a
        new one. It never waits for a set: a part that failed gives none back."""
        while True:
            step = self._step
            try:
                return self._buffers.get_nowait()
            except Empty:
                rows = min(self._spans[0].batch_rows(step), self._spans[0].stop)
            try:
                return arrival_buffers(self._expansion.work.backend, rows)
            except BackendError as failure:
                self._shrink(failure, step)

    def _fill(
        self, buffers: Arrivals, first: int, stop: int, account: PartAccount, rows: list[RowArrays]
    ) -> np.ndarray | None:
        """Realise [first, stop) into ``buffers``, pass by pass; returns each arrival's realised intensity, float64, if
        it is to be carried. The bucket rows, if any may be a hybrid's, are added to ``rows``."""
        realiser = self._expansion.realiser
        intensity = np.empty(stop - first) if self._expansion.policies.routing.carry_lambda else None
        done = first
        while done < stop:
            step, pass_first = self._step, done
            try:
                _, pass_stop = next(realiser.blocks.passes(done, stop, step))
                span = slice(pass_first - first, pass_stop - first)
                out = Arrivals(*(column[span] for column in buffers))
                realised = realiser.realise(pass_first, pass_stop, out)
            except BackendError as failure:
                self._shrink(failure, step)
                continue
            if self._has_hybrids:
                rows.append(realised.rows)
            if intensity is not None:
                intensity[span] = self._intensity(realised, pass_first, out)
            account.add(realised, pass_first, pass_stop, out)
            done = pass_stop
        return intensity

    def _intensity(self, realised: Realised, first: int, out: Arrivals) -> np.ndarray:
        """Realised intensity of the bucket that each arrival was counted in."""
        realiser = self._expansion.realiser
        rows = RowArrays(*realiser.backend.downloads(realised.rows)).counts()
        block = realiser.blocks.at(first)
        assert block.intensity is not None
        place = (rows.series.astype(np.int64) - block.first_series) * realiser.grid.bucket_count + rows.bucket
        of_row = realiser.backend.download(block.intensity)[place]
        of_arrival: np.ndarray = of_row[realiser.backend.download(out.row)]
        return of_arrival

    def _shrink(self, failure: BackendError, step: int) -> None:
        """Halve the chunk after the device ran out of memory; give up where one bucket alone would not fit. Raises `Crowded`
        where others have some of the memory."""
        if not _is_out_of_memory(failure):
            raise failure
        if self._room.shared:
            raise Crowded from failure
        if step <= LEAST_CHUNK:
            raise failure
        self._step = min(self._step, max(step // 2, LEAST_CHUNK))
        self._release()
        self._expansion.work.state.log.warning(
            "device memory is short; going on with chunks of %d arrivals", self._step
        )

    def _release(self) -> None:
        """Give back memory of the device that no part is using."""
        self._expansion.realiser.blocks.release()
        with suppress(Empty):
            while True:
                self._buffers.get_nowait()


def _is_out_of_memory(failure: BackendError) -> bool:
    return failure.code == "5B.BACKEND.OUT_OF_MEMORY"


def open_parts(work: ScenarioWork) -> PartMaker:
    """A scenario of S4, opened for the making of its parts by any process."""
    policies, world = open_world(work.state)
    return PartMaker(Expansion.open(work, policies, world))
