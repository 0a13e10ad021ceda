"""Streams of the tiny world, into a sink that keeps what it gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from seg5b.api import Run, open_run
from seg5b.stream.sinks import Part

SCENARIO = "baseline_v1"
Arrival = tuple[int, int, int]
"""Microseconds since 1970, merchant, number."""


@pytest.fixture(scope="session")
def run(tiny_arrivals: Path) -> Run:
    return open_run(tiny_arrivals)


@pytest.fixture(scope="session")
def arrivals(run: Run) -> list[Arrival]:
    """What is published, in the order of a stream, sorted by plain Python."""
    table = run.table("arrival_events_5B", SCENARIO, ["ts_utc", "merchant_id", "arrival_seq"])
    columns = [table["ts_utc"].cast("int64"), table["merchant_id"], table["arrival_seq"]]
    return sorted(zip(*(column.to_pylist() for column in columns), strict=True))


@dataclass
class KeptSink:
    """Acknowledges at once, and fails when it has ``breaks_at`` arrivals."""

    most_rows: int = 1000
    breaks_at: int | None = None
    acknowledged: int = 0
    parts: list[Part] = field(default_factory=list)

    def send(self, part: Part) -> None:
        if self.breaks_at is not None and self.acknowledged >= self.breaks_at:
            raise OSError("broken")
        self.parts.append(part)
        self.acknowledged += len(part.merchants)

    def idle(self) -> None: ...

    def finish(self) -> None: ...

    def close(self, patience_s: float) -> None: ...

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for part in self.parts for line in part.lines.splitlines()]

    @property
    def keys(self) -> list[tuple[int, int]]:
        return keys_of(self.rows)


def keys_of(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Merchant and number of rows of JSON lines."""
    return [(int(row["merchant_id"].removeprefix("id_")), row["arrival_seq"]) for row in rows]


@pytest.fixture
def stream(run: Run) -> Callable[..., KeptSink]:
    """``stream(sink=..., offsets=..., **wanted)``: delivers, and gives the sink."""

    def delivered(sink: KeptSink | None = None, offsets: Path | None = None, **wanted: Any) -> KeptSink:
        sink = sink or KeptSink()
        with run.stream(offsets, **{"scenario": SCENARIO, **wanted}) as opened:
            opened.deliver(sink)
        return sink

    return delivered
