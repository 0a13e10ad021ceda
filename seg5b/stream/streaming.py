"""A stream from end to end: which order, from where on, in batches ahead of need, released when due, and acknowledged."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from seg5b.contracts import ContractSource
from seg5b.errors import InputError
from seg5b.export.choosing import Chosen, choose
from seg5b.export.formats import Shape, shape_of
from seg5b.export.reading import Reading, of_condition, plan, rows_before
from seg5b.export.request import ExportRequest
from seg5b.export.windows import rows_in
from seg5b.gate import scenarios_of_run
from seg5b.parallel import ahead
from seg5b.query import open_database
from seg5b.runs.root import RunRoot
from seg5b.runs.scratch import reader_scratch
from seg5b.stream.lines import BESIDE, JsonLines, event_envelope
from seg5b.stream.offsets import OffsetFile, Order, order_of
from seg5b.stream.pacing import Pace
from seg5b.stream.request import StreamRequest
from seg5b.stream.sinks import Part, Sink
from seg5b.tables.outgoing import RowBatch, instants, no_rows

DEFAULT_MEMORY_GB: Final = 0.5
"""For the query, which decides how many arrivals a window has; beside it some 300 MB, whatever the size of the run."""
_DATASET: Final = "arrival_events_5B"
_BATCH_ROWS: Final = 1 << 16
_BATCHES_AHEAD: Final = 4
_LONGEST_SLEEP_S, _REMEMBER_S, _FAREWELL_S = 0.1, 1.0, 5.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a stream is: ``offset``, where to go on; ``rows`` that are acknowledged, of ``wanted``; ``micros``, when the
    arrival happened that left last (microseconds since 1970; None before the first); ``lag_s``, by how many seconds it was late
    (None without a schedule)."""

    offset: int
    rows: int
    wanted: int
    micros: int | None = None
    lag_s: float | None = None


def _unwatched(delivery: Delivery) -> None:
    """Nobody looks."""


class Stream:
    """The arrivals of one scenario, in the order of ``ts_utc``, ``merchant_id``, ``arrival_seq``. Use as a context manager.

    The run is only read. ``offsets``: a file that remembers how far the stream got, and says where it goes on. Entering raises
    `InputError` ``5B.STREAM.*``, and as an export does ``5B.EXPORT.*``; `PublishError` where the file may not lie.
    """

    def __init__(
        self,
        root: RunRoot,
        contracts: ContractSource,
        request: StreamRequest,
        *,
        offsets: Path | None = None,
        memory_limit_gb: float = DEFAULT_MEMORY_GB,
        threads: int | None = None,
    ) -> None:
        self._root, self._contracts, self._request = root, contracts, request
        self._memory_limit_gb, self._threads = memory_limit_gb, threads
        self._offsets = offsets
        self._file: OffsetFile | None = None
        self._stack = ExitStack()
        self.scenario_id = ""
        self.begin = 0
        self.now = Delivery(0, 0, 0)

    def __enter__(self) -> Stream:
        _check_pace(self._request)
        self.scenario_id = _only_scenario(self._root, self._contracts, self._request.scenario)
        chosen = choose(self._root, self._contracts, _DATASET, (self.scenario_id,))
        self._order = self._ordered(chosen)
        kept = None
        if self._offsets is not None:
            self._file = OffsetFile(self._offsets, self._order)
            kept = self._file.read()
        with ExitStack() as stack:
            scratch = stack.enter_context(reader_scratch(self._root, "stream"))
            self._database = stack.enter_context(open_database(self._memory_limit_gb, self._threads, scratch))
            self._plan(chosen, self._request.begin if kept is None else kept)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def deliver(
        self,
        sink: Sink,
        *,
        watch: Callable[[Delivery], None] = _unwatched,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Delivery:
        """Deliver the arrivals, each when it is due, and wait for the acknowledgement of all; ``watch`` is told often how far
        it is. However it ends, ``now.offset`` says where to go on, and the file of offsets too.

        Raises `InputError`, `PublishError` ``5B.STREAM.*``, `BrokenPipeError`; what was read may raise as an export does.
        """
        progress = _Progress(self, sink, watch, clock, sleep)
        batches = ahead(self._batches(), _BATCHES_AHEAD)
        finished = False
        try:
            for batch in batches:
                progress.release(batch)
            sink.finish()
            finished = True
        finally:
            self._database.interrupt()  # the window that nobody waits for any more
            batches.close()
            sink.close(0.0 if finished else _FAREWELL_S)
            progress.told(remember=True)
        return self.now

    @property
    def remembers(self) -> bool:
        """Whether a file holds the offset."""
        return self._file is not None

    def _ordered(self, chosen: Chosen) -> Order:
        request, run_id = self._request, self._root.identity.run_id
        return order_of(run_id, self.scenario_id, request.merchants, request.where, chosen.files)

    def _plan(self, chosen: Chosen, begin: int | str) -> None:
        request, shape = self._asked(begin), shape_of("-", "jsonl", None, self._request.ids)
        skip = begin if isinstance(begin, int) else 0
        window_rows = rows_in(self._memory_limit_gb)
        self._reading: Reading = plan(
            self._database, chosen.files, request, shape, window_rows=window_rows, beside=BESIDE, skip=skip
        )
        self.begin = skip if isinstance(begin, int) else rows_before(self._database, request, begin)
        if isinstance(begin, int) and begin > self._reading.selected:
            what = f"{begin:,} arrivals are to be left out, and there are {self._reading.selected:,}"
            raise InputError("5B.STREAM.OFFSET_BEYOND", what, remedy="give an offset of this order, or a moment")
        self._lines = self._written(shape)
        self.now = Delivery(self.begin, 0, self._reading.rows)

    def _asked(self, begin: int | str) -> ExportRequest:
        request = self._request
        return ExportRequest(
            "-",
            scenarios=(self.scenario_id,),
            merchants=request.merchants,
            since=begin if isinstance(begin, str) else None,
            until=request.until,
            where=request.where,
            columns=request.columns,
            limit=request.limit,
            order="time",
        )

    def _written(self, shape: Shape) -> JsonLines:
        events = self._request.cloudevents
        envelope = event_envelope(self._root.identity, self.scenario_id) if events else []
        return JsonLines(self._reading, shape.ids, envelope)

    def _batches(self) -> Iterator[RowBatch]:
        """The arrivals, in batches that hold some."""
        surplus = self._reading.surplus
        columns = [each.name for each in self._reading.columns]
        with of_condition(self._asked(0), columns):
            for query in self._reading.queries:
                for batch in self._database.batches(query, _BATCH_ROWS, no_rows):
                    dropped = min(surplus, batch.num_rows)
                    surplus -= dropped
                    if dropped < batch.num_rows:
                        yield batch.slice(dropped)


class _Progress:
    """Releases rows to a sink when they are due, and keeps account of what came of them."""

    def __init__(
        self,
        stream: Stream,
        sink: Sink,
        watch: Callable[[Delivery], None],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        request = stream._request
        self._stream, self._sink, self._watch = stream, sink, watch
        self._pace = Pace(request.speed, request.rate, clock)
        self._clock, self._sleep = clock, sleep
        self._sent = stream.begin
        self._micros: int | None = None
        self._lag_s: float | None = None
        self._remembered, self._at = stream.begin, clock()

    def release(self, batch: RowBatch) -> None:
        """Send all rows of a batch."""
        micros, merchants = instants(batch.column(0)), batch.column(1).to_numpy()
        at = 0
        while at < batch.num_rows:
            count, wait_s = self._pace.due(micros[at:], self._sink.most_rows)
            if not count:
                self._sink.idle()
                self.told()
                self._sleep(min(wait_s, _LONGEST_SLEEP_S))
                continue
            lines = self._stream._lines.of(batch.slice(at, count))
            self._sink.send(Part(self._sent, lines, merchants[at : at + count]))
            at, self._sent = at + count, self._sent + count
            self._micros = int(micros[at - 1])
            self._lag_s = self._pace.lag_s(self._micros)
            self.told()

    def told(self, *, remember: bool = False) -> None:
        """Say how far it is, and have the file say so, every second or now."""
        rows = self._sink.acknowledged
        offset = self._stream.begin + rows
        self._stream.now = Delivery(offset, rows, self._stream.now.wanted, self._micros, self._lag_s)
        self._watch(self._stream.now)
        due = remember or self._clock() - self._at >= _REMEMBER_S
        if self._stream._file is not None and due and (offset != self._remembered or remember):
            self._stream._file.write(offset)
            self._remembered, self._at = offset, self._clock()


def _check_pace(request: StreamRequest) -> None:
    for name, value in (("speed", request.speed), ("rate", request.rate)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError("5B.STREAM.PACE_WRONG", f"{name} {value} is none", remedy="give a number above 0")


def _only_scenario(root: RunRoot, contracts: ContractSource, asked: str | None) -> str:
    """Raises `InputError` ``5B.STREAM.SCENARIO_UNCLEAR``."""
    known = [each.scenario_id for each in scenarios_of_run(root, contracts)]
    if asked in known:
        return str(asked)
    if asked is None and len(known) == 1:
        return known[0]
    what = "the run has several scenarios" if asked is None else f"there is no scenario {asked!r}"
    raise InputError("5B.STREAM.SCENARIO_UNCLEAR", what, remedy=f"choose among {', '.join(known)}")
