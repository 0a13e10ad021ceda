"""cupy as far as the CUDA backend uses it, over the stand-in driver: arrays of device memory, and the module ``cupy``.

Computing on arrays is numpy's, over the same memory, and counted as ``Module.computed``; everything that moves or waits is
a call of the driver, as cupy's own. Arrays never turn into numpy's by themselves, and mixing the two fails, as it
does in cupy.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

import numpy as np
from cuda.bindings import driver

from tests.ptx.cupy_runtime import Device, Event, OutOfMemoryError, Stream, bind, called, current_stream, runtime


class Memory:
    """Device memory, freed with the object."""

    def __init__(self, size: int) -> None:
        bind()
        self.size = size
        result, address = driver.cuMemAlloc(max(size, 1))
        if result == driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes.")
        self.ptr = int(called((result, address)))
        weakref.finalize(self, driver.cuMemFree, self.ptr).atexit = False


class MemoryPointer:
    """A place in memory; ``memory`` is what has to live."""

    def __init__(self, memory: Any, ptr: int) -> None:
        self.memory, self.ptr = memory, ptr

    def memset_async(self, value: int, size: int, stream: Stream | None = None) -> None:
        runtime.memsetAsync(self.ptr, value, size, current_stream(stream))

    def copy_from_host_async(self, memory: int, size: int, stream: Stream | None = None) -> None:
        runtime.memcpyAsync(self.ptr, memory, size, 1, current_stream(stream))


def alloc_pinned_memory(size: int) -> Any:
    """Memory of the host that shows itself as a buffer, freed with the object."""
    bind()
    address = int(called(driver.cuMemHostAlloc(size, 0)))
    kind = type("Pinned", (ctypes.c_char * size,), {"ptr": address})
    memory: Any = kind.from_address(address)  # type: ignore[attr-defined]
    weakref.finalize(memory, driver.cuMemFreeHost, address).atexit = False
    return memory


class Array:
    """A device array. What computes goes by numpy, over the same memory."""

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]
    __iter__ = None

    def __init__(self, view: np.ndarray, memory: Any, ptr: int) -> None:
        self.view, self.data = view, MemoryPointer(memory, ptr)
        self.dtype, self.shape, self.ndim, self.strides = view.dtype, view.shape, view.ndim, view.strides
        self.size, self.nbytes, self.itemsize = view.size, view.nbytes, view.itemsize

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("implicit conversion to a numpy array")

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "descr": self.dtype.descr,
            "stream": current_stream() or 1,
            "version": 3,
            "strides": None if self.view.flags.c_contiguous else self.strides,
            "data": (self.data.ptr if self.size else 0, False),
        }

    def _part(self, view: np.ndarray) -> Array:
        offset = view.ctypes.data - self.view.ctypes.data if view.size else 0
        return Array(view, self.data.memory, self.data.ptr + offset)

    def set(self, array: np.ndarray, stream: Stream | None = None) -> None:
        if array.shape != self.shape or array.dtype != self.dtype or not array.flags.c_contiguous:
            raise ValueError("cupy would refuse or copy here")
        runtime.memcpyAsync(self.data.ptr, array.ctypes.data, self.nbytes, 1, current_stream(stream))

    def get(self, stream: Stream | None = None, out: np.ndarray | None = None, blocking: bool = True) -> np.ndarray:
        found = np.empty(self.shape, self.dtype) if out is None else out
        whole = self if self.view.flags.c_contiguous else _filled(self.view)
        if self.size:
            runtime.memcpyAsync(found.ctypes.data, whole.data.ptr, self.nbytes, 2, current_stream(stream))
        if blocking:
            runtime.streamSynchronize(current_stream(stream))
        return found

    def __getitem__(self, index: int | slice | Array) -> Array:
        if isinstance(index, Array):
            return _filled(np.take(self.view, index.view))  # out of bounds is an error here, not in cupy
        if not isinstance(index, int | slice):
            raise TypeError(f"a device array indexed by {type(index).__name__}")
        return self._part(np.asarray(self.view[index]))

    def __setitem__(self, index: slice, value: int) -> None:
        if not isinstance(index, slice) or not isinstance(value, int):
            raise TypeError(f"{type(value).__name__} written into a device array")
        module.computed += 1
        self.view[index] = value

    def __eq__(self, other: object) -> Array:  # type: ignore[override]
        if not isinstance(other, Array | np.generic | int | float):
            raise TypeError(f"a device array meets {type(other).__name__}")
        return _filled(np.asarray(self.view == (other.view if isinstance(other, Array) else other)))

    def any(self) -> Array:
        return _filled(np.asarray(self.view.any()))

    def reshape(self, *shape: int) -> Array:
        shaped = self.view.reshape(shape)
        if not np.shares_memory(shaped, self.view) and self.size:
            raise ValueError("cupy would copy here")
        return self._part(shaped)

    def astype(self, dtype: Any) -> Array:
        return _filled(self.view.astype(dtype))

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())


def _view(address: int, shape: Any, dtype: Any) -> np.ndarray:
    dtype = np.dtype(dtype)
    size = int(np.prod(shape))
    memory = (ctypes.c_char * max(size * dtype.itemsize, 1)).from_address(address)
    return np.frombuffer(memory, dtype, size).reshape(shape)


def empty(shape: Any, dtype: Any) -> Array:
    """Uninitialised, with junk in it."""
    memory = Memory(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return Array(_view(memory.ptr, shape, dtype), memory, memory.ptr)


def zeros(shape: Any, dtype: Any) -> Array:
    """Zeroed on the current stream."""
    made = empty(shape, dtype)
    made.data.memset_async(0, made.nbytes)
    return made


def _filled(values: np.ndarray) -> Array:
    """The result of a computation on the device."""
    made = empty(values.shape, values.dtype)
    made.view[...] = values
    module.computed += 1
    return made


def asarray(owner: Any) -> Array:
    """Memory of another library, without a copy."""
    if isinstance(owner, Array):
        return owner
    shown = owner.__cuda_array_interface__
    address = shown["data"][0]
    view = _view(address, shown["shape"], shown["typestr"]) if address else np.empty(shown["shape"], shown["typestr"])
    return Array(view, owner, address)


def arange(n: int, dtype: Any) -> Array:
    return _filled(np.arange(n, dtype=dtype))


def cumsum(a: Array, dtype: Any, out: Array) -> None:
    module.computed += 1
    np.cumsum(a.view, dtype=dtype, out=out.view)


def searchsorted(a: Array, v: Array, side: Literal["left", "right"]) -> Array:
    return _filled(np.searchsorted(a.view, v.view, side))


def sum_(a: Array, dtype: Any) -> Array:
    return _filled(np.asarray(a.view.sum(dtype=dtype)))


class Module(ModuleType):
    """The module ``cupy``. ``computed``: how many operations of cupy would have launched something."""

    computed = 0


def _module() -> Module:
    made = Module("cupy")
    pool = SimpleNamespace(malloc=Memory, total_bytes=lambda: 0, used_bytes=lambda: 0, free_all_blocks=lambda: None)
    made.__dict__.update(
        ndarray=Array,
        empty=empty,
        zeros=zeros,
        asarray=asarray,
        arange=arange,
        cumsum=cumsum,
        searchsorted=searchsorted,
        sum=sum_,
        get_default_memory_pool=lambda: pool,
        cuda=SimpleNamespace(
            Device=Device,
            Stream=Stream,
            Event=Event,
            alloc_pinned_memory=alloc_pinned_memory,
            get_allocator=lambda: pool.malloc,
            runtime=runtime,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        ),
    )
    return made


module = _module()


@contextmanager
def installed() -> Iterator[Module]:
    """Within the block, ``import cupy`` gives this."""
    before = sys.modules.get("cupy")
    sys.modules["cupy"] = module
    try:
        yield module
    finally:
        del sys.modules["cupy"]
        if before is not None:
            sys.modules["cupy"] = before
