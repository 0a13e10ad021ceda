"""The event log of S3: one record for each cell that drew a count, in the order of its dataset. Law L10."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from seg5b.axes.cells import CellBlock, iterate_cells
from seg5b.context import ScenarioWork
from seg5b.evidence import EVERY_EVENT, EventChoice, EventLog, EventRows, bucket_log
from seg5b.frames.base import array
from seg5b.policy import CountPolicy, RngPolicy
from seg5b.policy.rng import BUCKET_COUNT
from seg5b.progress import Advance
from seg5b.rng.device import StreamScope, stream_source
from seg5b.states.s3_counts.counting import DRAWS
from seg5b.tables.reading import Kind


def count_log(work: ScenarioWork, policy: CountPolicy, rng: RngPolicy, choice: EventChoice = EVERY_EVENT) -> EventLog:
    """The log of the scenario, from the published intensities. Reading it raises as `iterate_cells`, with code
    ``S2_OUTPUT_MISSING``."""
    chosen = np.flatnonzero(choice.series(work.axis))
    series = range(int(chosen[0]), int(chosen[-1]) + 1) if chosen.size else range(0)
    batches = partial(_batches, work, policy, rng, choice, series)
    size = len(series) * work.grid.bucket_count
    return bucket_log(work, rng.families[BUCKET_COUNT], DRAWS[policy.count_law_id], size, "cells", batches)


def _batches(
    work: ScenarioWork, policy: CountPolicy, rng: RngPolicy, choice: EventChoice, series: range, advance: Advance
) -> Iterator[EventRows]:
    """Block by block, those of its cells that drew; ``series``: from the first chosen one to the last."""
    if not series:
        return
    buckets, code = work.grid.bucket_count, work.code("S2_OUTPUT_MISSING")
    files = work.files("s2_realised_intensity_5B", code=code)
    wanted, rows = {"lambda_realised": Kind.NUMBER}, (series.start * buckets, series.stop * buckets)
    for block in iterate_cells(
        work.state.frames, work.backend, files, work.axis, buckets, wanted, code=code, rows=rows
    ):
        mu = work.backend.download(array(block.columns, "lambda_realised"))
        yield _drawn(work, rng, choice, block, np.flatnonzero(mu > policy.lambda_zero_eps))
        advance(block.rows)


def _drawn(work: ScenarioWork, rng: RngPolicy, choice: EventChoice, block: CellBlock, drew: np.ndarray) -> EventRows:
    """The chosen ones of a block's cells that drew, ``drew`` int64, with their counters."""
    backend, buckets = work.backend, work.grid.bucket_count
    series, bucket = np.divmod(block.first + drew, buckets)
    chosen = choice.cells(work.axis, work.grid, series, bucket)
    series, bucket = series[chosen], bucket[chosen]
    own = range(block.first // buckets, (block.first + block.rows - 1) // buckets + 1)
    scope = StreamScope(rng, work.state.root.identity, work.scenario_id)
    source = stream_source(backend, scope, BUCKET_COUNT, work.axis, own, buckets)
    slot = np.arange(len(own), dtype=np.int32)  # each of the block's series has its own
    place = (series - own.start).astype(np.int32)
    streams = source.streams(*(backend.upload(each) for each in (slot, place, bucket.astype(np.int32))))
    high, low = backend.downloads([streams.counter_hi, streams.counter_lo])
    return EventRows(series, bucket, high, low, np.zeros(series.size, np.int64), np.ones(series.size, np.int64))
