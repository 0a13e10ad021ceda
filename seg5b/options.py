"""What a caller may choose for each state. Nothing here changes data that passes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Literal

EventForm = Literal["jsonl", "parquet"]
EVENT_FORMS: Final[tuple[EventForm, ...]] = ("jsonl", "parquet")
"""Forms of event logs, and what their files end in."""
EVENT_FAMILIES: Final = {
    "arrival_lgcp_gaussian": "S2",
    "arrival_bucket_count": "S3",
    "arrival_time_jitter": "S4",
    "arrival_site_pick": "S4",
    "arrival_edge_pick": "S4",
    "arrival_edge_temper": "S4",
}
"""The state that draws the events of each log, by the log's name."""
DEFAULT_MEMORY_GB = 1.0
_PROCESS_GB, _PART_GB = 0.7, 0.2  # measured: S4 of the reference world by one, two and four threads
"""Memory for queries over a published run, 10^9 bytes."""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """S0. ``depth``: ``content`` compares every member digest of the upstream bundles, ``digest`` is for runs whose
    members were pruned. ``reseal``: set the present gate and all outputs aside and seal anew."""

    depth: Literal["content", "digest"] = "content"
    reseal: bool = False


@dataclass(frozen=True, slots=True)
class Tuning:
    """How work is cut. ``chunk_arrivals``: arrivals per launch (memory); None for what suits the backend. ``threads``: parts
    and queries that are worked on side by side, a part by one thread. ``memory_gb``: memory to be content with, 10^9 bytes;
    None for `DEFAULT_MEMORY_GB` of queries and as many parts as threads. ``event_logs``: also write one record per random
    event, in one of `EVENT_FORMS`; None for none. ``event_check``: which of them are held against their contract, ``all`` or
    the first thousand and a ``sample`` of the others."""

    chunk_arrivals: int | None = None
    threads: int = len(os.sched_getaffinity(0))
    event_logs: EventForm | None = None
    memory_gb: float | None = None
    event_check: Literal["sample", "all"] = "sample"

    @property
    def query_memory_gb(self) -> float:
        """Memory for the queries of S5; what needs more goes to the scratch folder."""
        return self.memory_gb or DEFAULT_MEMORY_GB

    @property
    def parts_at_once(self) -> int:
        """Parts that are made side by side: as many as threads, or as memory has room for."""
        if self.memory_gb is None:
            return self.threads
        return max(min(self.threads, int((self.memory_gb - _PROCESS_GB) / _PART_GB)), 1)


@dataclass(frozen=True, slots=True)
class ComputeOptions:
    """What computes, where a state needs it. ``backend``: ``auto``, ``cpu`` or ``cuda``; ``device``: number of the CUDA device;
    ``frames``: what reads columns there, ``auto``, ``arrow`` or ``cudf``."""

    backend: str = "auto"
    device: int = 0
    frames: str = "auto"


ENGINES = ("local", "dask")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Where parts are made. ``name``: ``local`` (threads of this process) or ``dask``; for dask the address of a
    ``scheduler``, else how many ``workers`` a cluster of processes on this machine has, or its ``devices``, a worker for each
    (`seg5b.engines.devices.parse_devices`). ``backend``: which one workers of a cluster choose (``auto``, ``cpu``,
    ``cuda``)."""

    name: str = "local"
    scheduler: str | None = None
    workers: int = 1
    backend: str = "auto"
    devices: tuple[str, ...] = ()

    @property
    def workers_backend(self) -> str:
        """What workers choose: who asks for devices asks for CUDA, which never falls back (law L9)."""
        return "cuda" if self.devices and self.backend == "auto" else self.backend


@dataclass(frozen=True, slots=True)
class ValidationOptions:
    """S5. ``mode``: ``full`` or ``sampled``; None for what the validation policy says. ``rederive``: beyond what the policy
    asks for, derive ``all`` again, or so many arrivals and counts of each scenario; None for nothing more."""

    mode: Literal["full", "sampled"] | None = None
    rederive: Literal["all"] | int | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """The choices for all states of one call. ``recompute``: compute states again that are finished and unchanged."""

    gate: GateOptions = GateOptions()
    tuning: Tuning = Tuning()
    validation: ValidationOptions = ValidationOptions()
    engine: EngineOptions = EngineOptions()
    recompute: bool = False
    compute: ComputeOptions = ComputeOptions()
