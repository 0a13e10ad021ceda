"""cupy's devices, streams, events and calls of the runtime, over the stand-in driver. See `tests.ptx.cupy_standin`.

A thread has a context only once it has called the runtime, which entering ``Device`` alone does not do.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

from cuda.bindings import driver

# Where the runtime calls a failure otherwise than the driver.
_RUNTIME_NAMES = {
    1: "InvalidValue",
    2: "MemoryAllocation",
    46: "DevicesUnavailable",
    214: "ECCUncorrectable",
    702: "LaunchTimeout",
    719: "LaunchFailure",
}


class CUDARuntimeError(RuntimeError):
    """What cupy raises for a failed call of the runtime: named and worded as the runtime names and words it."""

    def __init__(self, result: Any) -> None:
        self.status = int(result)
        _, words = driver.cuGetErrorString(result)
        plain = "".join(part.capitalize() for part in result.name.removeprefix("CUDA_ERROR_").split("_"))
        super().__init__(f"cudaError{_RUNTIME_NAMES.get(self.status, plain)}: {words.decode()}")


class OutOfMemoryError(MemoryError):
    """What cupy's pool raises."""


# Who handles failures tells libraries apart by the module of the class.
CUDARuntimeError.__module__, OutOfMemoryError.__module__ = "cupy_backends.cuda.api.runtime", "cupy.cuda.memory"


_thread = threading.local()
_context: list[Any] = []


def called(result: tuple[Any, ...]) -> Any:
    """What a function of the driver gave, beside its verdict."""
    if result[0]:
        raise CUDARuntimeError(result[0])
    return result[1] if len(result) == 2 else result[1:]


def bind() -> None:
    """What the runtime does at the first call that needs a context."""
    if not getattr(_thread, "bound", False):
        if not _context:
            called(driver.cuInit(0))
            _context.append(called(driver.cuDevicePrimaryCtxRetain(0)))
        called(driver.cuCtxSetCurrent(_context[0]))
        _thread.bound = True


class Stream:
    """A stream; within ``with`` the current one of its thread."""

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        bind()
        self.ptr = 0 if null else int(called(driver.cuStreamCreate(int(non_blocking))))

    def __enter__(self) -> Stream:
        _streams().append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _streams().pop()

    def synchronize(self) -> None:
        bind()
        called(driver.cuStreamSynchronize(self.ptr))

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        called(driver.cuEventRecord(event.ptr, self.ptr))
        return event

    def wait_event(self, event: Event) -> None:
        bind()
        called(driver.cuStreamWaitEvent(self.ptr, event.ptr, 0))


def _streams() -> list[Stream]:
    if not hasattr(_thread, "streams"):
        _thread.streams = []
    found: list[Stream] = _thread.streams
    return found


def current_stream(stream: Stream | None = None) -> int:
    stream = stream or (_streams()[-1] if _streams() else None)
    return stream.ptr if stream else 0


class Event:
    """An event, destroyed with the object."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        bind()
        self.ptr = int(called(driver.cuEventCreate(block + 2 * disable_timing)))
        weakref.finalize(self, driver.cuEventDestroy, self.ptr).atexit = False

    @property
    def done(self) -> bool:
        bind()
        return called(driver.cuEventQuery(self.ptr)) == ()

    def record(self, stream: Stream | None = None) -> None:
        bind()
        called(driver.cuEventRecord(self.ptr, current_stream(stream)))

    def synchronize(self) -> None:
        bind()
        called(driver.cuEventSynchronize(self.ptr))


class Device:
    """A device, current within ``with``; there is number 0."""

    def __init__(self, device: int = 0) -> None:
        self.id = device

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        bind()  # the device of before is made current again

    def synchronize(self) -> None:
        bind()
        called(driver.cuCtxSynchronize())


class _Copies:
    """The functions of ``cupy.cuda.runtime``, and its constants."""

    memcpyHostToDevice, memcpyDeviceToHost, memcpyDeviceToDevice = 1, 2, 3  # noqa: N815 - the runtime's names
    CUDARuntimeError = CUDARuntimeError
    _KINDS = {1: "HtoD", 2: "DtoH", 3: "DtoD"}  # noqa: RUF012

    def memcpyAsync(self, to: int, source: int, size: int, kind: int, stream: int) -> None:  # noqa: N802
        bind()
        called(getattr(driver, f"cuMemcpy{self._KINDS[kind]}Async")(to, source, size, stream))

    def memcpy(self, to: int, source: int, size: int, kind: int) -> None:
        bind()
        called(getattr(driver, f"cuMemcpy{self._KINDS[kind]}")(to, source, size))

    def memsetAsync(self, to: int, value: int, size: int, stream: int) -> None:  # noqa: N802
        bind()
        called(driver.cuMemsetD8Async(to, value, size, stream))

    def getDeviceCount(self) -> int:  # noqa: N802
        return 1

    def getDevice(self) -> int:  # noqa: N802
        return 0

    def setDevice(self, device: int) -> None:  # noqa: N802
        bind()

    def deviceSynchronize(self) -> None:  # noqa: N802
        Device().synchronize()

    def streamSynchronize(self, stream: int) -> None:  # noqa: N802
        bind()
        called(driver.cuStreamSynchronize(stream))

    def driverGetVersion(self) -> int:  # noqa: N802
        return int(called(driver.cuDriverGetVersion()))

    def runtimeGetVersion(self) -> int:  # noqa: N802
        return self.driverGetVersion()

    def memGetInfo(self) -> tuple[int, int]:  # noqa: N802
        bind()
        free, total = called(driver.cuMemGetInfo())
        return int(free), int(total)

    def getDeviceProperties(self, device: int) -> dict[str, Any]:  # noqa: N802
        attribute = driver.CUdevice_attribute
        major, minor = (
            int(called(driver.cuDeviceGetAttribute(each, device)))
            for each in (
                attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            )
        )
        name = called(driver.cuDeviceGetName(64, device)).split(b"\0")[0]
        total = int(called(driver.cuDeviceTotalMem(device)))
        return {"name": name, "major": major, "minor": minor, "totalGlobalMem": total}


runtime = _Copies()
