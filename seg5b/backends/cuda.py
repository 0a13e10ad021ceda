"""The CUDA backend: the same kernels over device arrays. The only room that knows cupy.

All work goes to one stream of one device, so launches, sums and uploads happen in the order in which they are asked
for, and nothing but a download waits. Downloads run on a stream of each thread: one can fetch and encode a group of rows
while the next is computed.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import local
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike
from seg5b_kernels import cuda as kernels
from seg5b_kernels.registry import Kernel

from seg5b.backends.base import Array, Mark, Table
from seg5b.backends.failures import device_failure, pinned_refused
from seg5b.errors import brief

_log = logging.getLogger("seg5b")
# Pinned buffers come from a pool that keeps one list per size; powers of two keep the number of lists small.
_SMALLEST_PINNED_BYTES = 1 << 12


class DeviceArrays(Protocol):
    """Where arrays live, how they move, and who launches. `CupyArrays` is a device; tests bring memory of the host.

    ``functions``: a module with numpy's ``empty``, ``zeros`` and ``cumsum``.
    """

    functions: Any

    def work(self) -> AbstractContextManager[None]:
        """Make device and stream current in this thread."""

    def launch(self, kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple) -> None:
        """Run ``kernel`` over n items, behind everything that was asked for before."""

    def upload(self, array: np.ndarray) -> Array:
        """A copy of a C-contiguous host array on the device, behind everything that was asked for before; the host array is
        free again on return."""

    def mark(self) -> Mark:
        """The end of what was asked for so far."""

    def downloads(self, arrays: Sequence[Array], after: Mark) -> list[np.ndarray]:
        """Copies on the host, complete on return, of everything asked for before ``after`` (None for now); waits once."""

    def clear(self, array: Array) -> None:
        """Zeros in a C-contiguous array."""

    def adopt(self, owner: Any) -> Array:
        """An array over the device memory that ``owner`` shows by ``__cuda_array_interface__``, without a copy; it
        keeps ``owner`` alive."""

    def facts(self) -> dict[str, str | int]:
        """Device, driver and memory for the run report."""


class CudaBackend:
    """Kernels run on one CUDA device.

    ``device`` is its number; ``arrays`` replaces cupy's arrays in tests. Every operation raises `BackendError`:
    ``5B.BACKEND.OUT_OF_MEMORY`` when there is not enough memory on the device (nothing is lost, and the caller may try again
    with less), ``5B.BACKEND.HOST_OUT_OF_MEMORY``, and ``5B.BACKEND.DEVICE_FAILED`` with the driver's words.
    """

    name = "cuda"
    arrivals_per_pass = 1 << 23  # a whole part of the shipped policy: launches cost as much for a few arrivals
    runs_in_thread = False

    def __init__(self, reason: str = "requested", device: int = 0, arrays: DeviceArrays | None = None) -> None:
        self.reason, self.device = reason, device
        self._arrays = arrays or CupyArrays(device)
        self._where = (
            f"CUDA device {device}, {self._arrays.facts()['device']}"  # asked now: a lost device tells nothing
        )

    def empty(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
        """An uninitialised array in device memory."""
        with self.working(f"an array of shape {shape}"):
            return self._arrays.functions.empty(shape, dtype)

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
        """A zeroed array in device memory."""
        with self.working(f"an array of shape {shape}"):
            return self._arrays.functions.zeros(shape, dtype)

    def upload(self, array: np.ndarray) -> Array:
        """A copy of a host array in device memory; the host array is free again on return. Does not wait."""
        with self.working(f"{array.nbytes} bytes to upload"):
            return self._arrays.upload(np.ascontiguousarray(array))

    def table(self, table: Table) -> Table:
        """A copy of a named tuple, its arrays in device memory, as `fixed` makes it."""
        uploaded: Table = self._uploaded(table)
        return self.fixed(uploaded)

    def fixed(self, table: Table) -> Table:
        """A named tuple whose arrays are looked at now and not again at each launch."""
        return kernels.fixed(table)

    def download(self, array: Array) -> np.ndarray:
        """A copy on the host, complete on return; it waits for what was asked for before, not for what comes after."""
        (found,) = self.downloads([array])
        return found

    def mark(self) -> Mark:
        """The end of what was asked for so far."""
        with self.working("a mark"):
            return self._arrays.mark()

    def downloads(self, arrays: Sequence[Array], after: Mark = None) -> list[np.ndarray]:
        """Copies on the host, complete on return; one wait for all, for what was asked for before ``after``."""
        with self.working(f"{sum(array.nbytes for array in arrays)} bytes to download"):
            return self._arrays.downloads(arrays, after)

    def launch(self, kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple) -> None:
        """Run ``kernel`` for items 0 .. n - 1; returns before the device is done."""
        with self.working(f"{n} items of {kernel.name}"):
            self._arrays.launch(kernel, n, inputs, outputs)

    def exclusive_sum(self, counts: Array, out: Array) -> Array:
        """``out[0] = 0``, ``out[k + 1] = counts[0] + .. + counts[k]``, in the type of ``out``. Returns ``out``."""
        with self.working(f"sums of {counts.size} counts"):
            self._arrays.clear(out[:1])
            if counts.size:
                self._arrays.functions.cumsum(counts, dtype=out.dtype, out=out[1 : counts.size + 1])
            return out

    def take(self, array: Array, index: Array) -> Array:
        """``array[index]``, a copy."""
        with self.working(f"{index.size} elements"):
            return array[index]

    def adopt(self, owner: Any) -> Array:
        """Memory of another library as an array of this backend, see `DeviceArrays.adopt`."""
        with self.working("an array of another library"):
            return self._arrays.adopt(owner)

    def describe(self) -> dict[str, str | int]:
        """Facts for the run report: backend, why it was chosen, device, driver, memory."""
        return {"backend": self.name, "reason": self.reason, "device_number": self.device, **self._arrays.facts()}

    def _uploaded(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return type(value)(*(self._uploaded(item) for item in value))
        return self.upload(value) if isinstance(value, np.ndarray) else value

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Make device and stream current, for this backend and for other libraries that compute beside it. Raises
        `BackendError` as `device_failure` has it, for ``what`` is asked for."""
        try:
            with self._arrays.work():
                yield
        except Exception as cause:
            failure = device_failure(cause, what, self._where)
            if failure is None:
                raise
            try:
                raise failure from cause
            finally:
                del (
                    failure
                )  # or it keeps this frame, which keeps it, and with both all that its callers hold on the device


class CupyArrays:
    """Device memory through cupy's pool; pinned host memory for what moves."""

    def __init__(self, device: int) -> None:
        import cupy

        self.functions = cupy
        self._cupy, self._number = cupy, device
        self._runtime = cupy.cuda.runtime
        self._device = cupy.cuda.Device(device)
        with self._device:
            self._compute = cupy.cuda.Stream()
        self._launcher = kernels.Launcher(device, self._compute.ptr)
        self._of_thread = local()  # a stream of copies: one thread's must not wait for what another is waiting for
        self._told = False  # that memory cannot be pinned
        self._staged: deque[tuple[Any, np.ndarray]] = deque()  # what uploads still read, and when they are done

    @contextmanager
    def work(self) -> Iterator[None]:
        """See `DeviceArrays.work`. cupy asks for the device only where another one is chosen, and a launch by the driver needs
        its context in a thread that has done nothing yet."""
        with self._device, self._compute:
            self._runtime.setDevice(self._number)
            yield

    def launch(self, kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple) -> None:
        """See `DeviceArrays.launch`."""
        self._launcher.launch(kernel, n, inputs, outputs)

    def upload(self, array: np.ndarray) -> Array:
        """See `DeviceArrays.upload`: by way of pinned memory, which is given back once the copy has been taken."""
        there = self._cupy.empty(array.shape, array.dtype)
        if array.size:
            staged = self._pinned(array.shape, array.dtype)
            staged[...] = array
            kind = self._runtime.memcpyHostToDevice
            try:
                self._runtime.memcpyAsync(there.data.ptr, staged.ctypes.data, array.nbytes, kind, self._compute.ptr)
                self._staged.append((self.mark(), staged))
            except BaseException:  # nobody else may get the memory while it is read
                with suppress(Exception):
                    self._compute.synchronize()
                raise
            self._give_back()
        return there

    def _give_back(self) -> None:
        """Forget what uploads have read. Several threads may be here; each takes what it finds."""
        while self._staged:
            try:
                first = self._staged.popleft()
            except IndexError:
                return
            if not first[0].done:
                self._staged.appendleft(first)
                return

    def mark(self) -> Mark:
        """See `DeviceArrays.mark`."""
        return self._compute.record(self._cupy.cuda.Event(disable_timing=True))

    def downloads(self, arrays: Sequence[Array], after: Mark) -> list[np.ndarray]:
        """See `DeviceArrays.downloads`: into pinned memory, on the stream of copies."""
        here = [self._pinned(array.shape, array.dtype) for array in arrays]
        copies = self._copies
        copies.wait_event(after or self.mark())
        kind = self._runtime.memcpyDeviceToHost
        try:
            for array, room in zip(arrays, here, strict=True):
                if array.size:
                    self._runtime.memcpyAsync(room.ctypes.data, array.data.ptr, array.nbytes, kind, copies.ptr)
            done = copies.record(self._cupy.cuda.Event(disable_timing=True, block=True))
            done.synchronize()
        except BaseException:  # Ctrl-C too: no copy may still write to memory that another thread gets from the pool
            with suppress(Exception):
                copies.synchronize()
            raise
        return here

    @property
    def _copies(self) -> Any:
        """The stream on which this thread's downloads run."""
        if not hasattr(self._of_thread, "copies"):
            self._of_thread.copies = self._cupy.cuda.Stream(non_blocking=True)
        return self._of_thread.copies

    def clear(self, array: Array) -> None:
        """See `DeviceArrays.clear`."""
        array.data.memset_async(0, array.nbytes, self._compute)

    def adopt(self, owner: Any) -> Array:
        """See `DeviceArrays.adopt`."""
        return self._cupy.asarray(owner)

    def _pinned(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        """An uninitialised host array in pinned memory, which goes back to the pool with the array; in pageable memory, from
        which copies are slower, where the system refuses to pin."""
        size = int(np.prod(shape))
        room = max(size * dtype.itemsize, _SMALLEST_PINNED_BYTES)
        try:
            memory = self._cupy.cuda.alloc_pinned_memory(1 << (room - 1).bit_length())
        except Exception as cause:
            if not pinned_refused(cause):
                raise
            if not self._told:
                _log.warning("no pinned memory (%s): copies to and from the device are slower", brief(str(cause)))
                self._told = True
            return np.empty(shape, dtype)
        return np.frombuffer(memory, dtype, size).reshape(shape)

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
