"""What the NVIDIA driver tells of itself and its devices, asked from its own library.

Needs no CUDA package, so it answers where those are missing or broken, and makes no context, so it takes no memory of
any device.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Final, NamedTuple

_MAJOR: Final = 75  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
_MINOR: Final = 76
_NAME_BYTES: Final = 256


class DriverRefusal(Exception):  # noqa: N818 - the refusal of another
    """The driver answered with an error, in its words; or it lacks a function that it should have."""


class Device(NamedTuple):
    """One device as the driver shows it, in the order of ``CUDA_VISIBLE_DEVICES``; ``name`` says so for a MIG instance."""

    number: int
    name: str
    compute_capability: str
    memory_bytes: int


def library() -> Any:
    """The driver's library. Raises `OSError` where there is none."""
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def version() -> tuple[int, int]:
    """The newest CUDA that the driver runs, such as (12, 4). Raises `DriverRefusal`."""
    found = _integer("cuDriverGetVersion")
    return found // 1000, found % 1000 // 10


def devices() -> list[Device]:
    """All that this process may use. Raises `DriverRefusal`, also where there is none: CUDA_ERROR_NO_DEVICE."""
    _ask("cuInit", 0)
    return [_device(number) for number in range(_integer("cuDeviceGetCount"))]


def _device(number: int) -> Device:
    handle, name, size = ctypes.c_int(), ctypes.create_string_buffer(_NAME_BYTES), ctypes.c_size_t()
    _ask("cuDeviceGet", ctypes.byref(handle), number)
    _ask("cuDeviceGetName", name, _NAME_BYTES, handle)
    _ask("cuDeviceTotalMem_v2", ctypes.byref(size), handle)
    major, minor = (_integer("cuDeviceGetAttribute", attribute, handle) for attribute in (_MAJOR, _MINOR))
    return Device(number, name.value.decode(errors="replace"), f"{major}.{minor}", size.value)


def _integer(function: str, *arguments: Any) -> int:
    """What a function of the driver writes to its first argument."""
    answer = ctypes.c_int()
    _ask(function, ctypes.byref(answer), *arguments)
    return answer.value


def _ask(function: str, *arguments: Any) -> None:
    try:
        there = library()
        status = getattr(there, function)(*arguments)
    except (OSError, AttributeError) as cause:
        raise DriverRefusal(f"{function}: {cause}") from cause
    if status:
        raise DriverRefusal(f"{function}: {_words(there, status)}")


def _words(there: Any, status: int) -> str:
    """Name and explanation of an error, as the driver gives them."""
    told = []
    for function in ("cuGetErrorName", "cuGetErrorString"):
        text = ctypes.c_char_p()
        if getattr(there, function)(status, ctypes.byref(text)) == 0 and text.value:
            told.append(text.value.decode(errors="replace"))
    return ": ".join(told) or f"error {status}"
