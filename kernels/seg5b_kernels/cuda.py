"""CUDA launches: thread i of a grid runs the element function for item i (law L9).

The element functions are the very ones of the CPU loops; numba compiles them again for the device. This module needs
the numba-cuda package and imports without a driver: a kernel is compiled at its first launch and kept in the folder
of `seg5b_kernels._cache`. Only compiling is numba's; a launch hands the driver one flat list of words, because numba's own
launches look at every array of a named tuple in Python again, milliseconds for the largest kernel.
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from threading import Lock
from types import FunctionType
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import config, cuda, types
from numba.np.numpy_support import from_dtype

from seg5b_kernels import cuda_primitives  # noqa: F401 - registers them
from seg5b_kernels._cache import kept
from seg5b_kernels.registry import Kernel

# Four warps, one for each scheduler of a multiprocessor. Threads share nothing, so a block's size only sets how finely
# work is handed out. Assembled for sm_90 the kernels take 15 to 96 registers and no stack: of the 65,536 registers, the
# hungriest (counts, which hash and draw in one go) leaves room for five blocks of 128, all others for eight or more.
THREADS_PER_BLOCK = 128

# Latent groups and templates are few, on purpose; numba would warn at each launch over them.
config.CUDA_LOW_OCCUPANCY_WARNINGS = 0

_Tuple = TypeVar("_Tuple", bound=tuple[Any, ...])


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


element: Any  # the global that `thread_function` gives to each kernel


def _thread(n: int, inputs: Any, outputs: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        element(i, inputs, outputs)  # noqa: F821 - declared above, not assigned


# ------------------------------------------------------------------------------------------------ arguments


class Words(NamedTuple):
    """A named tuple as a launch passes it: ``values``, each parameter as one signed 64-bit word, and ``kinds``, from which
    its type follows: the class of each tuple, and for each array its dtype's letter and number of dimensions."""

    values: tuple[int, ...]
    kinds: tuple[Any, ...]


def words_of(value: tuple[Any, ...]) -> Words:
    """A named tuple, nested or not, of device arrays (dtype, shape, strides, ``data.ptr`` as cupy has them), integers and
    floats. Raises `TypeError` for an array of the host or one that is not C-contiguous."""
    known: Words | None = getattr(value, "launch_words", None)
    if known is not None:
        return known
    values: list[int] = []
    kinds: list[Any] = [type(value)]
    for item in value:
        if isinstance(item, tuple):
            inner = words_of(item)
            values += inner.values
            kinds += inner.kinds
        elif isinstance(item, float):
            values.append(_BITS.unpack(_FLOAT.pack(item))[0])
            kinds.append(float)
        elif isinstance(item, int | np.integer):
            values.append(int(item))
            kinds.append(int)
        else:
            _add_array(item, values, kinds)
    kinds.append(None)  # the tuple's end
    return Words(tuple(values), tuple(kinds))


_BITS, _FLOAT = struct.Struct("<q"), struct.Struct("<d")


def _add_array(array: Any, values: list[int], kinds: list[Any]) -> None:
    """An array as compiled code takes it: no owner, size, size of an item, address, shape, strides."""
    shape, strides, itemsize = array.shape, array.strides, array.itemsize
    pointer = getattr(array.data, "ptr", None)
    if pointer is None:
        raise TypeError("a launch was given an array of the host; upload it first")
    size = array.size
    if size and (strides[-1] != itemsize or (len(shape) == 2 and strides[0] != shape[1] * itemsize)):
        raise TypeError(f"a launch was given an array that is not C-contiguous: shape {shape}, strides {strides}")
    values += (0, 0, size, itemsize, pointer if size else 0, *shape, *strides)
    kinds.append(array.dtype.char)
    kinds.append(len(shape))


def fixed(value: _Tuple) -> _Tuple:
    """The same named tuple, whose words are made once: for arrays that stay where they are, however often they are used."""
    plain = type(value)
    kind = type(plain.__name__, (plain,), {"plain": plain})
    found: Any = kind(*(fixed(item) if isinstance(item, tuple) else item for item in value))
    found.launch_words = words_of(plain(*found))
    return cast(_Tuple, found)


def _type_of(plain: Any, kinds: Any) -> Any:
    """numba's type of a tuple of class ``plain``, from an iterator over the kinds behind it, as far as the tuple's end."""
    members: list[Any] = []
    for kind in kinds:
        if kind is None:
            return types.BaseTuple.from_types(members, plain)
        if kind is int or kind is float:
            members.append(types.int64 if kind is int else types.float64)
        elif isinstance(kind, type):
            members.append(_type_of(kind, kinds))
        else:
            members.append(types.Array(from_dtype(np.dtype(kind)), next(kinds), "C"))
    raise AssertionError("a tuple has an end")


# ------------------------------------------------------------------------------------------------ launches


@dataclass(frozen=True, slots=True)
class _Code:
    """A kernel on a device: its handle, and room for its parameters (words, and the address of each)."""

    handle: int
    owner: Any
    words: Any
    addresses: Any


class Launcher:
    """Compiles and launches kernels on device number ``device``, on the stream with the driver's handle ``stream``.

    A kernel is compiled once for each combination of argument types; the device's primary context must be current where a
    launch is asked for. Several threads may launch; one launch is set up at a time.
    """

    def __init__(self, device: int, stream: int) -> None:
        from cuda.bindings import driver

        self._device, self._stream, self._driver = device, stream, driver
        self._codes: dict[tuple[Any, ...], _Code] = {}
        self._lock = Lock()

    def launch(self, kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple) -> None:
        """Run ``kernel`` for items 0 .. n - 1; returns before the device is done. ``inputs`` and ``outputs``: the kernel's
        named tuples, as of `words_of`. Nothing happens for ``n`` = 0. Raises `RuntimeError` with the driver's words."""
        if not n:
            return
        given, taken = words_of(inputs), words_of(outputs)
        with self._lock:
            code = self._compiled(kernel, given, taken)
            code.words[:] = (n, *given.values, *taken.values)
            (result,) = self._driver.cuLaunchKernel(
                code.handle,
                *(blocks_for(n), 1, 1),
                *(THREADS_PER_BLOCK, 1, 1),
                0,
                self._stream,
                ctypes.addressof(code.addresses),
                0,
            )
        if result:
            raise RuntimeError(f"{kernel.name} was not launched: {result.name}")

    def _compiled(self, kernel: Kernel, inputs: Words, outputs: Words) -> _Code:
        """The kernel for arguments of these kinds, for who holds the lock: its room for words is shared."""
        key = (kernel.name, inputs.kinds, outputs.kinds)
        code = self._codes.get(key)
        if code is None:
            count = 1 + len(inputs.values) + len(outputs.values)
            code = self._codes[key] = self._code(kernel, inputs, outputs, count)
        return code

    def _code(self, kernel: Kernel, inputs: Words, outputs: Words, count: int) -> _Code:
        given, taken = iter(inputs.kinds), iter(outputs.kinds)
        signature = (types.int64, _type_of(next(given), given), _type_of(next(taken), taken))
        with cuda.gpus[self._device]:
            made = kept(cuda.jit(cache=True), thread_function(kernel)).compile(signature)
            function = made._codelibrary.get_cufunc()
        words = (ctypes.c_int64 * count)()
        start = ctypes.addressof(words)
        addresses = (ctypes.c_void_p * count)(*range(start, start + 8 * count, 8))
        return _Code(int(function.handle), (made, function), words, addresses)
