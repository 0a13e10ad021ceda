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
        """An uninitialised numpy array."""
        return np.empty(shape, dtype)

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        """A zeroed numpy array."""
        return np.zeros(shape, dtype)

    def upload(self, array: np.ndarray) -> np.ndarray:
        """The array itself, or a copy where it is not C-contiguous."""
        return np.ascontiguousarray(array)

    def download(self, array: np.ndarray) -> np.ndarray:
        """The array itself."""
        return array

    def launch(self, kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple) -> None:
        """Run ``kernel`` for items 0 .. n - 1, cut into ranges that the threads share; returns when all are done.

        Raises whatever a kernel raised in the first range that failed.
        """
        bounds = np.linspace(0, n, min(n, RANGES_PER_THREAD * self.threads) + 1).astype(int).tolist()
        runs = [self._pool.submit(kernel.cpu, start, stop, inputs, outputs) for start, stop in pairwise(bounds)]
        for run in runs:
            run.result()

    def exclusive_sum(self, counts: np.ndarray, out: np.ndarray) -> np.ndarray:
        """``out[0] = 0``, ``out[k + 1] = counts[0] + .. + counts[k]``, in the type of ``out``. Returns ``out``."""
        out[0] = 0
        np.cumsum(counts, dtype=out.dtype, out=out[1 : counts.size + 1])
        return out

    def spread(self, row_start: np.ndarray, slots: int) -> np.ndarray:
        """int32 [slots]: the row of each slot, for prefix sums ``row_start`` int32 [R + 1] that end with ``slots``."""
        return np.repeat(np.arange(row_start.size - 1, dtype=np.int32), np.diff(row_start))

    def take(self, array: np.ndarray, index: np.ndarray) -> np.ndarray:
        """``array[index]``, a copy."""
        taken: np.ndarray = array[index]
        return taken

    def search(self, ascending: np.ndarray, values: Sequence[int], side: Literal["left", "right"]) -> list[int]:
        """Where each of ``values`` would go into an ascending array, by `numpy.searchsorted`."""
        return [int(np.searchsorted(ascending, value, side=side)) for value in values]

    def total(self, array: np.ndarray) -> int:
        """Sum of an array of integers, added as int64."""
        return int(array.sum(dtype=np.int64))

    def describe(self) -> dict[str, str | int]:
        """Facts for the run report: backend, why it was chosen, threads, processor."""
        return {
            "backend": self.name,
            "reason": self.reason,
            "threads": self.threads,
            "device": platform.processor() or platform.machine(),
        }
