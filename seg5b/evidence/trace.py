"""Trace totals: how many events, draws and blocks each substream spent on each part of a dataset, exactly.

The files are published like data: one per state and scenario, never edited, with the receipt's time, so that a second
run gives the same bytes. Streams have a base counter per domain, so the counters shown are the base counter of a part's
first domain and the counter behind its last one, in dataset order; totals are the part's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seg5b.context import ScenarioWork, StateWork
from seg5b.errors import EvidenceError
from seg5b.policy import RngFamily

_MOD128 = 1 << 128
_MASK64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class TraceRow:
    """Totals of one substream over one part.

    ``before``: 128-bit base counter of the part's first domain; ``after``: the counter behind its last domain's last
    block.
    """

    family: RngFamily
    part: int
    before: int
    after: int
    events: int
    draws: int
    blocks: int


def counter128(high: int, low: int) -> int:
    """One integer from two uint64."""
    return int(high) << 64 | int(low)


def refuse_wrap(state: StateWork, family: RngFamily, counters: Sequence[int], blocks: int) -> None:
    """Raise `EvidenceError` ``RNG_ACCOUNTING_MISMATCH`` if a stream would pass 2^128, or reach it, with ``blocks`` blocks
    from its 128-bit base counter (``abort_on_wrap``): the counter behind its last block is recorded."""
    for event, counter in enumerate(counters):
        if blocks and counter + blocks >= _MOD128:
            raise wrap_error(state, family, counter, blocks, f"event {event}")


def wrap_error(state: StateWork, family: RngFamily, counter: int, blocks: int, where: str) -> EvidenceError:
    """The error for a stream that starts at the 128-bit ``counter`` and has too few blocks left."""
    return EvidenceError(
        state.code("RNG_ACCOUNTING_MISMATCH"),
        f"counter of {family.family_id} would wrap: {counter:032x} + {blocks} blocks",
        where=where,
        remedy="choose another seed; the policy aborts on wrap",
    )


def write_trace(work: ScenarioWork, rows: Iterable[TraceRow]) -> None:
    """Write the trace of one state and scenario; substreams without events leave no row."""
    root, state = work.state.root, work.state
    lines = [
        json.dumps(
            {
                "ts_utc": root.receipt.get("created_utc"),
                "run_id": root.identity.run_id,
                "seed": root.identity.seed,
                "scenario_id": work.scenario_id,
                "module": row.family.module,
                "substream_label": row.family.substream_label,
                "part": row.part,
                "rng_counter_before_hi": row.before >> 64,
                "rng_counter_before_lo": row.before & _MASK64,
                "rng_counter_after_hi": row.after % _MOD128 >> 64,
                "rng_counter_after_lo": row.after & _MASK64,
                "events_total": row.events,
                "draws_total": row.draws,
                "blocks_total": row.blocks,
            },
            sort_keys=True,
            separators=(",", ":"),
        )
        for row in rows
        if row.events
    ]
    members = (f"state={state.id}", f"scenario_id={work.scenario_id}", "rng_trace_log.jsonl")
    content = "".join(line + "\n" for line in lines).encode("ascii")
    state.target("rng_trace_log", None, *members).write_bytes(content)
