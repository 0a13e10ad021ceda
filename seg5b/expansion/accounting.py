"""What a part of the arrivals consumed of each random substream, exactly, from what was produced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.accounts import (
    AFTER,
    BEFORE,
    FAMILIES,
    NOWHERE,
    TEMPER_DRAWS,
    VIRTUAL_ARRIVALS,
    WRAP_BLOCKS,
    WRAP_BUCKET,
    WRAP_SERIES,
    WRAPPED,
    AccountInputs,
    CloseInputs,
    Ledger,
    Places,
    TallyInputs,
    stretches,
)
from seg5b_kernels.arrivals import VIRTUAL
from seg5b_kernels.routing import Arrivals, Series

from seg5b.axes import SeriesAxis
from seg5b.backends.base import Array
from seg5b.context import StateWork
from seg5b.evidence import TraceRow, wrap_error
from seg5b.evidence.trace import counter128
from seg5b.expansion.realise import Realised, RowCounts
from seg5b.expansion.totals import ArrivalTotals
from seg5b.policy import RngPolicy
from seg5b.policy.rng import EDGE_PICK, EDGE_TEMPER, SITE_PICK, TIME_JITTER

FAMILY_IDS = (TIME_JITTER, SITE_PICK, EDGE_PICK, EDGE_TEMPER)
"""In the order of `seg5b_kernels.accounts`."""
DRAWS_PER_EVENT = {TIME_JITTER: 1, SITE_PICK: 2, EDGE_PICK: 1, EDGE_TEMPER: 2}


def blocks_drawn(family_id: str, rows: RowCounts, mode: np.ndarray) -> np.ndarray:
    """Blocks that each bucket row's stream has to give, int32 [R], for virtual modes ``mode`` uint8 by series: one per
    arrival that may draw, as `seg5b_kernels.accounts.blocks_drawn` has it."""
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


class PartAccount:
    """Adds up what one part consumed, on the backend, as `seg5b_kernels.accounts` has it (law L10): whoever fetches `pending`
    with the part's last rows can have its trace. ``series`` on the backend."""

    def __init__(
        self, state: StateWork, policy: RngPolicy, series: Series, axis: SeriesAxis, virtual_only: VirtualOnly
    ) -> None:
        self._state, self._policy, self._mode, self._axis = state, policy, series.mode, axis
        self._virtual_only = virtual_only
        upload = state.backend.upload
        self._ledger = Ledger(
            upload(np.zeros((FAMILIES, 6), np.uint64)),
            upload(np.zeros((FAMILIES, 4), np.int64)),
            upload(np.zeros(2, np.int64)),
        )
        self._families: tuple[str, ...] = ()
        self._arrivals = self._with_sites = 0

    def add(self, realised: Realised, first: int, stop: int, out: Arrivals) -> None:
        """Enter what the arrivals [first, stop), in order, drew. Waits for nothing."""
        backend, streams = self._state.backend, realised.streams
        self._families = tuple(family_id for family_id in FAMILY_IDS if family_id in streams)
        self._arrivals += stop - first
        self._with_sites += stop - first - self._virtual_only.within(first, stop)
        tally = TallyInputs(out.is_virtual, out.tempered, stop - first)
        backend.launch(registry.TALLY_ARRIVALS, stretches(stop - first), tally, self._ledger)
        rows = realised.window.size
        time, site, edge, temper = (streams.get(family_id, streams[EDGE_PICK]) for family_id in FAMILY_IDS)
        families = len(self._families)
        bucket_rows, virtual = realised.window.rows, realised.rows.virtual
        inputs = AccountInputs(bucket_rows, virtual, self._mode, time, site, edge, temper, families, rows)
        places = Places(*(backend.upload(np.full(FAMILIES, NOWHERE, np.int64)) for _ in Places._fields))
        backend.launch(registry.ACCOUNT_ROWS, stretches(rows), inputs, places)
        backend.launch(registry.CLOSE_ACCOUNT, families, CloseInputs(inputs, places), self._ledger)

    @property
    def pending(self) -> list[Array]:
        """What `rows` needs on the host: the arrays of `Ledger`, uint64 [4, 6], int64 [4, 4] and int64 [2]."""
        return list(self._ledger)

    def rows(self, part: int, fetched: Sequence[np.ndarray]) -> list[TraceRow]:
        """The trace of part number ``part``, from `pending` on the host. Raises `EvidenceError` ``RNG_ACCOUNTING_MISMATCH``
        where a counter would have wrapped."""
        counter, fact, total = fetched
        events = {
            TIME_JITTER: self._arrivals,
            SITE_PICK: self._with_sites,
            EDGE_PICK: int(total[VIRTUAL_ARRIVALS]),
            EDGE_TEMPER: int(total[TEMPER_DRAWS]),
        }
        found = []
        for number, family_id in enumerate(self._families):
            family, drawn = self._policy.families[family_id], events[family_id]
            before, after, wrapped = (counter128(*counter[number, at : at + 2]) for at in (BEFORE, AFTER, WRAPPED))
            if blocks := int(fact[number, WRAP_BLOCKS]):
                key = self._axis.key(int(fact[number, WRAP_SERIES]))
                where = f"series {key}, bucket {int(fact[number, WRAP_BUCKET])}"
                raise wrap_error(self._state, family, wrapped, blocks, where)
            found.append(TraceRow(family, part, before, after, drawn, drawn * DRAWS_PER_EVENT[family_id], drawn))
        return found
