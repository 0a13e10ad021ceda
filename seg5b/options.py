"""What a caller may choose for each state. Nothing here changes data that passes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

DEFAULT_MEMORY_GB = 1.0
"""Memory for queries over a published run, 10^9 bytes."""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """S0. ``depth``: ``content`` compares every member digest of the upstream bundles, ``digest`` is for runs whose
    members were pruned. ``reseal``: set the present gate and all outputs aside and seal anew."""

    depth: Literal["content", "digest"] = "content"
    reseal: bool = False


@dataclass(frozen=True, slots=True)
class Tuning:
    """S1-S4: how work is cut. ``chunk_arrivals``: arrivals per launch (memory). ``threads``: parts that are made side by
    side, each by one thread. ``event_logs``: also write one record per random event."""

    chunk_arrivals: int = 1 << 20
    threads: int = len(os.sched_getaffinity(0))
    event_logs: bool = False


ENGINES = ("local", "dask")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Where parts are made. ``name``: ``local`` (threads of this process) or ``dask``; for dask the address of a
    ``scheduler``, else how many ``workers`` a cluster of processes on this machine has. ``backend``: which one workers of
    a cluster choose (``auto``, ``cpu``, ``cuda``)."""

    name: str = "local"
    scheduler: str | None = None
    workers: int = 1
    backend: str = "auto"


@dataclass(frozen=True, slots=True)
class ValidationOptions:
    """S5. ``mode``: ``full`` or ``sampled``; None for what the validation policy says. ``memory_gb``: memory for the
    queries, 10^9 bytes; what needs more goes to the scratch folder."""

    mode: Literal["full", "sampled"] | None = None
    memory_gb: float = DEFAULT_MEMORY_GB


@dataclass(frozen=True, slots=True)
class Options:
    """The choices for all states of one call. ``recompute``: compute states again that are finished and unchanged."""

    gate: GateOptions = GateOptions()
    tuning: Tuning = Tuning()
    validation: ValidationOptions = ValidationOptions()
    engine: EngineOptions = EngineOptions()
    recompute: bool = False
