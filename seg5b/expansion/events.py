"""Event logs of S4: one record for each arrival and family that drew, bucket rows in output order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from seg5b_kernels.arrivals import PHYSICAL

from seg5b.evidence import EVERY_EVENT, EventChoice, EventLog, EventRows, bucket_log
from seg5b.expansion.accounting import DRAWS_PER_EVENT, blocks_drawn
from seg5b.expansion.blocks import Range, Window
from seg5b.expansion.realise import RowCounts, arrival_buffers
from seg5b.expansion.scenario import Expansion
from seg5b.policy.rng import EDGE_PICK, EDGE_TEMPER
from seg5b.progress import Advance

_SLOT_MASK = np.uint64(0xFFFFFFFF)  # of the packed order of arrivals, `seg5b_kernels.arrivals`


def arrival_logs(expansion: Expansion, choice: EventChoice = EVERY_EVENT) -> list[EventLog]:
    """The log of every family of the scenario that draws. Needs no part: what is looked for is drawn again."""
    arrivals = sum(stop - first for first, stop in _ranges(expansion, choice))
    return [
        bucket_log(
            expansion.work,
            family.source.family,
            DRAWS_PER_EVENT[family_id],
            arrivals,
            "arrivals",
            partial(_batches, expansion, choice, family_id),
        )
        for family_id, family in expansion.realiser.families.items()
    ]


def _ranges(expansion: Expansion, choice: EventChoice) -> list[Range]:
    """Positions of the arrivals of merchants that have a chosen series, neighbours joined."""
    axis, start = expansion.work.axis, expansion.totals.merchant_start
    chosen = np.logical_or.reduceat(choice.series(axis), axis.merchant_starts())
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    return [(int(start[low]), int(start[high])) for low, high in edges.reshape(-1, 2)]


def _windows(expansion: Expansion, choice: EventChoice) -> Iterator[Window]:
    """Every whole segment of the chosen merchants once, in output order."""
    backend, blocks = expansion.work.backend, expansion.realiser.blocks
    for position, stop in _ranges(expansion, choice):
        while position < stop:
            block = blocks.at(position)
            window = block.window(backend, position, min(position + expansion.step, block.stop, stop))
            yield window
            position = window.position + window.slots


def _batches(expansion: Expansion, choice: EventChoice, family_id: str, advance: Advance) -> Iterator[EventRows]:
    """The events of a family, window by window."""
    work, mode = expansion.work, expansion.realiser.tables.mode
    virtual_only = family_id in (EDGE_PICK, EDGE_TEMPER)
    for window in _windows(expansion, choice):
        rows = window.rows
        series, bucket, start = work.backend.downloads([rows.series, rows.bucket, rows.start])
        chosen = choice.cells(work.axis, work.grid, series, bucket)
        if virtual_only:
            chosen &= mode[series] != PHYSICAL
        if chosen.any():
            counts = RowCounts(series, bucket, np.diff(start), np.zeros(series.size, np.int32))
            if family_id == EDGE_TEMPER:
                yield _tempered(expansion, window, counts, chosen)
            else:
                yield _consecutive(expansion, window, family_id, counts, chosen)
        advance(window.slots)


def _consecutive(
    expansion: Expansion, window: Window, family_id: str, rows: RowCounts, chosen: np.ndarray
) -> EventRows:
    """Events of rows whose blocks follow each other: one for each arrival that the family draws for."""
    realiser = expansion.realiser
    if family_id == EDGE_PICK:
        drawn = realiser.draw(window.position, window.position + window.slots)
        start, before = realiser.backend.downloads([drawn.window.rows.start, drawn.chunk.virtual_before])
        rows = RowCounts(rows.series, rows.bucket, rows.count, np.diff(before[start]))
    events = blocks_drawn(family_id, rows, realiser.tables.mode)
    at = np.flatnonzero(chosen & (events > 0))
    high, low = _counters(expansion, family_id, rows, at)
    return EventRows(rows.series[at], rows.bucket[at], high, low, np.zeros(at.size, np.int64), events[at])


def _tempered(expansion: Expansion, window: Window, rows: RowCounts, chosen: np.ndarray) -> EventRows:
    """Events of arrivals whose edge may be exchanged: each reads the block with its place among the row's virtual ones."""
    realiser, backend = expansion.realiser, expansion.work.backend
    out = arrival_buffers(backend, window.slots)
    drawn = realiser.draw(window.position, window.position + window.slots)
    realiser.route(drawn, window.slots, out)
    wanted = [out.tempered, out.row, drawn.chunk.packed, drawn.chunk.virtual_before, drawn.window.rows.start]
    tempered, row, packed, before, start = backend.downloads(wanted)
    row, packed = row[tempered != 0], packed[tempered != 0]
    slot = (packed & _SLOT_MASK).astype(np.int64)
    order = np.argsort(slot)  # rows follow each other, and the draws of each
    row, slot = row[order], slot[order]
    row, slot = row[chosen[row]], slot[chosen[row]]
    high, low = _counters(expansion, EDGE_TEMPER, rows, row)
    place = before[slot] - before[start[row]]
    return EventRows(rows.series[row], rows.bucket[row], high, low, place, np.ones(row.size, np.int64))


def _counters(expansion: Expansion, family_id: str, rows: RowCounts, at: np.ndarray) -> list[np.ndarray]:
    """Base counters of the rows numbered ``at``, uint64 twice."""
    backend, family = expansion.work.backend, expansion.realiser.families[family_id]
    series, bucket = (backend.upload(np.ascontiguousarray(column[at])) for column in (rows.series, rows.bucket))
    streams = family.source.streams(family.slot, series, bucket)
    return backend.downloads([streams.counter_hi, streams.counter_lo])
