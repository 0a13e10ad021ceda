"""What a backend offers: arrays, launches, and the two prefix operations of the ragged expansion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike
from seg5b_kernels.registry import Kernel

Array = Any  # numpy.ndarray on the CPU, cupy.ndarray on CUDA


class Backend(Protocol):
    """One place to compute. Both backends give the same bytes (law L9); only where arrays live differs."""

    name: str
    reason: str

    def empty(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
        """An uninitialised array on the backend."""

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
        """A zeroed array on the backend."""

    def upload(self, array: np.ndarray) -> Array:
        """A host array made available to kernels, C-contiguous."""

    def download(self, array: Array) -> np.ndarray:
        """An array of kernels made available to the host."""

    def launch(self, kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple) -> None:
        """Run ``kernel`` for items 0 .. n - 1; nothing happens for n = 0."""

    def exclusive_sum(self, counts: Array, out: Array) -> Array:
        """``out[0] = 0``, ``out[k + 1] = counts[0] + .. + counts[k]``; ``out`` has one entry more. Returns ``out``."""

    def spread(self, row_start: Array, slots: int) -> Array:
        """int32 [slots]: the row of each slot, for prefix sums ``row_start`` int32 [R + 1] that end with ``slots``."""

    def take(self, array: Array, index: Array) -> Array:
        """``array[index]`` for one-dimensional arrays of the backend, ``index`` int32 or int64 within bounds."""

    def search(self, ascending: Array, values: Sequence[int], side: Literal["left", "right"]) -> list[int]:
        """Where ``values`` would go into an ascending array of the backend, as `numpy.searchsorted` counts."""

    def total(self, array: Array) -> int:
        """Sum of an array of integers."""

    def describe(self) -> dict[str, str | int]:
        """Facts for the run report: backend, device, threads or memory, why it was chosen."""
