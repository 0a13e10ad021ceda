"""CUDA launches: thread i of a grid runs the element function for item i (law L9).

The element functions are the very ones of the CPU loops; numba compiles them again for the device. This module needs
the numba-cuda package and imports without a driver: a kernel is compiled at its first launch and kept in the folder
of `seg5b_kernels._cache`. With ``NUMBA_ENABLE_CUDASIM=1`` the same launches run in numba's simulator.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any, NamedTuple

from numba import config, cuda

from seg5b_kernels import cuda_primitives  # noqa: F401 - registers them
from seg5b_kernels._cache import kept
from seg5b_kernels.registry import Kernel

# Four warps, one for each scheduler of a multiprocessor. Threads share nothing, so a block's size only sets how finely
# work is handed out. Assembled for sm_90 the kernels take 15 to 96 registers and no stack: of the 65,536 registers, the
# hungriest (counts, which hash and draw in one go) leaves room for five blocks of 128, all others for eight or more.
THREADS_PER_BLOCK = 128

# Latent groups and templates are few, on purpose; numba would warn at each launch over them.
config.CUDA_LOW_OCCUPANCY_WARNINGS = 0


def blocks_for(n: int) -> int:
    """Blocks of `THREADS_PER_BLOCK` threads that cover ``n`` items."""
    return -(-n // THREADS_PER_BLOCK)


def thread_function(kernel: Kernel) -> FunctionType:
    """The body of one thread: item i, if there is one.

    numba caches a kernel under the name and the code of its function. A closure over the element function would be
    another closure in each process, so all kernels share one code object, and each has its element as a global.
    """
    function = FunctionType(_thread.__code__, {**globals(), "element": kernel.element}, kernel.name)
    function.__qualname__ = kernel.name
    return function


def launch(kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple, stream: Any = 0) -> None:
    """Run ``kernel`` for items 0 .. n - 1 on a numba stream; returns before the device is done.

    ``inputs`` and ``outputs``: the kernel's named tuples, nested where it has tables, holding device arrays and
    numbers. Nothing happens for ``n`` = 0.
    """
    if n:
        _compiled(kernel)[blocks_for(n), THREADS_PER_BLOCK, stream](n, inputs, outputs)


element: Any  # the global that `thread_function` gives to each kernel


def _thread(n: int, inputs: Any, outputs: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        element(i, inputs, outputs)  # noqa: F821 - declared above, not assigned


@cache
def _compiled(kernel: Kernel) -> Any:
    """The launchable kernel; each combination of argument types is compiled once."""
    return kept(cuda.jit(cache=True), thread_function(kernel))
