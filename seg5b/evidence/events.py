"""Events of random numbers as records, one table for every family (law L10, docs/laws#rng-events).

An event is a latent vector (S2), a bucket's count (S3), or one arrival's draw in one family (S4); blocks are
ceil(draws / 2). Order: that of the dataset whose draws they are (S4: merchant, bucket, series), then arrival index within
the bucket, as drawn. Whoever keeps a log while a state runs (`seg5b.evidence.keeping`) and whoever makes it again later
(`seg5b.replay.events`) write the same `EventLog`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from seg5b.context import ScenarioWork
from seg5b.contracts import EVENTS
from seg5b.policy import RngFamily
from seg5b.progress import Advance
from seg5b.tables import Coded, Constant
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import RNG_EVENTS
from seg5b.tables.records import RecordSink

_MASK64 = (1 << 64) - 1
_MOST_EVENTS = 1 << 18  # of a piece; its columns then have some 16 MB


@dataclass(frozen=True, slots=True)
class EventRows:
    """Events of n domains, each with consecutive blocks of its stream.

    ``series`` and ``bucket`` integer [n]; ``counter_hi``, ``counter_lo`` uint64 [n], the base counter; ``first`` and
    ``events`` integer [n]: the arrival index of each domain's first event, and how many events of one block it has.
    """

    series: np.ndarray
    bucket: np.ndarray
    counter_hi: np.ndarray
    counter_lo: np.ndarray
    first: np.ndarray
    events: np.ndarray

    def pieces(self) -> Iterator[EventRows]:
        """The same domains in pieces of about 2^18 events."""
        ends = np.cumsum(self.events, dtype=np.int64)
        total = int(ends[-1]) if ends.size else 0
        cuts = np.searchsorted(ends, np.arange(_MOST_EVENTS, total, _MOST_EVENTS))
        bounds = np.unique(np.concatenate([[0], cuts, [ends.size]]))
        for start, stop in pairwise(bounds.tolist()):
            yield EventRows(*(getattr(self, field.name)[start:stop] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class EventPiece:
    """Some events in order: what tells their domain, by column, and the counter before each, uint64 [n] twice."""

    domain: dict[str, Column]
    counter_hi: np.ndarray
    counter_lo: np.ndarray


Pieces = Callable[[Advance], Iterator[EventPiece]]
"""Makes a log's events; the function that it is given is called with units of work done."""


@dataclass(frozen=True, slots=True)
class EventLog:
    """The events of one family in one scenario, or a choice of them, made while they are read.

    Each took ``draws`` draws and ``blocks`` blocks. To make them are ``size`` units of work, called ``unit``.
    """

    work: ScenarioWork
    family: RngFamily
    draws: int
    blocks: int
    size: int
    unit: str
    pieces: Pieces

    @property
    def name(self) -> str:
        """What the log is called: that of its dataset without ``rng_event_``."""
        return dataset_of(self.family).removeprefix(EVENTS)


def dataset_of(family: RngFamily) -> str:
    """Dictionary id of a family's event log."""
    label = "arrival_lgcp_gaussian" if family.substream_label == "latent_vector" else family.substream_label
    return f"{EVENTS}{label if label.startswith('arrival_') else 'arrival_' + label}"


def path_log(
    work: ScenarioWork, family: RngFamily, label: str, names: Sequence[str], counters: Sequence[int]
) -> EventLog:
    """One event per latent path: its name and 128-bit base counter; a block and two draws for each bucket. ``label``: the field
    that tells the name, ``group_id`` or ``latent_domain``."""

    def pieces(advance: Advance) -> Iterator[EventPiece]:
        high = np.array([counter >> 64 for counter in counters], np.uint64)
        low = np.array([counter & _MASK64 for counter in counters], np.uint64)
        named = Coded(np.arange(high.size, dtype=np.int32), text_values(names))
        if high.size:
            yield EventPiece({label: named}, high, low)
        advance(high.size)

    buckets = work.grid.bucket_count
    return EventLog(work, family, 2 * buckets, buckets, len(counters), "paths", pieces)


def bucket_log(
    work: ScenarioWork,
    family: RngFamily,
    draws: int,
    size: int,
    unit: str,
    batches: Callable[[Advance], Iterable[EventRows]],
) -> EventLog:
    """Events of one block and ``draws`` draws each; domains without events leave no record."""
    zones, channels = text_values(work.axis.zones), text_values(work.axis.channels)

    def pieces(advance: Advance) -> Iterator[EventPiece]:
        for rows in (piece for batch in batches(advance) for piece in batch.pieces()):
            domain = np.repeat(np.arange(rows.events.size), rows.events)
            series, ends = rows.series[domain], np.cumsum(rows.events)
            index = np.arange(domain.size) - (ends - rows.events)[domain] + rows.first[domain]
            columns: dict[str, Column] = {
                "arrival_index": index.astype(np.int64),
                "bucket_index": rows.bucket[domain].astype(np.int64),
                "merchant_id": work.axis.merchant_id[series],
                "zone_representation": Coded(work.axis.zone[series], zones),
                "channel_group": Coded(work.axis.channel[series], channels),
            }
            yield EventPiece(columns, *_advanced(rows.counter_hi[domain], rows.counter_lo[domain], index))

    return EventLog(work, family, draws, 1, size, unit, pieces)


def write_log(log: EventLog, sink: RecordSink, advance: Advance) -> int:
    """Write the records of a log to a sink, and cut there; how many events there were."""
    constants, events = _constants(log), 0
    for piece in log.pieces(advance):
        after = _advanced(piece.counter_hi, piece.counter_lo, np.full(1, log.blocks))
        counters = (piece.counter_hi, piece.counter_lo, *after)
        names = (f"rng_counter_{which}_{half}" for which in ("before", "after") for half in ("hi", "lo"))
        rows = piece.counter_hi.size
        sink.append({**constants, **piece.domain, **dict(zip(names, counters, strict=True))}, rows)
        events += rows
    sink.cut()
    return events


def _constants(log: EventLog) -> dict[str, Column]:
    """Every column of a record, with the value that all of the log's records share; null where they do not."""
    root = log.work.state.root
    known = {
        "blocks": log.blocks,
        "draws": str(log.draws),
        "manifest_fingerprint": root.identity.manifest_fingerprint,
        "module": log.family.module,
        "parameter_hash": root.identity.parameter_hash,
        "run_id": root.identity.run_id,
        "scenario_id": log.work.scenario_id,
        "seed": root.identity.seed,
        "substream_label": log.family.substream_label,
        "ts_utc": root.receipt.get("created_utc"),
    }
    return {name: Constant(known.get(name)) for name in RNG_EVENTS.schema.names}


def _advanced(high: np.ndarray, low: np.ndarray, by: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """128-bit counters ``by`` blocks on, modulo 2^128: uint64 [n] twice."""
    after = low + by.astype(np.uint64)
    return high + (after < low).astype(np.uint64), after
