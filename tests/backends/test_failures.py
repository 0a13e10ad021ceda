"""What CUDA's libraries raise becomes a typed failure, each kind in its words (law L16)."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from seg5b.backends.failures import device_failure, pinned_refused
from seg5b.errors import NO_VERDICT, BackendError

WHERE = "device H200, number 0"


def numba_error(code: int, name: str) -> Exception:
    pytest.importorskip("numba_cuda", reason="its class of errors is the one that is looked at")
    from numba.cuda.cudadrv.driver import CudaAPIError

    failure: Exception = CudaAPIError(code, f"Call to cuStreamSynchronize results in {name}")
    return failure


def core_error(code: int, name: str) -> Exception:
    utils = pytest.importorskip("cuda.core._utils.cuda_utils", reason="cuda.core comes with numba-cuda")
    failure: Exception = utils.CUDAError(f"{name}: the driver's explanation")
    return failure


def cupy_error(code: int, name: str) -> Exception:
    if importlib.util.find_spec("cupy") is not None:
        import cupy.cuda

        failure: Exception = cupy.cuda.runtime.CUDARuntimeError(code)
        return failure
    looks_like = type("CUDARuntimeError", (RuntimeError,), {"__module__": "cupy_backends.cuda.api.runtime"})
    return looks_like(f"{of_runtime(name)}: words of the runtime")


def empty_pool_of_cupy() -> Exception:
    if importlib.util.find_spec("cupy") is not None:
        import cupy.cuda

        failure: Exception = cupy.cuda.memory.OutOfMemoryError(1024, 2048, 0)
        return failure
    looks_like = type("OutOfMemoryError", (MemoryError,), {"__module__": "cupy.cuda.memory"})
    return looks_like("Out of memory allocating 1,024 bytes (allocated so far: 2,048 bytes).")


def of_runtime(name: str) -> str:
    """The runtime's name for a driver's error, near enough."""
    return "cudaError" + "".join(word.capitalize() for word in name.removeprefix("CUDA_ERROR_").split("_"))


def cudf_error(code: int, name: str) -> Exception:
    return RuntimeError(f"CUDA error at: utilities.cpp:12: {code} {of_runtime(name)} words of the runtime")


RAISED_BY = {"numba": numba_error, "cuda.core": core_error, "cupy": cupy_error, "cudf": cudf_error}
FAILED = [
    (700, "CUDA_ERROR_ILLEGAL_ADDRESS", "a kernel stopped on the device", "--backend cpu"),
    (719, "CUDA_ERROR_LAUNCH_FAILED", "a kernel stopped", "run the same command again: finished parts are kept"),
    (714, "CUDA_ERROR_HARDWARE_STACK_ERROR", "a kernel stopped", "run the same command again"),
    (214, "CUDA_ERROR_ECC_UNCORRECTABLE", "correction cannot mend", "ECC"),
    (46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "others have the device", "exclusive mode"),
    (805, "CUDA_ERROR_MPS_CONNECTION_FAILED", "others have the device", "MPS"),
    (209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "make no code for this device", "update them"),
    (999, "CUDA_ERROR_UNKNOWN", "the device is lost", "finished parts are kept"),
    (100, "CUDA_ERROR_NO_DEVICE", "the device is lost", "Xid"),
]


@pytest.mark.parametrize("library", RAISED_BY)
@pytest.mark.parametrize(("code", "name", "said", "remedy"), FAILED, ids=[name for _, name, _, _ in FAILED])
def test_a_device_that_fails_says_so_in_the_driver_s_words(
    library: str, code: int, name: str, said: str, remedy: str
) -> None:
    raised = RAISED_BY[library](code, name)
    failure = device_failure(raised, "4 items of order_bin", WHERE)
    assert failure is not None and failure.code == "5B.BACKEND.DEVICE_FAILED"
    assert said in failure.what and "4 items of order_bin" in failure.what and str(raised) in failure.what
    assert failure.where == WHERE
    assert remedy in failure.remedy
    assert "\n" not in str(failure)


def test_a_driver_that_is_too_old_names_the_extra() -> None:
    raised = cupy_error(35, "CUDA_ERROR_INSUFFICIENT_DRIVER")
    failure = device_failure(raised, "the start", WHERE)
    assert failure is not None and failure.code == "5B.BACKEND.DEVICE_FAILED"
    assert "seg5b[cuda12]" in failure.remedy and str(raised) in failure.what


NO_DEVICE_MEMORY = {
    "numba": lambda: numba_error(2, "CUDA_ERROR_OUT_OF_MEMORY"),
    "cuda.core": lambda: core_error(2, "CUDA_ERROR_OUT_OF_MEMORY"),
    "cupy's runtime": lambda: cupy_error(2, "CUDA_ERROR_MEMORY_ALLOCATION"),
    "cupy's pool": empty_pool_of_cupy,
    "rmm": lambda: MemoryError(
        "std::bad_alloc: out_of_memory: CUDA error (failed to allocate 8 bytes) at: async.hpp:1"
    ),
    "rmm's limit": lambda: MemoryError("std::bad_alloc: out_of_memory: RMM failure at:limit.hpp:99: Exceeded limit"),
}


@pytest.mark.parametrize("library", NO_DEVICE_MEMORY)
def test_memory_of_the_device(library: str) -> None:
    failure = device_failure(NO_DEVICE_MEMORY[library](), "8 bytes to upload", WHERE)
    assert failure is not None and failure.code == "5B.BACKEND.OUT_OF_MEMORY"
    assert "no device memory for 8 bytes to upload" in failure.what and "--chunk-arrivals" in failure.remedy


def host_is_full() -> Exception:
    try:
        np.empty(1 << 62, np.uint8)
    except MemoryError as failure:
        return failure
    raise AssertionError("more memory than any host has")


@pytest.mark.parametrize("raised", [MemoryError(), host_is_full()], ids=["plain", "numpy"])
def test_memory_of_the_host_is_another_matter(raised: Exception) -> None:
    """Smaller chunks do not help there, so it must not be taken for the device's."""
    failure = device_failure(raised, "8 bytes to download", WHERE)
    assert failure is not None and failure.code == "5B.BACKEND.HOST_OUT_OF_MEMORY"
    assert "no memory of the host" in failure.what and "--threads" in failure.remedy


@pytest.mark.parametrize(
    "raised",
    [
        ZeroDivisionError(),
        numba_error(1, "CUDA_ERROR_INVALID_VALUE"),
        OSError(2, "No such file", "CUDA_ERROR_UNKNOWN.txt"),
        BackendError("5B.BACKEND.OUT_OF_MEMORY", "CUDA_ERROR_OUT_OF_MEMORY"),
    ],
    ids=lambda raised: type(raised).__name__,
)
def test_faults_of_the_program_are_no_failures_of_the_device(raised: Exception) -> None:
    assert device_failure(raised, "a launch", WHERE) is None


@pytest.mark.parametrize(
    ("raised", "refused"),
    [
        (cupy_error(2, "CUDA_ERROR_MEMORY_ALLOCATION"), True),
        (cupy_error(801, "CUDA_ERROR_NOT_SUPPORTED"), True),
        (numba_error(304, "CUDA_ERROR_OPERATING_SYSTEM"), True),
        (MemoryError(), True),
        (cupy_error(700, "CUDA_ERROR_ILLEGAL_ADDRESS"), False),
        (ZeroDivisionError(), False),
    ],
    ids=str,
)
def test_pinned_memory_that_is_refused(raised: Exception, refused: bool) -> None:
    assert pinned_refused(raised) is refused


def test_a_failing_device_is_no_verdict_on_data() -> None:
    assert issubclass(BackendError, NO_VERDICT)
