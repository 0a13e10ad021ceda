"""Trace totals: how many events, draws and blocks each substream spent on each part of a dataset, exactly.

The files are published like data: one per state and scenario, never edited, with the receipt's time, so that a second
run gives the same bytes. Streams have a base counter per domain, so the counters shown are the base counter of a part's
first domain and the counter behind its last one, in dataset order; totals are the part's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from seg5b.context import Stage
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


def refuse_wrap(
    stage: Stage, family: RngFamily, counter_hi: np.ndarray, counter_lo: np.ndarray, blocks: np.ndarray
) -> None:
    """Raise `EvidenceError` ``RNG_ACCOUNTING_MISMATCH`` if a stream would pass 2^128 (``abort_on_wrap``).

    ``counter_hi``, ``counter_lo`` uint64 [n]: base counters; ``blocks`` integer [n]: blocks each will draw.
    """
    spent = blocks.astype(np.uint64)
    wraps = (counter_hi == np.uint64(_MASK64)) & (counter_lo + spent < counter_lo) & (spent > 0)
    if wraps.any():
        at = int(np.flatnonzero(wraps)[0])
        raise wrap_error(stage, family, counter128(counter_hi[at], counter_lo[at]), int(spent[at]), at)


def wrap_error(stage: Stage, family: RngFamily, counter: int, blocks: int, event: int) -> EvidenceError:
    """The error for a stream that starts at the 128-bit ``counter`` and has too few blocks left."""
    return EvidenceError(
        stage.code("RNG_ACCOUNTING_MISMATCH"),
        f"counter of {family.family_id} would wrap: {counter:032x} + {blocks} blocks",
        where=f"event {event}",
        remedy="choose another seed; the policy aborts on wrap",
    )


def write_trace(stage: Stage, scenario_id: str, rows: Iterable[TraceRow]) -> None:
    """Write the trace of one state and scenario; substreams without events leave no row."""
    identity = stage.root.identity
    lines = [
        json.dumps(
            {
                "ts_utc": stage.root.receipt.get("created_utc"),
                "run_id": identity.run_id,
                "seed": identity.seed,
                "scenario_id": scenario_id,
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
    members = (f"state={stage.state}", f"scenario_id={scenario_id}", "rng_trace_log.jsonl")
    content = "".join(line + "\n" for line in lines).encode("ascii")
    stage.target("rng_trace_log", None, *members).write_bytes(content)
