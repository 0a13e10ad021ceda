"""The CUDA backend: the same kernels over device arrays. The only room that knows cupy.

All work goes to one stream of one device, so launches, sums and uploads happen in the order in which they are asked
for. Downloads run on a second stream: the thread that encodes can fetch one group of rows while the next is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike
from seg5b_kernels import cuda as kernels
from seg5b_kernels.registry import Kernel

from seg5b.backends.base import Array
from seg5b.errors import BackendError

# Pinned buffers come from a pool that keeps one list per size; powers of two keep the number of lists small.
_SMALLEST_PINNED_BYTES = 1 << 12


class DeviceArrays(Protocol):
    """Where arrays live and how they move. `CupyArrays` is device memory; tests in the simulator bring host memory.

    ``functions``: a module with numpy's ``empty``, ``zeros``, ``arange``, ``cumsum``, ``searchsorted`` and ``sum``.
    ``stream``: the numba stream that launches go to.
    """

    functions: Any
    stream: Any

    def work(self) -> AbstractContextManager[None]:
        """Make device and stream current in this thread."""

    def upload(self, array: np.ndarray) -> Array:
        """A copy of a C-contiguous host array on the device; the host array is free again on return."""

    def download(self, array: Array) -> np.ndarray:
        """A copy on the host, complete on return, of everything asked for before."""

    def adopt(self, owner: Any) -> Array:
        """An array over the device memory that ``owner`` shows by ``__cuda_array_interface__``, without a copy; it
        keeps ``owner`` alive."""

    def launchable(self, array: Array) -> Any:
        """The array as numba's launches take it, without a copy. Raises `TypeError` for an array of the host."""

    def facts(self) -> dict[str, str | int]:
        """Device, driver and memory for the run report."""


class CudaBackend:
    """Kernels run on one CUDA device.

    ``device`` is its number; ``arrays`` replaces cupy's arrays in tests. Every operation that needs device memory
    raises `BackendError` ``5B.BACKEND.OUT_OF_MEMORY`` when there is not enough; nothing is lost, and the caller may
    try again with less.
    """

    name = "cuda"

    def __init__(self, reason: str = "requested", device: int = 0, arrays: DeviceArrays | None = None) -> None:
        self.reason, self.device = reason, device
        self._arrays = arrays or CupyArrays(device)
        self._launching = Lock()  # threads that make parts share the stream; one launch is set up at a time

    def empty(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
        """An uninitialised array in device memory."""
        with self.working(f"an array of shape {shape}"):
            return self._arrays.functions.empty(shape, dtype)

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
        """A zeroed array in device memory."""
        with self.working(f"an array of shape {shape}"):
            return self._arrays.functions.zeros(shape, dtype)

    def upload(self, array: np.ndarray) -> Array:
        """A copy of a host array in device memory; the host array is free again on return."""
        with self.working(f"{array.nbytes} bytes to upload"):
            return self._arrays.upload(np.ascontiguousarray(array))

    def download(self, array: Array) -> np.ndarray:
        """A copy on the host, complete on return; it waits for what was asked for before, not for what comes after."""
        with self.working(f"{array.nbytes} bytes to download"):
            return self._arrays.download(array)

    def launch(self, kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple) -> None:
        """Run ``kernel`` for items 0 .. n - 1; returns before the device is done."""
        with self._launching, self.working(f"{n} items of {kernel.name}"):
            kernels.launch(kernel, n, self._launchable(inputs), self._launchable(outputs), self._arrays.stream)

    def exclusive_sum(self, counts: Array, out: Array) -> Array:
        """``out[0] = 0``, ``out[k + 1] = counts[0] + .. + counts[k]``, in the type of ``out``. Returns ``out``."""
        with self.working(f"sums of {counts.size} counts"):
            out[:1] = 0
            if counts.size:
                self._arrays.functions.cumsum(counts, dtype=out.dtype, out=out[1 : counts.size + 1])
            return out

    def spread(self, row_start: Array, slots: int) -> Array:
        """int32 [slots]: the row of each slot, for prefix sums ``row_start`` int32 [R + 1] that end with ``slots``."""
        functions = self._arrays.functions
        with self.working(f"{slots} slots"):
            every = functions.arange(slots, dtype=np.int32)
            return functions.searchsorted(row_start[1:], every, side="right").astype(np.int32)

    def take(self, array: Array, index: Array) -> Array:
        """``array[index]``, a copy."""
        with self.working(f"{index.size} elements"):
            return array[index]

    def search(self, ascending: Array, values: Sequence[int], side: Literal["left", "right"]) -> list[int]:
        """Where ``values`` would go into an ascending array, as `numpy.searchsorted` counts; waits for the device."""
        with self.working(f"a search for {len(values)} values"):
            wanted = self._arrays.upload(np.array(values, np.int64))
            found = self._arrays.functions.searchsorted(ascending, wanted, side=side)
            return [int(at) for at in self._arrays.download(found)]

    def total(self, array: Array) -> int:
        """Sum of an array of integers, added as int64; waits for the device."""
        with self.working(f"a sum of {array.size} elements"):
            return int(self._arrays.functions.sum(array, dtype=np.int64))

    def adopt(self, owner: Any) -> Array:
        """Memory of another library as an array of this backend, see `DeviceArrays.adopt`."""
        with self.working("an array of another library"):
            return self._arrays.adopt(owner)

    def describe(self) -> dict[str, str | int]:
        """Facts for the run report: backend, why it was chosen, device, driver, memory."""
        return {"backend": self.name, "reason": self.reason, "device_number": self.device, **self._arrays.facts()}

    def _launchable(self, value: Any) -> Any:
        """A named tuple with its arrays, however deep, as launches take them; numbers stay."""
        if isinstance(value, tuple):
            return type(value)(*(self._launchable(item) for item in value))
        return self._arrays.launchable(value) if hasattr(value, "dtype") and value.ndim else value

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Make device and stream current, for this backend and for other libraries that compute beside it. Raises
        `BackendError` ``5B.BACKEND.OUT_OF_MEMORY`` where device memory for ``what`` is lacking."""
        try:
            with self._arrays.work():
                yield
        except Exception as cause:
            if not _out_of_memory(cause):
                raise
            raise BackendError(
                "5B.BACKEND.OUT_OF_MEMORY",
                f"no device memory for {what}: {cause}",
                where=", ".join(f"{name} {value}" for name, value in self.describe().items()),
                remedy="compute fewer arrivals at a time (--chunk-arrivals), or free memory of the device",
            ) from cause


def _out_of_memory(cause: Exception) -> bool:
    """cupy's pool raises a MemoryError; the driver, asked by numba or for pinned memory, says it in words."""
    return isinstance(cause, MemoryError) or any(
        words in str(cause) for words in ("CUDA_ERROR_OUT_OF_MEMORY", "cudaErrorMemoryAllocation")
    )


class CupyArrays:
    """Device memory through cupy's pool; pinned host memory for downloads."""

    def __init__(self, device: int) -> None:
        import cupy
        from numba import cuda

        self.functions = cupy
        self._cupy, self._cuda, self._number = cupy, cuda, device
        self._device = cupy.cuda.Device(device)
        with self._device:
            self._compute = cupy.cuda.Stream()
            self._copies = cupy.cuda.Stream(non_blocking=True)
        with cuda.gpus[device]:
            self.stream = cuda.external_stream(self._compute.ptr)

    @contextmanager
    def work(self) -> Iterator[None]:
        """See `DeviceArrays.work`: numba's context and cupy's are made current together."""
        with ExitStack() as stack:
            for each in (self._device, self._compute, self._cuda.gpus[self._number]):
                stack.enter_context(each)
            yield

    def upload(self, array: np.ndarray) -> Array:
        """See `DeviceArrays.upload`."""
        there = self._cupy.empty(array.shape, array.dtype)
        if array.size:
            there.set(array)
            # Where a device can read the host's memory itself, the copy has not been taken when `set` returns.
            self._compute.synchronize()
        return there

    def download(self, array: Array) -> np.ndarray:
        """See `DeviceArrays.download`: into pinned memory, on the stream of copies."""
        here = self._pinned(array.shape, array.dtype)
        if array.size:
            asked = self._compute.record(self._cupy.cuda.Event(disable_timing=True))
            self._copies.wait_event(asked)
            array.get(stream=self._copies, out=here)
            self._copies.synchronize()
        return here

    def adopt(self, owner: Any) -> Array:
        """See `DeviceArrays.adopt`."""
        return self._cupy.asarray(owner)

    def _pinned(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        """An uninitialised host array in pinned memory, which goes back to the pool with the array."""
        size = int(np.prod(shape))
        room = max(size * dtype.itemsize, _SMALLEST_PINNED_BYTES)
        memory = self._cupy.cuda.alloc_pinned_memory(1 << (room - 1).bit_length())
        return np.frombuffer(memory, dtype, size).reshape(shape)

    def launchable(self, array: Array) -> Any:
        """See `DeviceArrays.launchable`. Raises `TypeError` for an array of the host."""
        if isinstance(array, np.ndarray):
            raise TypeError("a launch was given an array of the host; upload it first")
        # Without cupy's stream in the description: numba would wait for it once per array, and all is in order anyway.
        description = {**array.__cuda_array_interface__, "stream": None}
        return self._cuda.from_cuda_array_interface(description, owner=array, sync=False)

    def facts(self) -> dict[str, str | int]:
        """See `DeviceArrays.facts`; ``memory_pool_bytes`` only where cupy's own pool holds the memory."""
        runtime, pool = self._cupy.cuda.runtime, self._cupy.get_default_memory_pool()
        properties = runtime.getDeviceProperties(self._number)
        driver = runtime.driverGetVersion()
        facts: dict[str, str | int] = {
            "device": properties["name"].decode(),
            "compute_capability": f"{properties['major']}.{properties['minor']}",
            "driver": f"{driver // 1000}.{driver % 1000 // 10}",
            "memory_bytes": int(properties["totalGlobalMem"]),
        }
        # cudf moves cupy's allocations to rmm; the pool of cupy then knows nothing of what is in use.
        if self._cupy.cuda.get_allocator() == pool.malloc:
            with self._device:
                facts["memory_pool_bytes"] = int(pool.total_bytes())
        return facts
