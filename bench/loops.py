"""How much faster a second core makes this machine: loops that share nothing, in one thread and in all.

    python bench/loops.py [SCALE]

The speed-up that such loops show is the most that any parallel program can be asked for here: virtual cores often share
an arithmetic unit, and always the memory.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

STEPS = 300_000_000  # of the compute loop, about a second
COPIED = 1 << 26  # bytes a copy, far more than any cache holds
COPIES = 16
REPEATS = 3


@numba.njit("uint64(uint64, int64)", nogil=True)  # type: ignore[untyped-decorator]
def compute(state: Any, steps: int) -> Any:
    """Integer arithmetic in registers."""
    for _ in range(steps):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
    return state


def loops(scale: float = 1.0) -> dict[str, Any]:
    """Seconds of each loop in one thread and, once for every core, in all threads; the speed-up, N times the work of one
    over the time of all. ``scale`` makes the loops shorter or longer."""
    cores = len(os.sched_getaffinity(0))
    sources = [np.ones(COPIED, np.uint8) for _ in range(cores)]
    targets = [np.zeros(COPIED, np.uint8) for _ in range(cores)]

    def copy(core: int) -> None:
        for _ in range(max(1, int(COPIES * scale))):
            np.copyto(targets[core], sources[core])

    def count(core: int) -> None:
        compute(core + 1, int(STEPS * scale))

    return {"cores": cores, "compute": _speed_up(count, cores), "memory": _speed_up(copy, cores)}


def _speed_up(work: Callable[[int], None], cores: int) -> dict[str, float]:
    """The best of some repeats; the two ways take turns, so that both see the same machine."""
    one, every = [], []
    for _ in range(REPEATS):
        one.append(_seconds(work, 1))
        every.append(_seconds(work, cores))
    return {"one_s": min(one), "all_s": min(every), "speed_up": cores * min(one) / min(every)}


def _seconds(work: Callable[[int], None], threads: int) -> float:
    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        list(pool.map(work, range(threads)))
        return time.perf_counter() - begun


if __name__ == "__main__":
    json.dump(loops(*map(float, sys.argv[1:])), sys.stdout, indent=1)
    print()
