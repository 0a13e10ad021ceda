"""What a part of the arrivals consumed of each random substream, exactly, from what was produced."""

from __future__ import annotations

import numpy as np
from seg5b_kernels.arrivals import VIRTUAL
from seg5b_kernels.derivation import Streams
from seg5b_kernels.routing import Arrivals

from seg5b.context import Stage
from seg5b.evidence import TraceRow, refuse_wrap
from seg5b.evidence.trace import counter128
from seg5b.expansion.realise import Realised, Realiser
from seg5b.policy import RngFamily, RngPolicy
from seg5b.policy.rng import EDGE_PICK, EDGE_TEMPER, SITE_PICK, TIME_JITTER

DRAWS_PER_EVENT = {TIME_JITTER: 1, SITE_PICK: 2, EDGE_PICK: 1, EDGE_TEMPER: 2}


class PartEvidence:
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
            SITE_PICK: stop - first - arrivals_of_virtual_only(realiser, realised, first, stop),
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


def arrivals_of_virtual_only(realiser: Realiser, realised: Realised, first: int, stop: int) -> int:
    """Arrivals in [first, stop) of merchants that are virtual only. A segment has one merchant, so its positions need
    not be told apart."""
    plan, window = realiser.plan, realised.window
    rows = slice(window.first_row, window.stop_row)
    heads = np.unique(plan.row_segment[rows])
    low = np.maximum(plan.start[plan.segment_row[heads]], first)
    high = np.minimum(plan.start[plan.segment_row[heads + 1]], stop)
    mode = realiser.tables.mode[plan.series[plan.segment_row[heads]]]
    return int((high - low)[mode == VIRTUAL].sum())
