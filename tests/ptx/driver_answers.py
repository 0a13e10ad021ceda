"""The stand-in driver's functions that are called rarely: what the device is, code that is loaded, words for failures."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

NOT_READY, INVALID_VALUE, INVALID_DEVICE, NO_BINARY, NOT_FOUND = 600, 1, 101, 209, 500
DRIVER_VERSION = 13000
# In the driver's words, where tests make it fail.
WORDS = {
    0: "no error",
    1: "invalid argument",
    2: "out of memory",
    3: "initialization error",
    46: "CUDA-capable device(s) is/are busy or unavailable",
    100: "no CUDA-capable device is detected",
    101: "invalid device ordinal",
    201: "invalid device context",
    209: "no kernel image is available for execution on the device",
    214: "uncorrectable ECC error encountered",
    400: "invalid resource handle",
    500: "named symbol not found",
    600: "device not ready",
    700: "an illegal memory access was encountered",
    702: "the launch timed out and was terminated",
    714: "hardware stack error",
    719: "unspecified launch failure",
    999: "unknown error",
}
# Attributes of a device by the number of CUdevice_attribute; all others are 0.
_ATTRIBUTES = {
    1: 1024,  # threads of a block, and of its three dimensions
    2: 1024,
    3: 1024,
    4: 64,
    5: 2**31 - 1,  # blocks of a grid
    6: 65535,
    7: 65535,
    8: 49152,  # shared memory of a block
    10: 32,  # threads of a warp
    12: 65536,  # registers of a block
    16: 132,  # multiprocessors
    41: 1,  # host and device share addresses
    115: 1,  # memory pools
}
_MAJOR, _MINOR = 75, 76


class Known:
    """What the answers are made from. ``load``: the number of an image, from its address; ``kernel``: the handle of a
    kernel, from the number of its image and its name, 0 if there is none."""

    def __init__(
        self,
        capability: tuple[int, int],
        memory_bytes: int,
        load: Callable[[int], int],
        kernel: Callable[[int, bytes], int],
    ) -> None:
        self.capability, self.memory_bytes, self.load, self.kernel = capability, memory_bytes, load, kernel
        self.kept: list[Any] = []
        self.context = self.handle(0)

    def handle(self, *words: int) -> int:
        """A handle to some words that stay."""
        made = (ctypes.c_uint64 * max(len(words), 1))(*words)
        self.kept.append(made)
        return ctypes.addressof(made)


Answer = Callable[..., int]
ANSWERS: dict[str, tuple[str, Answer]] = {}


def _answers(name: str, arguments: str) -> Callable[[Answer], Answer]:
    def add(answer: Answer) -> Answer:
        ANSWERS[name] = (arguments, answer)
        return answer

    return add


def _put(address: int, value: int, kind: Any = ctypes.c_uint64) -> int:
    kind.from_address(address).value = value
    return 0


def _put_int(address: int, value: int) -> int:
    return _put(address, value, ctypes.c_int32)


def _constant(name: str, arguments: str, *values: int) -> None:
    """A function that puts integers into what its first arguments point to."""

    def answer(known: Known, *given: int) -> int:
        for address, value in zip(given, values, strict=False):
            _put_int(address, value)
        return 0

    _answers(name, arguments)(answer)


_constant("cuInit", "i")
_constant("cuDriverGetVersion", "p", DRIVER_VERSION)
_constant("cuDeviceGetCount", "p", 1)
_constant("cuCtxGetDevice@13000", "pp", 0)
_constant("cuCtxGetFlags", "p", 0)
_constant("cuProfilerStart", "")
_constant("cuProfilerStop", "")


@_answers("cuDeviceGet", "pi")
def _device(known: Known, out: int, number: int) -> int:
    return _put_int(out, 0) if number == 0 else INVALID_DEVICE


@_answers("cuDeviceGetName", "pii")
def _name(known: Known, out: int, room: int, device: int) -> int:
    text = b"Stand-in of capability %d.%d" % known.capability
    ctypes.memmove(out, text[: room - 1] + b"\0", min(len(text) + 1, room))
    return 0


@_answers("cuDeviceGetUuid", "pi")
def _uuid(known: Known, out: int, device: int) -> int:
    ctypes.memset(out, 7, 16)
    return 0


@_answers("cuDeviceTotalMem", "pi")
def _total_memory(known: Known, out: int, device: int) -> int:
    return _put(out, known.memory_bytes)


@_answers("cuMemGetInfo", "pp")
def _memory(known: Known, free: int, total: int) -> int:
    _put(free, known.memory_bytes)
    return _put(total, known.memory_bytes)


@_answers("cuDeviceGetPCIBusId", "pii")
def _bus(known: Known, out: int, room: int, device: int) -> int:
    ctypes.memmove(out, b"0000:00:00.0\0"[:room], min(13, room))
    return 0


@_answers("cuDeviceGetAttribute", "pii")
def _attribute(known: Known, out: int, attribute: int, device: int) -> int:
    major, minor = known.capability
    return _put_int(out, {**_ATTRIBUTES, _MAJOR: major, _MINOR: minor}.get(attribute, 0))


@_answers("cuDevicePrimaryCtxRetain", "pi")
def _retain(known: Known, out: int, device: int) -> int:
    return _put(out, known.context)


@_answers("cuDevicePrimaryCtxGetState", "ipp")
def _primary_state(known: Known, device: int, flags: int, active: int) -> int:
    _put_int(flags, 0)
    return _put_int(active, 1)


@_answers("cuCtxGetApiVersion", "pp")
def _api_version(known: Known, context: int, out: int) -> int:
    return _put_int(out, DRIVER_VERSION)


@_answers("cuCtxGetId", "pp")
def _context_id(known: Known, context: int, out: int) -> int:
    return _put(out, 1)


@_answers("cuStreamGetCtx@12050", "ppp")
def _stream_context(known: Known, stream: int, context: int, green: int) -> int:
    _put(context, known.context)
    return _put(green, 0)


@_answers("cuStreamGetFlags", "pp")
@_answers("cuStreamGetPriority", "pp")
@_answers("cuStreamGetDevice", "pp")
@_answers("cuStreamIsCapturing", "pp")
def _zero(known: Known, stream: int, out: int) -> int:
    return _put_int(out, 0)


@_answers("cuEventElapsedTime", "ppp")
def _elapsed(known: Known, out: int, first: int, second: int) -> int:
    start, stop = ((ctypes.c_int64 * 2).from_address(each) for each in (first, second))
    milliseconds = 1e3 * (stop[0] - start[0]) + 1e-6 * (stop[1] - start[1])
    ctypes.c_float.from_address(out).value = milliseconds
    return 0


# --------------------------------------------------------------------------------------------------------------- code
# An image, a library and a module are handles to the number of an image; a kernel and its function are one.


@_answers("cuLibraryLoadData", "ppppippi")
def _load_library(known: Known, out: int, image: int, *options: int) -> int:
    return _put(out, known.handle(known.load(image)))


@_answers("cuModuleLoadData", "pp")
@_answers("cuModuleLoadDataEx", "ppipp")
def _load_module(known: Known, out: int, image: int, *options: int) -> int:
    return _put(out, known.handle(known.load(image)))


def _word(handle: int) -> int:
    return ctypes.c_uint64.from_address(handle).value


@_answers("cuLibraryGetKernel", "ppp")
@_answers("cuModuleGetFunction", "ppp")
def _find(known: Known, out: int, library: int, name: int) -> int:
    found = known.kernel(_word(library), ctypes.string_at(name))
    return _put(out, found) if found else NOT_FOUND


@_answers("cuLibraryGetModule", "pp")
@_answers("cuKernelGetFunction", "pp")
def _same(known: Known, out: int, handle: int) -> int:
    return _put(out, handle)


@_answers("cuLibraryGetGlobal", "pppp")
@_answers("cuModuleGetGlobal", "pppp")
def _no_variable(known: Known, *given: int) -> int:
    return NOT_FOUND


@_answers("cuKernelGetAttribute", "pipi")
@_answers("cuFuncGetAttribute", "pip")
def _kernel_attribute(known: Known, out: int, attribute: int, *kernel: int) -> int:
    return _put_int(out, 1024 if attribute == 0 else 32)  # threads that a block may have; registers and the rest


# -------------------------------------------------------------------------------------------------------------- words


@cache
def _text(result: int, name: bool) -> Any:
    from cuda.bindings.driver import CUresult

    known = {each.value: each.name for each in CUresult}
    if result not in known:
        return None
    return ctypes.create_string_buffer((known[result] if name else WORDS.get(result, known[result])).encode())


def _say(out: int, result: int, name: bool) -> int:
    text = _text(result, name)
    _put(out, ctypes.addressof(text) if text else 0)
    return 0 if text else INVALID_VALUE


@_answers("cuGetErrorName", "ip")
def _error_name(known: Known, result: int, out: int) -> int:
    return _say(out, result, True)


@_answers("cuGetErrorString", "ip")
def _error_words(known: Known, result: int, out: int) -> int:
    return _say(out, result, False)
