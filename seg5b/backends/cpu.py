"""The CPU backend: compiled loops over numpy arrays, called straight by the thread that asks.

Loops release the GIL, so threads that make different parts run side by side; nothing is shared or waited for inside a part.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike
from seg5b_kernels import host
from seg5b_kernels.registry import Kernel

from seg5b.backends.base import Mark, Table


class CpuBackend:
    """Kernels run in the calling thread; `upload` and `download` copy nothing."""

    name = "cpu"
    arrivals_per_pass = 1 << 20
    runs_in_thread = True

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

    def table(self, table: Table) -> Table:
        """The named tuple, its arrays C-contiguous."""
        return type(table)(
            *(
                self.table(each)
                if isinstance(each, tuple)
                else self.upload(each)
                if isinstance(each, np.ndarray)
                else each
                for each in table
            )
        )

    def fixed(self, table: Table) -> Table:
        """The named tuple itself."""
        return table

    def download(self, array: np.ndarray) -> np.ndarray:
        """The array itself."""
        return array

    def mark(self) -> Mark:
        """Nothing: what was asked for is done."""
        return None

    def downloads(self, arrays: Sequence[np.ndarray], after: Mark = None) -> list[np.ndarray]:
        """The arrays themselves."""
        return list(arrays)

    def launch(self, kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple) -> None:
        """Run ``kernel`` for items 0 .. n - 1; nothing happens for n = 0."""
        if n:
            kernel.cpu(0, n, inputs, outputs)

    def exclusive_sum(self, counts: np.ndarray, out: np.ndarray) -> np.ndarray:
        """``out[0] = 0``, ``out[k + 1] = counts[0] + .. + counts[k]``, in the type of ``out``. Returns ``out``."""
        host.exclusive_sum(counts, out)
        return out

    def take(self, array: np.ndarray, index: np.ndarray) -> np.ndarray:
        """``array[index]``, a copy."""
        taken: np.ndarray = array[index]
        return taken

    def describe(self) -> dict[str, str | int]:
        """Facts for the run report: backend, why it was chosen, processor."""
        return {
            "backend": self.name,
            "reason": self.reason,
            "device": platform.processor() or platform.machine(),
        }
