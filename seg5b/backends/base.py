"""What a backend offers: arrays, launches, and the prefix sums of the ragged expansion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike
from seg5b_kernels.registry import Kernel

Array = Any  # numpy.ndarray on the CPU, cupy.ndarray on CUDA
Mark = Any  # a moment in the order of what was asked for; nothing on the CPU
Table = TypeVar("Table", bound=tuple[Any, ...])


class Backend(Protocol):
    """One place to compute. Both backends give the same bytes (law L9); only where arrays live differs.

    ``arrivals_per_pass``: arrivals that are best made by one set of launches. ``runs_in_thread``: launches run in the thread
    that asks, so that several threads with a share each are done sooner.
    """

    name: str
    reason: str
    arrivals_per_pass: int
    runs_in_thread: bool

    def empty(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
        """An uninitialised array on the backend."""

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
        """A zeroed array on the backend."""

    def upload(self, array: np.ndarray) -> Array:
        """A host array made available to kernels, C-contiguous. The host's must not change any more."""

    def table(self, table: Table) -> Table:
        """`upload` of all arrays of a named tuple, nested or not, and `fixed`."""

    def fixed(self, table: Table) -> Table:
        """A named tuple of arrays on the backend that stay where they are, ready for many launches."""

    def download(self, array: Array) -> np.ndarray:
        """An array of kernels made available to the host."""

    def mark(self) -> Mark:
        """This moment: behind everything that was asked for so far."""

    def downloads(self, arrays: Sequence[Array], after: Mark = None) -> list[np.ndarray]:
        """`download` of several arrays, waiting once: for what was asked for before ``after``, None for now."""

    def launch(self, kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple) -> None:
        """Run ``kernel`` for items 0 .. n - 1; nothing happens for n = 0."""

    def exclusive_sum(self, counts: Array, out: Array) -> Array:
        """``out[0] = 0``, ``out[k + 1] = counts[0] + .. + counts[k]``; ``out`` has one entry more. Returns ``out``."""

    def take(self, array: Array, index: Array) -> Array:
        """``array[index]`` for one-dimensional arrays of the backend, ``index`` int32 or int64 within bounds."""

    def describe(self) -> dict[str, str | int]:
        """Facts for the run report: backend, device, threads or memory, why it was chosen."""
