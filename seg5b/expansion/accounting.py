"""What a part of the arrivals consumed of each random substream, exactly, from what was produced."""

from __future__ import annotations

import numpy as np
from seg5b_kernels.arrivals import VIRTUAL
from seg5b_kernels.derivation import Streams
from seg5b_kernels.routing import Arrivals

from seg5b.axes import SeriesAxis
from seg5b.context import StateWork
from seg5b.evidence import TraceRow, refuse_wrap
from seg5b.evidence.trace import counters_at
from seg5b.expansion.realise import Realised, RowCounts
from seg5b.expansion.totals import ArrivalTotals
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

    def __init__(self, totals: ArrivalTotals, axis: SeriesAxis, mode: np.ndarray) -> None:
        self._start = totals.merchant_start
        # Series without arrivals have no mode; the mode is the merchant's, so any series that has one will do.
        self._only = np.logical_or.reduceat(mode == VIRTUAL, axis.merchant_starts())
        self._before = np.append(0, np.cumsum(np.diff(self._start) * self._only))

    def within(self, first: int, stop: int) -> int:
        """Arrivals of merchants that are virtual only, at positions [first, stop)."""
        return self._up_to(stop) - self._up_to(first)

    def _up_to(self, position: int) -> int:
        merchant = int(np.searchsorted(self._start, position, side="right")) - 1
        inside = merchant < self._only.size and bool(self._only[merchant])
        return int(self._before[merchant]) + (position - int(self._start[merchant]) if inside else 0)


class PartEvidence:
    """Adds up what one part consumed. ``mode`` uint8 [n]: virtual mode by series."""

    def __init__(self, state: StateWork, policy: RngPolicy, mode: np.ndarray, virtual_only: VirtualOnly) -> None:
        self._state, self._policy, self._mode = state, policy, mode
        self._virtual_only = virtual_only
        self._events: dict[str, int] = {}
        self._span: dict[str, tuple[int, int]] = {}

    def add(self, realised: Realised, first: int, stop: int, out: Arrivals) -> None:
        """Count what the arrivals [first, stop) drew. Raises `EvidenceError` ``RNG_ACCOUNTING_MISMATCH`` where a counter
        would have wrapped."""
        total = self._state.backend.total
        events = {
            TIME_JITTER: stop - first,
            SITE_PICK: stop - first - self._virtual_only.within(first, stop),
            EDGE_PICK: total(out.is_virtual),
            EDGE_TEMPER: total(out.tempered),
        }
        for family_id, streams in realised.streams.items():
            self._events[family_id] = self._events.get(family_id, 0) + events[family_id]
            blocks = blocks_drawn(family_id, realised.rows, self._mode)
            refuse_wrap(self._state, self._policy.families[family_id], streams, blocks)
            self._extend(family_id, streams, blocks)

    def rows(self, part: int) -> list[TraceRow]:
        """The trace of part number ``part``."""
        return [
            TraceRow(
                self._policy.families[family_id],
                part,
                *self._span.get(family_id, (0, 0)),
                events,
                events * DRAWS_PER_EVENT[family_id],
                events,
            )
            for family_id, events in self._events.items()
        ]

    def _extend(self, family_id: str, streams: Streams, blocks: np.ndarray) -> None:
        """Keep the base counter of the first row that draws, and the counter behind the last one's blocks."""
        drawing = np.flatnonzero(blocks)
        if drawing.size:
            rows = [int(drawing[0]), int(drawing[-1])]
            low, high = counters_at(self._state.backend, streams, rows)
            before = self._span.get(family_id, (low, 0))[0]
            self._span[family_id] = before, high + int(blocks[rows[1]])
