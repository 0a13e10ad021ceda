"""Event logs of S4: one record for each arrival and family that drew, bucket rows in output order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from seg5b_kernels.derivation import Streams

from seg5b.evidence import EventRows, write_bucket_events
from seg5b.expansion.accounting import DRAWS_PER_EVENT, blocks_drawn
from seg5b.expansion.hybrid import VirtualCounts
from seg5b.expansion.realise import RowCounts
from seg5b.expansion.scenario import Expansion


def write_arrival_events(expansion: Expansion, virtual: VirtualCounts) -> None:
    """Write the log of every family of the scenario. ``virtual`` knows all rows: arrivals were realised before."""
    realiser, backend = expansion.realiser, expansion.work.backend
    for family_id, family in realiser.families.items():

        def batches(family_id: str = family_id) -> Iterator[EventRows]:
            for rows, streams in _windows(expansion, virtual):
                high, low = backend.downloads(streams[family_id][1:])
                events = blocks_drawn(family_id, rows, realiser.tables.mode)
                yield EventRows(rows.series, rows.bucket, high, low, events)

        write_bucket_events(expansion.work, family.source.family, DRAWS_PER_EVENT[family_id], batches())


def _windows(expansion: Expansion, virtual: VirtualCounts) -> Iterator[tuple[RowCounts, Mapping[str, Streams]]]:
    """Every bucket row of the scenario once, with its streams."""
    backend, realiser = expansion.work.backend, expansion.realiser
    for block in realiser.blocks:
        position = block.position
        while position < block.stop:
            stop = min(position + expansion.step, block.stop)
            window = block.window(backend, position, stop)
            series, bucket, start = backend.downloads([window.rows.series, window.rows.bucket, window.rows.start])
            count = np.diff(start)
            yield RowCounts(series, bucket, count, virtual.of(series, bucket, count)), realiser.streams(window)
            position = window.position + window.slots
