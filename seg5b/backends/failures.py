"""What CUDA's libraries raise, as typed failures that keep the driver's words (law L16).

cupy, numba-cuda, cuda.core and rmm have classes of their own for the same refusals of one driver. Common to all is the
name of the error in their message, ``CUDA_ERROR_ILLEGAL_ADDRESS`` from the driver, ``cudaErrorIllegalAddress`` from the
runtime: that is what is looked at, so none of them is imported here.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from seg5b.errors import BackendError, Seg5bError, brief

_AGAIN: Final = "run the same command again: finished parts are kept, only the others are made"
_NAME: Final = re.compile(r"\bCUDA_ERROR_([A-Z0-9_]+)|\bcudaError([A-Z][A-Za-z0-9]+)")
_OUT_OF_MEMORY: Final = frozenset({"outofmemory", "memoryallocation"})
_OF_RMM: Final = ("out_of_memory: CUDA error", "out_of_memory: RMM failure", "RMM failure")


class _Kind(NamedTuple):
    """One kind of failure: what it comes to, what to do, and the names that the driver and the runtime have for it, in
    lower case without underscores."""

    what: str
    remedy: str
    names: frozenset[str]


def _kind(what: str, remedy: str, names: str) -> _Kind:
    return _Kind(what, remedy, frozenset(names.split()))


_KINDS: Final = (
    _kind(
        "the memory of the device has an error that its correction cannot mend",
        f"reset or replace the device (`nvidia-smi -q -d ECC` counts such errors), then {_AGAIN}",
        "eccuncorrectable nvlinkuncorrectable contained",
    ),
    _kind(
        "a kernel stopped on the device",
        f"{_AGAIN}; if it stops there once more, use --backend cpu, which gives the same bytes, and report it",
        "illegaladdress misalignedaddress invalidaddressspace invalidpc illegalinstruction hardwarestackerror launchfailed "
        "launchfailure launchtimeout assert",
    ),
    _kind(
        "others have the device",
        f"end the program that holds it (exclusive mode, MPS), or take another by --device, then {_AGAIN}",
        "deviceunavailable devicesunavailable mpsconnectionfailed mpsrpcfailure mpsservernotready mpsmaxclientsreached "
        "mpsmaxconnectionsreached mpsclientterminated devicealreadyinuse",
    ),
    _kind(
        "the installed packages make no code for this device",
        "update them (pip install -U 'seg5b[cuda13]', or [cuda12] as the driver wants), or use --backend cpu",
        "launchoutofresources nobinaryforgpu nokernelimagefordevice invalidptx invalidkernelimage invalidimage "
        "unsupportedptxversion jitcompilernotfound jitcompilationdisabled invaliddevicefunction",
    ),
    _kind(
        "the driver is older than the installed packages need",
        "install 'seg5b[cuda12]' instead of [cuda13], or a newer driver; `seg5b doctor` tells what the driver runs",
        "insufficientdriver systemdrivermismatch compatnotsupportedondevice callrequiresnewerdriver stublibrary",
    ),
    _kind(
        "the device is lost",
        f"look for it with nvidia-smi and in the system's log (Xid), restart what has to be, then {_AGAIN}",
        "unknown nodevice invaliddevice devicenotlicensed systemnotready notinitialized initializationerror deinitialized "
        "cudartunloading contextisdestroyed externaldevice operatingsystem",
    ),
)


def device_failure(cause: BaseException, what: str, where: str) -> BackendError | None:
    """The failure that ``cause`` is, typed, or None where it is none of a device's or of memory: a fault of the program.

    Parameters: ``what`` was being done, such as "4 items of order_bin"; ``where``: device name and number. The codes:

    - ``5B.BACKEND.OUT_OF_MEMORY``: memory of the device, from its driver, cupy's pool or rmm; less at a time may do.
    - ``5B.BACKEND.HOST_OUT_OF_MEMORY``: any other `MemoryError`; the device has no part in it.
    - ``5B.BACKEND.DEVICE_FAILED``: a kernel that stopped, memory errors, a device that is lost or that others hold, code
      or driver that do not fit. The process cannot use the device any more.
    """
    if isinstance(cause, Seg5bError):
        return None
    words = brief(str(cause)) or type(cause).__name__
    if _is_out_of_device_memory(cause):
        return BackendError(
            "5B.BACKEND.OUT_OF_MEMORY",
            f"no device memory for {what}: {words}",
            where=where,
            remedy="compute fewer arrivals at a time (--chunk-arrivals), or free memory of the device",
        )
    if isinstance(cause, MemoryError):
        return BackendError(
            "5B.BACKEND.HOST_OUT_OF_MEMORY",
            f"no memory of the host for {what}: {words}",
            where=where,
            remedy=f"free memory, or make fewer parts side by side (--threads, --memory), then {_AGAIN}",
        )
    name = error_name(cause)
    kind = next((kind for kind in _KINDS if name in kind.names), None)
    if kind is None:
        return None
    return BackendError("5B.BACKEND.DEVICE_FAILED", f"{kind.what}: {what}: {words}", where=where, remedy=kind.remedy)


def pinned_refused(cause: BaseException) -> bool:
    """Whether the system refused pinned memory, so that pageable memory has to do: there is not as much, or it may not be
    locked. Ask only of what an allocation of pinned memory raised."""
    return isinstance(cause, MemoryError) or error_name(cause) in {*_OUT_OF_MEMORY, "notsupported", "operatingsystem"}


def error_name(cause: BaseException) -> str | None:
    """The name of CUDA's error in the message of an exception, in lower case without prefix and underscores
    (``illegaladdress``); None where there is none."""
    if isinstance(cause, OSError) or not (found := _NAME.search(str(cause))):
        return None
    return (found[1] or found[2]).replace("_", "").lower()


def _is_out_of_device_memory(cause: BaseException) -> bool:
    """cupy's pool and rmm raise a MemoryError, as the host does; the driver names it."""
    if error_name(cause) in _OUT_OF_MEMORY:
        return True
    of_cupy = type(cause).__name__ == "OutOfMemoryError"  # a class of its own, wherever cupy keeps it
    return isinstance(cause, MemoryError) and (of_cupy or any(words in str(cause) for words in _OF_RMM))
