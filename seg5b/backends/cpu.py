"""The CPU backend: compiled loops over numpy arrays, called straight by the thread that asks.

Loops release the GIL, so threads that make different parts run side by side; nothing is shared or waited for inside a part.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike
from seg5b_kernels import host
from seg5b_kernels.registry import Kernel


class CpuBackend:
    """Kernels run in the calling thread; `upload` and `download` copy nothing."""

    name = "cpu"

    def __init__(self, reason: str = "requested") -> None:
        self.reason = reason

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
        """Run ``kernel`` for items 0 .. n - 1; nothing happens for n = 0."""
        if n:
            kernel.cpu(0, n, inputs, outputs)

    def exclusive_sum(self, counts: np.ndarray, out: np.ndarray) -> np.ndarray:
        """``out[0] = 0``, ``out[k + 1] = counts[0] + .. + counts[k]``, in the type of ``out``. Returns ``out``."""
        host.exclusive_sum(counts, out)
        return out

    def spread(self, row_start: np.ndarray, slots: int) -> np.ndarray:
        """int32 [slots]: the row of each slot, for prefix sums ``row_start`` int32 [R + 1] that end with ``slots``."""
        rows = np.empty(slots, np.int32)
        host.spread(row_start, rows)
        return rows

    def take(self, array: np.ndarray, index: np.ndarray) -> np.ndarray:
        """``array[index]``, a copy."""
        taken: np.ndarray = array[index]
        return taken

    def search(self, ascending: np.ndarray, values: Sequence[int], side: Literal["left", "right"]) -> list[int]:
        """Where each of ``values`` would go into an ascending array, by `numpy.searchsorted`."""
        return [int(np.searchsorted(ascending, value, side=side)) for value in values]

    def total(self, array: np.ndarray) -> int:
        """Sum of an array of integers, added as int64."""
        return int(host.total(array))

    def describe(self) -> dict[str, str | int]:
        """Facts for the run report: backend, why it was chosen, processor."""
        return {
            "backend": self.name,
            "reason": self.reason,
            "device": platform.processor() or platform.machine(),
        }
