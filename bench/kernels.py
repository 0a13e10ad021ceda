"""Time every kernel, warm: nanoseconds per result, on the CPU and on CUDA if a device is there. One JSON on stdout.

Example: python bench/kernels.py --items 4000000 --repeats 7 > bench/results/kernels-2026-11-24.json
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from kernel_inputs import Case, kernel_cases

from seg5b import __version__
from seg5b.backends.base import Backend
from seg5b.backends.choose import choose_backend, cuda_facts

PACKAGES = ("numba", "numba-cuda", "numpy", "llvmlite", "cupy-cuda12x", "cupy-cuda13x")


def main() -> None:
    options = arguments()
    backends = [choose_backend("cpu", threads=threads) for threads in options.threads]
    obstacle = None if options.no_cuda else cuda_facts()["obstacle"]
    if not options.no_cuda and obstacle is None:
        backends.append(choose_backend("cuda", device=options.device))
    print(f"items {options.items}, median of {options.repeats}", file=sys.stderr)
    results = [row for backend in backends for row in measure(backend, options.items, options.repeats)]
    json.dump({"facts": facts(options, obstacle), "results": results}, sys.stdout, indent=1)
    print()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2_000_000, help="results per kernel and launch (default 2000000)")
    parser.add_argument("--repeats", type=int, default=7, help="timed launches, the median counts (default 7)")
    cpus = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--threads", type=int, nargs="+", default=sorted({1, cpus}), help="CPU threads (default: 1, all)"
    )
    parser.add_argument("--device", type=int, default=0, help="CUDA device number (default 0)")
    parser.add_argument("--no-cuda", action="store_true", help="CPU only")
    return parser.parse_args()


def measure(backend: Backend, items: int, repeats: int) -> Iterator[dict[str, Any]]:
    """One row per kernel, then the sum over those that make an arrival."""
    arrival_ns = 0.0
    for case in kernel_cases(items):
        seconds = time_case(backend, case, repeats)
        nanoseconds = 1e9 * statistics.median(seconds) / case.points
        if case.kernel.name in ("draw_arrival", "place_arrival", "order_bin", "route_arrival"):
            arrival_ns += nanoseconds
        yield row(backend, case.kernel.name, case.points, nanoseconds, min(seconds), max(seconds))
    yield row(backend, "arrival: draw, place, order, route", items, arrival_ns)


def row(backend: Backend, name: str, points: int, nanoseconds: float, *spread_s: float) -> dict[str, Any]:
    about = backend.describe()
    where = f"{backend.name} {about.get('threads', about.get('device'))}"
    print(f"{where:<24} {name:<36} {nanoseconds:9.3f} ns {1e3 / nanoseconds:10.1f} M/s", file=sys.stderr)
    return {
        "backend": about,
        "kernel": name,
        "points": points,
        "ns_per_point": round(nanoseconds, 4),
        "spread_s": list(spread_s),
    }


def time_case(backend: Backend, case: Case, repeats: int) -> list[float]:
    """Seconds of each launch, after one that compiles and touches the memory. Bin counts start from zero each time:
    where they went on counting, bins would be written beyond their ends."""
    inputs = on(backend, case.inputs)
    seconds = []
    for turn in range(repeats + 1):
        outputs = on(backend, case.outputs)
        finish = barrier(backend)
        start = time.perf_counter()
        backend.launch(case.kernel, case.n, inputs, outputs)
        finish()
        seconds.append(time.perf_counter() - start)
        if turn == 0:
            seconds.clear()
    return seconds


def barrier(backend: Backend) -> Callable[[], Any]:
    """What waits until a launch is done: fetching an element does, on every backend."""
    probe = backend.zeros(1, np.uint8)
    backend.download(probe)
    return lambda: backend.download(probe)


def on(backend: Backend, value: Any) -> Any:
    """A named tuple with fresh copies of its arrays where kernels run."""
    if isinstance(value, tuple):
        return type(value)(*(on(backend, each) for each in value))
    return backend.upload(value.copy()) if isinstance(value, np.ndarray) else value


def facts(options: argparse.Namespace, obstacle: str | None) -> dict[str, Any]:
    return {
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "seg5b": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "processor": processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "cuda": "not asked for" if options.no_cuda else obstacle or "measured",
        "items": options.items,
        "repeats": options.repeats,
    }


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """The processor's name where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
