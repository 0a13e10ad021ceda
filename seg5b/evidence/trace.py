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
from seg5b_kernels import registry
from seg5b_kernels.derivation import CounterInputs, Streams, Wraps

from seg5b.backends.base import Backend
from seg5b.backends.faults import first_fault, no_fault
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


def refuse_wrap(state: StateWork, family: RngFamily, streams: Streams, blocks: np.ndarray) -> None:
    """Raise `EvidenceError` ``RNG_ACCOUNTING_MISMATCH`` if a stream would pass 2^128 (``abort_on_wrap``).

    ``streams`` [n] on the backend; ``blocks`` int32 [n] on the host: blocks that each will draw.
    """
    backend, n = state.backend, blocks.size
    wraps = no_fault(backend, n)
    backend.launch(registry.CHECK_COUNTER, n, CounterInputs(streams, backend.upload(blocks)), Wraps(wraps))
    at = first_fault(backend, wraps, n)
    if at is not None:
        raise wrap_error(state, family, counters_at(backend, streams, [at])[0], int(blocks[at]), at)


def counters_at(backend: Backend, streams: Streams, rows: list[int]) -> list[int]:
    """128-bit base counters of some rows of streams that lie on the backend."""
    index = backend.upload(np.array(rows, np.int64))
    high, low = (backend.download(backend.take(c, index)) for c in (streams.counter_hi, streams.counter_lo))
    return [counter128(*pair) for pair in zip(high, low, strict=True)]


def wrap_error(state: StateWork, family: RngFamily, counter: int, blocks: int, event: int) -> EvidenceError:
    """The error for a stream that starts at the 128-bit ``counter`` and has too few blocks left."""
    return EvidenceError(
        state.code("RNG_ACCOUNTING_MISMATCH"),
        f"counter of {family.family_id} would wrap: {counter:032x} + {blocks} blocks",
        where=f"event {event}",
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
