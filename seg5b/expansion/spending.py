"""What a part of the arrivals consumed of each random substream, exactly, from what was produced."""

from __future__ import annotations

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.arrivals import VIRTUAL
from seg5b_kernels.derivation import CounterInputs, Streams, Wraps
from seg5b_kernels.routing import Arrivals

from seg5b.axes import SeriesAxis
from seg5b.context import Stage
from seg5b.evidence import TraceRow, wrap_error
from seg5b.evidence.trace import counter128
from seg5b.expansion.census import Census
from seg5b.expansion.realise import Realised, RowCounts
from seg5b.inputs.points import first_fault, no_fault
from seg5b.policy import RngPolicy
from seg5b.policy.rng import EDGE_PICK, EDGE_TEMPER, SITE_PICK, TIME_JITTER

DRAWS_PER_EVENT = {TIME_JITTER: 1, SITE_PICK: 2, EDGE_PICK: 1, EDGE_TEMPER: 2}


def blocks_drawn(family_id: str, rows: RowCounts, mode: np.ndarray) -> np.ndarray:
    """Blocks that each bucket row's stream has to give, int32 [R], for virtual modes ``mode`` uint8 by series: one per
    arrival that draws. Tempering reads blocks with an arrival's place among the row's virtual ones, so that many count.
    """
    if family_id in (EDGE_PICK, EDGE_TEMPER):
        return rows.virtual
    if family_id == SITE_PICK:
        return np.where(mode[rows.series] == VIRTUAL, np.int32(0), rows.count)
    return rows.count


class VirtualOnly:
    """How many arrivals of merchants that are virtual only lie in a range of positions."""

    def __init__(self, census: Census, axis: SeriesAxis, mode: np.ndarray) -> None:
        self._start = census.merchant_start
        # Series without arrivals have no mode; the mode is the merchant's, so any series that has one will do.
        self._only = np.logical_or.reduceat(mode == VIRTUAL, axis.merchant_starts())
        self._before = np.append(0, np.cumsum(np.diff(self._start) * self._only))

    def within(self, first: int, stop: int) -> int:
        """Their number in [first, stop)."""
        return self._up_to(stop) - self._up_to(first)

    def _up_to(self, position: int) -> int:
        merchant = int(np.searchsorted(self._start, position, side="right")) - 1
        inside = merchant < self._only.size and bool(self._only[merchant])
        return int(self._before[merchant]) + (position - int(self._start[merchant]) if inside else 0)


class PartEvidence:
    """Adds up what one part consumed. ``mode`` uint8 [n]: virtual mode by series."""

    def __init__(self, stage: Stage, policy: RngPolicy, part: int, mode: np.ndarray, virtual_only: VirtualOnly) -> None:
        self._stage, self._policy, self._part, self._mode = stage, policy, part, mode
        self._virtual_only = virtual_only
        self._events: dict[str, int] = {}
        self._span: dict[str, tuple[int, int]] = {}

    def add(self, realised: Realised, first: int, stop: int, out: Arrivals) -> None:
        """Count what the arrivals [first, stop) drew. Raises `EvidenceError` ``RNG_ACCOUNTING_MISMATCH`` where a counter
        would have wrapped."""
        total = self._stage.backend.total
        events = {
            TIME_JITTER: stop - first,
            SITE_PICK: stop - first - self._virtual_only.within(first, stop),
            EDGE_PICK: total(out.is_virtual),
            EDGE_TEMPER: total(out.tempered),
        }
        for family_id, streams in realised.streams.items():
            self._events[family_id] = self._events.get(family_id, 0) + events[family_id]
            blocks = blocks_drawn(family_id, realised.rows, self._mode)
            self._refuse_wrap(family_id, streams, blocks)
            self._extend(family_id, streams, blocks)

    def rows(self) -> list[TraceRow]:
        """The part's trace."""
        return [
            TraceRow(
                self._policy.families[family_id],
                self._part,
                *self._span.get(family_id, (0, 0)),
                events,
                events * DRAWS_PER_EVENT[family_id],
                events,
            )
            for family_id, events in self._events.items()
        ]

    def _refuse_wrap(self, family_id: str, streams: Streams, blocks: np.ndarray) -> None:
        backend = self._stage.backend
        wraps = no_fault(backend, blocks.size)
        backend.launch(
            registry.CHECK_COUNTER, blocks.size, CounterInputs(streams, backend.upload(blocks)), Wraps(wraps)
        )
        row = first_fault(backend, wraps, blocks.size)
        if row is not None:
            base = self._counters(streams, [row])[0]
            raise wrap_error(self._stage, self._policy.families[family_id], base, int(blocks[row]), row)

    def _extend(self, family_id: str, streams: Streams, blocks: np.ndarray) -> None:
        """Keep the base counter of the first row that draws, and the counter behind the last one's blocks."""
        drawing = np.flatnonzero(blocks)
        if drawing.size:
            low, high = self._counters(streams, [int(drawing[0]), int(drawing[-1])])
            before = self._span.get(family_id, (low, 0))[0]
            self._span[family_id] = before, high + int(blocks[drawing[-1]])

    def _counters(self, streams: Streams, rows: list[int]) -> list[int]:
        """128-bit base counters of some rows."""
        backend = self._stage.backend
        index = backend.upload(np.array(rows, np.int64))
        high, low = (backend.download(backend.take(c, index)) for c in (streams.counter_hi, streams.counter_lo))
        return [counter128(*pair) for pair in zip(high, low, strict=True)]
