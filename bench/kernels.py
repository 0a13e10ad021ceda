"""Time every kernel, warm, and tell how far it is from what memory alone would take. One JSON on stdout.

Example: python bench/kernels.py --backend cuda --items 20000000 > bench/results/kernels_cuda.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from kernel_inputs import AS_IN_RUNS, Case, kernel_cases
from machine import machine
from timers import DeviceTimer, HostTimer, Timed, Timer, Work

from seg5b.backends.base import Backend
from seg5b.backends.choose import CHOICES, cuda_obstacle, first_failure
from seg5b.backends.cpu import CpuBackend

# The reference world's shape, which turns times per row and per place into times per arrival.
ARRIVALS, ROWS, PLACES = 123_200_050, 3_806_534, 30_129_840
PER_ARRIVAL, PER_ROW, PER_PLACE = 1.0, ROWS / ARRIVALS, PLACES / ARRIVALS
FAMILIES_PER_ROW = (
    1 + 0.97 + 0.11
)  # every row a time, all but virtual-only ones a site, hybrid and virtual ones an edge
# Everything that S4 has a backend do, and how often per arrival under the shipped policies: of three families, which rows
# draw from (`arrival_mix`), and counts that are read and arranged once. Left out: a few elements fetched per chunk.
S4 = {
    "draw_arrival": PER_ARRIVAL,
    "place_arrival": PER_ARRIVAL,
    "order_bin": PER_ARRIVAL,
    "route_arrival": PER_ARRIVAL,
    "spread_row": PER_ARRIVAL,
    "tally_arrivals": PER_ARRIVAL,
    "exclusive_sum": 2 * PER_ARRIVAL + 2 * PER_PLACE,
    "derive_stream": FAMILIES_PER_ROW * PER_ROW,
    "count_virtual": PER_ROW,
    "account_rows": PER_ROW,
    "check_cell": PER_PLACE,
    "sum_by_day": PER_PLACE,
    "arrange_count": PER_PLACE,
    "gather_row": PER_PLACE,
}
CHAIN = ("draw_arrival", "place_arrival", "order_bin", "route_arrival")


class Task(NamedTuple):
    """``prepare`` makes one launch ready and returns it. ``results``: results made. ``floor_bytes``: what its inputs and
    outputs occupy, each array once."""

    name: str
    results: int
    floor_bytes: int
    prepare: Callable[[], Work]


def main() -> None:
    options = arguments()
    backends = list(targets(options))
    cases = kernel_cases(options.items, mix=AS_IN_RUNS)
    measured = [measure(backend, timer, cases, options.repeats) for backend, timer in backends]
    json.dump({"machine": machine(), **settings(options), "measured": measured}, sys.stdout, indent=1)
    print()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2_000_000, help="results per kernel and launch (default 2000000)")
    parser.add_argument("--repeats", type=int, default=7, help="timed launches, the median counts (default 7)")
    parser.add_argument(
        "--backend", choices=CHOICES, default="auto", help="auto: the CPU, and CUDA if a device can be used (default)"
    )
    parser.add_argument("--device", type=int, default=0, help="CUDA device number (default 0)")
    return parser.parse_args()


def settings(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "items": options.items,
        "repeats": options.repeats,
        "arrivals": " ".join((AS_IN_RUNS.__doc__ or "").split()),
        "floor": "bytes of a kernel's inputs and outputs, each array once, at the bandwidth of a copy on the same "
        "backend in the same run (bytes read plus bytes written)",
        "reference_world": {"arrivals": ARRIVALS, "bucket_rows": ROWS, "places": PLACES},
    }


def targets(options: argparse.Namespace) -> Iterator[tuple[Backend, Timer]]:
    """Each backend with its clock. A launch on the CPU is one thread's: what follows is per core."""
    if options.backend != "cuda":
        yield CpuBackend("requested"), HostTimer()
    obstacle = "not asked for" if options.backend == "cpu" else cuda_obstacle(options.device)
    if obstacle is None:
        yield device(options.device)
    elif options.backend == "cuda":
        raise SystemExit(f"no CUDA: {obstacle}")
    else:
        print(f"no CUDA: {obstacle}", file=sys.stderr)


def device(number: int) -> tuple[Backend, Timer]:
    """The CUDA backend of a device that can be used, and its clock."""
    from seg5b.backends.cuda import CudaBackend, CupyArrays

    arrays = CupyArrays(number)
    cuda = CudaBackend("requested", number, arrays)
    if failure := first_failure(cuda):
        raise SystemExit(f"a trial on CUDA device {number} failed: {failure}")
    return cuda, DeviceTimer(arrays)


def measure(backend: Backend, timer: Timer, cases: tuple[Case, ...], repeats: int) -> dict[str, Any]:
    """All kernels of one backend, and what they come to per arrival of the reference world."""
    about = backend.describe()
    copy = timer.copy_bytes_per_s(repeats)
    print(f"\n{about['backend']}, {about['device']}: copies {copy / 1e9:.1f} GB/s", file=sys.stderr)
    print(f"{'':<20}{'ns':>10}{'M/s':>11}{'floor ns':>10}{'times floor':>12}{'asking us':>11}", file=sys.stderr)
    rows = []
    for task in tasks(backend, cases):
        # The first launch compiles the kernel and touches its memory.
        timed = [timer.time(task.prepare) for _ in range(repeats + 1)][1:]
        rows.append(row(task, timed, copy))
    return {"backend": backend.describe(), "copy_gb_per_s": copy / 1e9, "kernels": rows, "s4": totals(rows)}


def row(task: Task, timed: list[Timed], copy: float) -> dict[str, Any]:
    seconds = [each.seconds for each in timed]
    median, floor = statistics.median(seconds), task.floor_bytes / copy
    asked = statistics.median(each.asked_s for each in timed)
    nanoseconds, least = 1e9 * median / task.results, 1e9 * floor / task.results
    shown = f"{nanoseconds:10.3f}{1e3 / nanoseconds:11.1f}{least:10.3f}{median / floor:12.2f}{1e6 * asked:11.0f}"
    waited = any(each.waited for each in timed)
    print(f"{task.name:<20}{shown}{'  waits for the device' if waited else ''}", file=sys.stderr)
    return {
        "kernel": task.name,
        "results": task.results,
        "ns_per_result": nanoseconds,
        "floor_bytes": task.floor_bytes,
        "floor_ns_per_result": least,
        "times_floor": median / floor,
        "launch_s": median,
        "spread_s": [min(seconds), max(seconds)],
        "asking_s": asked,
        "waited": waited,
    }


def totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Nanoseconds per arrival: of the four kernels that every arrival passes through, and of everything that S4 has a
    backend do, at the reference world's ratios; and what memory alone would take of each, the roofline."""
    parts, floors = (
        {each["kernel"]: S4[each["kernel"]] * each[name] for each in rows if each["kernel"] in S4}
        for name in ("ns_per_result", "floor_ns_per_result")
    )
    chain, chain_floor = (sum(each[name] for name in CHAIN) for each in (parts, floors))
    whole, whole_floor = sum(parts.values()), sum(floors.values())
    for name, each, floor in (("draw, place, order, route", chain, chain_floor), ("all of S4", whole, whole_floor)):
        shown = f"{each:10.3f} ns per arrival {1e3 / each:10.1f} M arrivals/s, memory alone {1e3 / floor:10.1f}"
        print(f"{name:<26}{shown}: {floor / each:.0%} of the roofline", file=sys.stderr)
    return {
        "ns_per_arrival": parts,
        "floor_ns_per_arrival": floors,
        "chain_ns": chain,
        "chain_floor_ns": chain_floor,
        "chain_arrivals_per_s": 1e9 / chain,
        "all_ns": whole,
        "all_floor_ns": whole_floor,
        "all_arrivals_per_s": 1e9 / whole,
    }


def tasks(backend: Backend, cases: tuple[Case, ...]) -> Iterator[Task]:
    """Every kernel with its inputs where it runs, then what is done between kernels.

    Each launch gets fresh outputs: bins that went on counting would be written beyond their ends.
    """
    for case in cases:
        inputs = on(backend, case.inputs)

        def prepare(case: Case = case, inputs: Any = inputs) -> Work:
            outputs = on(backend, case.outputs)
            return lambda: backend.launch(case.kernel, case.n, inputs, outputs)

        yield Task(case.kernel.name, case.results, occupied((case.inputs, case.outputs)), prepare)
    yield _sums(backend, next(case for case in cases if case.kernel.name == "draw_arrival").n)


def _sums(backend: Backend, n: int) -> Task:
    """What S4 asks of a backend besides kernels, for the n slots of the chunk that is drawn."""
    counts, sums = backend.upload(np.ones(n, np.int32)), backend.empty(n + 1, np.int32)
    return Task("exclusive_sum", n, 4 * n + 4 * (n + 1), lambda: lambda: backend.exclusive_sum(counts, sums))


def on(backend: Backend, value: Any) -> Any:
    """A named tuple with fresh copies of its arrays on the backend."""
    if isinstance(value, tuple):
        return type(value)(*(on(backend, each) for each in value))
    return backend.upload(value.copy()) if isinstance(value, np.ndarray) else value


def occupied(value: Any) -> int:
    """Bytes of all arrays in nested named tuples, each once."""
    return sum(array.nbytes for array in {id(each): each for each in arrays(value)}.values())


def arrays(value: Any) -> Iterator[np.ndarray]:
    """All arrays in nested named tuples."""
    if isinstance(value, tuple):
        for each in value:
            yield from arrays(each)
    elif isinstance(value, np.ndarray):
        yield value


if __name__ == "__main__":
    main()
