"""What a backend promises, and what only the CUDA backend must do, on stand-ins and on a device."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import pytest
from kernel_inputs import kernel_cases
from seg5b_kernels import cuda as kernels
from seg5b_kernels import registry

from seg5b.backends.base import Backend
from seg5b.backends.choose import choose_backend, cuda_facts, first_failure
from seg5b.backends.cuda import CudaBackend
from seg5b.errors import BackendError
from tests.device.conftest import ON_CUDA


class Nothing(NamedTuple):
    """Inputs or outputs of a launch that does not come about."""


@pytest.fixture(params=["cpu", *ON_CUDA])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend, for what they must do alike."""
    found: Backend = request.getfixturevalue(request.param)
    return found


def test_a_sound_backend_passes_the_trial(backend: Backend) -> None:
    assert first_failure(backend) is None


@pytest.mark.parametrize("counts", [[], [0], [3], [0, 2, 0, 0, 5, 1, 0], [1] * 100])
def test_sums(backend: Backend, counts: list[int]) -> None:
    expected = np.append(0, np.cumsum(counts)).astype(np.int32)
    uploaded = backend.upload(np.array(counts, np.int32))
    sums = backend.download(backend.exclusive_sum(uploaded, backend.empty(len(counts) + 1, np.int32)))
    assert sums.dtype == np.int32 and sums.tolist() == expected.tolist()


def test_elements(backend: Backend) -> None:
    ascending = backend.upload(np.array([0, 0, 2, 5, 5, 9], np.int64))
    index = backend.upload(np.array([5, 0, 3], np.int32))
    assert backend.download(backend.take(ascending, index)).tolist() == [9, 0, 5]


def test_arrays_keep_their_values_on_the_way_there_and_back(backend: Backend) -> None:
    for array in (np.arange(12.0).reshape(3, 4).T, np.zeros((0, 4), np.uint8), np.arange(9, dtype=np.int16)[::2]):
        there = backend.upload(array)
        assert (there.shape, there.dtype) == (array.shape, array.dtype)
        assert (backend.download(there) == array).all()
    assert not backend.download(backend.zeros((2, 3), np.int32)).any()


@pytest.mark.parametrize(
    "operation",
    [
        lambda backend: backend.empty(100, np.float64),
        lambda backend: backend.zeros((10, 10), np.float64),
        lambda backend: backend.upload(np.zeros(100)),
        lambda backend: backend.take(backend.upload(np.zeros(1)), backend.upload(np.zeros(11, np.int64))),
    ],
)
def test_too_little_memory_is_a_typed_error(
    hosted_with: Callable[[int], CudaBackend], operation: Callable[[Backend], Any]
) -> None:
    with pytest.raises(BackendError) as failure:
        operation(hosted_with(100))
    assert failure.value.code == "5B.BACKEND.OUT_OF_MEMORY"
    assert "--chunk-arrivals" in failure.value.remedy
    assert operation(hosted_with(10_000)) is not None


def test_what_failed_for_memory_holds_none_afterwards(hosted_with: Callable[[int], CudaBackend]) -> None:
    """Not even until Python looks for cycles: whoever tries again with less needs that memory."""
    backend = hosted_with(100)

    def more_than_there_is() -> None:
        first = backend.empty(60, np.uint8)
        backend.take(first, backend.empty(60, np.uint8))

    gc.disable()
    try:
        with suppress(BackendError):
            more_than_there_is()
        assert backend.empty(100, np.uint8).nbytes == 100
    finally:
        gc.enable()


@pytest.mark.parametrize("words", ["[CUresult.CUDA_ERROR_OUT_OF_MEMORY] Call to", "cudaErrorMemoryAllocation: out of"])
def test_the_driver_s_own_words_for_it_count_too(
    hosted: CudaBackend, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(words)

    monkeypatch.setattr(hosted._arrays, "launch", fail)
    case = kernel_cases(4)[0]
    with pytest.raises(BackendError, match="4 items of absorb_template"):
        hosted.launch(case.kernel, 4, Nothing(), Nothing())


def test_other_failures_pass_through(hosted: CudaBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(hosted._arrays, "launch", fail)
    with pytest.raises(ZeroDivisionError):
        hosted.launch(registry.ORDER_BIN, 1, Nothing(), Nothing())


def test_facts_for_the_run_report(hosted: CudaBackend) -> None:
    facts = hosted.describe()
    assert facts.items() >= {"backend": "cuda", "reason": "test", "device_number": 0, "device": "simulator"}.items()


def test_launch_geometry_covers_every_item() -> None:
    per_block = kernels.THREADS_PER_BLOCK
    for n in (1, per_block - 1, per_block, per_block + 1, 10 * per_block):
        blocks = kernels.blocks_for(n)
        assert (blocks - 1) * per_block < n <= blocks * per_block


def test_kernels_have_names_under_which_numba_can_cache_them() -> None:
    functions = [kernels.thread_function(kernel) for kernel in registry.KERNELS]
    assert len({function.__qualname__ for function in functions}) == len(registry.KERNELS)
    assert all(function.__closure__ is None for function in functions)


@pytest.mark.gpu
def test_a_device_describes_itself_and_is_chosen(device: CudaBackend) -> None:
    assert choose_backend("auto").name == "cuda"
    facts = device.describe()
    assert int(facts["memory_bytes"]) > 0 and facts["driver"] and cuda_facts()["devices"]


@pytest.mark.gpu
def test_device_memory_that_is_not_there_is_a_typed_error(device: CudaBackend) -> None:
    with pytest.raises(BackendError, match="OUT_OF_MEMORY"):
        device.empty(int(device.describe()["memory_bytes"]) * 2, np.uint8)
    assert first_failure(device) is None


@pytest.mark.gpu
def test_the_pool_remembers_the_most_memory_there_was(device: CudaBackend) -> None:
    """What run records and the benchmark show as ``memory_pool_bytes``."""
    if "cudf" in sys.modules:
        pytest.skip("importing cudf moved cupy's allocations to rmm")
    before = int(device.describe()["memory_pool_bytes"])
    held = device.zeros(before + (1 << 20), np.uint8)
    grown = int(device.describe()["memory_pool_bytes"])
    assert grown >= before + held.nbytes
    del held
    assert int(device.describe()["memory_pool_bytes"]) == grown
