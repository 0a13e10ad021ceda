"""Per-event logs, opt-in: one JSON line per random event, one dataset per family (law L10).

An event is a latent vector (S2), a bucket's count (S3), or one arrival's draw in one family (S4); blocks are
ceil(draws / 2). Order: that of the dataset whose draws they are (S4: merchant, bucket, series), then arrival index within
the bucket, as drawn. The same lines can be written again later for any run whose inputs are still there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from seg5b.context import ScenarioWork
from seg5b.policy import RngFamily

_MASK64 = (1 << 64) - 1
_MOD128 = 1 << 128


@dataclass(frozen=True, slots=True)
class EventRows:
    """Events of n domains, each with consecutive blocks from its base counter.

    ``series`` and ``bucket`` integer [n]; ``counter_hi``, ``counter_lo`` uint64 [n]; ``events`` integer [n]: how many
    events of one block each domain has.
    """

    series: np.ndarray
    bucket: np.ndarray
    counter_hi: np.ndarray
    counter_lo: np.ndarray
    events: np.ndarray

    def content(self) -> bytes:
        """The rows as bytes, one after the other: those of several pieces may be joined."""
        rows = np.empty(self.series.size, _STORED)
        for field in fields(self):
            rows[field.name] = getattr(self, field.name)
        return rows.tobytes()

    @classmethod
    def of(cls, content: bytes) -> EventRows:
        """The rows that `content` was made from."""
        rows = np.frombuffer(content, _STORED)
        return cls(*(rows[field.name] for field in fields(cls)))


_STORED = np.dtype(
    [("series", "<i8"), ("bucket", "<i8"), ("counter_hi", "<u8"), ("counter_lo", "<u8"), ("events", "<i8")]
)


def dataset_of(family: RngFamily) -> str:
    """Dictionary id of a family's event log."""
    label = "arrival_lgcp_gaussian" if family.substream_label == "latent_vector" else family.substream_label
    return f"rng_event_{label if label.startswith('arrival_') else 'arrival_' + label}"


def write_path_events(
    work: ScenarioWork, family: RngFamily, label: str, paths: Iterable[tuple[str, int]], buckets: int
) -> None:
    """Log one event per latent path: (name, 128-bit base counter), ``buckets`` blocks and twice as many draws. ``label``: the
    field that tells the name, ``group_id`` or ``latent_domain``."""
    lines = (_line(work, family, counter, 2 * buckets, buckets, {label: name}) for name, counter in paths)
    _write(work, family, lines)


def write_bucket_events(work: ScenarioWork, family: RngFamily, draws: int, batches: Iterable[EventRows]) -> None:
    """Log events of one block and ``draws`` draws each; domains without events leave no line."""
    _write(work, family, _bucket_lines(work, family, draws, batches))


def _bucket_lines(work: ScenarioWork, family: RngFamily, draws: int, batches: Iterable[EventRows]) -> Iterator[str]:
    for batch in batches:
        columns = (batch.series, batch.bucket, batch.counter_hi, batch.counter_lo, batch.events)
        for series, bucket, high, low, events in zip(*(column.tolist() for column in columns), strict=True):
            merchant, zone, channel = work.axis.key(series)
            domain = {
                "merchant_id": merchant,
                "bucket_index": bucket,
                "zone_representation": zone,
                "channel_group": channel,
            }
            for index in range(events):
                counter = ((high << 64 | low) + index) % _MOD128
                yield _line(work, family, counter, draws, 1, {**domain, "arrival_index": index})


def _line(work: ScenarioWork, family: RngFamily, counter: int, draws: int, blocks: int, domain: dict[str, Any]) -> str:
    root, after = work.state.root, (counter + blocks) % _MOD128
    identity = root.identity
    record = {
        "ts_utc": root.receipt.get("created_utc"),
        "run_id": identity.run_id,
        "seed": identity.seed,
        "parameter_hash": identity.parameter_hash,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "module": family.module,
        "substream_label": family.substream_label,
        "scenario_id": work.scenario_id,
        "rng_counter_before_hi": counter >> 64,
        "rng_counter_before_lo": counter & _MASK64,
        "rng_counter_after_hi": after >> 64,
        "rng_counter_after_lo": after & _MASK64,
        "draws": str(draws),
        "blocks": blocks,
        **domain,
    }
    return json.dumps(record, sort_keys=True, separators=(",", ":")) + "\n"


def _write(work: ScenarioWork, family: RngFamily, lines: Iterable[str]) -> None:
    """One file per scenario, so that no scenario overwrites another's."""
    target = work.state.target(dataset_of(family), None, f"scenario_id={work.scenario_id}", "part-000000.jsonl")
    with target.open("w", encoding="ascii") as stream:
        stream.writelines(lines)
