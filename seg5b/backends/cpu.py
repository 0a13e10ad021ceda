"""The CPU backend: compiled loops over numpy arrays, ranges of items spread over threads."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike
from seg5b_kernels.registry import Kernel

# Ranges per thread: enough that uneven items even out, few enough that a call's overhead does not show.
RANGES_PER_THREAD = 8


class CpuBackend:
    """Kernels run on ``threads`` host threads; `upload` and `download` copy nothing."""

    name = "cpu"

    def __init__(self, reason: str = "requested", threads: int | None = None) -> None:
        self.reason = reason
        self.threads = threads or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="seg5b-kernel")

    def empty(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        return np.empty(shape, dtype)

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        return np.zeros(shape, dtype)

    def upload(self, array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array)

    def download(self, array: np.ndarray) -> np.ndarray:
        return array

    def launch(self, kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple) -> None:
        bounds = np.linspace(0, n, min(n, RANGES_PER_THREAD * self.threads) + 1).astype(int).tolist()
        runs = [self._pool.submit(kernel.cpu, start, stop, inputs, outputs) for start, stop in pairwise(bounds)]
        for run in runs:
            run.result()

    def exclusive_sum(self, counts: np.ndarray, out: np.ndarray) -> np.ndarray:
        out[0] = 0
        np.cumsum(counts, dtype=out.dtype, out=out[1 : counts.size + 1])
        return out

    def spread(self, row_start: np.ndarray, slots: int) -> np.ndarray:
        return np.repeat(np.arange(row_start.size - 1, dtype=np.int32), np.diff(row_start))

    def take(self, array: np.ndarray, index: np.ndarray) -> np.ndarray:
        taken: np.ndarray = array[index]
        return taken

    def search(self, ascending: np.ndarray, values: Sequence[int], side: Literal["left", "right"]) -> list[int]:
        return [int(np.searchsorted(ascending, value, side=side)) for value in values]

    def total(self, array: np.ndarray) -> int:
        return int(array.sum(dtype=np.int64))

    def describe(self) -> dict[str, str | int]:
        return {
            "backend": self.name,
            "reason": self.reason,
            "threads": self.threads,
            "device": platform.processor() or platform.machine(),
        }
