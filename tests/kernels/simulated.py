"""Arrays for `CudaBackend` in numba's simulator: host memory that behaves as strictly as a device's.

cupy's arrays never turn into numpy's by themselves. These do not either, so code that mixes the two fails here as it
would on a device.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class DeviceArray:
    """The few operations of cupy arrays that the pipeline uses; everything else fails."""

    __array_ufunc__ = None

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory
        self.dtype, self.shape, self.ndim = memory.dtype, memory.shape, memory.ndim
        self.size, self.nbytes = memory.size, memory.nbytes

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("implicit conversion to a numpy array")

    def __getitem__(self, index: int | slice | DeviceArray) -> DeviceArray:
        if isinstance(index, np.ndarray):
            raise TypeError("a device array is indexed by a host array")
        if isinstance(index, DeviceArray):
            index = index.memory
        return DeviceArray(np.asarray(self.memory[index]))

    def __setitem__(self, index: slice, value: int) -> None:
        self.memory[index] = value

    def __eq__(self, other: object) -> DeviceArray:  # type: ignore[override]
        if isinstance(other, np.ndarray):
            raise TypeError("a device array meets a host array")
        return DeviceArray(np.asarray(self.memory == other))

    def reshape(self, *shape: int) -> DeviceArray:
        shaped = self.memory.reshape(shape)
        if not np.shares_memory(shaped, self.memory):
            raise ValueError("cupy would copy here")
        return DeviceArray(shaped)

    def any(self) -> DeviceArray:
        return DeviceArray(np.asarray(self.memory.any()))

    def astype(self, dtype: Any) -> DeviceArray:
        return DeviceArray(self.memory.astype(dtype))

    def __bool__(self) -> bool:
        return bool(self.memory)

    def __int__(self) -> int:
        return int(self.memory)


class Functions:
    """The functions of cupy that `CudaBackend` uses, over `DeviceArray`; arrays beyond ``capacity`` bytes do not fit."""

    capacity = 1 << 40

    @classmethod
    def empty(cls, shape: Any, dtype: Any) -> DeviceArray:
        # Not zero: an output that no thread writes must show.
        return cls._fit(np.full(shape, 93, dtype))

    @classmethod
    def zeros(cls, shape: Any, dtype: Any) -> DeviceArray:
        return cls._fit(np.zeros(shape, dtype))

    @classmethod
    def arange(cls, n: int, dtype: Any) -> DeviceArray:
        return cls._fit(np.arange(n, dtype=dtype))

    @staticmethod
    def cumsum(a: DeviceArray, dtype: Any, out: DeviceArray) -> None:
        np.cumsum(a.memory, dtype=dtype, out=out.memory)

    @staticmethod
    def searchsorted(a: DeviceArray, v: DeviceArray, side: str) -> DeviceArray:
        return DeviceArray(np.searchsorted(a.memory, v.memory, side))

    @staticmethod
    def sum(a: DeviceArray, dtype: Any) -> DeviceArray:
        return DeviceArray(np.asarray(a.memory.sum(dtype=dtype)))

    @classmethod
    def _fit(cls, memory: np.ndarray) -> DeviceArray:
        if memory.nbytes > cls.capacity:
            raise MemoryError(f"{memory.nbytes} bytes")
        return DeviceArray(memory)


class _Adopted:
    """Another library's memory as numpy sees it; numpy keeps this object, and with it the owner."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.__array_interface__ = owner.__cuda_array_interface__


class SimulatedArrays:
    """`seg5b.backends.cuda.DeviceArrays` without a device."""

    functions = Functions
    stream = 0

    @contextmanager
    def work(self) -> Iterator[None]:
        yield

    def upload(self, array: np.ndarray) -> DeviceArray:
        return DeviceArray(array.copy())

    def download(self, array: DeviceArray) -> np.ndarray:
        return array.memory.copy()

    def adopt(self, owner: Any) -> DeviceArray:
        return DeviceArray(np.asarray(_Adopted(owner)))

    def launchable(self, array: Any) -> np.ndarray:
        if not isinstance(array, DeviceArray):
            raise TypeError("a launch was given an array of the host; upload it first")
        return array.memory

    def facts(self) -> dict[str, str | int]:
        return {"device": "simulator"}
