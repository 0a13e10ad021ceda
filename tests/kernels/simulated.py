"""Arrays for `CudaBackend` without a device: host memory that behaves as strictly as a device's.

cupy's arrays never turn into numpy's by themselves, and neither do these, so code that mixes the two fails here as it
would on a device. Memory is counted as a device's is: everything alive at the same time has to fit together.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from seg5b_kernels.registry import Kernel

PLENTY = 1 << 40
OutOfMemoryError = type("OutOfMemoryError", (MemoryError,), {"__module__": "cupy.cuda.memory"})
"""What cupy's pool raises, by the name that tells it from the host's."""
# What nobody wrote must show: neither zero nor a value that a kernel would leave.
UNWRITTEN = 93


class Address(NamedTuple):
    """Where memory begins, as cupy tells it."""

    ptr: int


class DeviceArray:
    """The few operations of cupy arrays that the pipeline uses; everything else fails."""

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]
    __iter__ = None

    def __init__(self, memory: np.ndarray, owner: Functions | None = None) -> None:
        self.memory, self.owner = memory, owner or Functions()
        self.dtype, self.shape, self.ndim = memory.dtype, memory.shape, memory.ndim
        self.size, self.nbytes, self.itemsize, self.strides = (
            memory.size,
            memory.nbytes,
            memory.itemsize,
            memory.strides,
        )
        self.data = Address(memory.ctypes.data)

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("implicit conversion to a numpy array")

    def __getitem__(self, index: int | slice | DeviceArray) -> DeviceArray:
        if isinstance(index, DeviceArray):
            return self.owner.own(np.take(self.memory, index.memory))  # out of bounds is an error here, not in cupy
        if not isinstance(index, int | slice):
            raise TypeError(f"a device array indexed by {type(index).__name__}")
        return DeviceArray(np.asarray(self.memory[index]), self.owner)

    def __eq__(self, other: object) -> DeviceArray:  # type: ignore[override]
        if not isinstance(other, DeviceArray | np.generic | int | float):
            raise TypeError(f"a device array meets {type(other).__name__}")
        theirs = other.memory if isinstance(other, DeviceArray) else other
        return self.owner.own(np.asarray(self.memory == theirs))

    def any(self) -> DeviceArray:
        return self.owner.own(np.asarray(self.memory.any()))

    def reshape(self, *shape: int) -> DeviceArray:
        shaped = self.memory.reshape(shape)
        if not np.shares_memory(shaped, self.memory):
            raise ValueError("cupy would copy here")
        return DeviceArray(shaped, self.owner)

    def astype(self, dtype: Any) -> DeviceArray:
        return self.owner.own(self.memory.astype(dtype))

    def __bool__(self) -> bool:
        return bool(self.memory)

    def __int__(self) -> int:
        return int(self.memory)


def on_host(value: Any) -> Any:
    """A named tuple, nested or not, with the memory of its device arrays."""
    if isinstance(value, tuple):
        return getattr(value, "plain", type(value))(*map(on_host, value))
    return value.memory if isinstance(value, DeviceArray) else value


Run = Callable[[Kernel, int, Any, Any], None]
_SIMULATING = threading.Lock()  # the simulator knows one launch at a time


def simulate(kernel: Kernel, n: int, inputs: Any, outputs: Any) -> None:
    """A launch in numba's simulator, which the environment has to choose."""
    from numba import cuda
    from seg5b_kernels.cuda import THREADS_PER_BLOCK, blocks_for, thread_function

    with _SIMULATING:
        cuda.jit(thread_function(kernel))[blocks_for(n), THREADS_PER_BLOCK](n, inputs, outputs)


def by_cpu(kernel: Kernel, n: int, inputs: Any, outputs: Any) -> None:
    """A launch by the CPU's loop."""
    kernel.cpu(0, n, inputs, outputs)


class Functions:
    """The functions of cupy that `CudaBackend` uses, over `DeviceArray`.

    ``used``: bytes of all arrays alive, views not counted again; ``peak``: the most there were at a time; an array
    with which there would be more than ``capacity`` is refused as cupy's pool refuses it.
    """

    def __init__(self, capacity: int = PLENTY) -> None:
        self.capacity = capacity
        self.used = self.peak = 0
        self._lock = threading.Lock()

    def empty(self, shape: Any, dtype: Any) -> DeviceArray:
        return self.own(np.full(shape, UNWRITTEN, dtype))

    def zeros(self, shape: Any, dtype: Any) -> DeviceArray:
        return self.own(np.zeros(shape, dtype))

    def cumsum(self, a: DeviceArray, dtype: Any, out: DeviceArray) -> None:
        np.cumsum(a.memory, dtype=dtype, out=out.memory)

    def own(self, memory: np.ndarray) -> DeviceArray:
        """A fresh array, counted until its memory is freed."""
        with self._lock:
            if self.used + memory.nbytes > self.capacity:
                raise OutOfMemoryError(f"{memory.nbytes} bytes beside {self.used} in use")
            self.used += memory.nbytes
            self.peak = max(self.peak, self.used)
        weakref.finalize(memory, self._free, memory.nbytes).atexit = False
        return DeviceArray(memory, self)

    def _free(self, nbytes: int) -> None:
        with self._lock:
            self.used -= nbytes


class _Adopted:
    """Another library's memory as numpy sees it; numpy keeps this object, and with it the owner."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.__array_interface__ = owner.__cuda_array_interface__


class SimulatedArrays:
    """`seg5b.backends.cuda.DeviceArrays` without a device, its memory limited to ``capacity`` bytes.

    ``run``: what a launch does with arrays of the host; None for numba's simulator. ``waits``: how often the host waited for
    what was launched; ``launches``, ``fetched_bytes``: launches, and bytes copied to the host.
    """

    def __init__(self, capacity: int = PLENTY, run: Run | None = None) -> None:
        self.functions = Functions(capacity)
        self.run = run or simulate
        self.waits = self.launches = self.fetched_bytes = 0

    @contextmanager
    def work(self) -> Iterator[None]:
        yield

    def upload(self, array: np.ndarray) -> DeviceArray:
        if not isinstance(array, np.ndarray):
            raise TypeError(f"an upload of {type(array).__name__}")
        return self.functions.own(array.copy())

    def mark(self) -> None:
        return None

    def downloads(self, arrays: Sequence[DeviceArray], after: None) -> list[np.ndarray]:
        for array in arrays:
            if not isinstance(array, DeviceArray):
                raise TypeError("a download was given an array of the host")
            if not array.memory.flags.c_contiguous:
                raise TypeError("a download was given an array that is not C-contiguous")
        self.waits += 1
        self.fetched_bytes += sum(array.nbytes for array in arrays)
        return [array.memory.copy() for array in arrays]

    def clear(self, array: DeviceArray) -> None:
        array.memory[...] = 0

    def adopt(self, owner: Any) -> DeviceArray:
        return DeviceArray(np.asarray(_Adopted(owner)), self.functions)  # not counted: it is the other library's

    def launch(self, kernel: Kernel, n: int, inputs: Any, outputs: Any) -> None:
        from seg5b_kernels.cuda import words_of

        words_of(inputs), words_of(outputs)  # as strict as a launch on a device
        self.launches += 1
        if n:
            self.run(kernel, n, on_host(inputs), on_host(outputs))

    def facts(self) -> dict[str, str | int]:
        return {"device": "simulator", "memory_pool_bytes": self.functions.peak}
